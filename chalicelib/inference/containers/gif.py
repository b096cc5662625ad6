"""GIF: screen, palette, transparent colour and the first frame.

Source: GIF89a specification, sections 15 (blocks of data), 18 to 22 (screen and frame), 23 to 26 (extensions).
"""

import re

from chalicelib.inference.containers.stripped import Stripped, broken, too_many

MAX_BLOCKS = 200_000
"""Up to the end of the first frame; a block has at most 255 bytes."""

_INTRODUCER = re.compile(rb"[!,;]")
_EXTENSION, _FRAME, _TRAILER, _CONTROL = 0x21, 0x2C, 0x3B, 0xF9


def strip(data: bytes) -> Stripped:
    """The first frame without what is not decoded; raises UndecodableImage or ImageTooLarge."""
    try:
        return _Walk(data).stripped()
    except IndexError:
        raise broken("GIF", len(data)) from None


class _Walk:
    """One pass over the blocks, to the end of the first frame. Reading behind the data raises IndexError."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._blocks = data, 13 + _palette_bytes(data[10]), 0
        self._head, self._control = data[: self._at], b""

    def stripped(self) -> Stripped:
        """Skip to the first frame, and take it."""
        data = self._data
        while data[self._at] != _FRAME:
            introducer = data[self._at]
            if introducer == _EXTENSION:
                self._extension()
            else:
                found = _INTRODUCER.search(data, self._at)  # Pillow skips bytes between blocks
                if introducer == _TRAILER or found is None:
                    raise broken("GIF", len(data))
                self._at = found.start()
        start = self._at
        left, top, across, down = (int.from_bytes(data[start + i : start + i + 2], "little") for i in (1, 3, 5, 7))
        self._at += 10 + _palette_bytes(data[start + 9]) + 1  # with the size of the first code
        is_whole = self._skip_blocks()
        width = max(int.from_bytes(data[6:8], "little"), left + across)  # Pillow's screen grows with the frame
        height = max(int.from_bytes(data[8:10], "little"), top + down)
        frame = memoryview(data)[start : self._at]  # no copy
        stripped = b"".join((self._head, self._control, frame, b";" if is_whole else b""))
        return Stripped(stripped, width, height, "GIF", work=width * height)

    def _extension(self) -> None:
        """Keep the transparent colour's index (section 23)."""
        data, label, at = self._data, self._data[self._at + 1], self._at + 2
        if label == _CONTROL and data[at] >= 4 and data[at + 1] & 1:
            self._control = bytes((_EXTENSION, _CONTROL, 4, 1, 0, 0, data[at + 4], 0))
        self._at = at
        self._skip_blocks()

    def _skip_blocks(self) -> bool:
        """Skip to behind the empty block; False if the data end before it."""
        data, at, end = self._data, self._at, len(self._data)
        blocks = self._blocks + 1
        while at < end and (size := data[at]) and blocks <= MAX_BLOCKS:
            at += size + 1
            blocks += 1
        if blocks > MAX_BLOCKS:
            raise too_many("GIF", "blocks", MAX_BLOCKS)
        self._at, self._blocks = at + 1, blocks
        return at < end


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
