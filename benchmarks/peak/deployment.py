"""The app behind an HTTP API in `localaws`, with few instances of a small memory size, and the picture to send."""

import io

from moto.apigatewayv2.models import apigatewayv2_backends
from PIL import Image

from layers.pythons import Interpreter
from localaws.cloud.local_aws import LocalAws
from localaws.deploy.deployer import Deployer
from localaws.host.function import Function
from localaws.host.invocation import Result
from localaws.host.lambda_host import LambdaHost

MEMORY_MB = 128
PICTURE_PX = (3200, 2400)
NO_THROTTLE = 1000.0
"""Requests a second that bound no run."""


class Timed(LambdaHost):
    """Keeps how long the functions took."""

    duration_s: float = 0.0
    """Of the last invocation that ended, as Lambda reports it: without INIT."""

    def invoke(self, function: Function, payload: bytes, trace: str = "") -> Result:
        """As any host does."""
        result = super().invoke(function, payload, trace)
        self.duration_s = result.duration_ms / 1000
        return result


class Deployed:
    """The deployment."""

    def __init__(self, cloud: LocalAws, python: Interpreter) -> None:
        """Deploy it; raises DeployFailed."""
        self._cloud = cloud
        made = Deployer(cloud, python, say=lambda _: None, front="http").deploy()
        self.url, self._api_id = made.url, made.api_id
        self._function = next(name for name in made.functions if name.endswith("-front"))
        self._lambda = cloud.client("lambda")
        self._lambda.update_function_configuration(FunctionName=self._function, MemorySize=MEMORY_MB)

    def close(self) -> None:
        """Close the client of Lambda."""
        self._lambda.close()

    def limit(self, instances: int, rate: float = NO_THROTTLE, burst: float = NO_THROTTLE) -> None:
        """Set the function's concurrency and the stage's throttle."""
        self._lambda.put_function_concurrency(FunctionName=self._function, ReservedConcurrentExecutions=instances)
        api = apigatewayv2_backends[Function.account_id][self._cloud.region].apis[self._api_id]  # has no UpdateStage
        settings = {"throttlingRateLimit": rate, "throttlingBurstLimit": burst}
        api.stages["$default"].default_route_settings = settings

    def make_cold(self) -> None:
        """End all instances."""
        self._cloud.host.stop_idle_instances(self._function)


def picture() -> bytes:
    """A JPEG that takes some time to decode, and has few bytes."""
    file = io.BytesIO()
    Image.radial_gradient("L").resize(PICTURE_PX).convert("RGB").save(file, "JPEG", quality=30)
    return file.getvalue()
