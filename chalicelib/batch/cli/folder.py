"""Classifies a local folder in this machine's processes, without AWS; the same run again resumes an interrupted one.

Each answer is appended to a journal beside the result, `OUT.partial`, whose first line holds folder, model and top_k.
At the end the result is written to another file, in the order of the keys, and that file is renamed. So the result is
the same file whether or not the run was interrupted.
"""

from collections.abc import Callable
from typing import Any

from chalicelib import strict_json
from chalicelib.batch.cli.files import Line, Row, write
from chalicelib.batch.cli.job import Job
from chalicelib.batch.cli.processes import Processes
from chalicelib.batch.record import canonical
from chalicelib.config import Settings
from chalicelib.errors import InvalidRequest
from chalicelib.inference.folders import find_pictures
from chalicelib.inference.formats import ACCEPTED

Show = Callable[[int, int, int], None]


def run(job: Job, settings: Settings, show: Show) -> dict[str, int]:
    """Classify every picture below the folder; returns the counts `total` and `failed`, and `skipped` other files.

    Raises InvalidRequest, UnknownModel, ServiceError or OSError. If it is interrupted, it leaves the journal, and the
    next run does the rest.
    """
    with Processes(job, settings) as processes:
        keys, skipped = find_pictures(job.folder)
        if not keys:
            raise InvalidRequest(
                f"{job.folder} holds no picture: {ACCEPTED}, whatever the files' names ({skipped} others)"
            )
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
                journal.flush()  # a killed run loses only the chunks that are not answered
                show(len(lines), len(keys), failed)
    write(job.out, [lines[key] for key in keys])
    job.journal.unlink()
    return {"total": len(lines), "failed": failed, "skipped": skipped}


def _resume(job: Job, head: Row) -> dict[str, Line]:
    """The lines of a journal that begins with the same `head`; otherwise a new, empty journal is written.

    Lines that are damaged are left out, so that their pictures are classified again.
    """
    try:
        lines = job.journal.read_bytes().split(b"\n")[:-1]  # what follows the last line end was cut off
    except FileNotFoundError:
        lines = []
    rows = [_parsed(line) for line in lines]
    known = {row["key"]: row for row in rows[1:] if _is_row(row)} if rows and rows[0] == head else {}
    job.journal.write_text("".join(f"{canonical(row)}\n" for row in (head, *known.values())), encoding="utf-8")
    return {key: Line.of(row) for key, row in known.items()}


def _parsed(line: bytes) -> Any:
    """The JSON of a line, or None."""
    try:
        return strict_json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_row(row: Any) -> bool:
    """Whether a line of the journal is a picture's row, with all that the result is written from."""
    try:
        texts = [row["key"]]
        if "error" in row:
            texts += [row["error"]["Code"], row["error"]["Message"]]
        else:
            best = row["predictions"][0]
            texts.append(best["label"])
            float(best["score"]), int(best["index"])
        return all(isinstance(text, str) for text in texts)
    except (TypeError, KeyError, IndexError, ValueError):
        return False
