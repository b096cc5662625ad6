"""A picture of one network on one processor: milliseconds by engine and mode, this project's rows marked."""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.peers.models import AS_EXPORTED
from benchmarks.peers.outcome import OWN, OfNetwork, Row

OURS, SAME_ENGINE, THEIRS, GREY = "#1f5fa8", "#9dbfe2", "#b9bec6", "#666666"


def draw(found: OfNetwork, level: str, heading: str, path: Path) -> None:
    """Write a PNG to `path`: the fastest row above; raises OSError."""
    threads = min(found.rows[level][0].fastest_ms)
    rows = sorted(found.rows[level], key=lambda row: row.fastest_ms[threads], reverse=True)
    figure = Figure(figsize=(8, 1.2 + 0.27 * len(rows)), dpi=100, layout="constrained")
    axes = figure.subplots()
    figure.suptitle("\n".join(textwrap.wrap(heading, 95)), fontsize=10)
    _bars(axes, rows, threads)
    axes.set_xlabel(f"ms of the fastest inference, {threads} thread{'s' * (threads > 1)}: shorter is faster")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    Image.open(drawn).convert("RGB").quantize(64).save(path, optimize=True)


def _bars(axes: Axes, rows: Sequence[Row], threads: int) -> None:
    longest = max(row.fastest_ms[threads] for row in rows)
    for place, row in enumerate(rows):
        colour = OURS if _is_ours(row) else SAME_ENGINE if row.engine == OWN else THEIRS
        ms = row.fastest_ms[threads]
        axes.barh(
            place, ms, color=colour if row.counts else "none", edgecolor=colour, hatch="" if row.counts else "///"
        )
        share = row.agreement.same_first if row.agreement else None
        said = f"{ms:.1f}" if row.counts or share is None else f"{ms:.1f}, but only {share:.1%} the same class"
        axes.text(ms + longest / 100, place, said, va="center", fontsize=8, color="black" if row.counts else GREY)
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=9)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if _is_ours(row) else "normal")
    axes.set_xlim(0, 1.2 * longest)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _is_ours(row: Row) -> bool:
    """Whether the converter made it faster; the others in LiteRT are as TensorFlow exports them."""
    return row.engine == OWN and AS_EXPORTED not in row.mode
