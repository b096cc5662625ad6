"""One picture to its answer: predictions, or the error that it will always get."""

from collections.abc import Callable
from typing import Any

from chalicelib.errors import ClientError
from chalicelib.inference.classifier import Classifier, Prediction, check_top_k
from chalicelib.inference.store import ModelStore
from chalicelib.statuses import UNEXPECTED, refusal
from chalicelib.telemetry import Spans

Answer = dict[str, Any]


class PictureFailed(Exception):
    """The model was loaded and the picture read, but classifying it raised an exception, which is the `__cause__`.

    Another try may succeed. After the last one, `given_up` is the picture's answer.
    """


def answer(store: ModelStore, read: Callable[[], bytes], model: str | None = None, top_k: Any = None) -> Answer:
    """`{"model", "predictions"}` for the bytes that `read` returns, or `{"error": {"Code", "Message"}}`.

    A ClientError becomes an answer, because the same picture will fail again. PictureFailed is raised if the model
    fails on this picture. What else is raised is not the picture's fault: the model does not load, `read` fails, or
    memory is short.
    """
    try:
        classifier = store.get(model)  # first, so that no picture is fetched while the model does not load
        best = _classified(classifier, read(), check_top_k(top_k, len(classifier.labels)))
    except ClientError as error:
        return refusal(error)
    predictions = [prediction.to_dict() for prediction in best]
    return {"model": {"name": classifier.card.name, "version": classifier.card.version}, "predictions": predictions}


def given_up(tries: int, reason: str = "the log has the reason") -> Answer:
    """The answer for a picture on which the model still fails at its last try."""
    message = f"the model fails on this picture, also at the last of {tries} tries: {reason}"
    return {"error": {"Code": UNEXPECTED[1], "Message": message}}


def _classified(classifier: Classifier, data: bytes, top_k: int) -> list[Prediction]:
    try:
        return classifier.classify(data, top_k, Spans())
    except (ClientError, MemoryError):
        raise
    except Exception as error:
        raise PictureFailed(f"{type(error).__name__}: {error}") from error
