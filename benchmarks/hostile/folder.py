"""Every file of a folder through the function, beside what plain Pillow makes of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.hostile.bombs.bomb import API_BYTES
from benchmarks.hostile.processes import Child, Crash, in_turn

ROUTES = ("json", "raw", "stored")
"""A request in JSON, a request with the bytes, and what batch and workflow do with an object."""


class Reply(NamedTuple):
    """What one way in gave."""

    status: int
    """0: an exception left the handler; -1: the process died."""
    message: str
    digest: str
    cpu_s: float
    peak_mb: float
    files: int
    sockets: int
    children: int


class Outcome(NamedTuple):
    """One file, as Pillow and as the function see it."""

    folder: Path
    """One of those that were named."""
    name: str
    image_format: str
    plain: str
    """The error of Pillow's strict load, or ""."""
    pixels: str
    """The same without the parts that do not hold pixels."""
    replies: dict[str, Reply]

    @property
    def status(self) -> int:
        """The worst of the routes' statuses, as long as they agree the only one."""
        statuses = {reply.status for reply in self.replies.values()}
        return next((status for status in statuses if status < 100 or status >= 500), max(statuses))

    @property
    def differs(self) -> bool:
        """Whether one way in gives another status than the others, or JSON another answer than the bytes."""
        both = [self.replies[route] for route in ("json", "raw") if route in self.replies]
        return len({reply.status for reply in self.replies.values()}) > 1 or len({r.digest for r in both}) > 1


def ask(child: Child, asked: dict[str, Any]) -> Reply:
    """One line to the function's process; a crash is a reply, too."""
    try:
        given = child.ask(asked)
    except Crash as crash:
        return Reply(-1, f"crash: {crash}", "", 0.0, 0.0, 0, 0, 0)
    digest = given.get("digest", "")
    counts = (given["files"], given["sockets"], given["children"])
    return Reply(given["status"], given["message"], digest, given["cpu_s"], given["peak_mb"], *counts)


def judged(child: Child, file: Path) -> tuple[str, str, str]:
    """Format, `plain` and `pixels` of a file, by Pillow in a process of limited memory and time."""
    try:
        given = child.ask({"file": str(file)})
    except Crash as crash:
        return ("other", f"crash: {crash}", f"crash: {crash}")
    return (given["format"], given["plain"], given["pixels"])


def answer_files(
    folders: list[Path], function: Callable[[], Child], plain: Callable[[], Child], processes: int
) -> list[Outcome]:
    """The outcome of each file below the folders, in order."""
    files = files_in(folders)
    opinions = in_turn(files, plain, judged, processes)

    def all_routes(child: Child, file: Path) -> dict[str, Reply]:
        routes = ROUTES if file.stat().st_size <= API_BYTES else ("stored",)
        return {route: ask(child, {"file": str(file), "route": route}) for route in routes}

    replies = in_turn(files, function, all_routes, processes)
    return [
        Outcome(next(folder for folder in folders if folder in file.parents), file.name, *opinion, reply)
        for file, opinion, reply in zip(files, opinions, replies, strict=True)
    ]


def files_in(folders: list[Path]) -> list[Path]:
    """Every file below the folders that is not empty; its name does not count."""
    found = (path for folder in folders for path in sorted(folder.rglob("*")))
    return [path for path in found if path.is_file() and path.stat().st_size > 0]
