"""One execution: what every group of it is told, and where its files lie in S3."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from chalicelib.split import Split

OUTPUT = "workflows/"
"""Under it, in the bucket of the pictures, lies all that executions write; nothing there is taken for a picture."""


@dataclass(frozen=True)
class Run:
    """Small enough to travel with every group: the whole plan would not fit a state's 256 KB."""

    bucket: str
    prefix: str
    """Of this execution's files, with a slash at the end."""
    split: Split
    shadow: float = 0.0
    """The share of all pictures, 0 to 1, that both models classify."""

    @cached_property
    def _shadows(self) -> Split:
        return Split(f"{self.split.experiment}\0shadow", "", "", self.shadow)

    def is_shadowed(self, key: str) -> bool:
        """Whether both models classify this picture; independent of its arm, and the same in every execution."""
        return self._shadows.arm(key) == "B"

    def pictures_key(self, group: int) -> str:
        """Of the file that names a group's pictures."""
        return f"{self.prefix}groups/{group:06}.jsonl"

    def rows_key(self, group: int) -> str:
        """Of the file of a group's rows. A group done twice writes it twice, so that nothing is counted twice."""
        return f"{self.prefix}rows/{group:06}.jsonl"

    @property
    def manifest_key(self) -> str:
        """Of the list of groups that the Distributed Map reads."""
        return f"{self.prefix}groups.json"

    @property
    def report_key(self) -> str:
        """Of the report as JSON."""
        return f"{self.prefix}report.json"

    @property
    def page_key(self) -> str:
        """Of the report as a page."""
        return f"{self.prefix}report.html"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "bucket": self.bucket,
            "prefix": self.prefix,
            "experiment": self.split.experiment,
            "models": [self.split.first, self.split.second],
            "weight": self.split.weight,
            "shadow": self.shadow,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        first, second = values["models"]
        split = Split(values["experiment"], first, second, values["weight"])
        return cls(values["bucket"], values["prefix"], split, values["shadow"])
