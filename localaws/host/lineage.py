"""How often each function has run in one chain of events, as the trace header carries it.

Source: AWS Lambda developer guide, "Use Lambda recursive loop detection to prevent infinite loops"; AWS X-Ray developer
guide, "Tracing header", for `Lineage=<hash of the resource>:<number>|...`.
"""

import hashlib
import re
import uuid

MOST = 16
"""Invocations of one function in a chain; Lambda stops the next one."""
_LINEAGE = re.compile(r"Lineage=([^;]*)")


def continued(trace: str, arn: str) -> str:
    """The trace header of a function's invocation by an event with the header `trace`, which may be empty."""
    counts = {**_counts(trace), _name(arn): count(trace, arn) + 1}
    root = re.search(r"Root=[^;]*", trace)
    lineage = "|".join(f"{name}:{number}" for name, number in counts.items())
    return f"{root[0] if root else _new_root()};Sampled=0;Lineage={lineage}"


def count(trace: str, arn: str) -> int:
    """How often a function has run in the chain that the header continues."""
    return _counts(trace).get(_name(arn), 0)


def _counts(trace: str) -> dict[str, int]:
    found = _LINEAGE.search(trace)
    parts = [part.split(":") for part in found[1].split("|")] if found else []
    return {name: int(number) for name, number in parts}


def _name(arn: str) -> str:
    return hashlib.sha256(arn.encode()).hexdigest()[:8]


def _new_root() -> str:
    made = uuid.uuid4().hex
    return f"Root=1-{made[:8]}-{made[8:]}"
