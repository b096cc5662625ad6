"""A picture of a bundle's outcome: latency above, predictions for a dollar below, both over the memory size."""

import io
import textwrap
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.tune.outcome import Outcome, Row
from localaws.processor.share import MEMORY_MB_PER_VCPU

COLOURS = {1: "#1f5fa8", 2: "#c8500a"}
GREY = "#666666"


def draw(outcome: Outcome, machine: str, path: Path) -> None:
    """Write a PNG to `path`; raises OSError."""
    figure = Figure(figsize=(8, 6.4), dpi=100, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    title = [f"{outcome.bundle}: a warm request by memory size", *textwrap.wrap(f"not on Lambda: {machine}", 90)]
    figure.suptitle("\n".join(title), fontsize=11)
    _curves(above, outcome, "warm_ms")
    above.set_ylabel("latency, median ms")
    _curves(below, outcome, "per_dollar")
    below.set_ylabel("predictions per dollar\nof Lambda, fee included")
    below.yaxis.set_major_formatter(lambda value, _: f"{value / 1e6:g} M")
    below.set_xlabel("memory size, MB (1,769 MB is one vCPU)")
    below.set_xticks(sorted({row.memory_mb for row in outcome.rows}))
    below.tick_params(axis="x", labelrotation=45, labelsize=9)
    above.legend(frameon=False, loc="upper right")
    below.legend(frameon=False, loc="lower left")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    Image.open(drawn).convert("RGB").quantize(64).save(
        path, optimize=True
    )  # a third of the size, and it looks the same


def _curves(axes: Axes, outcome: Outcome, value: str) -> None:
    for threads in sorted({row.threads for row in outcome.rows}):
        rows = [row for row in outcome.rows if row.threads == threads]
        label = f"{threads} thread{'s' if threads > 1 else ''}"
        points = [getattr(row, value) for row in rows]
        colour, line = COLOURS.get(threads, GREY), "o-" if threads == 1 else "s--"
        axes.plot([row.memory_mb for row in rows], points, line, color=colour, label=label)
    axes.axvline(MEMORY_MB_PER_VCPU, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_ylim(0, 1.12 * max(getattr(row, value) for row in outcome.rows))
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    _mark(axes, outcome.balanced, getattr(outcome.balanced, value))


def _mark(axes: Axes, row: Row, value: float) -> None:
    """Ring the recommended configuration."""
    said = f"{value:,.0f} for a dollar" if value >= 1000 else f"{row.memory_mb} MB: {value:.1f} ms"
    axes.plot([row.memory_mb], [value], "ko", markersize=14, fillstyle="none", label=f"recommended, {said}")
