"""The function as it is deployed, with the same zip and layers by the same commands, and the event to send."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from moto.awslambda.utils import get_backend
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from benchmarks.tune.plan import Configuration
from layers.pythons import Interpreter
from localaws.cloud import rest_event
from localaws.cloud.local_aws import LocalAws
from localaws.deploy.deployer import Deployer
from localaws.host.function import Function
from localaws.host.lambda_host import LambdaHost
from localaws.shims.functions import function_of

ROUTE = rest_event.Route("tuned", "api", "/predict", "/predict", {}, "123456789012", ())


def deploy(project: Path, python: Interpreter, say: Callable[[str], None]) -> Function:
    """The API's function, code and layers included, as on Lambda; raises LocalAwsError."""
    with LocalAws(host=LambdaHost(max_instances=1)) as cloud:
        deployed = Deployer(cloud, python, project, say=say).deploy()
        backend = get_backend(Function.account_id, cloud.region)
        return function_of(backend.get_function(deployed.functions[0]), cloud.url)


def configured(function: Function, configuration: Configuration) -> Function:
    """The function with another memory size, model and number of threads."""
    chosen = {"MODEL_NAME": configuration.bundle, "NUM_THREADS": str(configuration.threads)}
    return replace(function, memory_mb=configuration.memory_mb, environment={**function.environment, **chosen})


def event_with(picture: bytes) -> bytes:
    """The event that API Gateway makes of `POST /predict` with this picture, as JSON."""
    body = json.dumps({"image": base64.b64encode(picture).decode(), "top_k": 5})
    headers = [("User-Agent", "tune"), ("Accept", "application/json")]
    builder = EnvironBuilder("/predict", method="POST", data=body, content_type="application/json", headers=headers)
    with Request(builder.get_environ()) as request:
        return json.dumps(rest_event.to_event(request, ROUTE)).encode()
