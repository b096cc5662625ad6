"""What a picture may cost, worked out from its headers before anything is decoded: pixels, memory, time.

The time is an estimate from above: pixels, samples and bytes times the constants of `COSTS`. One request, whatever it
holds, gets `REQUEST_S` of it, and so does each picture of a batch, a folder or a workflow.
"""

import math
from typing import NamedTuple

from chalicelib.errors import ImageTooLarge
from chalicelib.inference.card import Resize
from chalicelib.inference.containers.stripped import Stripped
from chalicelib.inference.formats import MEGAPIXEL

REQUEST_S = 2.5
"""Seconds of one vCPU with AVX2. With the inference of 32 pictures (4.4 s, Inception v3) and what surrounds it, the
slowest request stays below 7.5 s, a quarter of the API function's 30 s."""
MAX_SIDE_PX = 16_384
MAX_DECODED_PX = 25 * MEGAPIXEL
"""Of a JPEG after its scale is reduced; an image in memory has 4 bytes a pixel, and is copied once or twice."""
MAX_MEMORY_BYTES = 330_000_000
"""Of what a decoder keeps beside the image. A JPEG of 51 megapixels in three full components takes 306 MB."""


class Cost(NamedTuple):
    """The largest area of a variant, and nanoseconds for each pixel, unit of work, byte and part."""

    max_area_px: int
    pixel: float
    work: float
    byte: float
    part: float = 0.0


COSTS = {
    # Work: samples, times scans. Reduced scale saves memory, and much less time.
    "JPEG": Cost(100 * MEGAPIXEL, 0, 5, 12),
    "JPEG in scans": Cost(51 * MEGAPIXEL, 0, 6, 15),
    "progressive JPEG": Cost(51 * MEGAPIXEL, 0, 1.4, 36),
    "lossless JPEG": Cost(25 * MEGAPIXEL, 0, 16, 30),
    "arithmetic-coded JPEG": Cost(51 * MEGAPIXEL, 0, 25, 60),
    "arithmetic-coded JPEG in scans": Cost(51 * MEGAPIXEL, 0, 25, 60),
    "arithmetic-coded progressive JPEG": Cost(51 * MEGAPIXEL, 0, 25, 60),
    # Work: bytes of the rows. Parts: chunks.
    "PNG": Cost(25 * MEGAPIXEL, 14, 10, 10, 3_000),
    "WebP": Cost(24 * MEGAPIXEL, 28, 0, 75),
    "lossless WebP": Cost(24 * MEGAPIXEL, 34, 0, 10),
    "GIF": Cost(25 * MEGAPIXEL, 24, 0, 10),
    # Parts: colours of the palette.
    "BMP": Cost(25 * MEGAPIXEL, 8, 0, 1, 300),
    "run-length-encoded BMP": Cost(25 * MEGAPIXEL, 220, 0, 900, 300),
}
"""By `Stripped.variant`. Measured with Pillow 13.0.0 on an AMD EPYC at pictures made to be slow (noise, Paeth filters,
empty scans, runs of one pixel), with all that is done until the model's input; rounded up."""
FULL_NS, TURN_NS = 9.0, 6.0
"""For each decoded pixel: what a JPEG costs more at full scale, which only "bilinear" does without, and what it costs
to turn a picture before it is resized, as "nearest" requires. Measured at 25 megapixels in the same way."""


def seconds(stripped: Stripped, resize: Resize = "bilinear") -> float:
    """The estimate for one picture that is resized by this method."""
    cost = COSTS[stripped.variant]
    pixels = stripped.width * stripped.height * cost.pixel + _resizing_ns(stripped, resize)
    return (pixels + stripped.work * cost.work + len(stripped.data) * cost.byte + stripped.parts * cost.part) / 1e9


def _resizing_ns(stripped: Stripped, resize: Resize) -> float:
    """What the other methods cost more than "bilinear"."""
    decoded = min(stripped.width * stripped.height, MAX_DECODED_PX)
    if resize != "bilinear" and "JPEG" in stripped.variant:
        return decoded * FULL_NS
    return decoded * TURN_NS if resize == "nearest" and (stripped.orientation or 1) > 1 else 0.0


def check(stripped: Stripped, resize: Resize = "bilinear") -> float:
    """The estimate, in seconds, for a picture within all limits; raises ImageTooLarge for others."""
    width, height, variant = stripped.width, stripped.height, stripped.variant
    what = f"{'an' if variant.startswith('a') else 'a'} {variant} image of {width}x{height} pixels"
    limit = COSTS[variant].max_area_px
    if width * height > limit or max(width, height) > MAX_SIDE_PX:
        raise ImageTooLarge(f"{what}: at most {limit // MEGAPIXEL} megapixels and {MAX_SIDE_PX} a side are decoded")
    if stripped.memory_bytes > MAX_MEMORY_BYTES:
        raise ImageTooLarge(
            f"{what} takes {_up(stripped.memory_bytes / 1e6)} MB to decode: at most {MAX_MEMORY_BYTES // 10**6} are "
            "accepted; scale it down, or save it as baseline"
        )
    estimate = seconds(stripped, resize)
    if estimate > REQUEST_S:
        raise ImageTooLarge(
            f"{what} takes {_up(estimate)} s to decode: at most {REQUEST_S} are accepted; scale it down, or save it "
            "as a baseline JPEG"
        )
    return estimate


def check_decoded(stripped: Stripped, size: tuple[int, int]) -> None:
    """Check the size, in px, at which a picture will be decoded; raises ImageTooLarge."""
    if size[0] * size[1] > MAX_DECODED_PX:
        raise ImageTooLarge(
            f"a {stripped.variant} image of {stripped.width}x{stripped.height} pixels, of which {size[0]}x{size[1]} "
            f"have to be decoded for this model: at most {MAX_DECODED_PX // MEGAPIXEL} megapixels are; scale it down"
        )


def check_together(estimates: list[float]) -> None:
    """Check the pictures of one request; raises ImageTooLarge."""
    if sum(estimates) > REQUEST_S:
        raise ImageTooLarge(
            f"the {len(estimates)} images take {_up(sum(estimates))} s to decode: at most {REQUEST_S} in one request "
            "are accepted; send fewer or smaller ones"
        )


def _up(value: float) -> float:
    """Rounded up to one decimal, so that what is refused never looks like the limit."""
    return math.ceil(value * 10) / 10
