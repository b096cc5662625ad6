"""*plan*: the pictures of an execution in groups, each a file in S3; only counts and places are returned.

A hundred thousand keys fit neither a state's 256 KB nor a Lambda function's answer. The listing stops before the
invocation's time is over, and the state machine calls again with what was returned. A retry begins at the same place
and writes the same files.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from chalicelib.aws.events import is_folder
from chalicelib.aws.s3 import Listed, Objects
from chalicelib.errors import InvalidRequest, ObjectGone
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import log
from chalicelib.workflow.experiment import FOLDERS, MAX_GROUP, Experiment, parse
from chalicelib.workflow.files import RunFiles
from chalicelib.workflow.pictures import Picture, labelled, read_labels
from chalicelib.workflow.run import OUTPUT, Run
from chalicelib.workflow.states import Listing, Plan

PAGE = 1000
"""Keys that S3 lists at once."""
FEW_GROUPS = 5
"""Up to this many groups run in the execution itself: each costs a transition there, and starts at once."""
MARGIN_MS = 20_000
"""With less time left than this, another invocation continues; a page takes about a second."""
WRITERS = 8
MAX_GROUPS = 100_000
"""Groups of an execution: 20 million pictures in groups of 200. It limits what a mistaken prefix can cost."""


class Planner:
    """Answers the state Plan."""

    def __init__(self, store: ModelStore, objects: Objects, page: int = PAGE, margin_ms: float = MARGIN_MS) -> None:
        self._store, self._objects = store, objects
        self._page, self._margin_ms = page, margin_ms

    def plan(self, event: Mapping[str, Any], remaining_ms: Callable[[], float]) -> dict[str, Any]:
        """`event` has the execution's name as `execution`, and as `state` its input or what this returned before.

        Raises what a retry does not help, InvalidRequest, UnknownModel, ModelError, or ObjectGone if there is nothing
        to classify; and StorageError, which it may help.
        """
        state = event["state"]
        if isinstance(state, Mapping) and "listing" in state:
            before = Plan.from_dict(state)
            run, listing, done = before.run, *self._list(before.run, before.listing, remaining_ms)
        else:
            run, listing, done = self._begin(parse(state), event["execution"], remaining_ms)
        log("planned", prefix=run.output_prefix, images=listing.pictures, groups=listing.groups, done=done)
        plan = self._finished(run, listing) if done else Plan(run, listing, "more")
        return plan.to_dict()

    def _begin(
        self, experiment: Experiment, execution: str, remaining_ms: Callable[[], float]
    ) -> tuple[Run, Listing, bool]:
        run = _run_of(experiment, execution)
        listing = Listing(experiment.bucket, experiment.prefix, experiment.labels, experiment.group)
        self._store.get(run.split.first).warm()  # without model A there is nothing to fall back on
        if experiment.pictures is not None:
            return run, self._add(run, listing, experiment.pictures), True
        return run, *self._list(run, listing, remaining_ms)

    def _list(self, run: Run, listing: Listing, remaining_ms: Callable[[], float]) -> tuple[Listing, bool]:
        labels = read_labels(self._objects, listing.labels)
        while True:
            found = self._objects.page(listing.bucket, listing.prefix, listing.after, self._page)
            keys = [one.key for one in found if _is_picture(one, listing)]
            listing = self._write(
                run, listing, [labelled(k, labels, by_folder=listing.labels == FOLDERS) for k in keys]
            )
            if len(found) < self._page:
                return listing, True
            listing = replace(listing, after=found[-1].key)
            if remaining_ms() < self._margin_ms:
                return listing, False

    def _add(self, run: Run, listing: Listing, keys: Iterable[str]) -> Listing:
        labels = read_labels(self._objects, listing.labels)
        return self._write(run, listing, [labelled(key, labels, by_folder=listing.labels == FOLDERS) for key in keys])

    def _write(self, run: Run, listing: Listing, pictures: list[Picture]) -> Listing:
        groups = [pictures[start : start + listing.group] for start in range(0, len(pictures), listing.group)]
        if listing.groups + len(groups) > MAX_GROUPS:
            raise InvalidRequest(
                f"the pictures come to more than {MAX_GROUPS:,} groups of {listing.group}: "
                f'give a larger "group", up to {MAX_GROUP}, or a narrower "source"'
            )
        files, numbered = RunFiles(self._objects, run), list(enumerate(groups, listing.groups))
        with ThreadPoolExecutor(WRITERS) as writers:
            list(writers.map(lambda one: files.write_pictures(*one), numbered))
        return replace(listing, pictures=listing.pictures + len(pictures), groups=listing.groups + len(groups))

    def _finished(self, run: Run, listing: Listing) -> Plan:
        if not listing.pictures:
            raise ObjectGone(f"no object is under s3://{listing.bucket}/{listing.prefix}")
        if listing.groups <= FEW_GROUPS:
            return Plan(run, listing, "few", few=list(range(listing.groups)))
        manifest = RunFiles(self._objects, run).write_manifest(listing.groups)
        return Plan(run, listing, "many", manifest=manifest)


def _is_picture(found: Listed, listing: Listing) -> bool:
    """False for folders, for what executions wrote, and for the file of the labels."""
    is_labels = f"s3://{listing.bucket}/{found.key}" == listing.labels
    return not (is_folder(found.key, found.size_bytes) or is_labels or found.key.startswith(OUTPUT))


def _run_of(experiment: Experiment, execution: str) -> Run:
    output_prefix = f"{OUTPUT}{experiment.split.experiment}/{execution}/"
    return Run(experiment.bucket, output_prefix, experiment.split, experiment.shadow)
