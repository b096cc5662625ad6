"""*classify*: the pictures of one group, each by its arm's model, to the group's rows in S3."""

import time
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

from chalicelib.aws.s3 import Objects
from chalicelib.errors import ClientError, ModelError, SecondModelError, ServiceError
from chalicelib.inference.classifier import Classifier, Prediction, rounded_score
from chalicelib.inference.store import ModelStore
from chalicelib.split import Arm
from chalicelib.statuses import INTERNAL, UNEXPECTED, refusal
from chalicelib.telemetry import Spans, log, milliseconds_since
from chalicelib.workflow.pictures import Picture, read_pictures
from chalicelib.workflow.report.arms import SECOND_FAILED
from chalicelib.workflow.report.row import Row
from chalicelib.workflow.rows import failed_row, failed_rows, write_rows
from chalicelib.workflow.run import Run

AT_ONCE = 8
"""Pictures fetched at once; so many are in memory."""
_UNFORESEEN = {"Code": UNEXPECTED[1], "Message": INTERNAL}
"""Of a picture on which model A fails; the exception is for the log."""


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

        With `instead`, A answers for both arms, and the rows say `because` of which error; with `failure`,
        `{"Error", "Cause"}`, nothing does. Raises SecondModelError where B does not load or answer at all, ModelError
        where A does not, StorageError for what may go well another time.
        """
        run, group = Run.from_dict(event["run"]), int(event["group"])
        pictures = read_pictures(self._objects, run, group)
        if "failure" in event:
            rows = failed_rows(run, pictures, event["failure"])
        else:
            because = str(event.get("because", SECOND_FAILED)) if event.get("instead") else None
            rows = list(self._classify(run, pictures, because))
        write_rows(self._objects, run, group, rows)
        counts = {
            "images": len(rows),
            "errors": sum(row.error is not None for row in rows),
            "fallbacks": sum(row.fallback for row in rows),
        }
        log("group", prefix=run.prefix, group=group, **counts)
        return {"group": group, **counts}

    def _classify(self, run: Run, pictures: list[Picture], because: str | None) -> Iterator[Row]:
        """In the order of `pictures`. Nothing is fetched meanwhile: it would be measured as the model's time."""
        with ThreadPoolExecutor(AT_ONCE) as readers:
            for start in range(0, len(pictures), AT_ONCE):
                some = pictures[start : start + AT_ONCE]
                arriving = [readers.submit(self._fetch, run.bucket, picture.key) for picture in some]
                wait(arriving)
                for picture, arrived in zip(some, arriving, strict=True):
                    yield self._row_or_error(run, picture, arrived, because)

    def _row_or_error(self, run: Run, picture: Picture, arrived: "Future[Fetched]", because: str | None) -> Row:
        try:
            return self._row(run, picture, arrived.result(), because)
        except ClientError as error:
            return failed_row(run, picture, refusal(error)["error"])

    def _fetch(self, bucket: str, key: str) -> Fetched:
        began = time.perf_counter()
        data = self._objects.read(bucket, key, self._max_object_bytes)
        return Fetched(data, milliseconds_since(began))

    def _row(self, run: Run, picture: Picture, fetched: Fetched, because: str | None) -> Row:
        """With a reason `because`, A answers whatever the arm."""
        arm, data = run.split.arm(picture.key), fetched.data
        answering: Arm = arm if because is None else "A"
        answer = self._ask(run, answering, picture.key, data)
        if answer is None and answering == "B":
            answering, because = "A", SECOND_FAILED
            answer = self._ask(run, answering, picture.key, data)
        if answer is None:
            return failed_row(run, picture, _UNFORESEEN)
        best, spans = answer
        return Row(
            key=picture.key,
            arm=arm,
            model=run.split.model(answering),
            label=best.label,
            score=rounded_score(best.score),
            fallback=answering != arm,
            inference_ms=spans["inference"],
            total_ms=round(fetched.milliseconds + sum(spans.values()), 2),
            expected=picture.expected,
            shadow_label=self._shadow(run, arm, picture.key, data) if because is None else None,
            because=because if answering != arm else None,
        )

    def _shadow(self, run: Run, arm: Arm, key: str, data: bytes) -> str | None:
        if not run.is_shadowed(key):
            return None
        answer = self._ask(run, "B" if arm == "A" else "A", key, data)
        return answer and answer[0].label

    def _ask(self, run: Run, arm: Arm, key: str, data: bytes) -> tuple[Prediction, Spans] | None:
        """None where a model that answers others fails on this picture: one is no reason to lose its whole group."""
        model, spans = self._model(run.split.model(arm), arm), Spans()
        try:
            return model.classify(data, 1, spans)[0], spans
        except ClientError:
            raise
        except Exception:
            log("no answer", prefix=run.prefix, key=key, arm=arm, traceback=traceback.format_exc())
            return None

    def _model(self, name: str, arm: Arm) -> Classifier:
        """Loaded, and warm: its first inference would count against its arm."""
        try:
            model = self._store.get(name)
            if name not in self._warm:
                model.warm()
                self._warm.add(name)
        except Exception as error:  # whatever it is, it is no fault of a picture's
            own = isinstance(error, ClientError | ServiceError)
            text = str(error) if own else f"model {name!r} does not answer: {type(error).__name__}"
            if arm == "B":
                raise SecondModelError(text if own else f"{text}: {error}") from error
            raise ModelError(text) from error  # in the rows, which keep nothing of an engine's own text
        return model
