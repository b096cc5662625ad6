"""A card's `contract`: what the conversion found that input and output mean, and how it knows.

By the part's name ("pixels", "scores", "resize"), the texts `value`, `from` (one of EVIDENCE) and `reason`.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from chalicelib.errors import ModelError, shown

Evidence = Literal["option", "source", "graph", "metadata", "tensor", "validation", "assumption"]
ASSUMPTION: Evidence = "assumption"
EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)
"""Where a value comes from: the user, the source's own description, its operators, its metadata, the quantisation of a
tensor, or what was most accurate on labelled pictures. An assumption comes from nowhere, and may be wrong."""
_TEXTS = {"value", "from", "reason"}


def check(contract: Mapping[str, Any], max_text: int) -> None:
    """Raise ModelError unless each part is what this module says, in texts of at most `max_text` characters."""
    for name, part in contract.items():
        texts = [name, *part.values()] if isinstance(part, dict) and part.keys() == _TEXTS else [None]
        if not all(isinstance(text, str) and 1 <= len(text) <= max_text for text in texts) or (
            part["from"] not in EVIDENCE
        ):
            raise ModelError(
                f"contract.{name:.60} is {shown(part)}, expected an object of the texts value, from "
                f"({', '.join(EVIDENCE)}) and reason"
            )


def assumptions(contract: Mapping[str, Any]) -> list[str]:
    """A sentence for each part that is assumed, such as "pixels: assumed to be in -1..1; the graph scales nothing"."""
    return [
        f"{name}: assumed to be {part['value']}; {part['reason']}"
        for name, part in contract.items()
        if part["from"] == ASSUMPTION
    ]
