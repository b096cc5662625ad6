"""HTTP: requests in, answers and errors out. The only place that knows statuses."""

import platform
import traceback
import uuid
from collections.abc import Callable
from typing import Any, Protocol

from chalice import Response

from chalicelib import errors
from chalicelib.classifier import Classifier, Prediction
from chalicelib.config import Settings
from chalicelib.images import ACCEPTED
from chalicelib.model_store import ModelStore
from chalicelib.parsing import PredictRequest, check_top_k, parse_image_query, parse_predict
from chalicelib.telemetry import Spans, cold_start, log

BINARY_TYPES = [
    "image/jpeg",
    "image/jpg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/bmp",
    "application/octet-stream",
]
"""Content types that API Gateway hands over as bytes; what the bytes are is decided by looking at them."""

STATUS: dict[type[errors.SlimceptionError], tuple[int, str]] = {
    errors.InvalidRequest: (400, "BadRequestError"),
    errors.UnknownModel: (404, "NotFoundError"),
    errors.PayloadTooLarge: (413, "PayloadTooLargeError"),
    errors.ImageTooLarge: (413, "PayloadTooLargeError"),
    errors.UnsupportedImage: (415, "UnsupportedMediaTypeError"),
    errors.UndecodableImage: (422, "UnprocessableEntityError"),
    errors.ConfigError: (503, "ServiceUnavailableError"),
    errors.ModelError: (503, "ServiceUnavailableError"),
    errors.EngineError: (503, "ServiceUnavailableError"),
}
_UNAVAILABLE = "The model cannot be served at the moment; GET /health tells why."
_INTERNAL = "An internal server error occurred."


class Request(Protocol):
    """What is used of Chalice's request."""

    raw_body: Any
    headers: Any
    query_params: Any
    context: Any
    path: str


Body = dict[str, Any]


class Exchange:
    """One request on its way: its id, its spans, and what its log line will say."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.id = str((request.context or {}).get("requestId") or uuid.uuid4())
        self.spans = Spans()
        self.fields: Body = {}


class Api:
    """The views behind `app`'s routes. Each takes Chalice's request and gives Chalice's response."""

    def __init__(self, settings: Settings, store: ModelStore) -> None:
        self._settings, self._store = settings, store

    def predict(self, request: Request) -> Response:
        """`POST /predict`: JSON with one base64 image, or with TensorFlow Serving's `instances`."""
        return self._answer(request, lambda exchange: self._classify(exchange, parse_predict(self._json_body(request))))

    def predict_image(self, request: Request) -> Response:
        """`POST /predict/image`: the image's own bytes."""

        def view(exchange: Exchange) -> Body:
            top_k, model = parse_image_query(dict(request.query_params or {}))
            return self._classify(exchange, PredictRequest((self._image_body(request),), top_k, model))

        return self._answer(request, view)

    def health(self, request: Request) -> Response:
        """`GET /health`: 200 only when the default model loads and answers, else 503 and the reason."""

        def view(exchange: Exchange) -> Body:
            try:
                classifier = self._store.get()
                with exchange.spans.measure("inference"):
                    classifier.warm()
            except errors.ServiceError as error:
                exchange.fields.update(status=503, error=str(error), traceback=traceback.format_exc())
                return {"status": "unavailable", "Code": "ServiceUnavailableError", "Message": str(error)}
            self._note(exchange, classifier)
            return {
                "status": "ok",
                "model": classifier.card.to_dict(),
                "runtime": self._runtime(classifier),
                "cold_start": cold_start.breakdown(),
            }

        return self._answer(request, view)

    def models(self, request: Request) -> Response:
        """`GET /models`: the card of every installed model."""
        return self._answer(request, lambda _: {"models": self._store.cards()})

    def _classify(self, exchange: Exchange, wanted: PredictRequest) -> Body:
        classifier = self._store.get(wanted.model)
        top_k = check_top_k(wanted.top_k, len(classifier.labels))
        answers = []
        for number, data in enumerate(wanted.images):
            try:
                answers.append(classifier.classify(data, top_k, exchange.spans))
            except errors.ClientError as error:
                raise type(error)(f'"instances"[{number}]: {error}' if wanted.is_batch else str(error)) from error
        self._note(exchange, classifier)
        predictions = [_shape(answer) for answer in answers]
        return {"model": classifier.card.summary(), "predictions": predictions if wanted.is_batch else predictions[0]}

    def _answer(self, request: Request, view: Callable[[Exchange], Body]) -> Response:
        """Run a view; map what it raises; log one line; shape the response."""
        exchange = Exchange(request)
        status = 200
        try:
            with exchange.spans.measure("total"):
                body = view(exchange)
            status = exchange.fields.pop("status", 200)
            if "predictions" in body:
                body["timing_ms"] = dict(exchange.spans)
                body["cold_start"] = exchange.fields["cold_start"]
        except Exception as error:
            status, body = _error(error)
            exchange.fields.update(code=body["Code"], error=str(error))
            if status >= 500:
                exchange.fields["traceback"] = traceback.format_exc()
        body["request_id"] = exchange.id
        log(
            "request",
            request_id=exchange.id,
            path=request.path,
            status=status,
            **exchange.fields,
            spans_ms=exchange.spans,
        )
        return Response(body=body, status_code=status, headers={"X-Request-Id": exchange.id})

    def _note(self, exchange: Exchange, classifier: Classifier) -> None:
        """Put the model, and in the first answer of this process the cold start, into the log line."""
        first = cold_start.claim()
        exchange.fields.update(cold_start=first, model=classifier.card.name, version=classifier.card.version)
        if first:
            exchange.fields.update(cold_start_ms=cold_start.breakdown(), **self._runtime(classifier))

    def _runtime(self, classifier: Classifier) -> Body:
        return {
            "engine": classifier.engine.name,
            "engine_version": classifier.engine.version,
            "threads": classifier.num_threads,
            "python": platform.python_version(),
            "architecture": platform.machine(),
            "memory_mb": self._settings.memory_mb,
        }

    def _json_body(self, request: Request) -> bytes:
        media_type = _media_type(request)
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise errors.UnsupportedImage(
                f"Content-Type is {media_type[:60]!r}: POST /predict takes application/json, "
                "POST /predict/image an image's own bytes"
            )
        return self._body(request)

    def _image_body(self, request: Request) -> bytes:
        media_type = _media_type(request, BINARY_TYPES[-1])
        if media_type not in BINARY_TYPES:
            raise errors.UnsupportedImage(
                f"Content-Type is {media_type[:60]!r}: {ACCEPTED}, as {', '.join(BINARY_TYPES)}"
            )
        body = self._body(request)
        if not body:
            raise errors.InvalidRequest("the body is empty: expected the bytes of an image")
        return body

    def _body(self, request: Request) -> bytes:
        try:
            body: bytes = request.raw_body or b""
        except ValueError as error:  # Chalice decodes it here: lone surrogates, broken base64 in the event
            raise errors.InvalidRequest("the body cannot be read as bytes") from error
        if len(body) > self._settings.max_body_bytes:
            raise errors.PayloadTooLarge(
                f"the body has {len(body)} bytes: at most {self._settings.max_body_bytes} are accepted; "
                "scale the image down"
            )
        return body


def _media_type(request: Request, default: str = "application/json") -> str:
    header: str = request.headers.get("content-type") or default
    return header.partition(";")[0].strip().lower()


def _shape(answer: list[Prediction]) -> list[Body]:
    return [{"index": p.index, "label": p.label, "score": round(p.score, 6)} for p in answer]


def _error(error: Exception) -> tuple[int, Body]:
    """Status and body in Chalice's own shape; nothing of a 5xx's exception is shown."""
    status, code = 500, "InternalServerError"
    if isinstance(error, errors.SlimceptionError):
        status, code = STATUS[type(error)]
    message = str(error) if status < 500 else _UNAVAILABLE if status == 503 else _INTERNAL
    return status, {"Code": code, "Message": message}
