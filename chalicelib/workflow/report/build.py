"""What an experiment has shown: the content of `report.json`.

Of each key one row counts, whichever order they come in. A picture that the other model answered after the arm's own
had failed stays in its arm (its cost too) as a fallback, and that answer counts neither for the arm's accuracy nor
for its latency nor for the agreement. What no model could answer is a failure, by code, and no wrong answer.

    {
      "experiment": name, "models": {"A", "B"}, "verdict": see `verdict.judge`,
      "counts": {"images", "answered", "failed", "fallbacks", "duplicates"},  images = answered + failed
      "split": {"expected_b", "seen_b", "p", "within_chance", "misplaced"},
          p: exact binomial, each key dealt independently; misplaced: rows in another arm than the hash says
      "arms": {"A": arm, "B": arm},
          arm: {"images", "answered", "own", "fallbacks", "failed", "failures": {code: count},
                "fallback_reasons": {name of the error: count},
                "inference_ms" and "total_ms": {"p50", "p95", "of"} or null, own answers only,
                "cost": {"usd", "usd_per_million", "of"} or null, Lambda's price of total_ms alone,
                "accuracy": share or null}    images = own + fallbacks + failed
      "agreement": share and "differing": [{"key", "A", "B", "expected"}], at most ten; or null without shadow answers,
      "accuracy": {"difference", "low", "high", "test", "p", "z"}, B less A; or null without labels in both arms,
      "reliability": {"test", "p", "z"}, of the shares that the own models did not answer; or null.
          Fallbacks for another reason than SecondModelError come by whole groups, and are left out,
      "latency": {"inference_ratio", "total_ratio"}, B's median in A's; null where one is not known,
      "assumed": {"memory_mb", "architecture", "prices_of", "confidence", "alpha", "power", "margin"}
    }

A share is {"hits", "of", "share", "low", "high"}, with its 95% interval by Wilson.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib.pricing import PRICES_OF
from chalicelib.split import Split
from chalicelib.workflow.report import arms, statistics, verdict
from chalicelib.workflow.report.arms import Figures, is_own, rounded
from chalicelib.workflow.report.row import Row
from chalicelib.workflow.report.statistics import Share

CHANCE_P = 0.001
"""A split is doubted when chance would give one as far off in fewer than one experiment of a thousand."""
DIFFERING_SHOWN = 10


def build(rows: Iterable[Row], split: Split, memory_mb: int, architecture: str) -> dict[str, Any]:
    """The report on `rows`; `memory_mb` and `architecture` (as platform.machine() says) price the milliseconds."""
    counted, duplicates = _each_key_once(rows)
    of_arm = {arm: [row for row in counted if row.arm == arm] for arm in ("A", "B")}
    described = {arm: arms.describe(its, memory_mb, architecture) for arm, its in of_arm.items()}
    totals = {
        name: sum(arm[name] for arm in described.values()) for name in ("images", "answered", "failed", "fallbacks")
    }
    report = {
        "experiment": split.experiment,
        "models": {"A": split.first, "B": split.second},
        "counts": {**totals, "duplicates": duplicates},
        "split": _split(counted, split),
        "arms": described,
        "agreement": _agreement(counted),
        "accuracy": _accuracy(of_arm),
        "reliability": _reliability(described),
        "latency": {f"{name}_ratio": _ratio(described, f"{name}_ms") for name in ("inference", "total")},
        "assumed": {
            "memory_mb": memory_mb,
            "architecture": architecture,
            "prices_of": PRICES_OF,
            "confidence": statistics.CONFIDENCE,
            "alpha": verdict.ALPHA,
            "power": verdict.POWER,
            "margin": verdict.MARGIN,
        },
    }
    return {"verdict": verdict.judge(report), **report}


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


def _split(rows: Sequence[Row], split: Split) -> Figures:
    in_b = sum(row.arm == "B" for row in rows)
    p = statistics.binomial(Share(in_b, len(rows)), split.weight) if rows else 1.0
    return {
        "expected_b": split.weight,
        "seen_b": rounded(in_b / len(rows)) if rows else None,
        "p": rounded(p),
        "within_chance": p >= CHANCE_P,
        "misplaced": sum(split.arm(row.key) != row.arm for row in rows),
    }


def _agreement(rows: Iterable[Row]) -> Figures | None:
    both = [row for row in rows if is_own(row) and row.shadow_label is not None]
    differing = [row for row in both if row.label != row.shadow_label]
    share = arms.share_figures(Share(len(both) - len(differing), len(both)) if both else None)
    return share and {**share, "differing": [_labels(row) for row in differing[:DIFFERING_SHOWN]]}


def _labels(row: Row) -> Figures:
    a, b = (row.label, row.shadow_label) if row.arm == "A" else (row.shadow_label, row.label)
    return {"key": row.key, "A": a, "B": b, "expected": row.expected}


def _accuracy(of_arm: Mapping[str, Sequence[Row]]) -> Figures | None:
    a, b = (arms.right_of(row for row in of_arm[arm] if is_own(row)) for arm in ("A", "B"))
    if a is None or b is None:
        return None
    low, high = statistics.difference(a, b)
    found = {"difference": b.value - a.value, "low": low, "high": high}
    return {**{name: rounded(value) for name, value in found.items()}, **_test(a, b)}


def _reliability(described: Mapping[str, Figures]) -> Figures | None:
    a, b = (arms.unanswered(arm) for arm in described.values())
    return _test(a, b) if a and b else None


def _test(a: Share, b: Share) -> Figures:
    found = statistics.compare(a, b)
    return {"test": found.test, "p": rounded(found.p), "z": None if found.z is None else rounded(found.z)}


def _ratio(described: Mapping[str, Figures], name: str) -> float | None:
    a, b = (arm[name] for arm in described.values())
    return rounded(b["p50"] / a["p50"]) if a and b and a["p50"] else None
