"""The calls of the API that the command uses."""

import json
import re
import secrets
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Any, NamedTuple

from chalicelib.client.transport import RequestFailed, Response, Transport
from chalicelib.errors import InvalidRequest

_AGENT = "slimception-client"
_WORDS = {
    403: "the server refuses it: an API key (--api-key) or another right may be missing, or the stage in the address",
    404: "there is no such route: give the address of the API, with its stage if it has one",
    413: "the picture is too large for the server",
    429: "too many requests: ask for less at once (--parallel), or later",
    502: "the function behind the gateway failed",
    503: "the server is not available",
    504: "the server took too long",
}
"""For answers of gateways, which have no Message of the app's own."""


class Needs(NamedTuple):
    """What the models that may answer need of a picture."""

    shorter_px: int
    """The shorter side that is enough for all of them."""
    averages: bool
    """Whether all of them average pixels, so that a picture may be scaled down before it is sent."""


class Server:
    """One served API. `headers` go with every request to it, and not to the bucket of an upload."""

    def __init__(self, url: str, transport: Transport, headers: Mapping[str, str] | None = None) -> None:
        self._root = _checked(url)
        self._transport = transport
        self._headers = {"User-Agent": _AGENT, "Accept": "application/json", **(headers or {})}
        self._takes_uploads: bool | None = None
        self._lock = threading.Lock()

    def needs(self, model: str | None, oversampling: int) -> Needs:
        """What `model` needs, or the default model, or both of an A/B test; raises RequestFailed or InvalidRequest."""
        body = self._json("GET", "models")
        if not isinstance(body.get("models"), list):
            raise self._no_api()
        cards = {card["name"]: card for card in body["models"] if "error" not in card}
        test = body.get("experiment")
        default = next((card["name"] for card in body["models"] if card.get("default")), None)
        names = [model] if model else [test["first"], test["second"]] if test else [default]
        if model and model not in cards:
            raise InvalidRequest(f"model {model!r} is not installed: there are {', '.join(cards) or 'none'}")
        inputs = [cards[name]["input"] for name in names if name in cards]
        shorter = [oversampling * max(one["width"], one["height"]) / one["crop"] for one in inputs]
        averages = bool(inputs) and all(one.get("resize", "bilinear") == "bilinear" for one in inputs)
        return Needs(int(max(shorter, default=0)) + 1, averages)

    def predict(self, data: bytes, content_type: str, query: Mapping[str, str]) -> dict[str, Any]:
        """The answer for a picture's own bytes; raises RequestFailed."""
        path = "predict/image" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        return self._json("POST", path, data, {"Content-Type": content_type})

    def predict_stored(self, image: str, query: Mapping[str, str]) -> dict[str, Any]:
        """The answer for a picture that `upload` stored; raises RequestFailed."""
        fields = {name: int(text) if name == "top_k" else text for name, text in query.items()}
        return self._post("predict", {"image": image, **fields})

    def takes_uploads(self) -> bool:
        """Whether the contract has POST /uploads; it is asked for once."""
        with self._lock:
            if self._takes_uploads is None:
                self._takes_uploads = "/uploads" in self._json("GET", "openapi.json")["paths"]
            return self._takes_uploads

    def upload(self, data: bytes, content_type: str) -> str:
        """Put a picture into the stage's bucket; returns its s3:// URL, and raises RequestFailed."""
        kind = {"content_type": content_type} if content_type.startswith("image/") else {}
        given = self._post("uploads", {"bytes": len(data), **kind})
        body, form_type = form(given["upload"]["fields"], data)
        headers = {"User-Agent": _AGENT, "Content-Type": form_type}
        response = self._transport.send("POST", given["upload"]["url"], headers, body)
        if not 200 <= response.status < 300:
            code = re.search(rb"<Code>(\w{1,60})</Code>", response.body)
            reason = f" ({code[1].decode()})" if code else ""
            raise RequestFailed(f"S3 refuses the upload with status {response.status}{reason}", response.status)
        return str(given["image"])

    def _no_api(self) -> RequestFailed:
        return RequestFailed(
            f"{self._root} does not answer as this API: give its address, with its stage if it has one"
        )

    def _post(self, path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        return self._json("POST", path, json.dumps(fields).encode(), {"Content-Type": "application/json"})

    def _json(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        response = self._transport.send(method, self._root + path, {**self._headers, **(headers or {})}, body)
        content = _object(response)
        if not 200 <= response.status < 300:
            raise _refusal(response, content or {})
        if content is None:
            raise self._no_api()
        return content


def form(fields: Mapping[str, str], data: bytes) -> tuple[bytes, str]:
    """The multipart body of `fields` and then a field `file`, and its content type. Source: RFC 7578."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in fields.items()
    ]
    parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="picture"\r\n\r\n')
    return "".join(
        parts
    ).encode() + data + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _checked(url: str) -> str:
    try:
        parts = urllib.parse.urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise InvalidRequest(
            f"{url[:100]!r} is no address of an API: expected http:// or https://, a host, and a path if any"
        )
    return url.rstrip("/") + "/"


def _object(response: Response) -> dict[str, Any] | None:
    try:
        content = json.loads(response.body)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _refusal(response: Response, content: Mapping[str, Any]) -> RequestFailed:
    status = response.status
    request_id = content.get("request_id") or response.headers.get("x-amzn-RequestId")
    if "Message" in content:
        return RequestFailed(str(content["Message"]), status, request_id)
    words = _WORDS.get(status, "the server gives no reason")
    said = f" ({str(content['message'])[:80]})" if "message" in content else ""
    return RequestFailed(f"{words}{said}", status, request_id)
