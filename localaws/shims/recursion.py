"""Lambda's recursive loop detection, of which moto knows nothing: the configuration and the check.

Source: AWS Lambda API reference, "PutFunctionRecursionConfig", and `lineage`.
"""

import json
from collections.abc import Iterator
from typing import Any
from unittest import mock

from moto.awslambda.models import LambdaFunction
from moto.awslambda.responses import LambdaResponse
from moto.awslambda.urls import url_paths

from localaws.host import lineage
from localaws.shims.errors import client_error

_PATH = r"{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[\w_:%-]+)/recursion-config/?$"
_ALLOW, _TERMINATE = "Allow", "Terminate"


def patches() -> Iterator[Any]:
    """What to enter before the server is made."""
    yield mock.patch.dict(url_paths, {_PATH: LambdaResponse.dispatch})
    yield mock.patch.object(LambdaFunction, "recursive_loop", _TERMINATE, create=True)
    yield mock.patch.object(LambdaResponse, "put_function_recursion_config", _put, create=True)
    yield mock.patch.object(LambdaResponse, "get_function_recursion_config", _get, create=True)


def continued(model: Any, trace: str) -> str:
    """The trace header of one more invocation; raises RecursiveInvocationException if the chain is too long."""
    if model.recursive_loop != _ALLOW and lineage.count(trace, model.function_arn) >= lineage.MOST:
        raise client_error(
            "RecursiveInvocationException",
            "Lambda has detected your function being invoked in a recursive loop with other AWS resources and stopped "
            "your function's invocation.",
        )
    return lineage.continued(trace, model.function_arn)


def _put(response: Any) -> str:
    value = response.json_body["RecursiveLoop"]
    if value not in (_ALLOW, _TERMINATE):
        raise client_error("InvalidParameterValueException", f"RecursiveLoop is {value}: {_ALLOW} or {_TERMINATE}")
    _function(response).recursive_loop = value
    return json.dumps({"RecursiveLoop": value})


def _get(response: Any) -> str:
    return json.dumps({"RecursiveLoop": _function(response).recursive_loop})


def _function(response: Any) -> Any:
    return response.backend.get_function(response.path.split("/")[-2])
