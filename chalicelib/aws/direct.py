"""GETs of AWS without an SDK, over one connection that stays open: objects of S3, whole or in ranges, and who calls.

A failure that a retry may mend (no connection, a time-out, a short body, 408, 429, 5xx) is retried here.
"""

import random
import re
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

from chalicelib.aws.signing import signed_headers
from chalicelib.config import AwsAccess
from chalicelib.errors import StorageError

T = TypeVar("T")
TIMEOUT_S = 5.0
"""To connect, and for the next bytes of an answer."""
RANGE_LIMIT_S = 60.0
"""Of one try of one range. A process that Lambda freezes between two requests may wake up far beyond it."""
TRIES, PAUSE_S = 4, 0.1
"""Of one call; the pause doubles, and a random half of it is left out."""
CHUNK_BYTES = 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
_PASSING = {408, 429, 500, 502, 503, 504}
_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")
_ACCOUNT = re.compile(rb"<Account>(\d{12})</Account>")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")


class Refused(Exception):
    """AWS answers with an error that no retry mends. `code` is AWS's; `region` the bucket's, if it is another one."""

    def __init__(self, status: int, code: str, region: str | None = None) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.region = status, code, region


class Changed(Exception):
    """The object is not the one any more of which a range was read before."""


class Found(NamedTuple):
    """A small object."""

    data: bytes
    etag: str
    modified: str
    """The header Last-Modified: it differs after each upload, also of the same bytes."""


class Range(NamedTuple):
    """What the answer to a range says of the whole object."""

    etag: str
    size_bytes: int


class Connection:
    """To one host, for one thread at a time. It connects at its first call, and again after a failure."""

    def __init__(self, access: AwsAccess, service: str, host: str, timeout_s: float = TIMEOUT_S) -> None:
        """`host` is AWS's own, such as `sts.us-east-1.amazonaws.com`; an endpoint of the access replaces it."""
        self._access, self._service = access, service
        url = urlsplit(access.endpoint or f"https://{host}")
        self._host = url.netloc
        if url.scheme == "http":
            self._connection = HTTPConnection(url.netloc, timeout=timeout_s)
        else:
            self._connection = HTTPSConnection(url.netloc, timeout=timeout_s, context=_tls())

    def close(self) -> None:
        """Close it; another call opens it again."""
        self._connection.close()

    def get(
        self, path: str, headers: Mapping[str, str], read: Callable[[HTTPResponse], T], query: str = "", good: int = 200
    ) -> T:
        """What `read` makes of the answer, whose status is `good`.

        Raises Refused, Changed if a condition of `headers` does not hold, and StorageError after the last try.
        """
        for number in range(TRIES):
            if number:
                time.sleep(PAUSE_S * 2 ** (number - 1) * random.uniform(0.5, 1))
            try:
                return read(self._answer(path, query, headers, good))
            except (OSError, HTTPException) as error:
                self.close()
                last = error
            except BaseException:
                self.close()
                raise
        raise StorageError(
            f"{self._service} does not answer ({type(last).__name__}: {str(last)[:100]}): check the network of the "
            "function, and try again"
        ) from last

    def _answer(self, path: str, query: str, headers: Mapping[str, str], good: int) -> HTTPResponse:
        url = (self._host, path, query)
        sent = signed_headers(self._access, self._service, url, headers, datetime.now(UTC))
        self._connection.request("GET", f"{path}?{query}" if query else path, headers=sent)
        answer = self._connection.getresponse()
        if answer.status == good:
            return answer
        code = _CODE.search(answer.read(MAX_ERROR_BYTES))
        named = code[1].decode() if code else answer.reason[:64]
        if answer.status in _PASSING:
            raise HTTPException(f"{answer.status} {named}")
        if answer.status == 412:
            raise Changed
        raise Refused(answer.status, named, answer.headers.get("x-amz-bucket-region"))


class Bucket:
    """Reads objects of one bucket over one connection; `owner` is the account that it must belong to."""

    def __init__(self, access: AwsAccess, bucket: str, owner: str, timeout_s: float = TIMEOUT_S) -> None:
        """A name with dots is part of the path, since no certificate of S3's covers it as a part of the host."""
        host = f"s3.{access.region}.{_domain(access.region)}"
        in_path = access.endpoint is not None or "." in bucket
        self._connection = Connection(access, "s3", host if in_path else f"{bucket}.{host}", timeout_s)
        self._prefix = f"/{bucket}/" if in_path else "/"
        self._owned = {"x-amz-expected-bucket-owner": owner}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def read(self, key: str, max_bytes: int) -> Found:
        """A small object, whole; of a larger one, `max_bytes` and one more. Raises as `Connection.get` does."""

        def whole(answer: HTTPResponse) -> Found:
            data = answer.read(max_bytes + 1)
            if answer.length and len(data) <= max_bytes:
                raise IncompleteRead(data, answer.length)
            if answer.length:
                self.close()
            return Found(data, answer.headers.get("etag", ""), answer.headers.get("last-modified", ""))

        return self._connection.get(self._prefix + quote(key), self._owned, whole)

    def read_range(
        self, key: str, first: int, size: int, etag: str | None, write: Callable[[memoryview, int], object]
    ) -> Range:
        """Hand up to `size` bytes from offset `first` on to `write`, in pieces, each with its offset.

        After a failure they are handed over again from the first. Raises Changed if the object's ETag is not `etag`,
        and as `Connection.get` does.
        """
        headers = {**self._owned, "range": f"bytes={first}-{first + size - 1}"}
        if etag:
            headers["if-match"] = etag

        def stored(answer: HTTPResponse) -> Range:
            found = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
            if found is None or int(found[1]) != first:
                raise HTTPException("the answer is not the range that was asked for")
            last, total = int(found[2]), int(found[3])
            if last != min(first + size, total) - 1:
                raise HTTPException("the answer is not the range that was asked for")
            _store(answer, first, last + 1, write)
            return Range(answer.headers.get("etag", ""), total)

        return self._connection.get(self._prefix + quote(key), headers, stored, good=206)


def account_of(access: AwsAccess) -> str:
    """The id of the account to which the keys belong. Raises StorageError, also if STS refuses to say."""

    def read(answer: HTTPResponse) -> str:
        found = _ACCOUNT.search(answer.read(MAX_ERROR_BYTES))
        if found is None:
            raise HTTPException("the answer names no account")
        return found[1].decode()

    connection = Connection(access, "sts", f"sts.{access.region}.{_domain(access.region)}")
    try:
        return connection.get("/", {}, read, "Action=GetCallerIdentity&Version=2011-06-15")
    except Refused as error:
        raise StorageError(f"STS does not say whose keys these are ({error}): check the credentials") from error
    finally:
        connection.close()


@cache
def _tls() -> ssl.SSLContext:
    """One for all connections: it reads the system's certificates, which takes 15 ms and more."""
    return ssl.create_default_context()


def _store(answer: HTTPResponse, first: int, end: int, write: Callable[[memoryview, int], object]) -> None:
    """Hand the bytes from offset `first` up to `end` on as they come; raises IncompleteRead and TimeoutError."""
    buffer = memoryview(bytearray(min(CHUNK_BYTES, end - first)))
    limit = time.monotonic() + RANGE_LIMIT_S
    while first < end:
        count = answer.readinto(buffer[: end - first])
        if not count:
            raise IncompleteRead(b"", end - first)
        if time.monotonic() > limit:
            raise TimeoutError(f"{end - first} bytes of a range are missing after {RANGE_LIMIT_S:.0f} s")
        write(buffer[:count], first)
        first += count


def _domain(region: str) -> str:
    """Source: AWS General Reference, "AWS service endpoints"."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
