"""WebP: the chunks of the first frame, without profile, EXIF and XMP.

Source: RFC 9649, section 2: RIFF, a size, WEBP; then chunks of a name, a size, and data that is padded to an even size.
"""

from collections.abc import Iterator

from chalicelib.inference.containers import orientation
from chalicelib.inference.containers.stripped import Stripped, broken, too_many

MAX_CHUNKS = 10_000
"""Each frame of an animation is one."""

Chunks = dict[bytes, bytes | bytearray | memoryview]
_METADATA = {b"ICCP", b"EXIF", b"XMP "}
_PICTURE = {b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L"}
_PROMISED = 0x2C
"""Bits of VP8X's first byte: a profile, EXIF and XMP follow (section 2.7.1.1)."""
_FRAME_HEADER_BYTES = 16
"""Of ANMF, before the frame's own chunks (section 2.7.1.1)."""


def strip(data: bytes) -> Stripped:
    """The first frame without what is not decoded; raises UndecodableImage or ImageTooLarge."""
    kept: Chunks = {}
    exif = xmp = b""
    view = memoryview(data)  # a slice of it is no copy
    stop = min(8 + int.from_bytes(data[4:8], "little"), len(data))
    for count, (name, at, end) in enumerate(_chunks(data, 12, stop)):
        if count >= MAX_CHUNKS:
            raise too_many("WebP", "chunks", MAX_CHUNKS)
        if end > stop and name not in _METADATA:  # metadata may be cut off, other parts may not
            raise broken("WebP", len(data))
        if kept and b"VP8X" not in kept:  # a simple file: what follows its only frame is ignored (section 2.5)
            break
        if name == b"EXIF":
            exif = exif or data[at + 8 : end]
        elif name == b"XMP ":
            xmp = xmp or data[at + 8 : end]
        elif name in _PICTURE and name not in kept:
            kept[name] = view[at : end + (end & 1)]  # chunks begin at even offsets
    size = _size(kept)
    if size is None:
        raise broken("WebP", len(data))
    if b"VP8X" in kept:
        canvas = bytearray(kept[b"VP8X"])
        canvas[8] &= ~_PROMISED
        kept[b"VP8X"] = canvas
    chunks_bytes = sum(map(len, kept.values()))
    padding = b"\0" * (chunks_bytes & 1)  # which the last chunk of a file may lack
    riff_bytes = (4 + chunks_bytes + len(padding)).to_bytes(4, "little")
    return Stripped(
        b"".join((b"RIFF", riff_bytes, b"WEBP", *kept.values(), padding)),
        *size,
        "lossless WebP" if _is_lossless(kept) else "WebP",
        work=size[0] * size[1],
        orientation=orientation.of_exif(exif) or orientation.of_xmp(xmp),
    )


def _chunks(data: bytes | bytearray | memoryview, at: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk; the last end may be behind `stop`."""
    while at + 8 <= stop:
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        yield bytes(data[at : at + 4]), at, end
        at = end + (end - at & 1)


def _size(kept: Chunks) -> tuple[int, int] | None:
    """Width and height of the canvas, else of the only frame (sections 2.5, 2.6 and 2.7.1.1)."""
    if canvas := kept.get(b"VP8X"):
        sides = (canvas[12:15], canvas[15:18]) if len(canvas) >= 18 else None
        return sides and (int.from_bytes(sides[0], "little") + 1, int.from_bytes(sides[1], "little") + 1)
    if lossy := kept.get(b"VP8 "):
        if len(lossy) < 18:
            return None
        return int.from_bytes(lossy[14:16], "little") & 0x3FFF, int.from_bytes(lossy[16:18], "little") & 0x3FFF
    if lossless := kept.get(b"VP8L"):
        bits = int.from_bytes(lossless[9:13], "little")
        return ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1) if len(lossless) >= 13 else None
    return None


def _is_lossless(kept: Chunks) -> bool:
    frame = kept.get(b"ANMF")
    if frame is None:
        return b"VP8L" in kept
    return any(name == b"VP8L" for name, _, _ in _chunks(frame, 8 + _FRAME_HEADER_BYTES, len(frame)))
