"""Calls a deployed API, signed as IAM requires it for the routes of batches, and a function URL for all routes."""

import json
import urllib.error
import urllib.request
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class ApiAnswer(NamedTuple):
    """Status and JSON of an answer; a body that is no JSON object is {}."""

    status: int
    body: dict[str, Any]


class ApiClient:
    """The API at `url`, which ends with a slash; `credentials` are botocore's, and sign every call (SigV4)."""

    def __init__(self, url: str, credentials: Any, region: str, timeout_s: float = 60.0) -> None:
        self.url = url
        self._credentials, self._region, self._timeout_s = credentials, region, timeout_s
        self._is_url = ".lambda-url." in url

    def ask(self, path: str, body: dict[str, Any] | None = None, *, signed: bool = True) -> ApiAnswer:
        """POST if there is a body, otherwise GET; raises OSError if nothing answers."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        url = self.url + path
        if signed:
            headers = self._signed("POST" if data else "GET", url, data, headers)
        return self._send(urllib.request.Request(url, data, headers))

    def send_picture(self, data: bytes, media_type: str) -> ApiAnswer:
        """`POST /predict/image`, which needs no signature but at a function URL."""
        url, headers = f"{self.url}predict/image?top_k=1", {"Content-Type": media_type}
        if self._is_url:
            headers = self._signed("POST", url, data, headers)
        return self._send(urllib.request.Request(url, data, headers))

    def _send(self, request: urllib.request.Request) -> ApiAnswer:
        if urlsplit(request.full_url).scheme not in ("http", "https"):
            raise ValueError(f"{request.full_url!r} is not an address of HTTP")
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:
                return ApiAnswer(response.status, _object(response.read()))
        except urllib.error.HTTPError as error:
            return ApiAnswer(error.code, _object(error.read()))

    def _signed(self, method: str, url: str, data: bytes | None, headers: dict[str, str]) -> dict[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest(method, url, headers=headers, data=data)
        SigV4Auth(self._credentials, "lambda" if self._is_url else "execute-api", self._region).add_auth(request)
        return dict(request.headers.items())


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
