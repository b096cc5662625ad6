"""One picture to its answer: predictions, or the error that it will always have. On Lambda and on a laptop alike."""

from collections.abc import Callable
from typing import Any

from chalicelib.errors import ClientError
from chalicelib.inference.classifier import check_top_k
from chalicelib.inference.store import ModelStore
from chalicelib.statuses import refusal
from chalicelib.telemetry import Spans

Answer = dict[str, Any]


def answer(store: ModelStore, read: Callable[[], bytes], model: str | None = None, top_k: int | None = None) -> Answer:
    """`{"model", "predictions"}` for the bytes that `read` gives, or `{"error": {"Code", "Message"}}`.

    Raises ServiceError, and whatever is unforeseen, for what may go well another time.
    """
    try:
        classifier = store.get(model)  # first: while it does not load, no picture is fetched
        data = read()
        best = classifier.classify(data, check_top_k(top_k, len(classifier.labels)), Spans())
    except ClientError as error:
        return refusal(error)
    predictions = [prediction.to_dict() for prediction in best]
    return {"model": {"name": classifier.card.name, "version": classifier.card.version}, "predictions": predictions}
