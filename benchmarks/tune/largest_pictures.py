"""The pictures that take the most memory of those that are accepted: one of the largest area in each costly form."""

import io
import math
from collections.abc import Iterator
from typing import Any

from PIL import Image

from chalicelib.inference.limits import COSTS


def largest_pictures() -> Iterator[tuple[str, bytes]]:
    """Name and bytes. They are of one colour: what a decoder needs depends on the area, and a request holds 4 MB."""
    yield _encoded("lossless WebP", "WEBP", "RGBA", lossless=True, quality=0, method=0)
    yield _encoded("WebP", "WEBP", "RGB", method=0)
    yield _encoded("PNG", "PNG", "RGBA", compress_level=1)
    yield _encoded("PNG", "PNG", "I;16", compress_level=1)
    yield _encoded("progressive JPEG", "JPEG", "RGB", progressive=True, subsampling=0)
    yield _encoded("JPEG", "JPEG", "RGB")
    yield _encoded("GIF", "GIF", "P")


def _encoded(variant: str, image_format: str, mode: str, **options: Any) -> tuple[str, bytes]:
    side_px = math.isqrt(COSTS[variant].max_area_px)
    file = io.BytesIO()
    Image.new(mode, (side_px, side_px), 9).save(file, image_format, **options)
    return f"{variant} of {side_px}x{side_px}, {mode}", file.getvalue()
