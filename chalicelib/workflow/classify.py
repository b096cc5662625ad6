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
from chalicelib.workflow.files import RunFiles
from chalicelib.workflow.pictures import Picture
from chalicelib.workflow.report.arms import SECOND_FAILED
from chalicelib.workflow.report.row import Row
from chalicelib.workflow.rows import failed_row, failed_rows
from chalicelib.workflow.run import Run
from chalicelib.workflow.states import GroupTask

AT_ONCE = 8
"""Pictures that are fetched at once, and held in memory."""
_UNFORESEEN = {"Code": UNEXPECTED[1], "Message": INTERNAL}
"""The error of a picture on which model A fails; the exception itself is in the log only."""


class Fetched(NamedTuple):
    """A picture's bytes, and how long fetching them took."""

    data: bytes
    duration_ms: float


class GroupClassifier:
    """Answers the states Classify, With A instead and Record the failure. There is one for each process."""

    def __init__(self, store: ModelStore, objects: Objects, max_object_bytes: int) -> None:
        self._store, self._objects, self._max_object_bytes = store, objects, max_object_bytes
        self._warm: set[str] = set()

    def work(self, event: Mapping[str, Any]) -> dict[str, int]:
        """Write the rows of the group and return their counts. `event` is a GroupTask; a retry writes the same file.

        Raises SecondModelError if model B does not load or answers nothing at all, ModelError if that is model A, and
        what `clients.translated` raises, such as StorageError, which a retry may help.
        """
        task = GroupTask.from_event(event)
        files = RunFiles(self._objects, task.run)
        rows = self._rows(task, files.read_pictures(task.group))
        files.write_rows(task.group, rows)
        counts = {
            "images": len(rows),
            "errors": sum(row.error is not None for row in rows),
            "fallbacks": sum(row.fallback for row in rows),
        }
        log("group", prefix=task.run.output_prefix, group=task.group, **counts, **self._store.first_answer())
        return {"group": task.group, **counts}

    def _rows(self, task: GroupTask, pictures: list[Picture]) -> list[Row]:
        """A row for each picture, in their order."""
        match task.mode:
            case "record_failure":
                return failed_rows(task.run, pictures, task.failure or {})
            case "first_only":
                return list(self._classify(task.run, pictures, because=task.because))
            case "arms":
                return list(self._classify(task.run, pictures, because=None))

    def _classify(self, run: Run, pictures: list[Picture], because: str | None) -> Iterator[Row]:
        """With a reason `because`, model A answers for both arms.

        Nothing is fetched while a model runs: that would be measured as the model's time.
        """
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
            total_ms=round(fetched.duration_ms + sum(spans.values()), 2),
            expected=picture.expected,
            shadow_label=self._shadow(run, arm, picture.key, data) if because is None else None,
            because=because if answering != arm else None,
        )

    def _shadow(self, run: Run, arm: Arm, key: str, data: bytes) -> str | None:
        """The label by the other arm's model, if the picture is in the sample that both classify."""
        if not run.is_shadowed(key):
            return None
        answer = self._ask(run, "B" if arm == "A" else "A", key, data)
        return answer and answer[0].label

    def _ask(self, run: Run, arm: Arm, key: str, data: bytes) -> tuple[Prediction, Spans] | None:
        """The best class; None if the arm's model fails on this picture alone, for which its group need not fail."""
        model, spans = self._model(run.split.model(arm), arm), Spans()
        try:
            return model.classify(data, 1, spans)[0], spans
        except ClientError:
            raise
        except Exception:
            log("no answer", prefix=run.output_prefix, key=key, arm=arm, traceback=traceback.format_exc())
            return None

    def _model(self, name: str, arm: Arm) -> Classifier:
        """The model, loaded and warm: its first inference would count against its arm."""
        try:
            model = self._store.get(name)
            if name not in self._warm:
                model.warm()
                self._warm.add(name)
        except Exception as error:  # any exception: none of these is the picture's fault
            own = isinstance(error, ClientError | ServiceError)
            text = str(error) if own else f"model {name!r} does not answer: {type(error).__name__}"
            if arm == "B":
                raise SecondModelError(text if own else f"{text}: {error}") from error
            raise ModelError(text) from error  # it gets into the rows, which keep nothing of an engine's own text
        return model
