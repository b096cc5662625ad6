"""HTTP with the standard library: one request and its response, tried again while what went wrong may pass."""

import http.client
import random
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

PASSING = frozenset({429, 502, 503, 504})
"""Statuses of what may have passed a moment later: throttled, or a gateway without its function."""
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
"""Longer than this nobody waits at once, whatever Retry-After says."""
TIMEOUT_S = 60
"""For a connection, and for the next bytes of a response: a REST API ends after 29 s, a function URL does not."""


class RequestFailed(Exception):
    """A request without a usable response. `status` is None if there was none at all."""

    def __init__(self, message: str, status: int | None = None, request_id: str | None = None) -> None:
        super().__init__(message)
        self.status, self.request_id = status, request_id


class Response(NamedTuple):
    """Any status but a redirect."""

    status: int
    headers: "Message[str, str]"
    body: bytes


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """urllib would follow a redirect of POST with GET, and lose the picture."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Transport:
    """Sends requests, each at most `tries` times. Several threads may share it."""

    def __init__(self, tries: int, sleep: Callable[[float], object] | None = None) -> None:
        self._tries, self._stopped = tries, threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._opener = urllib.request.build_opener(_NoRedirects)

    def stop(self) -> None:
        """Wait no longer and try nothing again; what is under way ends by itself."""
        self._stopped.set()

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Response:
        """The response, of any status; raises RequestFailed if there is none, or only one that redirects."""
        for tried in range(1, self._tries + 1):
            last = tried == self._tries or self._stopped.is_set()
            try:
                response = self._once(urllib.request.Request(url, body, dict(headers), method=method))
            except (OSError, http.client.HTTPException) as error:
                if last or _is_permanent(error):
                    raise RequestFailed(f"{url} cannot be reached ({_reason(error)}): is the address right?") from error
                wait_s = _backoff_s(tried)
            else:
                if last or response.status not in PASSING:
                    return response
                wait_s = retry_after_s(response.headers.get("Retry-After")) or _backoff_s(tried)
            self._sleep(min(wait_s, LONGEST_WAIT_S))
        raise ValueError("tries is less than 1")

    def _once(self, request: urllib.request.Request) -> Response:
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as response:
                return Response(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                if 300 <= error.code < 400:
                    location = error.headers.get("Location", "another address")
                    raise RequestFailed(f"the server redirects to {location}: give that address", error.code) from error
                return Response(error.code, error.headers, error.read())


def retry_after_s(text: str | None) -> float:
    """Seconds from now that a Retry-After asks for, as a number or a date; 0 if it says nothing.

    Source: RFC 9110, section 10.2.3.
    """
    if not text:
        return 0.0
    if text.strip().isascii() and text.strip().isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, (at - datetime.now(at.tzinfo or UTC)).total_seconds()) if at.tzinfo else 0.0


def _backoff_s(tried: int) -> float:
    """Doubled with each try, and spread by half, so that parallel requests do not return together."""
    return float(FIRST_WAIT_S * 2 ** (tried - 1) * random.uniform(0.5, 1.5))


def _is_permanent(error: Exception) -> bool:
    return isinstance(getattr(error, "reason", error), ssl.SSLCertVerificationError)


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason or type(reason).__name__)
