"""Pillow's reader of each format, imported when the first picture of that format comes.

`Image.open` would import the readers of five formats for a picture in memory: 4 ms of every start. JPEG's is the
exception, for most pictures are JPEGs, and Lambda imports before it counts a request's time.
"""

import importlib
import io

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile


def opened(data: bytes, image_format: str) -> Image.Image:
    """A picture whose format (a key in `formats.FORMATS`) is known, not decoded yet. Raises anything on broken data."""
    file = io.BytesIO(data)
    match image_format:
        case "JPEG":  # and MPO, whose first picture is a JPEG
            return JpegImageFile(file)
        case "PNG":
            from PIL.PngImagePlugin import PngImageFile

            return PngImageFile(file)
        case "WEBP":
            _load_webp()
            from PIL.WebPImagePlugin import WebPImageFile

            return WebPImageFile(file)
        case "GIF":
            from PIL.GifImagePlugin import GifImageFile

            return GifImageFile(file)
        case _:
            from PIL.BmpImagePlugin import BmpImageFile

            return BmpImageFile(file)


def _load_webp() -> None:
    """Raise MemoryError if there is no memory to map libwebp.

    Pillow's reader would take that for a Pillow without WebP, for as long as the process lives.
    """
    try:
        importlib.import_module("PIL._webp")
    except ImportError as error:
        raise MemoryError(str(error)) from error
