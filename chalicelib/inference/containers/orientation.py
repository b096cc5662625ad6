"""The orientation in EXIF or XMP. Everything that is malformed gives None: it decides only how a picture is turned."""

import re
from struct import Struct

ORIENTATION_TAG = 0x0112
MAX_ENTRIES = 512
"""Of EXIF's first directory. Cameras write fewer than 50."""
MAX_EXIF_BYTES = 65_536
"""As much as a JPEG's segment holds; more is read in no format."""
_PREFIX = b"Exif\0\0"
_TYPES = {3: "H", 4: "I"}
"""SHORT, as EXIF 3.0 (section 4.6.5.1.8) requires, and LONG, which some programs write."""
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')


def of_exif(exif: bytes) -> int | None:
    """The orientation, 1 to 8, in the first directory (IFD0) of a TIFF header, with or without EXIF's six bytes before.

    Source: TIFF 6.0, section 2: byte order, 42, offset of IFD0; then the number of entries, each of 12 bytes: tag,
    type, count, value.
    """
    tiff = exif[:MAX_EXIF_BYTES].removeprefix(_PREFIX).removeprefix(_PREFIX)  # some programs write it twice
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return None
    (first,) = Struct(order + "I").unpack_from(tiff, 4)
    if first + 2 > len(tiff):
        return None
    (entries,) = Struct(order + "H").unpack_from(tiff, first)
    entry = Struct(order + "HHI")
    for place in range(first + 2, min(first + 2 + 12 * min(entries, MAX_ENTRIES), len(tiff) - 11), 12):
        tag, kind, count = entry.unpack_from(tiff, place)
        if tag == ORIENTATION_TAG:
            if kind not in _TYPES or count != 1:
                return None
            (value,) = Struct(order + _TYPES[kind]).unpack_from(tiff, place + 8)
            return value if 1 <= value <= 8 else None
    return None


def of_xmp(packet: bytes) -> int | None:
    """The orientation that XMP names; the last resort, for programs that move it there from EXIF."""
    found = _XMP.search(packet)
    return int(found[1]) if found else None
