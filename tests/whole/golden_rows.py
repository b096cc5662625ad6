"""Sixty rows made by hand: both arms, errors, fallbacks of both kinds, labels, shadow answers, duplicates.

They are read from the form that result files have, which stays whatever becomes of the class.
"""

from collections.abc import Iterator
from typing import Any

from chalicelib.split import Split
from chalicelib.workflow.report.row import Row

SPLIT = Split("spring", "digits", "digits-f16", 0.3)
CODES = ("UnprocessableEntityError", "NotFoundError")


def rows(count: int = 57, every_error: int = 15) -> list[Row]:
    """Of 57 pictures; two of them twice, and one in the other arm."""
    made = [_fields(number, every_error) for number in range(count)]
    failed = {"Code": "StorageError", "Message": "later"}
    made += [{"key": made[3]["key"], "arm": made[3]["arm"], "error": failed}, {**made[5], "label": "5"}]
    made.append({**made[8], "key": "digits/8/misplaced.png", "arm": other(SPLIT.arm("digits/8/misplaced.png"))})
    return [Row.from_dict(fields) for fields in made]


def other(arm: str) -> str:
    return "B" if arm == "A" else "A"


def _fields(number: int, every_error: int) -> dict[str, Any]:
    key, want = f"digits/{number % 10}/{number:04}.png", str(number % 10)
    arm = SPLIT.arm(key)
    fields: dict[str, Any] = {"key": key, "arm": arm}
    if number % 20 != 19:
        fields["expected"] = want
    if number % every_error == 7:
        return {**fields, "error": {"Code": CODES[number % 2], "Message": "<broken> & truncated"}}
    fields["fallback"] = arm == "B" and number % 4 == 1
    if fields["fallback"]:
        fields["because"] = "Sandbox.Timedout" if number % 8 == 1 else "SecondModelError"
    fields["model"] = SPLIT.first if fields["fallback"] else SPLIT.model(arm)
    fields |= {"label": "wrong" if number % 9 == 4 else want, "score": 0.9}
    fields |= {"inference_ms": 0.5 + number % 7 * 0.25, "total_ms": 1.5 + number % 11 * 0.5}
    if number % 4 == 0:
        fields["shadow_label"] = "shadow" if number % 16 == 8 else want
    return fields


def others() -> Iterator[tuple[str, list[Row]]]:
    """Rows by a name, for reports that end in other verdicts."""
    yield "nothing", []
    yield "many", rows(3000)
    yield "without errors", [row for row in rows(400, 10**9) if not row.fallback]
    yield "only errors", [row for row in rows() if row.error]
    yield "one arm", [row for row in rows() if row.arm == "A"]
    yield "no labels", [row for row in rows(2000) if row.expected is None]
