"""Pictures that the tool draws itself: seeds of mutations, and the sample where there is no data."""

import io
import itertools
from pathlib import Path
from typing import Any

from PIL import Image, ImageFile

ImageFile.MAXBLOCK = 1 << 25  # or noise does not fit into the buffer of the JPEG encoder
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "JPEG": [{}, {"progressive": True}, {"subsampling": 0, "quality": 30}, {"restart_marker_blocks": 1}],
    "PNG": [{}, {"optimize": True}, {"compress_level": 0}],
    "WEBP": [{}, {"lossless": True}, {"quality": 10, "method": 6}],
    "GIF": [{}, {"interlace": 0}],
    "BMP": [{}],
}
MODES = {
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "I;16", "P", "RGB", "RGBA"),
    "WEBP": ("L", "RGB", "RGBA"),
    "GIF": ("1", "L", "P", "RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
}


def drawn(mode: str, size: tuple[int, int] = (48, 32)) -> Image.Image:
    """Gradients in any mode."""
    grey = Image.linear_gradient("L").resize(size)
    color = Image.merge("RGB", (grey, grey.rotate(180), grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    if mode == "I;16":
        return grey.convert("I").point(lambda value: value * 257).convert("I;16")
    if mode in ("RGBA", "LA"):
        color.putalpha(grey)
    return color.convert(mode)


def encoded(image: Image.Image, image_format: str, **options: Any) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def samples() -> dict[str, bytes]:
    """Name to file: each format in its modes and options, and each animated one with two frames."""
    found = {}
    for image_format, modes in MODES.items():
        for mode, (number, options) in itertools.product(modes, enumerate(OPTIONS[image_format])):
            name = f"{image_format.lower()}_{mode.replace(';', '')}_{number}.{image_format.lower()}"
            found[name] = encoded(drawn(mode), image_format, **options)
    for image_format in ("GIF", "PNG", "WEBP"):
        frames = [drawn("RGB"), drawn("RGB").rotate(90)]
        name = f"animated.{image_format.lower()}"
        found[name] = encoded(frames[0], image_format, save_all=True, append_images=frames[1:])
    return found


def write_samples(folder: Path) -> Path:
    """The samples whole, and each cut at two places; returns the folder."""
    folder.mkdir()
    for name, data in samples().items():
        (folder / name).write_bytes(data)
        for share in (3, 8):
            (folder / f"cut_{share}_{name}").write_bytes(data[: len(data) * share // 9])
    return folder
