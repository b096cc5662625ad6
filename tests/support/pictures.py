"""Pictures drawn for the tests, and files that only claim to be pictures."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
LOSSY = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}


def quarters(width: int = 64, height: int = 48) -> Image.Image:
    """Red, green, blue and yellow quarters with a gradient over all: no symmetry maps it to itself."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.zeros((height, width, 3), np.float64)
    left, top = x < width / 2, y < height / 2
    pixels[top & left], pixels[top & ~left] = (220, 30, 30), (30, 200, 30)
    pixels[~top & left], pixels[~top & ~left] = (30, 30, 210), (220, 210, 20)
    shade = 0.6 + 0.2 * x / width + 0.2 * y / height
    return Image.fromarray((pixels * shade[..., np.newaxis]).astype(np.uint8))


def plain(color: tuple[int, ...], size: tuple[int, int] = (16, 16), mode: str = "RGB") -> Image.Image:
    return Image.new(mode, size, color)


def encode(image: Image.Image, image_format: str = "PNG", **options: Any) -> bytes:
    """The image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **{**LOSSY.get(image_format, {}), **options})
    return buffer.getvalue()


RED, GREEN, BLUE = (encode(plain(color)) for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255)))


def exif(orientation: int) -> bytes:
    """EXIF bytes that hold an orientation."""
    return exif_entry(3, 1, struct.pack(">HH", orientation, 0))


def exif_entry(kind: int, count: int, value: bytes) -> bytes:
    """EXIF bytes whose only entry is an orientation of any type and count: 3 is the right type, and 1 the count."""
    return b"Exif\0\0MM\0*" + struct.pack(">IHHHI4sI", 8, 1, 0x0112, kind, count, value, 0)


def chunk(kind: bytes, data: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claiming(width: int, height: int, depth: int = 8, color_type: int = 0) -> bytes:
    """A PNG whose header claims any size; its pixels are all there, all 0, unless they are more than 120 MB."""
    row = 1 + (width * depth * {0: 1, 2: 3, 6: 4}[color_type] + 7) // 8
    deflate = zlib.compressobj(1)
    size, block = min(height * row, 120_000_000), bytes(1_000_000)
    data = b"".join(deflate.compress(block[: size - done]) for done in range(0, size, len(block)))
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", data + deflate.flush()) + chunk(b"IEND", b"")


def bmp_claiming(width: int, height: int) -> bytes:
    """A BMP of 24 bits whose header claims any size; a negative height means rows from the top."""
    pixels = bytes(max(0, min((width * 3 + 3) // 4 * 4 * abs(height), 10_000)))
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + header + pixels


def gif_claiming(width: int, height: int) -> bytes:
    """A GIF of one frame whose header claims any size."""
    frame = struct.pack("<BHHHHB", 0x2C, 0, 0, width, height, 0)
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return b"GIF89a" + screen + frame + b"\x02\x02\x44\x01\x00\x3b"


def webp_claiming(width: int, height: int) -> bytes:
    """A lossless WebP of a few bytes whose header claims any size up to 16,384 a side."""
    bits = (width - 1) | (height - 1) << 14
    payload = b"\x2f" + struct.pack("<I", bits) + bytes(8)
    body = b"WEBPVP8L" + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def scan_bomb(scans: int) -> bytes:
    """A progressive JPEG in which one scan is repeated until there are `scans` of them."""
    data = encode(quarters(32, 32), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    extra = scans - data.count(b"\xff\xda")
    return data[:-2] + data[last:-2] * extra + b"\xff\xd9"


def segment(marker: int, payload: bytes) -> bytes:
    """One JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def riff_chunk(name: bytes, payload: bytes) -> bytes:
    """One chunk of a WebP file."""
    return name + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) & 1)


def riff(*chunks: bytes) -> bytes:
    """A WebP file of these chunks."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def run_length_bmp(width: int, height: int, runs: bytes) -> bytes:
    """A BMP in RLE8 with a palette of 256 colours."""
    palette = b"".join(bytes((number, 255 - number, 7, 0)) for number in range(256))
    offset = 54 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 2835, 2835, 256, 0)
    return b"BM" + struct.pack("<IHHI", offset + len(runs), 0, 0, offset) + header + palette + runs


def lossless_jpeg(width: int, height: int) -> bytes:
    """A grey lossless JPEG: its only code says that a sample equals the one before it, and the first is 128."""
    frame = segment(0xC3, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
    codes = segment(0xC4, b"\0\1" + bytes(15) + b"\0")
    scan = segment(0xDA, b"\1\1\0\1\0\0")
    return b"\xff\xd8" + frame + codes + scan + bytes(-(-width * height // 8)) + b"\xff\xd9"
