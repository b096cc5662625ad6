"""What the figures come to, in one sentence."""

import math
from collections.abc import Mapping
from typing import Any

from chalicelib.workflow.report.arms import unanswered
from chalicelib.workflow.report.statistics import Share, images_needed
from chalicelib.workflow.report.wording import chance, percent

ALPHA, POWER = 0.05, 0.8
MARGIN = 0.02
"""Accuracies that are surely closer than this count as the same: two points."""

_FOREIGN_LABELS = (
    "none of the expected labels was ever answered: are they the model's labels? Accuracies say nothing here"
)

Verdict = dict[str, Any]


def judge(report: Mapping[str, Any]) -> Verdict:
    """`{"kind", "text", "more_images"}` for the other figures of a report.

    `kind` is "same", "better" or "worse" (B's accuracy), "more_data", "undecided", "unlabelled", "foreign_labels" (no
    answer is any picture's label) or "no_answer"; `more_images` is about how many more there must be for "more_data",
    else None.
    """
    silent = [arm for arm in ("A", "B") if not report["arms"][arm]["own"]]
    if silent:
        return _verdict("no_answer", _no_answer(report, silent[0]))
    if not report["accuracy"]:
        kind, finding, more = "unlabelled", _unlabelled(report), None
    elif not any(report["arms"][arm]["accuracy"]["hits"] for arm in ("A", "B")):
        kind, finding, more = "foreign_labels", _FOREIGN_LABELS, None
    else:
        kind, finding, more = _by_accuracy(report)
    return _verdict(kind, ", ".join([finding, *_besides(report)]), more)


def _verdict(kind: str, text: str, more_images: int | None = None) -> Verdict:
    return {"kind": kind, "text": f"{text[0].upper()}{text[1:]}.", "more_images": more_images}


def _by_accuracy(report: Mapping[str, Any]) -> tuple[str, str, int | None]:
    names, found = _names(report), report["accuracy"]
    low, high = 100 * found["low"], 100 * found["high"]
    widest = max(-low, high)
    if found["p"] < ALPHA:
        kind, by = ("better", (low, high)) if found["difference"] > 0 else ("worse", (-high, -low))
        points = f"{_points(abs(found['difference']))} (95%: {by[0]:.1f} to {by[1]:.1f}; {chance(found['p'])})"
        small = f", less than the margin of {_points(MARGIN)}" if widest <= 100 * MARGIN else ""
        return kind, f"{names['B']} is {kind} than {names['A']} by {points}{small}", None
    if widest <= 100 * MARGIN:
        within = math.ceil(10 * widest) / 10
        return "same", f"{names['B']} is as accurate as {names['A']} within {within:.1f} points (95%)", None
    between = f"{names['B']} lies between {low:+.1f} and {high:+.1f} points of {names['A']}, with 95% confidence"
    more = _more_images(report)
    if more is None:
        unshown = f"no difference of accuracy is shown ({chance(found['p'])}), yet none is ruled out"
        return "undecided", f"{unshown}: {between}", None
    tell = f"needs about {more:,} more images at this split to tell {_points(MARGIN)} with {POWER:.0%} power"
    return "more_data", f"not enough data: {tell}; {between}", more


def _more_images(report: Mapping[str, Any]) -> int | None:
    """About how many more, two digits of it; None: the power is there already."""
    scored = [report["arms"][arm]["accuracy"] for arm in ("A", "B")]
    labelled = sum(share["of"] for share in scored)
    seen_b = scored[1]["of"] / labelled
    accuracy = sum(share["hits"] for share in scored) / labelled
    needed = images_needed(accuracy, MARGIN, seen_b, ALPHA, POWER)
    if needed is None or needed <= labelled:
        return None
    more = (needed - labelled) * report["counts"]["images"] / labelled  # not every image has a label and an answer
    digits = max(0, len(str(math.ceil(more))) - 2)
    return int(math.ceil(more / 10**digits) * 10**digits)


def _unlabelled(report: Mapping[str, Any]) -> str:
    names, agreement = _names(report), report["agreement"]
    if agreement is None:
        return f"without labels or a shadow sample nothing tells {names['B']} from {names['A']} in accuracy"
    low, high = percent(agreement["low"]), percent(agreement["high"])
    seen = f"{percent(agreement['share'])} of {agreement['of']:,} images (95%: {low} to {high})"
    return f"without labels only agreement is known: {names['B']} gives the answer of {names['A']} on {seen}"


def _besides(report: Mapping[str, Any]) -> list[str]:
    """Latency, and where it is more than chance: what the own models left unanswered, a split that is off."""
    said, ratio = [], report["latency"]["total_ratio"]
    if ratio is not None:
        said.append(
            f"and B answers in {ratio:.2f} of A's time" if ratio <= 1 else f"and B takes {ratio:.2f} times as long"
        )
    if report["reliability"]["p"] < ALPHA:
        left = {name: percent(share and share.value) for name, share in _unanswered(report).items()}
        said.append(f"while B's own model leaves {left['B']} of its images unanswered, A's {left['A']}")
    if not report["split"]["within_chance"]:
        said.append(f"but the split is further off than chance explains ({chance(report['split']['p'])})")
    return said


def _unanswered(report: Mapping[str, Any]) -> dict[str, Share | None]:
    return {name: unanswered(arm) for name, arm in report["arms"].items()}


def _no_answer(report: Mapping[str, Any], arm: str) -> str:
    figures = report["arms"][arm]
    if not figures["images"]:
        return f"no verdict: arm {arm} has no images"
    rest = f"{figures['fallbacks']:,} fell back to the other model, {figures['failed']:,} failed"
    return f"no verdict: {_names(report)[arm]} answered none of its {figures['images']:,} images ({rest})"


def _names(report: Mapping[str, Any]) -> dict[str, str]:
    return {arm: f"{arm} ({name})" for arm, name in report["models"].items()}


def _points(share: float) -> str:
    return f"{100 * share:.1f} points".replace(".0 ", " ")
