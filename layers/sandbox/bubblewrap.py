"""Whether this machine can run the sandbox, and the command line that does."""

import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from layers.pythons import LANG, Interpreter
from layers.sandbox.view import View

_TRY_S = 60


def command(view: View, program: Sequence[str], options: Sequence[str] = ()) -> list[str]:
    """The command line that runs `program` in a sandbox; `options` are more of bwrap's.

    `--die-with-parent` is right where the thread that starts it also waits for it: the kernel takes that thread's
    end for the parent's (PR_SET_PDEATHSIG(2const)).
    """
    return [shutil.which("bwrap") or "bwrap", *view.arguments(), *options, "--", *program]


@cache
def why_not(interpreter: Interpreter) -> str | None:
    """Why this Python cannot run in a sandbox here, and what to do; None if it can. Tried once in each process."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is missing: install the package bubblewrap (version 0.7 or later) on a Linux machine"
    if any(Path.home().is_relative_to(place) for place in interpreter.read_only.values()):
        return f"{interpreter.path} would show the home folder: take a Python from a folder that does not contain it"
    program = [*interpreter.sandboxed_command, "-I", "-S", "-c", ""]
    options = ("--die-with-parent", "--as-pid-1", "--setenv", "LD_LIBRARY_PATH", f"{LANG}/lib")
    try:
        tried = subprocess.run(
            command(View(interpreter.read_only), program, options),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TRY_S, env={},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start ({error}): install version 0.7 or later"
    if tried.returncode == 0:
        return None
    reason = (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[-1]
    return f"a sandbox cannot be started here ({reason}): allow user namespaces, and bubblewrap 0.7 or later"
