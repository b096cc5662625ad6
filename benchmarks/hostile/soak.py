"""The same files again and again in one process, in threads, and with little memory: nothing grows, nothing changes."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.hostile.bombs import bmp, gif, jpeg, png, webp
from benchmarks.hostile.folder import ROUTES, Reply, ask
from benchmarks.hostile.processes import Child, Crash
from benchmarks.hostile.promises import GROWTH_FILES, Promise

GROWTH_MB = 8.0
"""Of 20,000 requests: what an allocator keeps."""
FEW = 60
"""Files for the soak: each is asked for by each route, so that most answers come again and again."""
HEADROOMS_MB = (400, 200, 100, 50, 20)
"""Address space that a process may take above the loaded model."""
SHORT_OF_MEMORY = {0, -1, 500, 503}
"""An exception, a killed process, or an error that may be asked again. A 4xx would refuse a good picture for ever."""


class Starved(NamedTuple):
    """One picture with little memory: its answer, and its answer with enough."""

    name: str
    headroom_mb: int
    route: str
    enough: Reply
    little: Reply

    @property
    def is_wrong(self) -> bool:
        """Whether it got another answer, and not only none."""
        return self.little.status not in SHORT_OF_MEMORY and self.little.digest != self.enough.digest


def soak(files: list[Path], child: Child, requests: int) -> list[Promise]:
    """Mixed requests in one process: the same answers, and no growth of memory, files, threads."""
    rng = random.Random(1)
    chosen = rng.sample(files, min(FEW, len(files)))
    asked = [{"file": str(file), "route": route} for file in chosen for route in ROUTES]
    wanted = [ask(child, one) for one in asked]
    warm = child.ask(asked[0])
    drifted = 0
    for _ in range(requests):
        number = rng.randrange(len(asked))
        again = ask(child, asked[number])
        drifted += (again.status, again.digest) != (wanted[number].status, wanted[number].digest)
    last = child.ask(asked[0])
    grown_mb, grown = last["rss_mb"] - warm["rss_mb"], last["files"] - warm["files"]
    left = last["sockets"] + last["children"] + last["threads"] - warm["threads"]
    return [
        Promise(f"{requests:,} requests in one process: the same answers", f"{drifted} differ", drifted == 0),
        Promise(f"their memory grows by at most {GROWTH_MB:.0f} MB", f"{grown_mb:.1f} MB", grown_mb <= GROWTH_MB),
        Promise("and nothing else grows", f"{grown} files, {left} others", grown <= GROWTH_FILES and left <= 0),
    ]


def few(files: list[Path]) -> list[Path]:
    """FEW of the files or a few more, evenly spread."""
    return files[:: max(1, len(files) // FEW)]


def in_threads(files: list[Path], child: Child) -> list[Promise]:
    """Eight threads on one classifier."""
    try:
        given = child.ask({"route": "threads", "files": [str(file) for file in files]})
        answers, differ = given["answers"], given["differ"]
    except Crash as crash:
        return [Promise("eight threads on one classifier", f"crash: {crash}", False)]
    return [Promise("eight threads on one classifier: as one by one", f"{differ} of {answers} differ", differ == 0)]


def hungry(folder: Path) -> list[Path]:
    """Pictures of 12 to 16 megapixels in every format: decoding them takes some 50 to 200 MB."""
    made = {
        "png": png.plain(4_000, 4_000, 8, 6),
        "webp": webp.riff(webp.lossless(4_000, 4_000)),
        "lossy.webp": webp.riff(webp.lossy(4_000, 3_000)),
        "jpg": jpeg.sequential(jpeg.BASELINE, 4_000, 4_000, jpeg.COLOR),
        "progressive.jpg": jpeg.several(jpeg.PROGRESSIVE, 4_000, 4_000, jpeg.COLOR, 3),
        "gif": gif.whole(4_000, 4_000, True, 0),
        "bmp": bmp.plain(4_000, 4_000, 1, 4_000_000),
    }
    for name, data in made.items():
        (folder / f"hungry.{name}").write_bytes(data)
    return [folder / f"hungry.{name}" for name in made]


def starve(files: list[Path], make: Callable[..., Child]) -> list[Starved]:
    """Each file in processes of less and less memory; `make` takes the headroom in MB, or nothing for no limit."""
    found = []
    with make() as enough:
        wanted = [ask(enough, {"file": str(file), "route": "raw"}) for file in files]
    for headroom_mb in HEADROOMS_MB:
        with make(headroom_mb) as child:
            for file, want in zip(files, wanted, strict=True):
                found.append(
                    Starved(file.name, headroom_mb, "raw", want, ask(child, {"file": str(file), "route": "raw"}))
                )
    return found


def of_starved(starved: list[Starved]) -> list[Promise]:
    """The promise on little memory: an answer or none, but no other."""
    wrong = [one for one in starved if one.is_wrong]
    none = sum(one.little.status in SHORT_OF_MEMORY for one in starved)
    measured = f"{len(wrong)} of {len(starved)} wrong, {none} without an answer"
    # if none went without an answer, the limit was never reached, and nothing is proven
    return [Promise("with little memory: the same answer or none", measured, not wrong and none > 0)]
