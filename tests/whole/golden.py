"""Golden files: what was written once is what must come out again, but for what is measured or made up anew each time.

Everything is compared as text, so that the order of keys counts too. `SLIMCEPTION_WRITE_GOLDEN=1` writes the files.
"""

import difflib
import json
import os
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "golden"
WRITE = "SLIMCEPTION_WRITE_GOLDEN"
DIFF_LINES, WIDTH = 80, 110
VOLATILE = {
    *("traceback", "python", "architecture", "engine", "engine_version"),
    *("timing_ms", "spans_ms", "cold_start", "cold_start_ms", "latency_ms", "inference_ms", "total_ms", "duration_ms"),
    *("wall_s", "rate_per_s", "estimated_s_left", "cost", "cost_usd", "latency"),
    *("Timestamp", "DurationMs", "DecodeMs", "PreprocessMs", "InferenceMs", "CostUSD"),
}
"""Names of what differs from run to run or from machine to machine: of their values only the types are kept."""
OF_THE_PROCESSOR = "features"
"""A list whose length differs from machine to machine."""
COUNTS = {"of"}
"""Of how many a figure was measured: the same each time."""
IDS = re.compile(r"\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})\b")
SCORE_DIGITS = 2
"""The engines differ in the last ones."""


def check(name: str, text: str) -> None:
    """The file `name` has this text; or, where that is asked for, it gets it."""
    path = FOLDER / name
    if os.environ.get(WRITE):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return
    want = path.read_text(encoding="utf-8") if path.is_file() else ""
    if text == want:
        return
    diff = list(difflib.unified_diff(want.splitlines(), text.splitlines(), f"golden/{name}", "now", lineterm="", n=8))
    more = [f"... and {len(diff) - DIFF_LINES} lines more"] if len(diff) > DIFF_LINES else []
    shown = "\n".join([*diff[:DIFF_LINES], *more])
    raise AssertionError(f"{name} has changed; where that is meant, {WRITE}=1 writes it anew:\n{shown}")


def as_text(value: Any) -> str:
    """JSON that makes a diff readable: what fits on a line stands on one, and what is long is there once.

    Keys keep the order that they came in.
    """
    return _lines(_once(value, {}, ""), "") + "\n"


def settled(value: Any, volatile: bool = False) -> Any:
    """The same value with placeholders for what is measured or made up; order and types stay."""
    if isinstance(value, dict) and "openapi" in value:
        return value  # the contract only names what is measured
    if isinstance(value, dict):
        return {
            IDS.sub("<id>", name): _score(one) if name == "score" else settled(one, _is_volatile(name, volatile))
            for name, one in ((name, "<list>" if name == OF_THE_PROCESSOR else one) for name, one in value.items())
        }
    if isinstance(value, list):
        return [settled(one, volatile) for one in value]
    if volatile and value is not None and not isinstance(value, bool):
        return f"<{type(value).__name__}>"
    return IDS.sub("<id>", value) if isinstance(value, str) else value


def compact(value: Any) -> str:
    """JSON as the log lines and the answers have it."""
    return json.dumps(value, separators=(",", ":"))


def _once(value: Any, seen: dict[str, str], path: str) -> Any:
    """The value, in which a later one of two long equal parts says where the first one stands."""
    if not isinstance(value, dict | list):
        return value
    text = compact(value)
    if len(text) > WIDTH and seen.setdefault(text, path) != path:
        return f"<as {seen[text]}>"
    named = value.items() if isinstance(value, dict) else enumerate(value)
    parts = {name: _once(one, seen, f"{path}/{name}") for name, one in named}
    return parts if isinstance(value, dict) else list(parts.values())


def _lines(value: Any, indent: str) -> str:
    short = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(indent) + len(short) <= WIDTH:
        return short
    deeper = indent + " "
    if isinstance(value, list):
        parts, (begin, end) = [_lines(one, deeper) for one in value], "[]"
    else:
        parts = [f"{json.dumps(name, ensure_ascii=False)}: {_lines(one, deeper)}" for name, one in value.items()]
        begin, end = "{}"
    return begin + ",".join(f"\n{deeper}{part}" for part in parts) + f"\n{indent}{end}"


def _is_volatile(name: str, volatile: bool) -> bool:
    return (volatile and name not in COUNTS) or name in VOLATILE


def _score(score: Any) -> Any:
    return round(score, SCORE_DIGITS) if isinstance(score, float) else score
