"""The pictures that were given, and what is sent of each: its own bytes, or a smaller JPEG with the same answer."""

import io
import warnings
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps

from chalicelib.client.server import Needs
from chalicelib.errors import InvalidRequest
from chalicelib.inference.folders import find_pictures
from chalicelib.inference.formats import FORMATS, HEAD_BYTES, format_of

OVERSAMPLING = 2
"""Pixels kept for each one that the model sees, as the page and the server keep them."""
KEEP_BYTES, KEEP_PX = 300_000, 4_000_000
"""Up to here a picture is sent as it is."""
LONGEST_PX = 4096
MAX_RAW_BYTES = 4_400_000
"""Larger bodies do not pass Lambda's 6 MB, in base64; they go through the stage's bucket."""
MAX_FILE_BYTES = 500_000_000
QUALITY = 95
READ = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""Pillow's formats that are tried; others are sent as they are, and the server says what it thinks of them."""

PLAIN = ("L", "LA", "P", "PA", "RGB", "RGBA")
"""Pillow's modes that it converts to RGB as the server does; 16 bits and CMYK are left to the server."""


class Picture(NamedTuple):
    """A file, and the name that the output shows: the path as it was given, or the one below the folder given."""

    name: str
    path: Path


class Prepared(NamedTuple):
    """What is sent."""

    data: bytes
    content_type: str


def found(given: list[str]) -> list[Picture]:
    """The files and, for each folder, the pictures below it; raises InvalidRequest or OSError."""
    pictures = []
    for text in given:
        path = Path(text)
        if path.is_dir():
            names, skipped = find_pictures(path)
            if not names:
                raise InvalidRequest(f"{text} holds no picture ({skipped} other files): give another folder")
            pictures += [Picture(str(path / name), path / name) for name in names]
        elif path.exists():
            pictures.append(Picture(text, path))
        else:
            raise InvalidRequest(f"{text}: no such file or folder")
    return pictures


def prepared(path: Path, needs: Needs) -> Prepared:
    """What is sent of a file; raises InvalidRequest if it is empty or has more than MAX_FILE_BYTES, or OSError."""
    size_bytes = path.stat().st_size
    if not 0 < size_bytes <= MAX_FILE_BYTES:
        raise InvalidRequest(f"{path} has {size_bytes} bytes: expected a picture of 1 to {MAX_FILE_BYTES}")
    small = _scaled(path, needs, size_bytes) if needs.averages else None
    if small:
        return Prepared(small, "image/jpeg")
    data = path.read_bytes()
    known = format_of(data[:HEAD_BYTES])
    return Prepared(data, FORMATS[known].media_types[0] if known else "application/octet-stream")


def _scaled(path: Path, needs: Needs, size_bytes: int) -> bytes | None:
    """The picture as a JPEG, upright, over white, and no larger than is needed; None if it is better sent as it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            Image.init()
            with Image.open(path, formats=[name for name in READ if name in Image.OPEN]) as image:
                is_small = size_bytes <= KEEP_BYTES and image.width * image.height <= KEEP_PX
                is_small |= size_bytes <= MAX_RAW_BYTES and _scale(image, needs.shorter_px) == 1
                if (is_small and image.format in (*FORMATS, "MPO")) or image.mode not in PLAIN:
                    return None
                return _jpeg(image, needs.shorter_px)
    except Exception:  # whatever Pillow raises: the server decodes more strictly, and says what is wrong
        return None


def _scale(image: Image.Image, shorter_px: int) -> float:
    return min(1.0, shorter_px / min(image.size), LONGEST_PX / max(image.size))


def _jpeg(image: Image.Image, shorter_px: int) -> bytes:
    scale = _scale(image, shorter_px)
    longest = max(1, round(max(image.size) * scale))
    image.draft("RGB", (round(image.width * scale), round(image.height * scale)))  # only how a JPEG is decoded
    upright = ImageOps.exif_transpose(image)
    scale = longest / max(upright.size)
    size = (max(1, round(upright.width * scale)), max(1, round(upright.height * scale)))
    stream = io.BytesIO()
    small = _over_white(upright).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    small.save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return stream.getvalue()


def _over_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    white = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(white, layered).convert("RGB")
