"""The command line's progress bar."""

import sys
from types import TracebackType
from typing import Any, Self, TextIO

EVERY_S, EVERY_LINE_S = 0.2, 5.0
"""Seconds between two updates, on a terminal and elsewhere."""


class Progress:
    """Shows how much is done of a total that may become known later: in place on a terminal, otherwise line by line.

    Leaving the context draws the last state and ends the line, so that the next output begins on a new line.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, done: int, total: int | None, failed: int) -> None:
        """Draw, unless the last drawing is recent. What is done at the first call does not count for the speed."""
        if self._bar is None:
            self._bar = self._begin(done, total)
        self._bar.total = total
        self._bar.set_postfix({"failed": failed} if failed else {}, refresh=False)
        self._bar.update(done - self._bar.n)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._bar is None:
            print(line, file=self._stream)
        else:
            self._bar.write(line, file=self._stream)

    def _begin(self, done: int, total: int | None) -> Any:
        from tqdm import tqdm

        every_s = EVERY_S if self._stream.isatty() else EVERY_LINE_S
        shown = {"file": self._stream, "mininterval": every_s, "miniters": 1, "dynamic_ncols": True}
        return tqdm(initial=done, total=total, unit=" pictures", **shown)
