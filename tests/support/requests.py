"""Requests as Chalice hands them to the API, and what the answers must look like."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class FakeRequest:
    """What `bodies.Request` asks for."""

    raw_body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    query_params: dict[str, str] | None = None
    context: dict[str, Any] | None = None
    path: str = "/predict"
    method: str = "POST"
    event: dict[str, Any] = field(default_factory=dict)

    def to_original_event(self) -> dict[str, Any]:
        return self.event


def json_request(fields: Any, **options: Any) -> FakeRequest:
    return FakeRequest(json.dumps(fields).encode(), {"content-type": "application/json"}, **options)


def image_request(data: bytes, content_type: str = "image/png", **query: str) -> FakeRequest:
    return FakeRequest(data, {"content-type": content_type}, query or None, path="/predict/image")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def settled(body: dict[str, Any]) -> dict[str, Any]:
    """An answer without what differs from one request to the next."""
    return {name: value for name, value in body.items() if name not in ("timing_ms", "cold_start", "request_id")}


CODES = {
    400: "BadRequestError",
    403: "ForbiddenError",
    404: "NotFoundError",
    413: "PayloadTooLargeError",
    415: "UnsupportedMediaTypeError",
    422: "UnprocessableEntityError",
    500: "InternalServerError",
    503: "ServiceUnavailableError",
}


def assert_is_error(body: dict[str, Any], status: int) -> str:
    """The body has Chalice's shape and the request's id; gives the message."""
    assert set(body) == {"Code", "Message", "request_id"}
    assert body["Code"] == CODES[status]
    assert body["request_id"]
    return body["Message"]
