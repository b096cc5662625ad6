"""A picture's bytes to a decoded image, and the image to uint8 pixels. Hostile input is refused here.

The checks, in order: the signature; the scans of a progressive JPEG; area and sides. Only then the image is decoded,
by a strict `load()`, and only after that its orientation is read.
"""

import io
import math
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Imported one by one: if all five are registered, `Image.open` does not import Pillow's forty other formats.
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
"""Each scan of a progressive JPEG takes one pass over the whole image; real pictures have at most 59."""
BACKGROUND = (255, 255, 255)
"""RGB of what shows through transparent pixels."""
DRAFT_OVERSAMPLING = 2
"""A JPEG is decoded at the smallest scale that leaves this many pixels a side for each pixel of the model's input."""

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
    """A decoded image as it is stored, and the transposition that turns it upright, or None."""

    image: Image.Image
    transpose: Image.Transpose | None


def decode(data: bytes, spec: InputSpec) -> Picture:
    """Decode the first frame of `data`; a JPEG at the smallest scale that is enough for `spec`.

    Raises UnsupportedImage, UndecodableImage or ImageTooLarge; the message says what was received.
    """
    image_format = sniff(data)
    if image_format == "JPEG" and data.count(_SCAN) > MAX_JPEG_SCANS:
        raise ImageTooLarge(f"a progressive JPEG of more than {MAX_JPEG_SCANS} scans is not decoded")
    stream = io.BytesIO(data)
    try:
        image = Image.open(stream, formats=[image_format])  # of a JPEG, this reads up to the first scan
        more_scans = image_format == "JPEG" and data.find(_SCAN, stream.tell()) >= 0
        _check_size(image, PROGRESSIVE_JPEG if more_scans else image_format)
        image.draft(None, _draft_size(spec))  # changes only how a JPEG is decoded
        image.load()
    except (ImageTooLarge, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(
            f"a {image_format} image of more pixels than are decoded: {_limits(image_format)}"
        ) from error
    except Exception as error:  # a decoder may raise anything on broken data
        raise UndecodableImage(f"a {image_format} image of {len(data)} bytes that is broken or truncated") from error
    return Picture(image, _orientation(image))


def sniff(data: bytes) -> str:
    """The key in FORMATS that fits the first bytes; raises UnsupportedImage. File name and media type do not count."""
    for image_format, served in FORMATS.items():
        if all(data.startswith(part, offset) for offset, part in served.signature.items()):
            return image_format
    kind = next((name for start, name in _OTHERS.items() if data.lstrip().startswith(start)), None)
    what = f"this looks like {kind}" if kind else "the bytes are no known image format"
    raise UnsupportedImage(f"{what} ({len(data)} bytes received): {ACCEPTED}")


def to_pixels(picture: Picture, spec: InputSpec) -> NDArray[np.uint8]:
    """The upright, cropped, resized picture: uint8, (height, width, 3) in RGB order, or (height, width, 1) grey."""
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
    """Left, top, right, bottom in px of the centred box of `want`'s aspect ratio that covers `crop` of what fits.

    If `crop` is 1, the box is the whole image.
    """
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
    """The transposition that EXIF asks for, or None, also if EXIF is broken.

    Call it after `load()`: if EXIF is read before, Pillow accepts broken PNGs.
    """
    try:
        orientation: Any = image.getexif().get(_ORIENTATION_TAG)
        return _TRANSPOSE.get(orientation)
    except Exception:
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    """An image of any mode as RGB. 16-bit grey is scaled, not clipped; BACKGROUND shows through transparent pixels."""
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
