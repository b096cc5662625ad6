"""A local folder in this machine's processes, without any AWS; started again, it goes on where it was stopped.

Each answer is appended to a journal beside the result, `OUT.partial`, whose first line says what is being done. At the
end the result is written aside, in the order of the keys, and takes its place in one step: so it is the same file
whether or not the run was interrupted.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from chalicelib.batch.cli.files import Line, Row, write
from chalicelib.batch.cli.job import Job
from chalicelib.batch.cli.processes import Processes
from chalicelib.batch.record import canonical
from chalicelib.config import Settings
from chalicelib.errors import InvalidRequest
from chalicelib.inference.formats import SUFFIXES

Show = Callable[[int, int, int], None]


def run(job: Job, settings: Settings, show: Show) -> dict[str, int]:
    """Classify every picture below the folder; raises InvalidRequest, UnknownModel, ServiceError or OSError.

    Interrupted, it leaves the journal, and the next run does the rest. Returns the counts.
    """
    with Processes(job, settings) as processes:
        keys = sorted(list_pictures(job.folder))
        if not keys:
            raise InvalidRequest(f"{job.folder} holds no picture ({', '.join(SUFFIXES)})")
        model, version = processes.model()
        head = {"folder": str(job.folder.resolve()), "model": model, "version": version, "top_k": job.top_k}
        known = _resume(job, head)
        lines = {key: known[key] for key in keys if key in known}
        with open(job.journal, "a", encoding="utf-8") as journal:
            failed = sum(line.failed for line in lines.values())
            show(len(lines), len(keys), failed)
            for done in processes.classified([key for key in keys if key not in lines]):
                lines.update((line.key, line) for line in done)
                failed += sum(line.failed for line in done)
                journal.writelines(line.text for line in done)
                journal.flush()
                show(len(lines), len(keys), failed)
    write(job.out, [lines[key] for key in keys])
    job.journal.unlink()
    return {"total": len(lines), "failed": failed}


def list_pictures(folder: Path) -> Iterator[str]:
    """Paths below the folder, with `/` between their parts; hidden ones, and folders that are links, are left out.

    Raises OSError for a folder that may not be read.
    """
    below = [""]
    while below:
        above = below.pop()
        with os.scandir(folder / above) as entries:
            for entry in entries:
                path = above + entry.name
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    below.append(f"{path}/")
                elif path.lower().endswith(SUFFIXES) and entry.is_file():
                    yield path


def _resume(job: Job, head: Row) -> dict[str, Line]:
    """The lines of a journal that was begun with the same `head`; another one, or none, begins anew."""
    try:
        lines = job.journal.read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        lines = []
    whole = [json.loads(line) for line in lines if line.endswith("\n")]  # the last one may be cut off
    if not whole or whole[0] != head:
        whole = [head]
    job.journal.write_text("".join(f"{canonical(row)}\n" for row in whole), encoding="utf-8")
    return {row["key"]: Line.of(row) for row in whole[1:]}
