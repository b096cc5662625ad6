"""Moto's event source mappings with the states that Lambda's have.

Moto's are enabled at once and gone at once, and it makes two of the same. Lambda's are Creating, Updating or Deleting
for some seconds, in which they can be neither changed nor deleted. CloudFormation waits for them.

Source: AWS Lambda API reference, "CreateEventSourceMapping", "UpdateEventSourceMapping", "DeleteEventSourceMapping".
"""

import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from moto.awslambda.models import EventSourceMapping, LambdaBackend
from moto.awslambda.utils import get_backend
from moto.sqs.models import sqs_backends

from localaws.shims.errors import client_error

_RIGHTS = {
    "sqs": ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"),
    "kinesis": ("GetRecords", "GetShardIterator", "DescribeStream", "ListShards"),
    "dynamodb": ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams"),
}

May = Callable[[str, str, str], bool]
"""Whether a role may do what a service does in its name: the role, `sqs:ReceiveMessage`, the resource's ARN."""


def patches(may: May, transition_s: float) -> Iterator[Any]:
    """What to enter while mappings are made."""
    states = _States(may, transition_s)
    for name in ("create", "get", "update", "delete", "list"):
        method = f"{name}_event_source_mapping" + ("s" if name == "list" else "")
        yield mock.patch.object(LambdaBackend, method, getattr(states, name)(getattr(LambdaBackend, method)))
    configuration = EventSourceMapping.get_configuration
    yield mock.patch.object(EventSourceMapping, "get_configuration", states.described(configuration))
    for name in ("create", "update"):
        method = f"{name}_from_cloudformation_json"
        change = states.awaited(getattr(EventSourceMapping, method))
        yield mock.patch.object(EventSourceMapping, method, classmethod(change))
    yield mock.patch.object(EventSourceMapping, "delete", states.removed(EventSourceMapping.delete))


class _States:
    """A mapping in transition has `_transition`: the state's name, and when it ends."""

    def __init__(self, may: May, transition_s: float) -> None:
        self._may, self._transition_s = may, transition_s

    def create(self, method: Any) -> Any:
        def create(backend: Any, spec: dict[str, Any]) -> Any:
            _forget_deleted(backend)
            self._check(backend, spec)
            return self._begin("Creating", method(backend, spec))

        return create

    def get(self, method: Any) -> Any:
        def get(backend: Any, uuid: str) -> Any:
            _forget_deleted(backend)
            return method(backend, uuid)

        return get

    def list(self, method: Any) -> Any:
        def list_(backend: Any, event_source_arn: str | None, function_name: str | None) -> Any:
            """Moto compares the function's name as it was written; AWS takes its name and its ARN."""
            _forget_deleted(backend)
            found = method(backend, event_source_arn, None)
            name = (function_name or "").rpartition(":")[2]
            return [mapping for mapping in found if not name or mapping.function_arn.rpartition(":")[2] == name]

        return list_

    def update(self, method: Any) -> Any:
        def update(backend: Any, uuid: str, spec: dict[str, Any]) -> Any:
            mapping = _settled(backend, uuid, "update")
            self._check_visibility(backend, mapping.function_arn, mapping.event_source_arn)
            method(backend, uuid, spec)
            return self._begin("Updating", mapping)

        return update

    def delete(self, _: Any) -> Any:
        def delete(backend: Any, uuid: str) -> Any:
            return self._begin("Deleting", _settled(backend, uuid, "delete"))

        return delete

    def described(self, method: Any) -> Any:
        def get_configuration(mapping: Any) -> Any:
            state, described = _transition(mapping), method(mapping)
            described.pop("Tags", None)  # AWS describes a mapping without them
            return {**described, **({"State": state} if state else {})}

        return get_configuration

    def awaited(self, method: Any) -> Any:
        """CloudFormation changes a mapping when it is settled, and goes on when it is again."""

        def change(_: Any, /, *args: Any, **options: Any) -> Any:
            before = options.get("original_resource")
            if before is not None:
                _wait(before)
            mapping = method(*args, **options)
            _wait(mapping)
            return mapping

        return change

    def removed(self, method: Any) -> Any:
        def delete(mapping: Any, account_id: str, region_name: str) -> None:
            _wait(mapping)
            if get_backend(account_id, region_name).get_event_source_mapping(mapping.uuid) is not None:
                method(mapping, account_id, region_name)
                _wait(mapping)

        return delete

    def _begin(self, state: str, mapping: Any) -> Any:
        mapping._transition = state, time.monotonic() + self._transition_s
        return mapping

    def _check(self, backend: Any, spec: dict[str, Any]) -> None:
        function = backend.get_function(spec["FunctionName"])
        source = spec["EventSourceArn"]
        for existing in backend.list_event_source_mappings(source, None):
            if existing.function_arn == function.function_arn:
                raise client_error(
                    "ResourceConflictException",
                    f'The event source arn (" {source} ") and function (" {function.function_name} ") provided mapping '
                    f"already exists. Please update or delete the existing mapping with UUID {existing.uuid}",
                    409,
                )
        service = source.split(":")[2]
        for right in _RIGHTS[service]:
            if not self._may(function.role.rpartition("/")[2], f"{service}:{right}", source):
                message = f"The provided execution role does not have permissions to call {right} on {service.upper()}"
                raise client_error("InvalidParameterValueException", message)
        if service == "sqs":
            self._check_visibility(backend, function.function_arn, source)

    def _check_visibility(self, backend: Any, function_arn: str, source: str) -> None:
        function, name = backend.get_function(function_arn), source.rpartition(":")[2]
        queue = sqs_backends[backend.account_id][backend.region_name].queues.get(name)
        if queue is not None and int(queue.visibility_timeout) < int(function.timeout):
            raise client_error(
                "InvalidParameterValueException",
                f"Queue visibility timeout: {int(queue.visibility_timeout)} seconds is less than Function timeout: "
                f"{int(function.timeout)} seconds",
            )


def _transition(mapping: Any) -> str:
    """The state that a mapping is in on its way to another; empty if it is settled."""
    state, ends = getattr(mapping, "_transition", ("", 0.0))
    return state if time.monotonic() < ends else ""


def _forget_deleted(backend: Any) -> None:
    for uuid, mapping in list(backend._event_source_mappings.items()):
        if getattr(mapping, "_transition", ("",))[0] == "Deleting" and not _transition(mapping):
            backend._event_source_mappings.pop(uuid, None)


def _settled(backend: Any, uuid: str, change: str) -> Any:
    mapping = backend.get_event_source_mapping(uuid)
    if mapping is None:
        raise client_error("ResourceNotFoundException", "The resource you requested does not exist.", 404)
    if _transition(mapping):
        raise client_error("ResourceInUseException", f"Cannot {change} the event source mapping because it is in use.")
    return mapping


def _wait(mapping: Any) -> None:
    while _transition(mapping):
        time.sleep(0.02)
