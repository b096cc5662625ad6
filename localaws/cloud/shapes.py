"""Moto's answers against the shapes of AWS's own service models, as botocore has them.

An answer with a member that AWS does not have, without one that it always has, or of another type lets pass here what
fails on AWS. Only services whose protocol is JSON are checked, and only answers that are no errors.
"""

import json
import re
from collections.abc import Iterator, MutableMapping
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.model import OperationModel, ServiceModel
from werkzeug.wrappers import Response

from localaws.access.calls import Call, call_of

SERVICES = ("dynamodb", "lambda", "sqs", "states")
_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "blob": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str),
}


def faults(environ: MutableMapping[str, Any], answer: Response) -> Iterator[str]:
    """What is wrong with a service's answer to a call, in words."""
    call = call_of(environ)
    operation = _operation(call) if call and call.service in SERVICES else None
    if operation is None or operation.output_shape is None or operation.output_shape.serialization.get("payload"):
        return
    for fault in _differences(operation.output_shape, json.loads(answer.get_data() or b"{}"), ""):
        yield f"{operation.service_model.service_name} {operation.name}: {fault}"


def _operation(call: Call) -> OperationModel | None:
    service = _service(call.service)
    if call.target:
        return service.operation_model(call.target) if call.target in service.operation_names else None
    path, query = call.environ["PATH_INFO"].rstrip("/"), call.environ.get("QUERY_STRING", "")
    request = f"{call.environ['REQUEST_METHOD']} {path}?{query}"
    return next((service.operation_model(name) for name, path in _paths(call.service) if path.fullmatch(request)), None)


@lru_cache
def _service(name: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model({"states": "stepfunctions"}.get(name, name))


@lru_cache
def _paths(service: str) -> list[tuple[str, re.Pattern[str]]]:
    """Of a REST service: each operation's method, path and what its query begins with, the longest first.

    `ListLayers` and `GetLayerVersionByArn` have one path; the latter's query begins with `find=LayerVersion`.
    """
    model = _service(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        uri, _, query = http["requestUri"].partition("?")
        path = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(uri.rstrip("/")))
        found.append((len(query), name, re.compile(rf"{http['method']} {path}\?{re.escape(query)}.*")))
    return [(name, pattern) for _, name, pattern in sorted(found, key=lambda one: -one[0])]


def _differences(shape: Any, value: Any, where: str) -> Iterator[str]:
    kind: str = shape.type_name
    is_of_kind = isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
    if not is_of_kind:
        yield f"{where or 'the answer'} is {type(value).__name__}, and not {kind}"
    elif kind == "structure":
        members = {
            member.serialization.get("name", name): (name, member)
            for name, member in shape.members.items()
            if member.serialization.get("location") is None
        }
        for name in value.keys() - members.keys():
            yield f"{where}.{name} is unknown"
        for name, (member, inner) in members.items():
            if value.get(name) is not None:
                yield from _differences(inner, value[name], f"{where}.{name}")
            elif member in shape.required_members:
                yield f"{where}.{name} is missing"
    elif kind == "list":
        for inner in value:
            yield from _differences(shape.member, inner, f"{where}[]")
    elif kind == "map":
        for inner in value.values():
            yield from _differences(shape.value, inner, f"{where}{{}}")
