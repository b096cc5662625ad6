"""What is kept of one picture: a line of the workflow's result files, and what the report is made of."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from chalicelib.split import Arm


@dataclass(frozen=True)
class Row:
    """One picture in one arm. Times are milliseconds; `label` and `score` are those of the best class."""

    key: str
    arm: Arm
    model: str | None = None
    """The model that answered: the arm's own, or after a fallback the other one. None: no model did."""
    label: str | None = None
    score: float | None = None
    fallback: bool = False
    """The arm's own model failed and the other one answered."""
    error: Mapping[str, str] | None = None
    """`{"Code", "Message"}` if no model answered."""
    inference_ms: float | None = None
    total_ms: float | None = None
    """Fetching, decoding, preprocessing and inference."""
    expected: str | None = None
    """The true label of the picture; None: unknown."""
    shadow_label: str | None = None
    """The label by the other arm's model; None: the picture is not in the sample that both classify."""
    because: str | None = None
    """The name of the error that caused a fallback; None: no fallback."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without the fields that do not apply."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(**values)
