"""*classify*: the pictures of one group, each by its arm's model, to the group's rows in S3."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

from chalicelib.batch.answer import refusal
from chalicelib.classifier import Classifier, Prediction
from chalicelib.errors import ClientError, ModelError, SecondModelError, ServiceError
from chalicelib.model_store import ModelStore
from chalicelib.split import Arm
from chalicelib.storage import Objects
from chalicelib.telemetry import Spans, log, milliseconds_since
from chalicelib.workflow.pictures import Picture, read_pictures
from chalicelib.workflow.row import Row
from chalicelib.workflow.rows import failed_rows, write_rows
from chalicelib.workflow.run import Run

AT_ONCE = 8
"""Pictures fetched at once; so many are in memory."""
SCORE_DIGITS = 6


class Fetched(NamedTuple):
    """A picture's bytes, and how long they took."""

    data: bytes
    milliseconds: float


class GroupClassifier:
    """Answers the states Classify, With A instead and Record the failure. One for each process."""

    def __init__(self, store: ModelStore, objects: Objects, max_object_bytes: int) -> None:
        self._store, self._objects, self._max_object_bytes = store, objects, max_object_bytes
        self._warm: set[str] = set()

    def work(self, event: Mapping[str, Any]) -> dict[str, int]:
        """Write the rows of `event["group"]` and count them. A second time writes the same file again.

        With `instead`, A answers for both arms; with `failure`, `{"Error", "Cause"}`, nothing does. Raises
        SecondModelError where B fails for good, StorageError for what may go well another time.
        """
        run, group = Run.from_dict(event["run"]), int(event["group"])
        pictures = read_pictures(self._objects, run, group)
        if "failure" in event:
            rows = failed_rows(run, pictures, event["failure"])
        else:
            rows = list(self._classify(run, pictures, instead=event.get("instead", False)))
        write_rows(self._objects, run, group, rows)
        counts = {
            "images": len(rows),
            "errors": sum(row.error is not None for row in rows),
            "fallbacks": sum(row.fallback for row in rows),
        }
        log("group", prefix=run.prefix, group=group, **counts)
        return {"group": group, **counts}

    def _classify(self, run: Run, pictures: list[Picture], instead: bool) -> Iterator[Row]:
        """In the order of `pictures`. Nothing is fetched meanwhile: it would be measured as the model's time."""
        with ThreadPoolExecutor(AT_ONCE) as readers:
            for start in range(0, len(pictures), AT_ONCE):
                some = pictures[start : start + AT_ONCE]
                arriving = [readers.submit(self._fetch, run.bucket, picture.key) for picture in some]
                wait(arriving)
                for picture, arrived in zip(some, arriving, strict=True):
                    yield self._row_or_error(run, picture, arrived, instead)

    def _row_or_error(self, run: Run, picture: Picture, arrived: "Future[Fetched]", instead: bool) -> Row:
        try:
            return self._row(run, picture, arrived.result(), instead)
        except ClientError as error:
            arm = run.split.arm(picture.key)
            return Row(picture.key, arm, error=refusal(error)["error"], expected=picture.expected)

    def _fetch(self, bucket: str, key: str) -> Fetched:
        began = time.perf_counter()
        data = self._objects.read(bucket, key, self._max_object_bytes)
        return Fetched(data, milliseconds_since(began))

    def _row(self, run: Run, picture: Picture, fetched: Fetched, instead: bool) -> Row:
        arm, data = run.split.arm(picture.key), fetched.data
        answering: Arm = "A" if instead else arm
        best, spans = self._ask(run, answering, data)
        shadow = None
        if run.is_shadowed(picture.key) and not instead:
            shadow = self._ask(run, "B" if arm == "A" else "A", data)[0].label
        return Row(
            key=picture.key,
            arm=arm,
            model=run.split.model(answering),
            label=best.label,
            score=round(best.score, SCORE_DIGITS),
            fallback=answering != arm,
            inference_ms=spans["inference"],
            total_ms=round(fetched.milliseconds + sum(spans.values()), 2),
            expected=picture.expected,
            shadow_label=shadow,
        )

    def _ask(self, run: Run, arm: Arm, data: bytes) -> tuple[Prediction, Spans]:
        spans = Spans()
        try:
            return self._model(run.split.model(arm), arm).classify(data, 1, spans)[0], spans
        except ServiceError as error:
            if arm == "B":
                raise SecondModelError(str(error)) from error
            raise

    def _model(self, name: str, arm: Arm) -> Classifier:
        """Loaded, and warm: its first inference would count against its arm."""
        try:
            model = self._store.get(name)
            if name not in self._warm:
                model.warm()
                self._warm.add(name)
        except ClientError as error:  # not installed: no fault of the picture's
            raise (SecondModelError if arm == "B" else ModelError)(str(error)) from error
        return model
