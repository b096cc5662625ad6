"""One picture to its answer: predictions, or the error that it will always get."""

from collections.abc import Callable
from typing import Any

from chalicelib.errors import ClientError
from chalicelib.inference.classifier import check_top_k
from chalicelib.inference.store import ModelStore
from chalicelib.statuses import refusal
from chalicelib.telemetry import Spans

Answer = dict[str, Any]


def answer(store: ModelStore, read: Callable[[], bytes], model: str | None = None, top_k: int | None = None) -> Answer:
    """`{"model", "predictions"}` for the bytes that `read` returns, or `{"error": {"Code", "Message"}}`.

    A ClientError becomes an answer, because the same picture will fail again. A ServiceError, or any error that
    nobody foresaw, is raised: a retry may succeed.
    """
    try:
        classifier = store.get(model)  # first, so that no picture is fetched while the model does not load
        data = read()
        best = classifier.classify(data, check_top_k(top_k, len(classifier.labels)), Spans())
    except ClientError as error:
        return refusal(error)
    predictions = [prediction.to_dict() for prediction in best]
    return {"model": {"name": classifier.card.name, "version": classifier.card.version}, "predictions": predictions}
