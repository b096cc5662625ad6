"""Run in a new process: what plain Pillow makes of the files that are named to it. Imports nothing of this project.

One JSON object a line each way: `file` in; out come the format by the file's first bytes, whether Pillow's strict
`load()` succeeds (`plain`), and whether it succeeds on the parts that hold the pixels (`pixels`): a PNG whose text is
damaged still shows a picture.
"""

import io
import json
import resource
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP"]
MEMORY_BYTES = 6 * 2**30
NEEDED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


def format_of(data: bytes) -> str:
    """One of FORMATS by the signature, or "other"."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    starts = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "GIF": b"GIF8", "BMP": b"BM"}
    return next((name for name, start in starts.items() if data.startswith(start)), "other")


def loads(data: bytes) -> tuple[str, list[int]]:
    """An empty text and the size, or the error of `open` or of `load`."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            image.load()
            return "", list(image.size)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200], []


def pixels_only(data: bytes) -> bytes:
    """The picture without text, profiles, EXIF, and what follows its end."""
    kind = format_of(data)
    if kind == "PNG":
        return data[:8] + b"".join(_png_chunk(name, body) for name, body in png_chunks(data) if name in NEEDED)
    if kind == "JPEG":
        return _jpeg_pixels(data)
    return _webp_pixels(data) if kind == "WEBP" else data


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk up to IEND; checksums are verified for those that hold the pixels only."""
    place = 8
    while place + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + length]
        stated = data[place + 8 + length : place + 12 + length]
        if name in NEEDED and stated != struct.pack(">I", zlib.crc32(name + body)):
            return
        yield name, body
        if name == b"IEND":
            return
        place += 12 + length


def _png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _jpeg_pixels(data: bytes) -> bytes:
    """Without APP1 to APP13, APP15 and comments before the first scan."""
    kept, place = data[:2], 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:  # stray bytes between segments
            place += 1
            continue
        marker = data[place + 1]
        if marker in (0xFF, 0x00) or 0xD0 <= marker <= 0xD8 or marker == 0x01:
            place += 1 if marker in (0xFF, 0x00) else 2
            continue
        if marker in (0xDA, 0xD9):
            return kept + data[place:]
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if not (0xE1 <= marker <= 0xED or marker in (0xEF, 0xFE)):
            kept += data[place:end]
        place = max(end, place + 4)
    return kept


def _webp_pixels(data: bytes) -> bytes:
    """Without colour profile, EXIF and XMP, and with lengths that fit."""
    kept, place = b"", 12
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        end = place + 8 + length + length % 2
        if name not in (b"ICCP", b"EXIF", b"XMP "):
            kept += data[place:end]
        place = end
    return b"RIFF" + struct.pack("<I", len(kept) + 4) + b"WEBP" + kept


def verdict(data: bytes) -> dict[str, Any]:
    """The reply for one file."""
    plain, size = loads(data)
    pixels = loads(pixels_only(data))[0] if plain else ""
    return {"format": format_of(data), "plain": plain, "pixels": pixels, "size": size}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    Image.MAX_IMAGE_PIXELS = None
    warnings.simplefilter("ignore")
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(verdict(Path(json.loads(line)["file"]).read_bytes())), flush=True)
