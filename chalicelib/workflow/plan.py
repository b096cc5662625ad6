"""*plan*: the pictures of an execution into groups, each a file in S3; only counts and places go back.

A hundred thousand keys do not fit a state's 256 KB, and a Lambda result is one. Listing stops in time and is asked
to go on: how far it came is in what it returns, so that a try that was cut off is repeated and writes the same files.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from chalicelib.aws.events import is_folder
from chalicelib.aws.s3 import Objects
from chalicelib.errors import InvalidRequest, ObjectGone
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import log
from chalicelib.workflow.experiment import FOLDERS, MAX_GROUP, Experiment, parse
from chalicelib.workflow.pictures import Labels, Picture, labelled, read_labels, write_pictures
from chalicelib.workflow.run import OUTPUT, Run

PAGE = 1000
"""Keys that S3 lists at once."""
FEW_GROUPS = 5
"""Up to so many run within the execution itself. Each costs a transition of its own there, and starts at once."""
MARGIN_MS = 20_000
"""With less time left than this the rest is left to another invocation; a page takes about a second."""
WRITERS = 8
MAX_GROUPS = 100_000
"""Of an execution: 20 million pictures in groups of 200. A prefix that was meant otherwise is not paid for."""

MORE, FEW, MANY = "more", "few", "many"
"""What comes next."""


@dataclass(frozen=True)
class Listing:
    """How far the listing is."""

    bucket: str
    prefix: str
    labels: str | None
    group: int
    """Pictures in a group; the last one of a page may have fewer."""
    after: str = ""
    """The last key listed."""
    images: int = 0
    groups: int = 0


class Planner:
    """Answers the state Plan."""

    def __init__(self, store: ModelStore, objects: Objects, page: int = PAGE, margin_ms: float = MARGIN_MS) -> None:
        self._store, self._objects = store, objects
        self._page, self._margin_ms = page, margin_ms

    def plan(self, event: Mapping[str, Any], remaining_ms: Callable[[], float]) -> dict[str, Any]:
        """`event` has the execution's name and, as `state`, its input or what this returned before.

        Raises InvalidRequest, UnknownModel or ModelError for what no second try mends, ObjectGone where there is
        nothing to classify, StorageError for what one may.
        """
        state = event["state"]
        if isinstance(state, Mapping) and "listing" in state:
            run, listing = Run.from_dict(state["run"]), Listing(**state["listing"])
            listing, done = self._list(run, listing, remaining_ms)
        else:
            experiment = parse(state)
            run, listing = _begin(experiment, event["execution"])
            self._store.get(run.split.first).warm()  # without model A there is nothing to fall back on
            if experiment.images is not None:
                listing, done = self._add(run, listing, experiment.images), True
            else:
                listing, done = self._list(run, listing, remaining_ms)
        log("planned", prefix=run.prefix, images=listing.images, groups=listing.groups, done=done)
        return self._answer(run, listing, done)

    def _list(self, run: Run, listing: Listing, remaining_ms: Callable[[], float]) -> tuple[Listing, bool]:
        labels = read_labels(self._objects, listing.labels)
        while True:
            found = self._objects.page(listing.bucket, listing.prefix, listing.after, self._page)
            keys = [f.key for f in found if not is_folder(f.key, f.size_bytes) and not _is_besides(f.key, listing)]
            listing = self._write(run, listing, [labelled(k, labels, listing.labels == FOLDERS) for k in keys])
            if len(found) < self._page:
                return listing, True
            listing = replace(listing, after=found[-1].key)
            if remaining_ms() < self._margin_ms:
                return listing, False

    def _add(self, run: Run, listing: Listing, keys: Iterable[str]) -> Listing:
        labels: Labels | None = read_labels(self._objects, listing.labels)
        return self._write(run, listing, [labelled(key, labels, listing.labels == FOLDERS) for key in keys])

    def _write(self, run: Run, listing: Listing, pictures: list[Picture]) -> Listing:
        groups = [pictures[start : start + listing.group] for start in range(0, len(pictures), listing.group)]
        if listing.groups + len(groups) > MAX_GROUPS:
            raise InvalidRequest(
                f"the pictures come to more than {MAX_GROUPS:,} groups of {listing.group}: "
                f'give a larger "group", up to {MAX_GROUP}, or a narrower "source"'
            )
        numbered = list(enumerate(groups, listing.groups))
        with ThreadPoolExecutor(WRITERS) as writers:
            list(writers.map(lambda one: write_pictures(self._objects, run, *one), numbered))
        return replace(listing, images=listing.images + len(pictures), groups=listing.groups + len(groups))

    def _answer(self, run: Run, listing: Listing, done: bool) -> dict[str, Any]:
        answer: dict[str, Any] = {"run": run.to_dict(), "listing": asdict(listing)}
        if not done:
            return {**answer, "next": MORE}
        if not listing.images:
            raise ObjectGone(f"no object is under s3://{listing.bucket}/{listing.prefix}")
        if listing.groups <= FEW_GROUPS:
            return {**answer, "next": FEW, "few": list(range(listing.groups))}
        manifest = json.dumps([{"group": number} for number in range(listing.groups)])
        self._objects.write(run.bucket, run.manifest_key, [manifest.encode()], "application/json")
        where = {"bucket": run.bucket, "key": run.manifest_key, "results": f"{run.prefix}map"}
        return {**answer, "next": MANY, "manifest": where}


def _is_besides(key: str, listing: Listing) -> bool:
    """Whether it is no picture: what executions wrote, and the file of the labels."""
    labels = f"s3://{listing.bucket}/{key}" == listing.labels
    return labels or key.startswith(OUTPUT)


def _begin(experiment: Experiment, execution: str) -> tuple[Run, Listing]:
    prefix = f"{OUTPUT}{experiment.split.experiment}/{execution}/"
    run = Run(experiment.bucket, prefix, experiment.split, experiment.shadow)
    return run, Listing(experiment.bucket, experiment.prefix, experiment.labels, experiment.group)
