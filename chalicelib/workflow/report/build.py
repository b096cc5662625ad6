"""Rows to the content of `report.json`; `types` says what each figure is.

One row of each key counts, whichever order they come in. A picture that the other model answered after the arm's own
had failed stays in its arm (and its cost) as a fallback; that answer does not count for the arm's accuracy, latency or
agreement. A picture that no model answered is a failure, counted by code; it is not a wrong answer.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from chalicelib.pricing import PRICES_OF
from chalicelib.split import ARMS, Arm, Split
from chalicelib.workflow.report import arms, proportions, verdict
from chalicelib.workflow.report.arms import is_own, significant
from chalicelib.workflow.report.proportions import Share
from chalicelib.workflow.report.row import Row
from chalicelib.workflow.report.types import (
    Accuracy,
    Agreement,
    ArmFigures,
    Assumed,
    Counts,
    Differing,
    Figures,
    Report,
    Significance,
    SplitFigures,
)

CHANCE_P = 0.001
"""A split is doubted if chance would give one as far off in fewer than one experiment of a thousand."""
DIFFERING_SHOWN = 10


def build(rows: Iterable[Row], split: Split, memory_mb: int, architecture: str) -> Report:
    """The report on `rows`; `memory_mb` and `architecture`, of platform.machine(), decide what a millisecond costs."""
    counted, duplicates = _each_key_once(rows)
    of_arm = {arm: [row for row in counted if row.arm == arm] for arm in ARMS}
    described = {arm: arms.describe(of_arm[arm], memory_mb, architecture) for arm in ARMS}
    figures: Figures = {
        "experiment": split.experiment,
        "models": {arm: split.model(arm) for arm in ARMS},
        "counts": _counts(described.values(), duplicates),
        "split": _split(counted, split),
        "arms": described,
        "agreement": _agreement(counted),
        "accuracy": _accuracy(of_arm),
        "reliability": _reliability(described),
        "latency": {
            "inference_ratio": _ratio(described, "inference_ms"),
            "total_ratio": _ratio(described, "total_ms"),
        },
        "assumed": _assumed(memory_mb, architecture),
    }
    return {"verdict": verdict.judge(figures), **figures}


def _each_key_once(rows: Iterable[Row]) -> tuple[list[Row], int]:
    """One row of each key, by key, and how many others there were."""
    chosen: dict[str, Row] = {}
    seen = 0
    for row in rows:
        seen += 1
        other = chosen.get(row.key)
        chosen[row.key] = row if other is None else min(row, other, key=_preference)
    return [chosen[key] for key in sorted(chosen)], seen - len(chosen)


def _preference(row: Row) -> tuple[bool, bool, str]:
    """An answer before an error, the own model's before a fallback; else any, but always the same."""
    return row.error is not None, row.fallback, json.dumps(row.to_dict(), sort_keys=True)


def _counts(described: Iterable[ArmFigures], duplicates: int) -> Counts:
    both = list(described)
    return {
        "images": sum(arm["images"] for arm in both),
        "answered": sum(arm["answered"] for arm in both),
        "failed": sum(arm["failed"] for arm in both),
        "fallbacks": sum(arm["fallbacks"] for arm in both),
        "duplicates": duplicates,
    }


def _split(rows: Sequence[Row], split: Split) -> SplitFigures:
    in_b = sum(row.arm == "B" for row in rows)
    p = proportions.binomial(Share(in_b, len(rows)), split.weight) if rows else 1.0
    return {
        "expected_b": split.weight,
        "seen_b": significant(in_b / len(rows)) if rows else None,
        "p": significant(p),
        "within_chance": p >= CHANCE_P,
        "misplaced": sum(split.arm(row.key) != row.arm for row in rows),
    }


def _agreement(rows: Iterable[Row]) -> Agreement | None:
    both = [row for row in rows if is_own(row) and row.shadow_label is not None]
    differing = [row for row in both if row.label != row.shadow_label]
    share = arms.share_figures(Share(len(both) - len(differing), len(both)) if both else None)
    if share is None:
        return None
    return {**share, "differing": [_labels(row) for row in differing[:DIFFERING_SHOWN]]}


def _labels(row: Row) -> Differing:
    a, b = (row.label, row.shadow_label) if row.arm == "A" else (row.shadow_label, row.label)
    return {"key": row.key, "A": a, "B": b, "expected": row.expected}


def _accuracy(of_arm: Mapping[Arm, Sequence[Row]]) -> Accuracy | None:
    a, b = (arms.right_of(row for row in of_arm[arm] if is_own(row)) for arm in ARMS)
    if a is None or b is None:
        return None
    low, high = proportions.difference(a, b)
    return {
        "difference": significant(b.value - a.value),
        "low": significant(low),
        "high": significant(high),
        **_test(a, b),
    }


def _reliability(described: Mapping[Arm, ArmFigures]) -> Significance | None:
    a, b = (arms.unanswered(described[arm]) for arm in ARMS)
    return _test(a, b) if a and b else None


def _test(a: Share, b: Share) -> Significance:
    found = proportions.compare(a, b)
    return {"test": found.test, "p": significant(found.p), "z": None if found.z is None else significant(found.z)}


def _ratio(described: Mapping[Arm, ArmFigures], name: Literal["inference_ms", "total_ms"]) -> float | None:
    a, b = (described[arm][name] for arm in ARMS)
    return significant(b["p50"] / a["p50"]) if a and b and a["p50"] else None


def _assumed(memory_mb: int, architecture: str) -> Assumed:
    return {
        "memory_mb": memory_mb,
        "architecture": architecture,
        "prices_of": PRICES_OF,
        "confidence": proportions.CONFIDENCE,
        "alpha": verdict.ALPHA,
        "power": verdict.POWER,
        "margin": verdict.MARGIN,
    }
