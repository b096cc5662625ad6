"""A local folder in this machine's processes, without any AWS; started again, it goes on where it was stopped.

Each answer is appended to a journal beside the result, `OUT.partial`, whose first line says what is being done. At the
end the result is written aside, in the order of the keys, and takes its place in one step: so it is the same file
whether or not the run was interrupted.
"""

import json
from collections.abc import Callable

from chalicelib.batch.files import Line, Row, write
from chalicelib.batch.processes import Job, classified, loaded
from chalicelib.batch.record import canonical
from chalicelib.config import Settings
from chalicelib.errors import InvalidRequest
from chalicelib.model_store import ModelStore
from chalicelib.parsing import check_top_k

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}

Show = Callable[[int, int, int], None]


def run(job: Job, settings: Settings, show: Show) -> dict[str, int]:
    """Classify every picture below the folder; raises InvalidRequest, UnknownModel or ServiceError.

    Interrupted, it leaves the journal, and the next run does the rest. Returns the counts.
    """
    keys = list_pictures(job)
    if not keys:
        raise InvalidRequest(f"{job.folder} holds no picture ({', '.join(sorted(SUFFIXES))})")
    classifier = loaded(ModelStore(settings), job.model)  # in this process, so that an error is told once and at once
    card, _ = classifier.card, check_top_k(job.top_k, len(classifier.labels))
    head = {"folder": str(job.folder.resolve()), "model": card.name, "version": card.version, "top_k": job.top_k}
    known = _resume(job, head)
    lines = {key: known[key] for key in keys if key in known}
    with open(job.journal, "a", encoding="utf-8") as journal:
        failed = sum(line.failed for line in lines.values())
        show(len(lines), len(keys), failed)
        for done in classified(job, settings, [key for key in keys if key not in lines]):
            lines.update((line.key, line) for line in done)
            failed += sum(line.failed for line in done)
            journal.writelines(line.text for line in done)
            journal.flush()
            show(len(lines), len(keys), failed)
    write(job.out, [lines[key] for key in keys])
    job.journal.unlink()
    return {"total": len(lines), "failed": failed}


def list_pictures(job: Job) -> list[str]:
    """Paths below the folder, with `/` between their parts, in order; hidden ones are left out."""
    found = (path.relative_to(job.folder) for path in job.folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    visible = (path for path in found if not any(part.startswith(".") for part in path.parts))
    return sorted(path.as_posix() for path in visible if (job.folder / path).is_file())


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
