"""A progress bar: redrawn in place on a terminal, a line every few seconds elsewhere."""

import sys
import time
from typing import TextIO

WIDTH = 30
EVERY_S, EVERY_LINE_S = 0.2, 5.0


class Progress:
    """Shows `done` of `total` with rate and time left."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._shown, self._began = 0.0, time.monotonic()
        self._first: int | None = None
        """What was done already at the first look: no merit of this run."""

    def show(self, done: int, total: int | None, failed: int, last: bool = False) -> None:
        """Draw, unless it was drawn a moment ago."""
        now = time.monotonic()
        self._first = done if self._first is None else self._first
        if not last and now - self._shown < (EVERY_S if self._live else EVERY_LINE_S):
            return
        self._shown = now
        rate = (done - self._first) / max(now - self._began, 0.001)
        line = line_of(done, total, failed, rate)
        self._stream.write(f"\r{line}\x1b[K" + ("\n" if last else "") if self._live else f"{line}\n")
        self._stream.flush()


def line_of(done: int, total: int | None, failed: int, rate: float) -> str:
    """One line: bar, counts, pictures per second, seconds left."""
    if total is None:
        return f"listing ... {done} done"
    filled = WIDTH * done // total if total else WIDTH
    left = f", {(total - done) / rate:.0f} s left" if rate and done < total else ""
    errors = f", {failed} failed" if failed else ""
    return f"[{'#' * filled}{'.' * (WIDTH - filled)}] {done}/{total}{errors}, {rate:.1f}/s{left}"
