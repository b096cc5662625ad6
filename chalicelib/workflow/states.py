"""What the state machine's functions hand to one another, as JSON in its states.

The JSON keeps the keys of the first release, in which pictures were "images". Names here and keys there are matched in
`to_dict` and `from_dict`, and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, TypedDict

from chalicelib.workflow.report.arms import SECOND_FAILED
from chalicelib.workflow.run import Run


class Failure(TypedDict, total=False):
    """Why a state failed, as Step Functions puts it into `$.failure`."""

    Error: str
    """The exception's name, or one of Step Functions' own, such as "States.Timeout"."""
    Cause: str
    """The message, or the JSON of a Lambda function's exception."""


class Manifest(TypedDict):
    """Where the Distributed Map reads the list of groups, and the prefix under which it writes its own files."""

    bucket: str
    key: str
    results: str


@dataclass(frozen=True)
class Listing:
    """How far the listing of the pictures is."""

    bucket: str
    prefix: str
    """Of the pictures; `Run.output_prefix` is where results go."""
    labels: str | None
    group: int
    """Pictures in a group; the last one of a page may have fewer."""
    after: str = ""
    """The last key listed."""
    pictures: int = 0
    """Found so far."""
    groups: int = 0
    """Written so far."""

    def to_dict(self) -> dict[str, Any]:
        """The field "listing" of the states' JSON."""
        return {"images" if name == "pictures" else name: value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(**{"pictures" if name == "images" else name: value for name, value in values.items()})


Next = Literal["more", "few", "many"]
"""Which state comes after Plan: Plan again, the Map over few groups, or the Distributed Map."""


@dataclass(frozen=True)
class Plan:
    """What the state Plan returns; the state Report gets it too."""

    run: Run
    listing: Listing
    next: Next
    few: list[int] | None = None
    """The numbers of the groups, if there are few."""
    manifest: Manifest | None = None
    """Where their list is, if there are many."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the state."""
        places = {"few": self.few, "manifest": self.manifest}
        return {
            "run": self.run.to_dict(),
            "listing": self.listing.to_dict(),
            "next": self.next,
            **{name: value for name, value in places.items() if value is not None},
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; other fields, such as `failure`, are left to the caller."""
        run, listing = Run.from_dict(state["run"]), Listing.from_dict(state["listing"])
        return cls(run, listing, state["next"], state.get("few"), state.get("manifest"))


Mode = Literal["arms", "first_only", "record_failure"]


@dataclass(frozen=True)
class GroupTask:
    """What the states Classify, With A instead and Record the failure ask of the function *classify*."""

    run: Run
    group: int
    instead: bool = False
    """Model A answers for both arms."""
    because: str = SECOND_FAILED
    """With `instead`, the name of the error for which it does."""
    failure: Failure | None = None
    """Why the group failed for good; no model answers."""

    @property
    def mode(self) -> Mode:
        """Who answers: each arm's own model, model A for both arms, or none, so that the failure is recorded."""
        if self.failure is not None:
            return "record_failure"
        return "first_only" if self.instead else "arms"

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """The event of the function: `run` and `group` always, the others as the state has them."""
        optional = {name: event[name] for name in ("instead", "because", "failure") if name in event}
        return cls(Run.from_dict(event["run"]), int(event["group"]), **optional)
