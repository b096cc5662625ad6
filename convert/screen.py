"""What the converter prints: progress on standard error, the result as a table on standard output."""

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console
from rich.progress import track
from rich.table import Table

from chalicelib.inference.card import ModelCard
from convert.explain import LayerError


class _Screen:
    """Standard error. While `quiet_libraries` redirects it, a copy of the original descriptor."""

    aside: TextIO | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.aside or sys.stderr, name)


SHOWN_LAYERS = 20
_screen = _Screen()
console = Console(file=cast(TextIO, _screen))


@contextmanager
def working(what: str | None) -> Iterator[None]:
    """Show that work of unknown length is running; shows nothing if `what` is None."""
    if what is None:
        yield
        return
    with console.status(f"{what} ..."):
        yield
    console.print(f"{what}: done")


class ShownList(list[Any]):
    """A list that shows a progress bar for each iteration over it: the quantiser iterates twice, first to count."""

    def __init__(self, items: list[Any], description: str) -> None:
        super().__init__(items)
        self._description = description

    def __iter__(self) -> Iterator[Any]:
        """Every item, with a bar that is removed at the end."""
        return iter(track(list.__iter__(self), self._description, len(self), console=console, transient=True))


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide what TensorFlow's C++ code prints: it writes to the file descriptor, not to `sys.stderr`."""
    sys.stderr.flush()
    before = _screen.aside
    with tempfile.TemporaryFile() as chatter, os.fdopen(os.dup(2), "w", buffering=1) as screen:
        _screen.aside = before or screen
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(screen.fileno(), 2)
            _screen.aside = before


def result(card: ModelCard, folder: Path, notes: Iterable[str]) -> None:
    """Print the bundle as a table, and the notes below it."""
    table = Table(title=str(folder), show_header=False, title_justify="left")
    for name, value in _rows(card):
        table.add_row(name, value)
    table_console().print(table)
    for note in notes:
        console.print(f"note: {note}", highlight=False, markup=False, soft_wrap=True)


def layers(errors: Sequence[LayerError]) -> None:
    """Print the worst layers of `--explain` as a table; prints nothing if there are none."""
    if not errors:
        return
    table = Table(title="error of each layer's output in this form, on float input", title_justify="left")
    for heading in ("name", "kind", "shape"):
        table.add_column(heading, overflow="fold")
    table.add_column("weights, kB", justify="right")
    table.add_column("error", justify="right")
    for one in errors[:SHOWN_LAYERS]:
        shape = "x".join(str(n) for n in one.shape)
        name = one.name.partition(";")[0]  # a fused operator has the names of all its parts
        table.add_row(name, one.kind, shape, f"{one.weights_bytes / 1000:.1f}", f"{one.error:.2%}")
    total = sum(one.weights_bytes for one in errors)
    table.add_section()
    table.add_row(f"all {len(errors)}", "", "", f"{total / 1000:.1f}", "")
    table_console().print(table)


def table_console() -> Console:
    """Standard output, for tables."""
    return Console(width=100 if not sys.stdout.isatty() else None)


def _rows(card: ModelCard) -> Iterator[tuple[str, str]]:
    measured = card.verification
    spec = card.input
    yield "model", f"{card.quantization}, {card.size_bytes / 1e6:.1f} MB, version {card.version}"
    part = "the whole picture" if spec.crop == 1 else f"the middle {spec.crop:.1%} of the shorter side"
    yield "input", f"{spec.width}x{spec.height} {spec.color}, {part}"
    yield "classes", f"{card.output.classes} ({card.output.scores})"
    yield "one inference", f"{measured['latency_ms']} ms on one thread, {measured['engine']}"
    if not card.trained:
        yield "weights", "untrained: every answer says so"
    if not measured["pictures"]:
        yield "verified", "no: give --validation DIR to compare it with its source"
        return
    yield "verified on", f"{measured['pictures']} pictures"
    yield "same best class", f"{measured['top1_agreement']:.1%}"
    yield "same best five", f"{measured['top5_agreement']:.1%}"
    yield "largest difference of a score", f"{measured['max_score_difference']}"
    if measured["accuracy"] is not None:
        yield "accuracy", f"{measured['accuracy']:.1%} (source: {measured['source_accuracy']:.1%})"
    if own := measured.get("own_size"):
        yield f"same best class as at {own['input']}", f"{own['top1_agreement']:.1%}"
        yield f"largest difference from {own['input']}", f"{own['max_score_difference']}"
        if own["source_accuracy"] is not None:
            yield f"accuracy of the source at {own['input']}", f"{own['source_accuracy']:.1%}"
