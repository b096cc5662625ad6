"""The conclusion from the figures, in one sentence."""

import math
from typing import NamedTuple

from chalicelib.split import ARMS, Arm
from chalicelib.workflow.report.arms import unanswered
from chalicelib.workflow.report.proportions import pictures_needed
from chalicelib.workflow.report.types import Accuracy, Figures, Kind, Verdict
from chalicelib.workflow.report.wording import chance, percent

ALPHA, POWER = 0.05, 0.8
MARGIN = 0.02
"""Two points. Accuracies count as the same if their whole 95% interval of difference is within this."""

_FOREIGN_LABELS = (
    "none of the expected labels was ever answered: are they the model's labels? Accuracies say nothing here"
)


class _Finding(NamedTuple):
    """The first part of the sentence, and what `Verdict` has."""

    kind: Kind
    text: str
    more_pictures: int | None = None


def judge(figures: Figures) -> Verdict:
    """The verdict on the other figures of a report."""
    silent = [arm for arm in ARMS if not figures["arms"][arm]["own"]]
    if silent:
        return _verdict(_Finding("no_answer", _no_answer(figures, silent[0])))
    finding = _finding(figures)
    return _verdict(finding._replace(text=", ".join([finding.text, *_further(figures)])))


def _verdict(finding: _Finding) -> Verdict:
    text = f"{finding.text[0].upper()}{finding.text[1:]}."
    return {"kind": finding.kind, "text": text, "more_images": finding.more_pictures}


def _finding(figures: Figures) -> _Finding:
    accuracy = figures["accuracy"]
    if not accuracy:
        return _Finding("unlabelled", _unlabelled(figures))
    if not any(share["hits"] for arm in ARMS if (share := figures["arms"][arm]["accuracy"])):
        return _Finding("foreign_labels", _FOREIGN_LABELS)
    if accuracy["p"] < ALPHA:
        return _different(figures, accuracy)
    return _not_different(figures, accuracy)


def _different(figures: Figures, accuracy: Accuracy) -> _Finding:
    names, low, high = _names(figures), 100 * accuracy["low"], 100 * accuracy["high"]
    kind: Kind = "better" if accuracy["difference"] > 0 else "worse"
    least, most = (low, high) if kind == "better" else (-high, -low)
    chances = f"(95%: {least:.1f} to {most:.1f}; {chance(accuracy['p'])})"
    points = f"{_points(abs(accuracy['difference']))} {chances}"
    small = f", less than the margin of {_points(MARGIN)}" if max(-low, high) <= 100 * MARGIN else ""
    return _Finding(kind, f"{names['B']} is {kind} than {names['A']} by {points}{small}")


def _not_different(figures: Figures, accuracy: Accuracy) -> _Finding:
    names, low, high = _names(figures), 100 * accuracy["low"], 100 * accuracy["high"]
    widest = max(-low, high)
    if widest <= 100 * MARGIN:
        within = math.ceil(10 * widest) / 10
        return _Finding("same", f"{names['B']} is as accurate as {names['A']} within {within:.1f} points (95%)")
    between = f"{names['B']} lies between {low:+.1f} and {high:+.1f} points of {names['A']}, with 95% confidence"
    more = _more_pictures(figures)
    if more is None:
        unshown = f"no difference of accuracy is shown ({chance(accuracy['p'])}), yet none is ruled out"
        return _Finding("undecided", f"{unshown}: {between}")
    tell = f"needs about {more:,} more images at this split to tell {_points(MARGIN)} with {POWER:.0%} power"
    return _Finding("more_data", f"not enough data: {tell}; {between}", more)


def _more_pictures(figures: Figures) -> int | None:
    """About how many more, rounded up to two digits; None if there are enough for POWER."""
    scored = {arm: share for arm in ARMS if (share := figures["arms"][arm]["accuracy"])}
    labelled = sum(share["of"] for share in scored.values())
    accuracy = sum(share["hits"] for share in scored.values()) / labelled
    needed = pictures_needed(accuracy, MARGIN, scored["B"]["of"] / labelled, ALPHA, POWER)
    if needed is None or needed <= labelled:
        return None
    more = (needed - labelled) * figures["counts"]["images"] / labelled  # not every picture has a label and an answer
    digits = max(0, len(str(math.ceil(more))) - 2)
    return int(math.ceil(more / 10**digits) * 10**digits)


def _unlabelled(figures: Figures) -> str:
    names, agreement = _names(figures), figures["agreement"]
    if agreement is None:
        return f"without labels or a shadow sample nothing tells {names['B']} from {names['A']} in accuracy"
    low, high = percent(agreement["low"]), percent(agreement["high"])
    seen = f"{percent(agreement['share'])} of {agreement['of']:,} images (95%: {low} to {high})"
    return f"without labels only agreement is known: {names['B']} gives the answer of {names['A']} on {seen}"


def _further(figures: Figures) -> list[str]:
    """Further parts: latency; unanswered pictures and a wrong split, if they are more than chance."""
    parts, ratio = [], figures["latency"]["total_ratio"]
    if ratio is not None:
        parts.append(
            f"and B answers in {ratio:.2f} of A's time" if ratio <= 1 else f"and B takes {ratio:.2f} times as long"
        )
    if figures["reliability"] and figures["reliability"]["p"] < ALPHA:
        left = {arm: _share_unanswered(figures, arm) for arm in ARMS}
        parts.append(f"while B's own model leaves {left['B']} of its images unanswered, A's {left['A']}")
    if not figures["split"]["within_chance"]:
        parts.append(f"but the split is further off than chance explains ({chance(figures['split']['p'])})")
    return parts


def _share_unanswered(figures: Figures, arm: Arm) -> str:
    share = unanswered(figures["arms"][arm])
    return percent(share and share.value)


def _no_answer(figures: Figures, arm: Arm) -> str:
    found = figures["arms"][arm]
    if not found["images"]:
        return f"no verdict: arm {arm} has no images"
    rest = f"{found['fallbacks']:,} fell back to the other model, {found['failed']:,} failed"
    return f"no verdict: {_names(figures)[arm]} answered none of its {found['images']:,} images ({rest})"


def _names(figures: Figures) -> dict[Arm, str]:
    return {arm: f"{arm} ({name})" for arm, name in figures["models"].items()}


def _points(share: float) -> str:
    return f"{100 * share:.1f} points".replace(".0 ", " ")
