"""A picture of deployments beside each other: requests, environments and latency over time."""

import io
import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.peak.advice import Step
from benchmarks.peak.path import THROTTLED_BY_FRONT, THROTTLED_BY_LAMBDA
from benchmarks.peak.simulation import Requests

OFFERED, ANSWERED, BY_FRONT, BY_LAMBDA, GREY = "#999999", "#1f5fa8", "#c8500a", "#8a2a8a", "#666666"


def draw(steps: list[Step], heading: str, path: Path) -> None:
    """Write a PNG to `path` with a column for each step; raises OSError."""
    figure = Figure(figsize=(5.2 * len(steps), 7.6), dpi=100, layout="constrained")
    figure.suptitle("\n".join(textwrap.wrap(heading, 60 * len(steps))), fontsize=11)
    columns = figure.subplots(3, len(steps), sharex=True, squeeze=False).T
    for column, step in zip(columns, steps, strict=True):
        column[0].set_title("\n".join(textwrap.wrap(step.name, 52)), fontsize=10)
        seconds = 60 * (step.setup.load.minutes + step.setup.load.after)
        _requests(column[0], step.requests, seconds)
        _environments(column[1], step, seconds)
        _latency(column[2], step.requests, seconds)
        column[2].set_xlabel("s, by the time at which a request came")
    for axes in columns.flat:
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    for row, label in enumerate(("requests a second", "environments", "latency, ms")):
        columns[0][row].set_ylabel(label)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    Image.open(drawn).convert("RGB").quantize(128).save(path, optimize=True)


def _requests(axes: Axes, requests: Requests, seconds: int) -> None:
    kinds = (
        (OFFERED, "--", "offered", np.ones(len(requests.arrived_s), dtype=bool)),
        (ANSWERED, "-", "answered", requests.answered),
        (BY_FRONT, "-", "throttled by the front", requests.outcome == THROTTLED_BY_FRONT),
        (BY_LAMBDA, "-", "throttled by Lambda", requests.outcome == THROTTLED_BY_LAMBDA),
    )
    for colour, line, label, chosen in kinds:
        if chosen.any():
            counts, edges = np.histogram(requests.arrived_s[chosen], bins=seconds, range=(0, seconds))
            axes.plot(edges[:-1] + 0.5, counts, line, color=colour, label=label)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="upper right", fontsize=9)


def _environments(axes: Axes, step: Step, seconds: int) -> None:
    at_s = np.arange(0, seconds + 1)
    made = step.setup.provisioned + np.searchsorted(step.requests.cold_at_s, at_s, side="right")
    busy = _busy(step.requests, at_s)
    axes.plot(at_s, made, color=ANSWERED, label="all")
    axes.plot(at_s, busy, color=BY_FRONT, linewidth=1, label="busy")
    if step.setup.limit <= 4 * max(1, made.max()):
        axes.axhline(step.setup.limit, color=GREY, linewidth=0.8, linestyle=":", label=f"limit {step.setup.limit:,}")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="upper right", fontsize=9)


def _busy(requests: Requests, at_s: np.ndarray) -> np.ndarray:
    """Invocations that run at each time. Tries before the last one ran nothing."""
    ended_s = (requests.arrived_s + requests.latency_s)[requests.invoked]
    began_s = np.sort(ended_s - requests.duration_s[requests.invoked])
    return np.searchsorted(began_s, at_s, side="right") - np.searchsorted(np.sort(ended_s), at_s, side="right")


def _latency(axes: Axes, requests: Requests, seconds: int) -> None:
    second = requests.arrived_s[requests.answered].astype(int)
    groups = np.split(1000 * requests.latency_s[requests.answered], np.searchsorted(second, np.arange(1, seconds)))
    for share, colour in ((50, ANSWERED), (99, BY_FRONT)):
        values = [np.percentile(group, share) if len(group) else np.nan for group in groups]
        axes.plot(np.arange(seconds) + 0.5, values, color=colour, label=f"p{share}")
    axes.set_yscale("log")
    for ticks in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        ticks(lambda value, _: f"{value:,.0f}")
    axes.legend(frameon=False, loc="upper right", fontsize=9)
