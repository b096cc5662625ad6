"""Moto's Lambda, with the host instead of Docker."""

import base64
import threading
import time
from collections.abc import Mapping, MutableMapping
from concurrent.futures import Future
from typing import Any
from unittest import mock
from urllib.parse import unquote

from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend

from localaws.access.guard import Guard
from localaws.errors import LocalAwsError, TooManyRequests
from localaws.host.function import Archive, Function
from localaws.host.invocation import Result
from localaws.host.lambda_host import LambdaHost
from localaws.shims import destinations, recursion
from localaws.shims.errors import client_error

_LOG_TAIL_BYTES = 4096
"""What X-Amz-Log-Result holds (AWS Lambda API reference, "Invoke")."""
_logs_lock = threading.Lock()


def runs_in(host: LambdaHost, endpoint_url: str, guard: Guard) -> Any:
    """A patch: moto's own `invoke` needs Docker, waits for asynchronous events, and calls every failure `Handled`."""

    def invoke(model: Any, body: Any, request: Mapping[str, str], response: MutableMapping[str, str]) -> bytes | str:
        # S3, EventBridge and SNS inside moto send no headers; on AWS all three invoke asynchronously
        kind = request.get("x-amz-invocation-type", "RequestResponse") if request else "Event"
        payload = (body.encode() if isinstance(body, str) else bytes(body or b"")) or b"{}"
        function, trace = function_of(model, endpoint_url), ""
        if kind != "DryRun":
            trace = recursion.continued(model, unquote(request.get("x-amzn-trace-id", "")) if request else "")
        if kind == "RequestResponse":
            result = _run(host, function, payload, trace)
            _keep_log(model, result, guard)
            return _respond(result, response)
        if kind == "Event":
            _run_later(host, model, function, payload, trace, guard)
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
        role=model.role.rpartition("/")[2],
        region=model.region,
        account_id=model.account_id,
    )


def _run(host: LambdaHost, function: Function, payload: bytes, trace: str) -> Result:
    try:
        return host.invoke(function, payload, trace)
    except TooManyRequests as error:
        raise client_error("TooManyRequestsException", "Rate Exceeded.", 429) from error
    except LocalAwsError as error:
        # as AWS says when such a function is created; clients would repeat a 5xx again and again
        raise client_error("InvalidParameterValueException", str(error)) from error


def _run_later(host: LambdaHost, model: Any, function: Function, payload: bytes, trace: str, guard: Guard) -> None:
    tries = 0

    def after_try(result: Result) -> None:
        nonlocal tries
        tries += 1
        _keep_log(model, result, guard)

    def at_end(future: "Future[Result | None]") -> None:
        result = None if future.cancelled() else future.result()
        if result is not None and result.function_error:
            destinations.keep_failed(model, payload, result, tries, guard)

    host.invoke_async(function, payload, after_try, trace).add_done_callback(at_end)


def _respond(result: Result, response: MutableMapping[str, str]) -> bytes:
    if result.function_error:
        response["x-amz-function-error"] = result.function_error
    response["x-amz-log-result"] = base64.b64encode(result.log.encode()[-_LOG_TAIL_BYTES:]).decode()
    response["x-amz-executed-version"] = "$LATEST"
    return result.payload


def _keep_log(model: Any, result: Result, guard: Guard) -> None:
    """Write the log to moto's CloudWatch Logs, one stream for each instance; nothing if the role may not write it."""
    logs, group = model.logs_backend, model.logs_group_name
    now_ms = int(time.time() * 1000)
    lines = [{"timestamp": now_ms, "message": line} for line in result.log.splitlines()]
    role = model.role.rpartition("/")[2]
    arn = f"arn:aws:logs:{model.region}:{model.account_id}:log-group:{group}:log-stream:"

    def may(action: str, stream: str = "") -> bool:
        return guard.may(role, f"logs:{action}", arn + stream, model.region)

    with _logs_lock:
        if group not in logs.groups:
            if not may("CreateLogGroup"):
                return
            logs.ensure_log_group(group)
        if result.log_stream not in logs.groups[group].streams:
            if not may("CreateLogStream", result.log_stream):
                return
            logs.create_log_stream(group, result.log_stream)
        if may("PutLogEvents", result.log_stream):
            logs.put_log_events(group, result.log_stream, lines)
