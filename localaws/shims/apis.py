"""All patches together, while the server runs, and the one for Chalice's API documents.

`mock.patch.object` undoes what it did, so that other tests in the same process see moto as it is.
"""

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from moto.apigateway.models import APIGatewayBackend

from localaws.access.guard import Guard
from localaws.host.lambda_host import LambdaHost
from localaws.shims import (
    deliveries,
    express,
    fronts,
    functions,
    mappings,
    queues,
    recursion,
    resources,
    stacks,
    state_machines,
    streams,
    tables,
)
from localaws.shims.limits import Limits
from localaws.shims.throughput import WriteLimit

_BINARY_TYPES = "x-amazon-apigateway-binary-media-types"
_INTEGRATION = "x-amazon-apigateway-integration"


@contextmanager
def applied(host: LambdaHost, endpoint_url: str, region: str, guard: Guard, limits: Limits) -> Iterator[None]:
    """Run moto's invocations in `host`, accept Chalice's API documents, leave queues to the pollers.

    `guard` decides about what services do in a role's name.
    """

    def may(role: str, action: str, resource: str) -> bool:
        return guard.may(role, action, resource, region)

    with ExitStack() as patches:
        for patch in (
            functions.runs_in(host, endpoint_url, guard),
            functions.takes_architectures(),
            *_rest_apis(),
            *mappings.patches(may, limits.transition_s),
            *recursion.patches(),
            *queues.patches(),
            *fronts.patches(),
            *stacks.patches(),
            *resources.patches(),
            *deliveries.patches(),
            *streams.patches(),
            *tables.patches(WriteLimit(limits.write_units_per_s)),
            *state_machines.patches(endpoint_url, may),
            *express.patches(limits.express_s),
        ):
            patches.enter_context(patch)
        yield


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """An API document in the shape that moto's importer requires.

    Chalice writes Swagger 2.0, which API Gateway accepts. Moto refuses that version, though it reads nothing that
    differs in OpenAPI 3. It also requires a description, and a URI even for mock integrations.
    """
    document = copy.deepcopy(document)
    if document.pop("swagger", None):
        document["openapi"] = "3.0.1"
    document["info"].setdefault("description", "")
    for operations in document["paths"].values():
        for operation in operations.values():
            if _INTEGRATION in operation:
                operation[_INTEGRATION].setdefault("uri", "")
                operation[_INTEGRATION].setdefault("httpMethod", "POST")
    return document


def _rest_apis() -> Iterator[Any]:
    put_rest_api, import_rest_api = APIGatewayBackend.put_rest_api, APIGatewayBackend.import_rest_api
    create_resource = APIGatewayBackend.create_resource

    def put(backend: Any, function_id: str, api_doc: dict[str, Any], *args: Any, **options: Any) -> Any:
        api = put_rest_api(backend, function_id, completed(api_doc), *args, **options)
        api.binaryMediaTypes = api_doc.get(_BINARY_TYPES, [])  # moto drops them, and who may call a method
        for resource in api.resources.values():
            for name, operation in api_doc["paths"].get(resource.get_path(), {}).items():
                if {"sigv4": []} in operation.get("security", []):
                    resource.resource_methods[name.upper()].authorization_type = "AWS_IAM"
        return api

    def import_(backend: Any, api_doc: dict[str, Any], *args: Any, **options: Any) -> Any:
        return import_rest_api(backend, completed(api_doc), *args, **options)

    def create(backend: Any, function_id: str, parent_resource_id: str, path_part: str) -> Any:
        if not path_part:  # the path "/" of a document is the root that every API has
            return backend.get_resource(function_id, parent_resource_id)
        return create_resource(backend, function_id, parent_resource_id, path_part)

    yield mock.patch.object(APIGatewayBackend, "put_rest_api", put)
    yield mock.patch.object(APIGatewayBackend, "import_rest_api", import_)
    yield mock.patch.object(APIGatewayBackend, "create_resource", create)
