"""JPEG: the segments of one picture, from SOI to EOI, without the application's own.

Source: ITU-T T.81, annex B. What libjpeg accepts beside it (fill bytes, bytes between segments, no EOI) is accepted
here; from a marker that it refuses on, all bytes are kept, so that it refuses them.
"""

import re

from chalicelib.errors import UndecodableImage
from chalicelib.inference.containers import orientation
from chalicelib.inference.containers.stripped import Stripped, broken, too_many

MAX_SEGMENTS = 2_000
"""A profile takes up to 255, a depth map of 32 MB 500, each scan up to ten."""
MAX_TABLES_BYTES = 65_536
"""Of all that is kept before the first scan: tables, mostly. Pillow reads it in Python; encoders write 200 to 3,000."""
MAX_SCANS = 100
"""Each scan takes one pass over the whole image; real pictures have at most 59."""
COEFFICIENT_BYTES = 2
"""A decoder keeps one for each sample of a picture in several scans, at any scale."""

_TEM, _SOF0, _DHT, _JPG, _DAC, _EOI, _SOS = 0x01, 0xC0, 0xC4, 0xC8, 0xCC, 0xD9, 0xDA
_FRAMES = set(range(_SOF0, 0xD0)) - {_DHT, _JPG, _DAC}
_TABLES = {_DHT, _DAC, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF}
_APPLICATION = {*range(0xE0, 0xF0), 0xFE}
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""0xFF is no marker before 0x00 (a stuffed byte) and 0xFF (a fill byte); RST0 to RST7 stand in scans. The search takes
0.4 ns a byte of a usual picture and 25 ns a byte at worst."""
_VARIANTS = {
    0xC0: "JPEG",
    0xC1: "JPEG",
    0xC2: "progressive JPEG",
    0xC3: "lossless JPEG",
    0xC9: "arithmetic-coded JPEG",
    0xCA: "arithmetic-coded progressive JPEG",
}
_IN_SCANS = {name: name.replace("JPEG", "JPEG in scans") for name in ("JPEG", "arithmetic-coded JPEG")}
"""Not progressive, but with a scan for each component."""
_EXIF, _XMP, _JFIF, _ADOBE = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"JFIF\0", b"Adobe"


def strip(data: bytes) -> Stripped:
    """The picture without what is not decoded; raises UndecodableImage or ImageTooLarge."""
    walk = _Walk(data)
    frame = walk.frame
    if frame is None or not walk.scans:
        raise broken("JPEG", len(data))
    samples = sum(frame.samples.values())
    variant = frame.variant
    if walk.scans > 1 or walk.samples < samples:
        variant = _IN_SCANS.get(variant, variant)
    is_kept = variant.endswith("scans") or "progressive" in variant
    return Stripped(
        b"".join(walk.kept),
        frame.width,
        frame.height,
        variant,
        work=max(walk.samples, samples),
        memory_bytes=COEFFICIENT_BYTES * samples if is_kept else 0,
        orientation=orientation.of_exif(walk.exif) or orientation.of_xmp(walk.xmp),
    )


class _Frame:
    """The start of frame (B.2.2): the picture's size, and the samples of each component by its name."""

    def __init__(self, marker: int, segment: bytes, size_bytes: int) -> None:
        count = segment[9] if len(segment) >= 10 else 0
        if marker not in _VARIANTS:
            raise UndecodableImage(
                f"a JPEG image of a kind that is not decoded (SOF{marker - _SOF0}): save it as baseline or progressive"
            )
        if not 1 <= count <= 4 or len(segment) != 10 + 3 * count:
            raise broken("JPEG", size_bytes)
        if segment[4] != 8:
            raise UndecodableImage(f"a JPEG image of {segment[4]} bits a sample: save it with 8 bits")
        self.variant = _VARIANTS[marker]
        self.height, self.width = int.from_bytes(segment[5:7], "big"), int.from_bytes(segment[7:9], "big")
        factors = [(segment[i], segment[i + 1] >> 4, segment[i + 1] & 15) for i in range(10, len(segment), 3)]
        most = max(across for _, across, _ in factors) * max(down for _, _, down in factors) or 1
        self.samples: dict[int, int] = {}
        for name, across, down in factors:
            self.samples[name] = self.samples.get(name, 0) + -(-self.width * self.height * across * down // most)


class _Walk:
    """One pass over the segments: what is kept, and what is counted."""

    def __init__(self, data: bytes) -> None:
        self._data, self._view = data, memoryview(data)  # a slice of a view is no copy
        self.frame: _Frame | None = None
        self.kept: list[bytes | memoryview] = [b"\xff\xd8"]
        self.scans = self.samples = self._tables_bytes = 0
        self.exif = self.xmp = b""
        at, segments = _next_marker(data, 2), 0
        while at >= 0:
            marker = data[at + 1]
            if marker == _EOI:
                self.kept.append(b"\xff\xd9")
                return
            segments += 1
            if segments > MAX_SEGMENTS:
                raise too_many("JPEG", "segments", MAX_SEGMENTS)
            if marker == _TEM:
                at = _next_marker(data, at + 2)
                continue
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if marker in _APPLICATION:
                end = max(end, at + 4)
            if end < at + 4 or end > len(data) or not self._is_known(marker):
                self.kept.append(self._view[at:])  # libjpeg refuses it, in its own way
                return
            following = _next_marker(data, end)
            self._segment(marker, at, end, following)
            at = following

    def _is_known(self, marker: int) -> bool:
        if marker == _SOS:
            return self.frame is not None
        return marker in _APPLICATION or marker in _TABLES or (marker in _FRAMES and self.frame is None)

    def _segment(self, marker: int, at: int, end: int, following: int) -> None:
        data = self._data
        if marker in _APPLICATION:
            self._application(marker, at + 4, end)
        elif marker == _SOS:
            self._scan(data[at + 4 : end])
            self.kept.append(self._view[at:following] if following >= 0 else self._view[at:])
        else:
            segment = data[at:end]
            self.kept.append(segment)
            if marker in _FRAMES:
                self.frame = _Frame(marker, segment, len(data))
            if not self.scans:
                self._tables_bytes += len(segment)
                if self._tables_bytes > MAX_TABLES_BYTES:
                    raise too_many("JPEG", "bytes of tables", MAX_TABLES_BYTES)

    def _application(self, marker: int, at: int, end: int) -> None:
        """Keep of JFIF and Adobe what says how colours are stored; note the first EXIF and the last XMP."""
        data = self._data
        if marker == 0xE0 and data.startswith(_JFIF, at) and end >= at + 14:
            self.kept.append(b"\xff\xe0\0\x10" + data[at : at + 12] + b"\0\0")  # its thumbnail has 0x0 pixels
        elif marker == 0xEE and data.startswith(_ADOBE, at) and end >= at + 12:
            self.kept.append(b"\xff\xee\0\x0e" + data[at : at + 12])
        elif marker == 0xE1 and not self.exif and data.startswith(_EXIF, at):
            self.exif = data[at:end]
        elif marker == 0xE1 and data.startswith(_XMP, at):
            self.xmp = data[at:end]

    def _scan(self, header: bytes) -> None:
        """Count a scan (B.2.3): its header is the number of components, then two bytes for each."""
        self.scans += 1
        if self.scans > MAX_SCANS:
            raise too_many("JPEG", "scans", MAX_SCANS)
        assert self.frame is not None
        samples = self.frame.samples
        names = header[1 : 1 + 2 * header[0] : 2] if header else b""
        self.samples += sum(samples.get(name, 0) for name in names)


def _next_marker(data: bytes, at: int) -> int:
    """Where the next marker is, at `at` or behind it, or -1."""
    found = _MARKER.search(data, at)
    return found.start() if found else -1
