"""JSON as RFC 8259 has it. Python's own reader and writer take NaN and Infinity, which other programs refuse."""

import json
from typing import Any, NoReturn


def loads(text: str | bytes) -> Any:
    """The value of a JSON text; raises ValueError, or RecursionError if it is nested too deeply."""
    return json.loads(text, parse_constant=_refuse)


def dumps(value: Any) -> str:
    """A value as compact JSON; raises ValueError for NaN and Infinity."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
