"""Bytes to a decoded picture, and a picture to RGB uint8 pixels. Hostile input is refused here.

Guards, in order: byte signature, scans of a progressive JPEG, each side and the area before anything is
decoded; then a strict `load()`; only then is the orientation read.
"""

import io
import math
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Imported one by one: `Image.open` with all five registered never imports Pillow's forty other formats.
from PIL import BmpImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401

from chalicelib.errors import ImageTooLarge, UndecodableImage, UnsupportedImage
from chalicelib.inference.card import InputSpec
from chalicelib.inference.formats import ACCEPTED, FORMATS, MEGAPIXEL

PROGRESSIVE_JPEG = "progressive JPEG"
MAX_AREA_PX = {name: served.max_area_px for name, served in FORMATS.items()} | {PROGRESSIVE_JPEG: 51 * MEGAPIXEL}
"""A JPEG of several scans takes up to 8 bytes a pixel at any scale: its decoder keeps 16 bits for each pixel of
each component."""
MAX_SIDE_PX = 16_384
MAX_JPEG_SCANS = 100
"""Each scan of a progressive JPEG costs a pass over the picture; real pictures have at most 59."""
BACKGROUND = (255, 255, 255)
"""What shows through transparent pixels."""
DRAFT_OVERSAMPLING = 2
"""A JPEG is decoded at the smallest scale that leaves this many pixels for each one wanted."""

# Pillow's own check warns above this area and raises above twice as much; `decode` handles both.
Image.MAX_IMAGE_PIXELS = MAX_AREA_PX["JPEG"]
warnings.filterwarnings("ignore", module=r"PIL\.")  # they describe the caller's picture, and do not belong in our log

_SCAN = b"\xff\xda"
_OTHERS = {b"%PDF": "PDF", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"8BPS": "PSD", b"<": "SVG, XML or HTML", b"%!": "EPS"}
_ORIENTATION_TAG = 0x0112
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Picture(NamedTuple):
    """A decoded picture as stored, and the transposition (or None) that turns it upright."""

    image: Image.Image
    transpose: Image.Transpose | None


def decode(data: bytes, spec: InputSpec) -> Picture:
    """Decode the first frame of `data`, a JPEG at the smallest scale that serves `spec`.

    Raises UnsupportedImage, UndecodableImage or ImageTooLarge, each saying what was received.
    """
    image_format = sniff(data)
    if image_format == "JPEG" and data.count(_SCAN) > MAX_JPEG_SCANS:
        raise ImageTooLarge(f"a progressive JPEG of more than {MAX_JPEG_SCANS} scans is not decoded")
    stream = io.BytesIO(data)
    try:
        image = Image.open(stream, formats=[image_format])  # a JPEG is now read to its first scan
        more_scans = image_format == "JPEG" and data.find(_SCAN, stream.tell()) >= 0
        _check_size(image, PROGRESSIVE_JPEG if more_scans else image_format)
        image.draft(None, _draft_size(spec))  # only JPEG heeds it
        image.load()
    except (ImageTooLarge, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(
            f"a {image_format} image of more pixels than are decoded: {_limits(image_format)}"
        ) from error
    except Exception as error:  # whatever a decoder raises on broken data, the picture is at fault
        raise UndecodableImage(f"a {image_format} image of {len(data)} bytes that is broken or truncated") from error
    return Picture(image, _orientation(image))


def sniff(data: bytes) -> str:
    """The format that the first bytes announce, whatever name or type came along; raises UnsupportedImage."""
    for image_format, served in FORMATS.items():
        if all(data.startswith(part, offset) for offset, part in served.signature.items()):
            return image_format
    kind = next((name for start, name in _OTHERS.items() if data.lstrip().startswith(start)), None)
    what = f"this looks like {kind}" if kind else "the bytes are no known image format"
    raise UnsupportedImage(f"{what} ({len(data)} bytes received): {ACCEPTED}")


def to_pixels(picture: Picture, spec: InputSpec) -> NDArray[np.uint8]:
    """The upright, cropped, resized picture: uint8, (height, width, 3) RGB, or (height, width, 1) grey."""
    image, transpose = _to_rgb(picture.image), picture.transpose
    size = (spec.width, spec.height)
    if (
        transpose is not None
        and transpose.value >= Image.Transpose.ROTATE_90
        and transpose is not Image.Transpose.ROTATE_180
    ):
        size = (spec.height, spec.width)  # these six swap the axes
    image = image.resize(size, Image.Resampling.BILINEAR, box=_crop_box(image.size, size, spec.crop))
    if transpose is not None:
        image = image.transpose(transpose)
    pixels = np.asarray(image.convert("L") if spec.color == "L" else image)
    return pixels.reshape(spec.height, spec.width, spec.channels)


def _crop_box(have: tuple[int, int], want: tuple[int, int], crop: float) -> tuple[float, float, float, float]:
    """The centred box of the wanted aspect ratio that keeps `crop` of what fits; all of it when `crop` is 1."""
    if crop == 1:
        return (0.0, 0.0, float(have[0]), float(have[1]))
    scale = min(have[0] / want[0], have[1] / want[1]) * crop
    width, height = want[0] * scale, want[1] * scale
    left, top = (have[0] - width) / 2, (have[1] - height) / 2
    return (left, top, left + width, top + height)


def _draft_size(spec: InputSpec) -> tuple[int, int]:
    side = math.ceil(max(spec.width, spec.height) * DRAFT_OVERSAMPLING / spec.crop)
    return (side, side)


def _check_size(image: Image.Image, image_format: str) -> None:
    width, height = image.size
    if width * height > MAX_AREA_PX[image_format] or max(width, height) > MAX_SIDE_PX:
        raise ImageTooLarge(f"a {image_format} image of {width}x{height} pixels: {_limits(image_format)}")


def _limits(image_format: str) -> str:
    megapixels = MAX_AREA_PX[image_format] // MEGAPIXEL
    return f"at most {megapixels} megapixels and {MAX_SIDE_PX} a side are decoded"


def _orientation(image: Image.Image) -> Image.Transpose | None:
    """Read after `load()`, and never a reason to fail: reading it first lets broken PNGs through."""
    try:
        orientation: Any = image.getexif().get(_ORIENTATION_TAG)
        return _TRANSPOSE.get(orientation)
    except Exception:
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    """RGB of any mode; 16-bit grey is scaled, not clipped; transparency shows BACKGROUND."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        grey = np.clip(np.asarray(image), 0, 65_535).astype(np.uint32)
        grey *= 255
        grey += 32_895  # with the next line: divided by 65,535 and rounded, exact for all 16-bit values
        return Image.fromarray((grey >> 16).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
        opaque = Image.new("RGB", rgba.size, BACKGROUND)
        opaque.paste(rgba, mask=rgba.getchannel("A"))
        return opaque
    return image.convert("RGB")
