"""What is promised of hostile input, each with the figure that was measured."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.hostile.folder import Outcome

SHARE = 0.993
"""Of the pictures that plain Pillow decodes: what is left has too many pixels."""
P99_S, WORST_S, WORST_MB, BOMB_S = 0.02, 0.6, 400.0, 3.0
FEW = 100
"""Of fewer decodable pictures no share is promised: those that are refused are listed."""
GROWTH_FILES = 2
"""Open files that a process may hold more at its end: the first use of a codec may open one."""


class Promise(NamedTuple):
    """One line of the verdict."""

    text: str
    measured: str
    kept: bool


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of the values do not exceed; 0 for none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def decodable(outcomes: list[Outcome]) -> list[Outcome]:
    """Those in one of the five formats that plain Pillow decodes."""
    return [outcome for outcome in outcomes if outcome.image_format != "other" and not outcome.plain]


def refused(outcomes: list[Outcome]) -> list[Outcome]:
    """Those that plain Pillow decodes and the function refuses."""
    return [outcome for outcome in decodable(outcomes) if outcome.status != 200]


def wrongly_accepted(outcomes: list[Outcome]) -> list[Outcome]:
    """Those answered 200 whose pixels Pillow's strict load does not decode."""
    return [outcome for outcome in outcomes if outcome.status == 200 and outcome.plain and outcome.pixels]


def _of(folder: Path, outcomes: list[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.folder == folder]


def _share(folder: Path, outcomes: list[Outcome]) -> Promise:
    decodes, no = decodable(_of(folder, outcomes)), refused(_of(folder, outcomes))
    share = 1 - len(no) / len(decodes)
    measured = f"{len(decodes) - len(no)} of {len(decodes)}, {share:.2%}"
    return Promise(f"{SHARE:.1%} of what plain Pillow decodes in {folder.name} is answered", measured, share >= SHARE)


def of_folder(outcomes: list[Outcome], timed: bool) -> list[Promise]:
    """The promises on a folder; times are promised where the machine does nothing else (`timed`)."""
    replies = [reply for outcome in outcomes for reply in outcome.replies.values()]
    unhandled = sum(reply.status == 0 or reply.status >= 500 for reply in replies)
    crashes = sum(reply.status == -1 for reply in replies)
    folders = sorted({outcome.folder for outcome in outcomes})
    large = [folder for folder in folders if len(decodable(_of(folder, outcomes))) >= FEW]
    differ = sum(outcome.differs for outcome in outcomes)
    wrong = len(wrongly_accepted(outcomes))
    worst_mb = max((reply.peak_mb for reply in replies), default=0.0)
    answered = [reply for reply in replies if reply.status > 0]
    grown = max((r.files for r in answered), default=0) - min((r.files for r in answered), default=0)
    left = max((reply.sockets + reply.children for reply in replies), default=0)
    found = [
        Promise("no 5xx, and no exception leaves the handler", f"{unhandled} of {len(replies)}", unhandled == 0),
        Promise("no crash and no hang", f"{crashes}", crashes == 0),
        *(_share(folder, outcomes) for folder in large),
        Promise("nothing is answered 200 whose strict load fails", f"{wrong}", wrong == 0),
        Promise("the same answer on every way in", f"{differ} differ", differ == 0),
        Promise(f"at most {WORST_MB:.0f} MB above the model", f"{worst_mb:.0f} MB", worst_mb <= WORST_MB),
        Promise(
            "no file, socket or process is left", f"{grown} files, {left} others", grown <= GROWTH_FILES and not left
        ),
    ]
    if timed:
        times = [reply.cpu_s for reply in replies]
        p99, worst = percentile(times, 0.99), max(times, default=0.0)
        found.append(Promise(f"p99 of {P99_S * 1000:.0f} ms of processor time", f"{p99 * 1000:.1f} ms", p99 <= P99_S))
        found.append(Promise(f"worst {WORST_S} s of processor time", f"{worst:.2f} s", worst <= WORST_S))
    return found
