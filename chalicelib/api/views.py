"""The views behind `app`'s routes: a request in, an answer out. With `app` the only place that knows Chalice."""

import platform
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from chalice import CORSConfig, Response

from chalicelib import errors
from chalicelib.api.bodies import Request, image_body, json_body
from chalicelib.api.exchange import Body, Document, Exchange
from chalicelib.api.metrics import Meter
from chalicelib.api.parsing import PredictRequest, parse_batch, parse_image_query, parse_predict
from chalicelib.batch.wiring import BatchServices
from chalicelib.config import Settings
from chalicelib.inference.classifier import Classifier, check_top_k
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import cold_start

if TYPE_CHECKING:
    from chalicelib.api.ab_test import AbTest
    from chalicelib.batch.service import Service

EXPOSED_HEADERS = ["X-Request-Id", "Server-Timing"]
"""What a page of another origin may read besides the body."""
PREFLIGHT_AGE_S = 600


def cors(settings: Settings) -> CORSConfig:
    """Which origin's pages may call the API; Chalice answers the browser's preflight with it."""
    return CORSConfig(settings.cors_allow_origin, ["X-Customer-Id"], EXPOSED_HEADERS, PREFLIGHT_AGE_S)


class Api:
    """Each view takes Chalice's request and gives Chalice's response."""

    def __init__(self, settings: Settings, store: ModelStore, batch: BatchServices | None = None) -> None:
        self._settings, self._store, self._meter = settings, store, Meter(settings)
        self._batch = batch or BatchServices(settings, store)
        self._ab_test = _ab_test(settings, store)

    def page(self, request: Request) -> Response:
        """`GET /`: the page for browsers."""
        from chalicelib.api import page  # here and below: not every process shows it, every cold start would pay for it

        return self._answer(request, lambda _: page.document())

    def openapi(self, request: Request) -> Response:
        """`GET /openapi.json`: the contract, with the models that are installed."""
        from chalicelib.api import openapi

        path = str((request.context or {}).get("path") or openapi.PATH)  # API Gateway's, with the stage
        return self._answer(
            request, lambda _: openapi.document(self._store.cards(), path, self._settings.takes_batches)
        )

    def predict(self, request: Request) -> Response:
        """`POST /predict`: JSON with one base64 image, or with TensorFlow Serving's `instances`."""

        def view(exchange: Exchange) -> Body:
            body = json_body(request, self._settings.max_body_bytes)
            exchange.fields["payload_bytes"] = len(body)
            return self._classify(exchange, request, parse_predict(body))

        return self._answer(request, view)

    def predict_image(self, request: Request) -> Response:
        """`POST /predict/image`: the image's own bytes."""

        def view(exchange: Exchange) -> Body:
            top_k, model = parse_image_query(dict(request.query_params or {}))
            data = image_body(request, self._settings.max_body_bytes)
            exchange.fields["payload_bytes"] = len(data)
            return self._classify(exchange, request, PredictRequest((data,), top_k, model))

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
                **({"experiment": self._ab_test.health()} if self._ab_test else {}),
            }

        return self._answer(request, view)

    def models(self, request: Request) -> Response:
        """`GET /models`: the card of every installed model."""
        test = {"experiment": self._ab_test.describe()} if self._ab_test else {}
        return self._answer(request, lambda _: {"models": self._store.cards(), **test})

    def start_batch(self, request: Request) -> Response:
        """`POST /batches`: begin with a prefix in S3, and answer 202 before anything is listed."""

        def view(exchange: Exchange) -> Body:
            batches = self._batches()
            wanted = parse_batch(json_body(request, self._settings.max_body_bytes))
            if wanted.model is not None or wanted.top_k is not None:  # or every picture would get this error
                check_top_k(wanted.top_k, len(self._store.get(wanted.model).labels))
            told = batches.start(wanted.source, wanted.model, wanted.top_k, wanted.output)
            exchange.fields.update(status=202, batch=told["id"])
            return told

        return self._answer(request, view)

    def batch(self, request: Request, batch_id: str) -> Response:
        """`GET /batches/{id}`: state, counts, time left, and where the results lie."""
        return self._answer(request, lambda _: self._batches().describe(batch_id))

    def _batches(self) -> "Service":
        if not self._settings.takes_batches:
            raise errors.UnknownBatch("no batches here: they need the queues of a deployed stage (BATCH_PREFIX)")
        return self._batch.service

    def _classify(self, exchange: Exchange, request: Request, wanted: PredictRequest) -> Body:
        if self._ab_test is None or wanted.model is not None:
            return self._classify_with(wanted.model, exchange, wanted)
        from chalicelib.api.ab_test import key_of

        key = key_of(request, wanted.images)
        return self._ab_test.answer(key, exchange, lambda model: self._classify_with(model, exchange, wanted))

    def _classify_with(self, model: str | None, exchange: Exchange, wanted: PredictRequest) -> Body:
        classifier = self._store.get(model)
        top_k = check_top_k(wanted.top_k, len(classifier.labels))
        answers = []
        for number, data in enumerate(wanted.images):
            try:
                answers.append(classifier.classify(data, top_k, exchange.spans))
            except errors.ClientError as error:
                raise type(error)(f'"instances"[{number}]: {error}' if wanted.is_batch else str(error)) from error
        self._note(exchange, classifier)
        predictions = [[prediction.to_dict() for prediction in answer] for answer in answers]
        return {"model": classifier.card.summary(), "predictions": predictions if wanted.is_batch else predictions[0]}

    def _answer(self, request: Request, view: Callable[[Exchange], Body | Document]) -> Response:
        status, body, headers = Exchange(request, self._meter).answer(view)
        return Response(body=body, status_code=status, headers=headers)

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


def _ab_test(settings: Settings, store: ModelStore) -> "AbTest | None":
    if settings.ab_test is None:
        return None
    from chalicelib.api.ab_test import AbTest

    return AbTest(settings.ab_test, store)
