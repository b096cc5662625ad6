"""What Chalice has no key for, set after each `chalice deploy`: throttle and error answers of the API, logs.

In the packaged template these are properties of API and functions. A throttle and a log format that somebody has set
stay as they are; the error answers are set each time, since Chalice replaces the API's whole document.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from layers.deploy.gateway import ORIGIN_VARIABLE, put_responses
from layers.deploy.record import Entry, read_record, record_path
from layers.deploy.resources import RESOURCES, read_resources
from layers.deploy.stages import read_config, variable
from layers.errors import PackageError

EVERY_METHOD = "*/*"
"""All methods of a stage, as `GetStage` names them."""
ACCOUNT_RATE = 10_000
"""Requests a second of an account and region, which a stage without a throttle states as its own.
Source: Amazon API Gateway developer guide, "Amazon API Gateway quotas"."""
_DEFAULT_STAGE = "api"


class Throttle(NamedTuple):
    """Requests a second over time, and at once; None: as the stage has it, or else the default of the template."""

    rate: int | None = None
    burst: int | None = None


def complete_settings(
    apigateway: Any, lambda_client: Any, project: Path, stage: str, throttle: Throttle, tmp_mb: int | None = None
) -> Iterator[str]:
    """Set them with a line on each; raises PackageError without a deployment of the stage, and StageError.

    `tmp_mb` is the size of the functions' /tmp; None: as each has it.
    """
    config, deployed = read_config(project, stage), _deployed(project, stage)
    parameters = read_resources(project / RESOURCES, stage)["Parameters"]
    defaults = {name: parameter["Default"] for name, parameter in parameters.items()}
    api_stage = config["stages"][stage].get("api_gateway_stage", config.get("api_gateway_stage", _DEFAULT_STAGE))
    for api_id in [entry["rest_api_id"] for entry in deployed if entry["resource_type"] == "rest_api"]:
        wanted = _wanted(_throttle(apigateway, api_id, api_stage), throttle, defaults)
        put_responses(apigateway, api_id, variable(config, stage, ORIGIN_VARIABLE))
        apigateway.create_deployment(restApiId=api_id, stageName=api_stage, description="error answers")
        yield f"API {api_id}: errors of the gateway have CORS headers"
        if wanted != _throttle(apigateway, api_id, api_stage):
            _set_throttle(apigateway, api_id, api_stage, wanted)
        yield f"API {api_id}: takes {wanted.rate} requests a second, {wanted.burst} at once"
    for arn in [entry["lambda_arn"] for entry in deployed if entry["resource_type"] == "lambda_function"]:
        yield _short_log(lambda_client, arn, defaults["SystemLogLevel"])
        if tmp_mb is not None:
            yield _tmp(lambda_client, arn, tmp_mb)


def _throttle(apigateway: Any, api_id: str, api_stage: str) -> Throttle:
    """The stage's own; a stage that has none may state the account's."""
    settings = apigateway.get_stage(restApiId=api_id, stageName=api_stage).get("methodSettings", {})
    found = settings.get(EVERY_METHOD, {})
    rate, burst = found.get("throttlingRateLimit", -1), found.get("throttlingBurstLimit", -1)
    return Throttle(round(rate), burst) if 0 <= rate < ACCOUNT_RATE else Throttle()


def _wanted(now: Throttle, asked: Throttle, defaults: Mapping[str, Any]) -> Throttle:
    otherwise = Throttle(defaults["RequestsPerSecond"], defaults["RequestBurst"]) if now.rate is None else now
    return Throttle(asked.rate or otherwise.rate, asked.burst or otherwise.burst)


def _set_throttle(apigateway: Any, api_id: str, api_stage: str, wanted: Throttle) -> None:
    patch = [
        {"op": "replace", "path": f"/{EVERY_METHOD}/throttling/{name}", "value": str(value)}
        for name, value in (("rateLimit", wanted.rate), ("burstLimit", wanted.burst))
    ]
    apigateway.update_stage(restApiId=api_id, stageName=api_stage, patchOperations=patch)


def _short_log(lambda_client: Any, arn: str, level: str) -> str:
    name = arn.rpartition(":")[2]
    before = lambda_client.get_function_configuration(FunctionName=arn).get("LoggingConfig", {})
    if before.get("LogFormat") != "JSON":
        lambda_client.get_waiter("function_updated_v2").wait(FunctionName=arn)
        logging = {"LogFormat": "JSON", "SystemLogLevel": level}
        lambda_client.update_function_configuration(FunctionName=arn, LoggingConfig=logging)
        lambda_client.get_waiter("function_updated_v2").wait(FunctionName=arn)
        return f"function {name}: logs nothing of Lambda's on invocations that succeed"
    return f"function {name}: logs {before.get('SystemLogLevel', level)} of Lambda's own and above"


def _tmp(lambda_client: Any, arn: str, tmp_mb: int) -> str:
    lambda_client.get_waiter("function_updated_v2").wait(FunctionName=arn)
    lambda_client.update_function_configuration(FunctionName=arn, EphemeralStorage={"Size": tmp_mb})
    lambda_client.get_waiter("function_updated_v2").wait(FunctionName=arn)
    return f"function {arn.rpartition(':')[2]}: /tmp of {tmp_mb} MB"


def _deployed(project: Path, stage: str) -> list[Entry]:
    path = record_path(project, stage)
    entries = read_record(path)
    if not entries:
        raise PackageError(f"{path} names nothing: deploy stage {stage} from here first")
    return entries
