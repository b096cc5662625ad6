"""WebP: the chunks of the first frame, without profile, EXIF and XMP.

Source: RFC 9649, section 2: RIFF, a size, WEBP; then chunks of a name, a size, and data that is padded to an even size.
"""

from collections.abc import Iterator

from chalicelib.inference.containers import orientation
from chalicelib.inference.containers.stripped import Stripped, broken, too_many

MAX_CHUNKS = 10_000
"""Each frame of an animation is one."""

_PICTURE = {b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L"}
_PROMISED = 0x2C
"""Bits of VP8X's first byte: a profile, EXIF and XMP follow (section 2.7.1.1)."""
_FRAME_HEADER_BYTES = 16
"""Of ANMF, before the frame's own chunks (section 2.7.1.1)."""


def strip(data: bytes) -> Stripped:
    """The first frame without what is not decoded; raises UndecodableImage or ImageTooLarge."""
    kept: dict[bytes, bytes] = {}
    exif = xmp = b""
    riff_end = 8 + int.from_bytes(data[4:8], "little")
    for count, (name, at, end) in enumerate(_chunks(data, 12, min(riff_end, len(data)))):
        if count >= MAX_CHUNKS:
            raise too_many("WebP", "chunks", MAX_CHUNKS)
        if name == b"EXIF":
            exif = exif or data[at + 8 : end]
        elif name == b"XMP ":
            xmp = xmp or data[at + 8 : end]
        elif name in _PICTURE and name not in kept:
            if end > min(riff_end, len(data)):
                raise broken("WebP", len(data))
            kept[name] = data[at:end] + b"\0" * (end - at & 1)
    size = _size(kept)
    if size is None:
        raise broken("WebP", len(data))
    if b"VP8X" in kept:
        flags = kept[b"VP8X"][8] & ~_PROMISED
        kept[b"VP8X"] = kept[b"VP8X"][:8] + bytes([flags]) + kept[b"VP8X"][9:]
    body = b"WEBP" + b"".join(kept.values())
    return Stripped(
        b"RIFF" + len(body).to_bytes(4, "little") + body,
        *size,
        "lossless WebP" if _is_lossless(kept) else "WebP",
        work=size[0] * size[1],
        orientation=orientation.of_exif(exif) or orientation.of_xmp(xmp),
    )


def _chunks(data: bytes, at: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk; the last end may be behind `stop`."""
    while at + 8 <= stop:
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], at, end
        at = end + (end - at & 1)


def _size(kept: dict[bytes, bytes]) -> tuple[int, int] | None:
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


def _is_lossless(kept: dict[bytes, bytes]) -> bool:
    frame = kept.get(b"ANMF")
    if frame is None:
        return b"VP8L" in kept
    return any(name == b"VP8L" for name, _, _ in _chunks(frame, 8 + _FRAME_HEADER_BYTES, len(frame)))
