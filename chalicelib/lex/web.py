"""Gets a picture from an https address that a stranger has typed.

Whoever names the address must reach nothing that only this function can: no other scheme, port or login, and no host
whose address is not on the public internet. The connection is made to the address that was checked, and a redirect is
checked as the first address was. Only IPv4, since a function outside of a VPC has nothing else, and
since several kinds of IPv6 address hold an IPv4 one.

Source: OWASP, "Server-Side Request Forgery Prevention Cheat Sheet".
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from urllib.parse import SplitResult, urljoin, urlsplit

from chalicelib.aws.s3 import too_large
from chalicelib.errors import ClientError, InvalidRequest, ObjectForbidden

TIME_S = 8.0
"""For the whole of it; Lex waits 30 s for the hook."""
MAX_REDIRECTS = 3
HTTPS_PORT = 443
_CHUNK_BYTES = 65_536
_REDIRECTS = {301, 302, 303, 307, 308}
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "slimception"}

Connect = Callable[[str, str, float], http.client.HTTPConnection]
"""Host, the IPv4 address to connect to, seconds for each answer of the socket."""


class Web:
    """`resolve` gives a host's IPv4 addresses and raises OSError, `connect` makes a connection, still closed."""

    def __init__(self, resolve: Callable[[str], list[str]], connect: Connect, time_s: float = TIME_S) -> None:
        self._resolve, self._connect, self._time_s = resolve, connect, time_s

    def fetch(self, url: str, max_bytes: int) -> bytes:
        """The bytes at an https address.

        Raises ObjectForbidden for an address that may not be asked, PayloadTooLarge, and InvalidRequest if the host
        does not answer with the bytes.
        """
        deadline = time.monotonic() + self._time_s
        try:
            for _ in range(MAX_REDIRECTS + 1):
                parts = _checked(url)
                host = str(parts.hostname)
                found = self._ask(parts, host, self._public(host), deadline, max_bytes)
                if isinstance(found, bytes):
                    return found
                url = urljoin(url, found)
        except ClientError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise InvalidRequest(f"the address cannot be fetched ({type(error).__name__})") from error
        raise InvalidRequest(f"the address leads to another one more than {MAX_REDIRECTS} times")

    def _public(self, host: str) -> str:
        """The first of the host's addresses that is on the public internet."""
        for address in self._resolve(host):
            known = ipaddress.IPv4Address(address)
            if known.is_global and not known.is_multicast:
                return address
        raise ObjectForbidden(f"the host {host[:100]!r} is not on the public internet")

    def _ask(self, parts: SplitResult, host: str, address: str, deadline: float, max_bytes: int) -> bytes | str:
        """The body, or the address that a redirect names."""
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        with closing(self._connect(host, address, left_s)) as connection:
            connection.connect()
            timer = threading.Timer(left_s, _cut, [connection.sock])  # one byte a second would never time out
            timer.daemon = True
            timer.start()
            try:
                connection.request(
                    "GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), None, _HEADERS
                )
                response = connection.getresponse()
                location = response.headers.get("Location")
                if response.status in _REDIRECTS and location:
                    return location
                if response.status != http.client.OK:
                    raise InvalidRequest(f"the address answers with status {response.status}")
                data = _body(response, max_bytes)
            finally:
                timer.cancel()
        if time.monotonic() >= deadline:
            raise TimeoutError
        return data


def fetch(url: str, max_bytes: int) -> bytes:
    """`Web.fetch` over the network."""
    return Web(_addresses, _Pinned).fetch(url, max_bytes)


class _Pinned(http.client.HTTPSConnection):
    """Connects to one address, and asks there for the certificate of the host."""

    def __init__(self, host: str, address: str, timeout_s: float) -> None:
        self._address, self._tls = address, ssl.create_default_context()
        super().__init__(host, HTTPS_PORT, timeout=timeout_s, context=self._tls)

    def connect(self) -> None:
        raw = socket.create_connection((self._address, HTTPS_PORT), self.timeout)
        self.sock = self._tls.wrap_socket(raw, server_hostname=self.host)


def _addresses(host: str) -> list[str]:
    found = socket.getaddrinfo(host, HTTPS_PORT, socket.AF_INET, socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


def _checked(url: str) -> SplitResult:
    parts = urlsplit(url)
    is_plain = parts.scheme == "https" and parts.hostname and parts.port in (None, HTTPS_PORT)
    if not is_plain or parts.username is not None or not (url.isascii() and url.isprintable() and " " not in url):
        raise ObjectForbidden("only an address such as https://example.org/picture.jpg is fetched, or one in S3")
    return parts


def _body(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    if (response.length or 0) > max_bytes:
        raise too_large(response.length or 0, max_bytes)
    data = bytearray()
    while chunk := response.read1(_CHUNK_BYTES):
        data += chunk
        if len(data) > max_bytes:
            raise too_large(len(data), max_bytes)
    if response.length:
        raise http.client.IncompleteRead(bytes(data), response.length)
    return bytes(data)


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
