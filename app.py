"""Slimception's routes. A view hands the request on; `chalicelib.web` has the work."""

from chalicelib import telemetry  # first, for its clock starts the cold start's "import" span  # isort: skip

from chalice import Chalice, Response

from chalicelib import runtime, web

app = Chalice(app_name="slimception")
app.api.binary_types = web.BINARY_TYPES
ANY_TYPE = ["*/*"]  # `web` checks the content type itself, with a message that says what is accepted


@app.route("/predict", methods=["POST"], content_types=ANY_TYPE, cors=True)
def predict() -> Response:
    """Classify the base64 image in a JSON body."""
    return runtime.api.predict(app.current_request)


@app.route("/predict/image", methods=["POST"], content_types=ANY_TYPE, cors=True)
def predict_image() -> Response:
    """Classify the image that is the body."""
    return runtime.api.predict_image(app.current_request)


@app.route("/health", methods=["GET"], cors=True)
def health() -> Response:
    """Tell whether the default model answers, and what the cold start cost."""
    return runtime.api.health(app.current_request)


@app.route("/models", methods=["GET"], cors=True)
def models() -> Response:
    """List the installed models."""
    return runtime.api.models(app.current_request)


telemetry.cold_start.imported()
runtime.warm()
