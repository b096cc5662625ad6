"""New processes that see the measured files as a function sees its layers: mounted read-only."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from benchmarks.cold_start.starts import HERE, Start
from layers.pythons import own
from layers.sandbox.bubblewrap import why_not
from localaws.processor.mask import Shown


class Ended(NamedTuple):
    """A process that answered and ended."""

    ms: float
    """From its start to its answer."""
    out: str
    err: str


class Starter:
    """A `with` block in which processes can be started. `writable` says why their files are not read-only, or is None.

    The sandbox is entered once, before anything is measured.
    """

    def __init__(self, folder: Path, processors: int | None = None) -> None:
        """`folder` is mounted read-only. `processors` is how many a process may use at once; None: all."""
        self.writable = why_not(own())
        mounts = ["--dev-bind", "/", "/", "--ro-bind", str(folder), str(folder), "--die-with-parent", "--"]
        sandbox = [] if self.writable else [shutil.which("bwrap") or "bwrap", *mounts]
        command = [*sandbox, sys.executable, "-I", "-S", "-B", str(HERE / "starter.py"), str(processors or "")]
        self._starter = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, __: BaseException | None, ___: TracebackType | None) -> None:
        self._starter.communicate()

    def run(self, start: Start, shown: Shown) -> Ended:
        """Start a process and wait for its end; raises SystemExit if it gave no answer."""
        assert self._starter.stdin is not None and self._starter.stdout is not None
        request = start.command, {**start.environment, **shown.environment}
        self._starter.stdin.write(json.dumps(request) + "\n")
        self._starter.stdin.flush()
        ended = json.loads(self._starter.stdout.readline())
        if ended["code"] != 0 or ended["ms"] is None:
            last = (ended["err"].strip().splitlines() or ["no message"])[-1]
            raise SystemExit(f"no answer from {' '.join(start.command)}: {last}")
        return Ended(ended["ms"], ended["out"], ended["err"])
