"""The views behind `app`'s routes: a request in, a response out. `app`, `fronted` and this module alone know Chalice.

Each view is a `with` block of an `Exchange`: it parses, asks a model or the batch, and answers. What it raises becomes
the answer too.
"""

from collections.abc import Callable, Mapping
from urllib.parse import unquote

from chalice import CORSConfig, IAMAuthorizer, Response

from chalicelib import errors
from chalicelib.api.ab_test import AbTest
from chalicelib.api.bodies import SCALE_DOWN, Body, Request, json_body, read_body
from chalicelib.api.exchange import Exchange
from chalicelib.api.forms import of_predict, of_predict_image
from chalicelib.api.parsing import Fetch, PredictRequest, parse_batch
from chalicelib.api.predictor import Predictor
from chalicelib.batch.wiring import BatchServices
from chalicelib.config import Settings
from chalicelib.inference.classifier import check_top_k
from chalicelib.inference.store import ModelStore

EXPOSED_HEADERS = ["X-Request-Id", "Server-Timing"]
"""Headers that a page of another origin may read."""
PREFLIGHT_AGE_S = 600
EVERY_TYPE = ["*/*"]
"""The binary media types of the REST API: it hands on every body in base64. With any others it decodes what is not
among them as UTF-8, JSON that is compressed and pictures without a Content-Type too, and bytes are lost."""
UPLOADS_TAKES = "POST /uploads takes application/json"
BATCHES_TAKES = "POST /batches takes application/json"


def cors(settings: Settings) -> CORSConfig | None:
    """The origin whose pages may call the API. Chalice answers the browser's preflight with it.

    None where the front does both: a browser refuses a header that comes twice. The front's are in .chalice/fronts.
    """
    if settings.in_lambda and settings.front != "rest":
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
            exchange.answer(page.document(self._batch.upload_origin))
        return _response(exchange)

    def openapi(self, request: Request) -> Response:
        """`GET /openapi.json`: the contract, with the models that are installed."""
        from chalicelib.api import openapi

        with Exchange(request, self._settings) as exchange:
            path = str((request.context or {}).get("path") or openapi.PATH)  # API Gateway's, with the stage
            cards = self._store.cards()
            signed = self._settings.batches == "iam"
            takes = {"takes_batches": self._settings.takes_batches, "takes_uploads": self._settings.has_bucket}
            exchange.answer(openapi.document(cards, path, **takes, signed=signed))
        return _response(exchange)

    def predict(self, request: Request) -> Response:
        """`POST /predict`: one picture in any form, or several in TensorFlow Serving's `instances`."""
        return self._predict(request, of_predict)

    def predict_image(self, request: Request) -> Response:
        """`POST /predict/image`: the image's own bytes, or a form that holds them."""
        return self._predict(request, of_predict_image)

    def _predict(self, request: Request, read: Callable[[Body, Mapping[str, str], Fetch], PredictRequest]) -> Response:
        with Exchange(request, self._settings) as exchange:
            body = read_body(request, self._settings.max_body_bytes, SCALE_DOWN)
            exchange.record.payload_bytes = len(body.data)
            wanted = read(body, dict(request.query_params or {}), self._fetch())
            exchange.answer(self._predictor.answer(exchange, wanted), timed=True)
        return _response(exchange)

    def _fetch(self) -> Fetch:
        """Reads the pictures of one request that lie in S3; imported and made at the first of them."""
        made: list[Fetch] = []

        def fetch(url: str, field: str) -> bytes:
            if not made:
                from chalicelib.api.uploads import Uploads

                made.append(Uploads(self._settings, self._batch).reader())
            return made[0](url, field)

        return fetch

    def start_upload(self, request: Request) -> Response:
        """`POST /uploads`: a signed form with which a picture too large for a request goes to S3."""
        from chalicelib.api.uploads import Uploads

        with Exchange(request, self._settings) as exchange:
            body = json_body(request, self._settings.max_body_bytes, UPLOADS_TAKES)
            exchange.answer(Uploads(self._settings, self._batch).start(body), 201)
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

    def kserve(self, request: Request, *model: str) -> Response:
        """`GET /v2`, `/v2/health/...` and `/v2/models/...`: the Open Inference Protocol but for inference."""
        from chalicelib.api.kserve import Protocol

        with Exchange(request, self._settings, foreign=True) as exchange:
            exchange.answer(Protocol(self._store, self._predictor).describe(request.path, *map(unquote, model)))
        return _response(exchange)

    def kserve_infer(self, request: Request, model: str) -> Response:
        """`POST /v2/models/{model}/infer`: the Open Inference Protocol's prediction."""
        from chalicelib.api.kserve import JSON_LENGTH, Protocol

        with Exchange(request, self._settings, foreign=True) as exchange:
            body, length = (
                read_body(request, self._settings.max_body_bytes, SCALE_DOWN),
                request.headers.get(JSON_LENGTH),
            )
            protocol = Protocol(self._store, self._predictor)
            exchange.answer(protocol.infer(exchange, body, length, unquote(model), self._fetch()))
        return _response(exchange)

    def tfserving(self, request: Request, model: str) -> Response:
        """`GET /v1/models/{model}` and `/metadata`: what TensorFlow Serving says of a model."""
        from chalicelib.api import tfserving

        with Exchange(request, self._settings, foreign=True) as exchange:
            exchange.answer(tfserving.describe(self._store, request.path, unquote(model)))
        return _response(exchange)

    def tfserving_predict(self, request: Request, model: str) -> Response:
        """`POST /v1/models/{model}:predict`: TensorFlow Serving's prediction; `model` has the call behind its colon."""
        from chalicelib.api import tfserving

        with Exchange(request, self._settings, foreign=True) as exchange:
            body = read_body(request, self._settings.max_body_bytes, SCALE_DOWN)
            exchange.answer(tfserving.predict(exchange, self._predictor, body, unquote(model), self._fetch()))
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
