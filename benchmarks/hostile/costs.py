"""The constants of the budget, measured anew: one slow picture of each variant, and what its estimate was."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image

from benchmarks.hostile.bombs import bmp, jpeg, png
from benchmarks.hostile.folder import ask
from benchmarks.hostile.processes import Child
from benchmarks.hostile.samples import encoded
from chalicelib.inference import images, limits
from chalicelib.inference.card import RESIZES, InputSpec, Resize
from chalicelib.inference.containers.stripped import Stripped
from chalicelib.telemetry import Spans

SIDE_PX, LARGE_PX = 2_000, 5_000
TRIES = 3
NOT_MADE = ("lossless JPEG",)
"""Variants for which there is no picture here: Pillow does not write them."""


class Cost(NamedTuple):
    """One variant: nanoseconds for each unit, measured and as the budget has them."""

    variant: str
    unit: str
    measured_ns: float
    constant_ns: float
    """All of the estimate, divided by the same units."""

    def row(self) -> tuple[str, ...]:
        """As the table shows it."""
        ratio = self.constant_ns / self.measured_ns
        return (self.variant, self.unit, f"{self.measured_ns:.1f}", f"{self.constant_ns:.1f}", f"{ratio:.2f}")


def noise(mode: str = "RGB") -> Image.Image:
    """What no encoder can make small."""
    bands = [Image.effect_noise((SIDE_PX, SIDE_PX), 120 + 10 * number) for number in range(len(mode))]
    return bands[0] if len(mode) == 1 else Image.merge(mode, bands)


def pictures() -> Iterator[Callable[[], bytes]]:
    """Slow pictures, at least one of each variant."""
    yield lambda: encoded(noise(), "JPEG", quality=95, subsampling=0)
    yield lambda: encoded(noise("CMYK"), "JPEG", quality=95)
    yield lambda: encoded(noise(), "JPEG", quality=95, subsampling=0, progressive=True)
    yield lambda: jpeg.separate(jpeg.BASELINE, SIDE_PX, SIDE_PX, jpeg.COLOR)
    yield lambda: jpeg.separate(jpeg.ARITHMETIC, SIDE_PX, SIDE_PX, jpeg.COLOR)
    yield lambda: jpeg.several(jpeg.PROGRESSIVE, SIDE_PX, SIDE_PX, jpeg.COLOR, 40)
    yield lambda: jpeg.noisy(jpeg.ARITHMETIC, 4_000_000)
    yield lambda: jpeg.noisy(jpeg.ARITHMETIC_PROGRESSIVE, 4_000_000)
    yield lambda: jpeg.sequential(jpeg.ARITHMETIC, SIDE_PX, SIDE_PX, jpeg.COLOR, filled=False)
    yield lambda: jpeg.several(jpeg.ARITHMETIC_PROGRESSIVE, SIDE_PX, SIDE_PX, jpeg.COLOR, 10)
    yield lambda: png.filtered(SIDE_PX, SIDE_PX, 4)
    yield lambda: png.plain(SIDE_PX, SIDE_PX, 16, 6, interlaced=True)
    yield lambda: png.plain(SIDE_PX, SIDE_PX, 8, 3)
    yield lambda: encoded(noise("RGBA"), "PNG", compress_level=1)
    yield lambda: encoded(noise(), "WEBP", quality=95)
    yield lambda: encoded(noise("RGBA"), "WEBP", lossless=True, quality=0, method=0)
    yield lambda: encoded(noise().quantize(256), "GIF")
    yield lambda: encoded(noise("RGBA"), "BMP")
    yield lambda: bmp.plain(SIDE_PX, SIDE_PX, 1, 10**7)
    yield lambda: bmp.runs(SIDE_PX, SIDE_PX, 8, 1, 10**8)
    yield lambda: bmp.runs(SIDE_PX, SIDE_PX, 4, 1, 10**8)
    yield lambda: bmp.run_length(SIDE_PX, SIDE_PX, 4, bmp.DELTA + b"\0\1", 10**8)
    yield lambda: png.stuffed(png.PARTS["empty data"], 500_000)
    yield lambda: png.trailed(png.PARTS["empty data"], 500_000)
    yield lambda: bmp.bmp(100, 100, 4, b"\1\0" * 500_000 + bmp.END, bmp.RLE4)
    yield lambda: bmp.run_length(SIDE_PX, SIDE_PX, 8, b"\1\1" + bmp.END_OF_LINE, 10**8)


def measured_methods() -> list[Cost]:
    """What the methods of resizing cost on pictures that are cheap to decode, so that nothing else covers it."""
    grey = jpeg.sequential(jpeg.BASELINE, LARGE_PX, LARGE_PX, jpeg.GREY)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    turned = encoded(Image.new("1", (LARGE_PX, LARGE_PX)), "PNG", exif=exif)
    tried = [(grey, resize) for resize in RESIZES if resize != "bilinear"]
    return [_of_method(data, resize) for data, resize in [*tried, (turned, "nearest")]]


def _of_method(data: bytes, resize: Resize) -> Cost:
    spec, stripped = InputSpec(299, 299, "RGB", 1.0, (0.0,) * 3, (1.0,) * 3, resize), images.strip(data)
    times = []
    for _ in range(TRIES):
        began = time.process_time()
        images.pixels_of(data, spec, Spans())
        times.append(time.process_time() - began)
    pixels = stripped.width * stripped.height
    measured_ns, constant_ns = (seconds / pixels * 1e9 for seconds in (min(times), limits.seconds(stripped, resize)))
    return Cost(f"{stripped.variant}, {resize}", "pixel", measured_ns, constant_ns)


def dominant(stripped: Stripped) -> tuple[str, int]:
    """The largest part of a picture's estimate: what it is for, and how many there are."""
    cost = limits.COSTS[stripped.variant]
    units = {
        "pixel": (cost.pixel, stripped.width * stripped.height),
        "unit of work": (cost.work, stripped.work),
        "byte": (cost.byte, len(stripped.data)),
        "part": (cost.part, stripped.parts),
    }
    unit = max(units, key=lambda name: units[name][0] * units[name][1])
    return unit, units[unit][1]


def measured(child: Child) -> list[Cost]:
    """The cost of each slow picture, the best of some tries."""
    found = []
    for make in pictures():
        data = make()
        stripped = images.strip(data)
        unit, units = dominant(stripped)
        with tempfile.TemporaryDirectory(prefix="slimception-") as folder:
            file = Path(folder, "picture")
            file.write_bytes(data)
            replies = [ask(child, {"file": str(file), "route": "stored"}) for _ in range(TRIES)]
        if all(reply.status in (200, 422) for reply in replies):  # what is broken may take long, too
            best_s = min(reply.cpu_s for reply in replies)
            estimate_s = limits.seconds(stripped)
            found.append(Cost(stripped.variant, unit, best_s / units * 1e9, estimate_s / units * 1e9))
    return found
