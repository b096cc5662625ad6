"""A picture's bytes to uint8 pixels, by one door. Hostile input is refused here.

The steps, in order: the signature; the format's reader, which keeps the picture's own bytes and says what they cost;
the limits. Only then the image is decoded, by a strict `load()`. Whatever goes wrong is that picture's refusal.
"""

import math
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chalicelib.errors import ClientError, UnsupportedImage
from chalicelib.inference.card import InputSpec
from chalicelib.inference.formats import FORMATS, format_of
from chalicelib.inference.pillow import opened
from chalicelib.telemetry import Spans

if TYPE_CHECKING:
    from chalicelib.inference.containers.stripped import Stripped

BACKGROUND = (255, 255, 255)
"""RGB of what shows through transparent pixels."""
DRAFT_OVERSAMPLING = 2
"""A JPEG is decoded at the smallest scale that leaves this many pixels a side for each pixel of the model's input."""

_DECODING_BYTES = 8
"""A pixel, at most: an image of four bytes a pixel, and one copy."""

Image.MAX_IMAGE_PIXELS = None  # `limits` checks what the readers find, before Pillow sees it
warnings.filterwarnings("ignore", module=r"PIL\.")  # they describe the caller's picture, and do not belong in our log

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


def pixels_of(data: bytes, spec: InputSpec, spans: Spans) -> NDArray[np.uint8]:
    """The upright, cropped, resized picture: uint8, (height, width, 3) in RGB order, or (height, width, 1) grey.

    Raises UnsupportedImage, UndecodableImage or ImageTooLarge; the message says what was received. The spans are
    decode and preprocess.
    """
    try:
        with spans.measure("decode"):
            picture = decode(data, spec)
        with spans.measure("preprocess"):
            return to_pixels(picture, spec)
    except (ClientError, MemoryError):
        raise
    except Exception as error:  # on broken data, Pillow may raise anything
        from chalicelib.inference.containers.stripped import broken

        _check_memory(data)
        raise broken(FORMATS[sniff(data)].name, len(data)) from error


def seconds_of(data: bytes, spec: InputSpec) -> float:
    """The estimated time of `pixels_of`; raises as that does for what a picture's headers show."""
    from chalicelib.inference import limits

    return limits.check(strip(data), spec.resize)


def sniff(data: bytes) -> str:
    """The key in FORMATS that fits the first bytes; raises UnsupportedImage."""
    image_format = format_of(data)
    if image_format is None:
        from chalicelib.inference import others

        raise UnsupportedImage(others.refusal(data))
    return image_format


def strip(data: bytes) -> "Stripped":
    """The picture's own bytes, by its format's reader; raises UnsupportedImage, UndecodableImage or ImageTooLarge."""
    match sniff(data):  # a reader is imported at its first use: most processes see one format
        case "JPEG":
            from chalicelib.inference.containers import jpeg

            return jpeg.strip(data)
        case "PNG":
            from chalicelib.inference.containers import png

            return png.strip(data)
        case "WEBP":
            from chalicelib.inference.containers import webp

            return webp.strip(data)
        case "GIF":
            from chalicelib.inference.containers import gif

            return gif.strip(data)
        case _:
            from chalicelib.inference.containers import bmp

            return bmp.strip(data)


def decode(data: bytes, spec: InputSpec) -> Picture:
    """Decode the first frame of `data`; a JPEG at the smallest scale that is enough for `spec`.

    The first half of `pixels_of`. Raises what `strip` raises, ImageTooLarge, and anything on broken data.
    """
    from chalicelib.inference import limits

    stripped = strip(data)
    limits.check(stripped, spec.resize)
    image = opened(stripped.data, sniff(data))
    if image.size != (stripped.width, stripped.height):
        raise ValueError(f"the reader finds {stripped.width}x{stripped.height} pixels, Pillow {image.size}")
    if stripped.variant != "lossless JPEG":  # which has no reduced scale
        image.draft(None, _draft_size(image.size, spec))  # changes only how a JPEG is decoded
    limits.check_decoded(stripped, image.size)
    if stripped.variant == "PNG":
        from chalicelib.inference import spng

        image = spng.loaded(stripped, image) or image
    image.load()
    return Picture(image, _TRANSPOSE.get(stripped.orientation or 1))


def to_pixels(picture: Picture, spec: InputSpec) -> NDArray[np.uint8]:
    """The second half of `pixels_of`: uint8, (height, width, channels). Raises anything on broken data."""
    image, transpose = _to_rgb(picture.image), picture.transpose
    if spec.resize == "nearest" and transpose is not None:
        image, transpose = image.transpose(transpose), None  # of two pixels as near, Pillow takes the second
    size = (spec.width, spec.height)
    if (
        transpose is not None
        and transpose.value >= Image.Transpose.ROTATE_90
        and transpose is not Image.Transpose.ROTATE_180
    ):
        size = (spec.height, spec.width)  # these six swap the axes
    box = _crop_box(image.size, size, spec.crop)
    if spec.resize == "bilinear":
        image = image.resize(size, Image.Resampling.BILINEAR, box=box)
    else:
        from chalicelib.inference import resizing

        image = resizing.resized(image, size, box, spec.resize)
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


def _check_memory(data: bytes) -> None:
    """Raise MemoryError if a picture that cannot be decoded may be a whole one.

    A decoder that gets no memory says that the data is broken.
    """
    stripped = strip(data)
    np.empty(stripped.memory_bytes + _DECODING_BYTES * stripped.width * stripped.height, np.uint8)  # is not written to


def _draft_size(size: tuple[int, int], spec: InputSpec) -> tuple[int, int]:
    """The width and height in px that a JPEG of `size` must have at least when it is decoded.

    Only "bilinear" gives nearly the same at a reduced scale (0.4 grey levels on average; "area" 2, the others 7 to 9).
    For the other methods the scale is reduced only if that makes it possible to decode the picture at all.
    """
    if spec.resize != "bilinear":
        from chalicelib.inference.limits import MAX_DECODED_PX

        scale = next(n for n in (1, 2, 4, 8) if -(-size[0] // n) * -(-size[1] // n) <= MAX_DECODED_PX)
        return (size[0] // scale, size[1] // scale)
    side = math.ceil(max(spec.width, spec.height) * DRAFT_OVERSAMPLING / spec.crop)
    return (side, side)


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
