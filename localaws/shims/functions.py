"""Moto's Lambda, with the host instead of Docker."""

import base64
import threading
import time
from collections.abc import Mapping, MutableMapping
from typing import Any
from unittest import mock

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend

from localaws.errors import LocalAwsError, TooManyRequests
from localaws.host.function import Archive, Function
from localaws.host.invocation import Result
from localaws.host.lambda_host import LambdaHost

_LOG_TAIL_BYTES = 4096
"""What X-Amz-Log-Result holds (AWS Lambda API reference, "Invoke")."""
_logs_lock = threading.Lock()


def runs_in(host: LambdaHost, endpoint_url: str) -> Any:
    """A patch: moto's own `invoke` needs Docker, waits for asynchronous events, and calls every failure `Handled`."""

    def invoke(model: Any, body: Any, request: Mapping[str, str], response: MutableMapping[str, str]) -> bytes | str:
        # S3, EventBridge and SNS inside moto send no headers; on AWS all three invoke asynchronously
        kind = request.get("x-amz-invocation-type", "RequestResponse") if request else "Event"
        payload = (body.encode() if isinstance(body, str) else bytes(body or b"")) or b"{}"
        function = function_of(model, endpoint_url)
        if kind == "RequestResponse":
            return _respond(model, _run(host, function, payload), response)
        if kind == "Event":
            host.invoke_async(function, payload, lambda result: _keep_log(model, result))
        return ""

    return mock.patch.object(LambdaFunction, "invoke", invoke)


def takes_architectures() -> Any:
    """A patch: moto's `UpdateFunctionCode` leaves the processor as it is, though code and layers are for another."""
    update_function_code = LambdaFunction.update_function_code

    def update(model: Any, spec: Mapping[str, Any]) -> Any:
        model.architectures = spec.get("Architectures") or model.architectures
        return update_function_code(model, spec)

    return mock.patch.object(LambdaFunction, "update_function_code", update)


def function_of(model: Any, endpoint_url: str) -> Function:
    """Moto's function as the host runs it; the function finds moto through AWS_ENDPOINT_URL."""
    backend = get_backend(model.account_id, model.region)
    layers = [backend.layers_versions_by_arn(layer["Arn"]) for layer in model.layers]
    concurrency = model.reserved_concurrency
    return Function(
        name=model.function_name,
        code=Archive(model.code_sha_256, model.code_bytes),
        runtime=model.run_time,
        handler=model.handler,
        architecture=model.architectures[0],
        layers=tuple(Archive(layer.code_sha_256, layer.code_bytes) for layer in layers),
        memory_mb=int(model.memory_size),
        timeout_s=float(model.timeout),
        ephemeral_storage_mb=int(model.ephemeral_storage),
        environment={"AWS_ENDPOINT_URL": endpoint_url, **model.environment_vars},
        reserved_concurrency=None if concurrency is None else int(concurrency),
        region=model.region,
        account_id=model.account_id,
    )


def _run(host: LambdaHost, function: Function, payload: bytes) -> Result:
    try:
        return host.invoke(function, payload)
    except TooManyRequests as error:
        raise _client_error("TooManyRequestsException", "Rate Exceeded.", 429) from error
    except LocalAwsError as error:
        # as AWS says when such a function is created; clients would repeat a 5xx again and again
        raise _client_error("InvalidParameterValueException", str(error), 400) from error


def _client_error(code: str, message: str, status: int) -> Exception:
    error: Exception = LambdaClientError(code, message)
    error.code = status  # type: ignore[attr-defined]
    return error


def _respond(model: Any, result: Result, response: MutableMapping[str, str]) -> bytes:
    _keep_log(model, result)
    if result.function_error:
        response["x-amz-function-error"] = result.function_error
    response["x-amz-log-result"] = base64.b64encode(result.log.encode()[-_LOG_TAIL_BYTES:]).decode()
    response["x-amz-executed-version"] = "$LATEST"
    return result.payload


def _keep_log(model: Any, result: Result) -> None:
    """Write the log to moto's CloudWatch Logs, one stream for each instance."""
    logs, group = model.logs_backend, model.logs_group_name
    now_ms = int(time.time() * 1000)
    lines = [{"timestamp": now_ms, "message": line} for line in result.log.splitlines()]
    with _logs_lock:
        logs.ensure_log_group(group)
        if result.log_stream not in logs.groups[group].streams:
            logs.create_log_stream(group, result.log_stream)
        logs.put_log_events(group, result.log_stream, lines)
