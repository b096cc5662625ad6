"""The contract at `GET /openapi.json`: OpenAPI 3.1 for this deployment and its installed models."""

from collections.abc import Mapping
from typing import Any

from chalicelib import strict_json
from chalicelib.api import protocols, schemas
from chalicelib.api.contract import (
    BATCH,
    EXAMPLE_IMAGE,
    IMAGE,
    INSTANCES,
    QUERY,
    SERVING,
    SINGLE,
    STORED_IMAGE,
    STORED_INSTANCES,
    UPLOAD,
    Schema,
    object_schema,
)
from chalicelib.api.exchange import Document
from chalicelib.inference.formats import BINARY_TYPES
from chalicelib.statuses import STATUS, UNEXPECTED

API_VERSION = "0.1.0"
PATH = "/openapi.json"
MAX_AGE_S = 60
_REFUSALS = (400, 404, 413, 415, 422, 500, 503)
_CUSTOMER: Schema = {
    "name": "X-Customer-Id",
    "in": "header",
    "schema": {"type": "string"},
    "description": "Whom the cost is counted for, where no API key says it. In an A/B test it keeps its arm.",
}
_HEADERS = {
    "X-Request-Id": {"description": "Also in the log line.", "required": True, "schema": {"type": "string"}},
    "Server-Timing": {"description": "Spans in milliseconds.", "schema": {"type": "string"}},
}


_SIGNATURE: Schema = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "description": "AWS Signature Version 4 of the service execute-api; without it API Gateway answers 403.",
    "x-amazon-apigateway-authtype": "awsSigv4",
}


def document(cards: list[dict[str, Any]], path: str = PATH, **offered: bool) -> Document:
    """The contract for the installed `cards`, asked for at `path`, which ends in PATH after a stage's prefix.

    `offered` are the options of `describe`.
    """
    contract = describe(cards, path.removesuffix(PATH) or "/", **offered)
    return Document(
        strict_json.dumps(contract),
        {"Content-Type": "application/json", "Cache-Control": f"public, max-age={MAX_AGE_S}"},
    )


def describe(
    cards: list[dict[str, Any]],
    server: str = "/",
    *,
    takes_batches: bool = False,
    takes_uploads: bool = False,
    signed: bool = False,
) -> Schema:
    """The contract as OpenAPI's JSON; `server` is the prefix of each path.

    `takes_batches`, `takes_uploads`: whether this installation does. `signed`: its calls for batches need a signature.
    """
    batches = _batches(cards) if takes_batches else {}
    for operation in (one for path in batches.values() for one in path.values() if signed):
        operation["security"] = [{"sigv4": []}]
    paths = {
        "/": {"get": _get("page", "The page for browsers", {"text/html": {}}, (500,))},
        "/predict": {"post": _predict(cards, takes_uploads)},
        "/predict/image": {"post": _predict_image(cards)},
        "/health": {"get": _get("health", "Whether the default model answers", _json("Health"), (500, 503))},
        "/models": {"get": _get("models", "The installed models", _json("Models"), (500, 503))},
        PATH: {"get": _get("openapi", "This contract", {"application/json": {}}, (500, 503))},
        **({"/uploads": {"post": _upload()}} if takes_uploads else {}),
        **protocols.paths(
            [card["name"] for card in cards if "error" not in card], _installed(cards)["top_k"], _of_protocol
        ),
        **batches,
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Slimception",
            "version": API_VERSION,
            "summary": "A trained image classifier on AWS Lambda.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "paths": {path: _with_head(operations) for path, operations in paths.items()},
        "components": {
            "schemas": schemas.COMPONENTS | protocols.COMPONENTS,
            **({"securitySchemes": {"sigv4": _SIGNATURE}} if batches and signed else {}),
        },
    }


def _predict(cards: list[dict[str, Any]], takes_uploads: bool) -> Schema:
    single, serving = ({**object_schema(fields)} for fields in (SINGLE, SERVING))
    image, instances = (STORED_IMAGE, STORED_INSTANCES) if takes_uploads else (IMAGE, INSTANCES)
    single["properties"] = {**single["properties"], "image": image.schema, **_installed(cards)}
    serving["properties"] = {**serving["properties"], "instances": instances.schema, **_installed(cards)}
    examples = {
        "image": {"value": {"image": EXAMPLE_IMAGE, "top_k": 1}},
        "instances": {"value": {"instances": [{"b64": EXAMPLE_IMAGE}, {"b64": EXAMPLE_IMAGE}]}},
    }
    content = {"application/json": {"schema": {"oneOf": [single, serving]}, "examples": examples}, **_bytes(cards)}
    return {
        "operationId": "predict",
        "summary": "Classify an image in any form, or several in TensorFlow Serving's",
        "parameters": [*_query(cards), _CUSTOMER],
        "requestBody": {"required": True, "content": content},
        "responses": _responses(_json("Answer", "InstancesAnswer"), _REFUSALS),
    }


def _predict_image(cards: list[dict[str, Any]]) -> Schema:
    return {
        "operationId": "predictImage",
        "summary": "Classify the image that is the body, or a form's file",
        "parameters": [*_query(cards), _CUSTOMER],
        "requestBody": {"required": True, "content": _bytes(cards)},
        "responses": _responses(_json("Answer"), _REFUSALS),
    }


def _query(cards: list[dict[str, Any]]) -> list[Schema]:
    return [
        {"name": name, "in": "query", "schema": schema, "description": QUERY[name].schema["description"]}
        for name, schema in _installed(cards).items()
    ]


def _bytes(cards: list[dict[str, Any]]) -> Schema:
    """The types of a body that is a picture, or a form with one. Any other type will do: the bytes decide."""
    fields = {name: {"anyOf": [schema, {"const": ""}]} for name, schema in _installed(cards).items()}  # left empty
    form = {"image": {"type": "string", "format": "binary"}, **fields}
    schema = {"type": "object", "properties": form, "required": ["image"], "additionalProperties": False}
    return {**{media_type: {} for media_type in BINARY_TYPES}, "multipart/form-data": {"schema": schema}}


def _upload() -> Schema:
    body = {**object_schema(UPLOAD), "required": []}
    return {
        "operationId": "startUpload",
        "summary": "A signed form with which an image too large for a request goes to S3",
        "requestBody": {"required": False, "content": {"application/json": {"schema": body}}},
        "responses": _responses(_json("Upload"), (400, 404, 413, 415, 500, 503), "201"),
    }


def _of_protocol(answer: str, refusals: tuple[int, ...]) -> Schema:
    return _responses(_json(answer), refusals, error="ProtocolError")


def _batches(cards: list[dict[str, Any]]) -> Schema:
    body = object_schema(BATCH)
    body["properties"] = {**body["properties"], **_installed(cards)}
    start = {
        "operationId": "startBatch",
        "summary": "Begin to classify what lies under a prefix in S3",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": _responses(_json("Batch"), (400, 403, 404, 413, 415, 500, 503), "202"),
    }
    progress = _get("batch", "How far a batch is", _json("Batch"), (404, 500, 503))
    progress["parameters"] = [{"name": "batch_id", "in": "path", "required": True, "schema": {"type": "string"}}]
    return {"/batches": {"post": start}, "/batches/{batch_id}": {"get": progress}}


def _installed(cards: list[dict[str, Any]]) -> dict[str, Schema]:
    """The fields whose bounds the installed models set: `top_k` by the largest, `model` by their names."""
    usable = [card for card in cards if "error" not in card]
    bounds: Mapping[str, Schema] = {
        "top_k": {"maximum": max(card["output"]["classes"] for card in usable)} if usable else {},
        "model": {"enum": [card["name"] for card in usable]} if usable else {},
    }
    return {name: {**field.schema, **bounds[name]} for name, field in QUERY.items()}


def _get(name: str, summary: str, content: Schema, refusals: tuple[int, ...]) -> Schema:
    return {"operationId": name, "summary": summary, "responses": _responses(content, refusals)}


def _with_head(operations: Schema) -> Schema:
    """The operations of a path, and HEAD where there is GET: the same without a body."""
    if "get" not in operations:
        return operations
    get = operations["get"]
    responses = {
        status: {name: part for name, part in response.items() if name != "content"}
        for status, response in get["responses"].items()
    }
    summary = f"{get['summary']}: the headers alone"
    return {
        **operations,
        "head": {**get, "operationId": f"{get['operationId']}Head", "summary": summary, "responses": responses},
    }


def _responses(content: Schema, refusals: tuple[int, ...], good: str = "200", error: str = "Error") -> Schema:
    errors = dict([*STATUS.values(), UNEXPECTED])
    return {good: {"description": "The answer", "headers": _HEADERS, "content": content}} | {
        str(status): {"description": errors[status], "headers": _HEADERS, "content": _json(error)}
        for status in refusals
    }


def _json(*names: str) -> Schema:
    references = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return {"application/json": {"schema": references[0] if len(references) == 1 else {"oneOf": references}}}
