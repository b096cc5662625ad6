"""BMP: the headers; what follows is pixels, in rows of known length or run-length encoded.

Source: Microsoft, "Bitmap Storage" and BITMAPINFOHEADER (wingdi.h); Pillow's BmpImagePlugin for what is accepted.
"""

from chalicelib.inference.containers.stripped import Stripped, broken

_CORE_BYTES = 12
"""OS/2's header, with sides of 16 bits and no compression."""
_RUN_LENGTHS = (1, 2)
"""The compressions RLE8 and RLE4."""
_MASKS_BYTES = 12
"""Of BITFIELDS, behind a header of 40 bytes."""
MAX_COLORS = 65_536
"""Pillow refuses more."""


def strip(data: bytes) -> Stripped:
    """The picture without what stands behind its pixels; raises UndecodableImage."""
    header_bytes = _number(data, 14, 4)
    if header_bytes == _CORE_BYTES and len(data) >= 26:
        width, height, bits = _number(data, 18, 2), _number(data, 20, 2), _number(data, 24, 2)
        compression = colors = 0
    elif header_bytes >= 40 and len(data) >= 54:
        width, height, bits = _number(data, 18, 4), _number(data, 22, 4), _number(data, 28, 2)
        compression, colors = _number(data, 30, 4), _number(data, 46, 4)
        if data[25] == 0xFF:  # rows from the top
            height = 2**32 - height
    else:
        raise broken("BMP", len(data))
    parts = min(colors or 1 << min(bits, 8), MAX_COLORS) if bits <= 8 else 0
    if compression in _RUN_LENGTHS:
        return Stripped(data, width, height, "run-length-encoded BMP", work=width * height, parts=parts)
    tables_end = 14 + header_bytes + _MASKS_BYTES + 4 * parts  # at most: Pillow looks for pixels behind them, too
    end = max(_number(data, 10, 4), tables_end) + (width * bits + 31) // 32 * 4 * height
    return Stripped(data[:end], width, height, "BMP", work=width * height, parts=parts)


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
