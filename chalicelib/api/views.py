"""The views behind `app`'s routes: a request in, a response out. With `app` the only place that knows Chalice.

Each view is a `with` block of an `Exchange`: it parses, asks a model or the batch, and answers. What it raises becomes
the answer too.
"""

from chalice import CORSConfig, IAMAuthorizer, Response

from chalicelib import errors
from chalicelib.api.ab_test import AbTest
from chalicelib.api.bodies import SCALE_DOWN, Request, image_body, json_body
from chalicelib.api.exchange import Exchange
from chalicelib.api.parsing import PredictRequest, parse_batch, parse_image_query, parse_predict
from chalicelib.api.predictor import Predictor
from chalicelib.batch.wiring import BatchServices
from chalicelib.config import Settings
from chalicelib.inference.classifier import check_top_k
from chalicelib.inference.store import ModelStore

EXPOSED_HEADERS = ["X-Request-Id", "Server-Timing"]
"""Headers that a page of another origin may read."""
PREFLIGHT_AGE_S = 600
PREDICT_TAKES = "POST /predict takes application/json, POST /predict/image an image's own bytes"
BATCHES_TAKES = "POST /batches takes application/json"


def cors(settings: Settings) -> CORSConfig | None:
    """The origin whose pages may call the API. Chalice answers the browser's preflight with it.

    None where the front does both: a browser refuses a header that comes twice. The front's are in .chalice/fronts.
    """
    if settings.has_own_front:
        return None
    return CORSConfig(settings.cors_allow_origin, ["X-Customer-Id"], EXPOSED_HEADERS, PREFLIGHT_AGE_S)


def batch_authorizer(settings: Settings) -> IAMAuthorizer | None:
    """Who may call the routes of batches: with BATCHES=iam only callers whose policies allow `execute-api:Invoke`."""
    return IAMAuthorizer() if settings.batch_prefix and settings.batches == "iam" else None


class Api:
    """Each view takes Chalice's request and returns Chalice's response."""

    def __init__(self, settings: Settings, store: ModelStore, batch: BatchServices | None = None) -> None:
        self._settings, self._store = settings, store
        self._batch = batch or BatchServices(settings, store)
        self._ab_test = AbTest(settings.ab_test, store) if settings.ab_test else None
        self._predictor = Predictor(settings, store, self._ab_test)

    def page(self, request: Request) -> Response:
        """`GET /`: the page for browsers."""
        from chalicelib.api import page  # here and below: every cold start would pay for what few processes show

        with Exchange(request, self._settings) as exchange:
            exchange.answer(page.document())
        return _response(exchange)

    def openapi(self, request: Request) -> Response:
        """`GET /openapi.json`: the contract, with the models that are installed."""
        from chalicelib.api import openapi

        with Exchange(request, self._settings) as exchange:
            path = str((request.context or {}).get("path") or openapi.PATH)  # API Gateway's, with the stage
            cards = self._store.cards()
            signed = self._settings.batches == "iam"
            contract = openapi.document(cards, path, takes_batches=self._settings.takes_batches, signed=signed)
            exchange.answer(contract)
        return _response(exchange)

    def predict(self, request: Request) -> Response:
        """`POST /predict`: JSON with one base64 image, or with TensorFlow Serving's `instances`."""
        with Exchange(request, self._settings) as exchange:
            body = json_body(request, self._settings.max_body_bytes, PREDICT_TAKES, SCALE_DOWN)
            exchange.record.payload_bytes = len(body)
            exchange.answer(self._predictor.answer(exchange, parse_predict(body)), timed=True)
        return _response(exchange)

    def predict_image(self, request: Request) -> Response:
        """`POST /predict/image`: the image's own bytes."""
        with Exchange(request, self._settings) as exchange:
            top_k, model = parse_image_query(dict(request.query_params or {}))
            data = image_body(request, self._settings.max_body_bytes)
            exchange.record.payload_bytes = len(data)
            exchange.answer(self._predictor.answer(exchange, PredictRequest((data,), top_k, model)), timed=True)
        return _response(exchange)

    def health(self, request: Request) -> Response:
        """`GET /health`: 200 only when the default model loads and answers, else 503 and the reason."""
        with Exchange(request, self._settings) as exchange:
            try:
                classifier = self._store.get()
                with exchange.spans.measure("inference"):
                    classifier.warm()
            except errors.ServiceError as error:
                content = exchange.fail(error)
                exchange.answer({"status": "unavailable", **content, "Message": str(error)}, 503)
            else:
                from chalicelib.api import health

                self._predictor.note(exchange, classifier)
                exchange.answer(health.describe(self._store, classifier, self._ab_test))
        return _response(exchange)

    def models(self, request: Request) -> Response:
        """`GET /models`: the card of every installed model."""
        with Exchange(request, self._settings) as exchange:
            test = {"experiment": self._ab_test.describe()} if self._ab_test else {}
            exchange.answer({"models": self._store.cards(), **test})
        return _response(exchange)

    def start_batch(self, request: Request) -> Response:
        """`POST /batches`: start a batch over a prefix in S3. The answer, 202, comes before anything is listed."""
        with Exchange(request, self._settings) as exchange:
            self._refuse_without_batches()
            wanted = parse_batch(json_body(request, self._settings.max_body_bytes, BATCHES_TAKES))
            if wanted.model is not None or wanted.top_k is not None:  # or every picture would get this error
                check_top_k(wanted.top_k, len(self._store.get(wanted.model).labels))
            status = self._batch.service.start(wanted.source, wanted.model, wanted.top_k, wanted.output)
            exchange.record.batch = status["id"]
            exchange.answer(status, 202)
        return _response(exchange)

    def batch(self, request: Request, batch_id: str) -> Response:
        """`GET /batches/{id}`: state, counts, time left, and the S3 URLs of the results."""
        with Exchange(request, self._settings) as exchange:
            self._refuse_without_batches()
            exchange.answer(self._batch.service.describe(batch_id))
        return _response(exchange)

    def refuse(self, request: Request, error: errors.ClientError) -> Response:
        """A request that reaches no view, because its event or its path is at fault."""
        with Exchange(request, self._settings) as exchange:
            raise error
        return _response(exchange)

    def _refuse_without_batches(self) -> None:
        if not self._settings.takes_batches:
            raise errors.UnknownBatch(
                "batches are not available: BATCH_PREFIX is not set, BATCHES is off, or this is not a deployed stage"
            )


def _response(exchange: Exchange) -> Response:
    return Response(body=exchange.body(), status_code=exchange.record.status, headers=exchange.headers())
