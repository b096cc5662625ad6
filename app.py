"""Slimception's routes and handlers. Each passes its request or event on; the work is in `chalicelib`."""

from chalicelib import telemetry  # first, for its clock starts the cold start's "import" span  # isort: skip

telemetry.cold_start.importing()

from collections.abc import Callable
from typing import Any

import numpy  # noqa: F401 - here, and not 20 calls deeper, where CPython maps and unmaps a page of its stack at each call
from chalice import Response
from chalice.app import CloudWatchEvent, LambdaFunction, Rate, Request

from chalicelib import runtime
from chalicelib.api import views
from chalicelib.api.fronted import Fronted

CORS = views.cors(runtime.settings)
app = Fronted("slimception", lambda: runtime.api, CORS)
app.api.binary_types = views.EVERY_TYPE
if runtime.settings.front != "rest" and not runtime.settings.in_lambda:
    from chalicelib.api.hidden_routes import HiddenRoutes  # Chalice then deploys a function, and no REST API before it

    app.routes = HiddenRoutes()
    app.pure_lambda_functions.append(LambdaFunction(app, "front", "app.app"))
BATCH_CALLERS = views.batch_authorizer(runtime.settings)
GET = ["GET", "HEAD"]
ANY_TYPE = ["*/*"]  # `api.forms` checks the content type itself, with a message that says what is accepted


@app.middleware("http")
def forbid_sniffing(event: Request, get_response: Callable[[Request], Response]) -> Response:
    """Make a browser believe the Content-Type of every response, also of those that Chalice itself makes."""
    app.api.binary_types = []  # of an answer, which is text; for a deployment it says what requests may be
    response = get_response(event)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@app.middleware("all")
def note_function(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Note the function's ARN, which only Lambda's context has, before the handler runs."""
    context = event.lambda_context if isinstance(event, Request) else event.context
    runtime.note_function(getattr(context, "invoked_function_arn", None))
    return get_response(event)


@app.route("/", methods=GET)
def page() -> Response:
    """Show the page."""
    return runtime.api.page(app.current_request)


@app.route("/predict", methods=["POST"], content_types=ANY_TYPE, cors=CORS)
def predict() -> Response:
    """Classify the base64 image in a JSON body."""
    return runtime.api.predict(app.current_request)


@app.route("/predict/image", methods=["POST"], content_types=ANY_TYPE, cors=CORS)
def predict_image() -> Response:
    """Classify the image that is the body."""
    return runtime.api.predict_image(app.current_request)


@app.route("/uploads", methods=["POST"], content_types=ANY_TYPE, cors=CORS)
def start_upload() -> Response:
    """Sign a form with which a picture too large for a request goes to S3."""
    return runtime.api.start_upload(app.current_request)


@app.route("/health", methods=GET, cors=CORS)
def health() -> Response:
    """Report whether the default model answers, and what the cold start cost."""
    return runtime.api.health(app.current_request)


@app.route("/models", methods=GET, cors=CORS)
def models() -> Response:
    """List the installed models."""
    return runtime.api.models(app.current_request)


@app.route("/openapi.json", methods=GET, cors=CORS)
def openapi() -> Response:
    """Publish the contract."""
    return runtime.api.openapi(app.current_request)


@app.route("/v2", methods=GET, cors=CORS)
@app.route("/v2/health/live", methods=GET, cors=CORS)
@app.route("/v2/health/ready", methods=GET, cors=CORS)
def kserve() -> Response:
    """Describe the server, or report whether it answers, as the Open Inference Protocol has it."""
    return runtime.api.kserve(app.current_request)


@app.route("/v2/models/{model}", methods=GET, cors=CORS)
@app.route("/v2/models/{model}/ready", methods=GET, cors=CORS)
def kserve_model(model: str) -> Response:
    """Describe a model, or report whether it answers, as the Open Inference Protocol has it."""
    return runtime.api.kserve(app.current_request, model)


@app.route("/v2/models/{model}/infer", methods=["POST"], content_types=ANY_TYPE, cors=CORS)
def kserve_infer(model: str) -> Response:
    """Classify the pictures of a tensor."""
    return runtime.api.kserve_infer(app.current_request, model)


@app.route("/v1/models/{model}", methods=GET, cors=CORS)
@app.route("/v1/models/{model}/metadata", methods=GET, cors=CORS)
def tfserving(model: str) -> Response:
    """Report a model's state, or describe its signature, as TensorFlow Serving does."""
    return runtime.api.tfserving(app.current_request, model)


@app.route("/v1/models/{model}", methods=["POST"], content_types=ANY_TYPE, cors=CORS)
def tfserving_predict(model: str) -> Response:
    """Classify as TensorFlow Serving does; `model` is `<model>:predict`."""
    return runtime.api.tfserving_predict(app.current_request, model)


@app.route("/batches", methods=["POST"], content_types=ANY_TYPE, cors=CORS, authorizer=BATCH_CALLERS)
def start_batch() -> Response:
    """Start to classify the pictures under a prefix in S3."""
    return runtime.api.start_batch(app.current_request)


@app.route("/batches/{batch_id}", methods=GET, cors=CORS, authorizer=BATCH_CALLERS)
def batch(batch_id: str) -> Response:
    """Report the progress of a batch."""
    return runtime.api.batch(app.current_request, batch_id)


@app.lambda_function()
def worker(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Classify the pictures that messages of SQS name; the answer lists the messages to deliver again."""
    return runtime.batch.worker.work(event, context.get_remaining_time_in_millis)


@app.lambda_function()
def lister(event: dict[str, Any], context: Any) -> None:
    """List the keys of a batch, or write its files, as a message of SQS says."""
    runtime.batch.lister.work(event, context.get_remaining_time_in_millis)


@app.lambda_function()
def intake(event: Any, context: Any) -> dict[str, Any]:
    """Queue the pictures that an event of a trigger names: S3, SNS, EventBridge, Kinesis, DynamoDB, a schedule."""
    return runtime.batch.intake.take(event, context.aws_request_id)


@app.lambda_function()
def lex(event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Tell a user of a Lex bot what is on a picture."""
    return runtime.answer_lex(event)


@app.lambda_function()
def plan(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Find the pictures of a comparison of two models."""
    return runtime.workflow.planner.plan(event, context.get_remaining_time_in_millis)


@app.lambda_function()
def classify(event: dict[str, Any], context: Any) -> dict[str, int]:  # noqa: ARG001
    """Classify a group of them."""
    return runtime.workflow.classifier.work(event)


@app.lambda_function()
def report(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Report which model did better."""
    return runtime.workflow.reporter.report(event)


if runtime.settings.canary_minutes:

    @app.schedule(Rate(runtime.settings.canary_minutes, unit=Rate.MINUTES))
    def canary(event: CloudWatchEvent) -> None:  # noqa: ARG001
        """Classify a known picture."""
        runtime.check_canary()


runtime.equip_local_server()
telemetry.cold_start.imported()
runtime.warm()
