"""Every bomb through the function, alone and as often as one request holds it, at an API's and at a batch's size."""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.hostile.bombs import bmp, gif, jpeg, png, webp
from benchmarks.hostile.bombs.bomb import API_BYTES, STORED_BYTES, Bomb
from benchmarks.hostile.folder import Reply, ask
from benchmarks.hostile.processes import Child, in_turn
from benchmarks.hostile.promises import BOMB_S, WORST_MB, Promise
from chalicelib.api.contract import MAX_INSTANCES
from chalicelib.inference import limits
from chalicelib.inference.containers.jpeg import MAX_SCANS

REQUEST_BYTES = 6 * 2**20 - 1_000
"""What an invocation of Lambda may hold, less what is around the pictures."""


class Blast(NamedTuple):
    """One bomb in one form: `copies` of `size_bytes` by one route."""

    image_format: str
    bomb: Bomb
    route: str
    copies: int
    size_bytes: int
    reply: Reply

    @property
    def name(self) -> str:
        """As the tables show it."""
        times = f"{self.copies} x " if self.copies > 1 else ""
        return f"{times}{self.image_format}: {self.bomb.name} ({self.size_bytes:,} bytes, {self.route})"


def all_bombs() -> Iterator[tuple[str, Bomb]]:
    """Format and bomb, at the limits that the served code has now."""
    side = limits.MAX_SIDE_PX
    area = {name: cost.max_area_px for name, cost in limits.COSTS.items()}
    found: dict[str, Iterator[Bomb]] = {
        "JPEG": jpeg.bombs(area["JPEG"], area["progressive JPEG"], side, MAX_SCANS),
        "PNG": png.bombs(area["PNG"], side),
        "WEBP": webp.bombs(area["WebP"], side),
        "GIF": gif.bombs(area["GIF"], side),
        "BMP": bmp.bombs(area["BMP"], side),
    }
    return ((name, bomb) for name, bombs in found.items() for bomb in bombs)


def blast(function: Callable[[], Child], processes: int, every: int = 1) -> list[Blast]:
    """Every `every`-th bomb in all of its forms."""
    chosen = list(itertools.islice(all_bombs(), 0, None, every))
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        folder = Path(scratch)
        return list(
            itertools.chain(*in_turn(chosen, function, lambda child, one: _forms(child, folder, *one), processes))
        )


def _forms(child: Child, folder: Path, image_format: str, bomb: Bomb) -> list[Blast]:
    data = bomb.make(API_BYTES)
    found = []
    if len(data) <= API_BYTES:
        found.append(_sent(child, folder, image_format, bomb, data, "raw", 1))
        each = (REQUEST_BYTES // MAX_INSTANCES - 12) * 3 // 4  # bytes that 32 of them may have, in base64
        small = bomb.make(each) if bomb.grows else data
        copies = min(MAX_INSTANCES, REQUEST_BYTES // (len(small) * 4 // 3 + 16))
        if copies > 1:
            found.append(_sent(child, folder, image_format, bomb, small, "instances", copies))
    if bomb.grows or len(data) > API_BYTES:
        large = bomb.make(STORED_BYTES) if bomb.grows else data
        if len(large) <= STORED_BYTES:
            found.append(_sent(child, folder, image_format, bomb, large, "stored", 1))
    return found


def _sent(child: Child, folder: Path, image_format: str, bomb: Bomb, data: bytes, route: str, copies: int) -> Blast:
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(data)
        file.flush()
        reply = ask(child, {"file": file.name, "route": route, "copies": copies})
    return Blast(image_format, bomb, route, copies, len(data), reply)


def slowest(blasts: list[Blast], count: int) -> list[Blast]:
    """Those that took the most processor time."""
    return sorted(blasts, key=lambda blast: -blast.reply.cpu_s)[:count]


def largest(blasts: list[Blast], count: int) -> list[Blast]:
    """Those that took the most memory."""
    return sorted(blasts, key=lambda blast: -blast.reply.peak_mb)[:count]


def unhandled(blasts: list[Blast]) -> list[Blast]:
    """Those that gave a 5xx, an exception or a crash."""
    return [blast for blast in blasts if blast.reply.status < 100 or blast.reply.status >= 500]


def of_bombs(blasts: list[Blast], timed: bool) -> list[Promise]:
    """The promises on bombs."""
    wrong = unhandled(blasts)
    over = [blast for blast in blasts if blast.bomb.over and blast.reply.status == 200]
    seconds, peak_mb = (max(values) for values in zip(*((b.reply.cpu_s, b.reply.peak_mb) for b in blasts), strict=True))
    found = [
        Promise("every bomb is answered or refused", f"{len(wrong)} of {len(blasts)} are not", not wrong),
        Promise("no bomb over a limit is answered 200", f"{len(over)}", not over),
        Promise(f"at most {WORST_MB:.0f} MB above the model", f"{peak_mb:.0f} MB", peak_mb <= WORST_MB),
    ]
    if timed:
        found.append(Promise(f"at most {BOMB_S:.0f} s of processor time", f"{seconds:.2f} s", seconds <= BOMB_S))
    return found
