"""What the server of `chalice local` lacks: bodies in chunks, requests with two Content-Types, HEAD's length.

API Gateway does all this before a function is called. Deployed, nothing imports this module.
"""

import json
from typing import Any, BinaryIO

_MARK = "reads_chunks"
_LINE, _TRAILERS = 1024, 32
"""Bytes of a line between chunks, and lines behind the last one."""
_DISCARDED = 16
"""Times the limit: as much is read of a body that is refused, so that its sender sees the answer."""


class BadChunks(Exception):
    """The body is not in the form that Transfer-Encoding names."""


def equip(handler: Any, max_bytes: int) -> None:
    """Give Chalice's request handler, a class, what it lacks. A body in chunks is read up to `max_bytes` + 1 bytes."""
    if hasattr(handler, _MARK):
        return
    parse, answer, send_no_body = handler._parse_payload, handler._generic_handle, handler._send_http_response_no_body

    def parse_payload(self: Any) -> tuple[dict[str, str], bytes | None]:
        if "transfer-encoding" in self.headers:
            headers, body = dict(self.headers), chunks(self)
        else:
            headers, body = parse(self)
        both = self.headers.get_all("content-type", [])
        return (headers if len(both) < 2 else {**headers, "Content-Type": ", ".join(both)}), body

    def chunks(self: Any) -> bytes:
        self.close_connection = True  # set back where all was read
        coding = self.headers["transfer-encoding"].strip().lower()
        if coding != "chunked" or "content-length" in self.headers:
            raise BadChunks("Transfer-Encoding is chunked alone, and without Content-Length")
        body, is_whole = read_chunks(self.rfile, max_bytes)
        self.close_connection = not is_whole or self.headers.get("connection", "").lower() == "close"
        return body

    def handle(self: Any) -> None:
        try:
            answer(self)
        except BadChunks as error:
            refusal = {"Code": "BadRequestError", "Message": f"the body cannot be read: {error}"}
            self._send_http_response(400, {"Connection": "close"}, json.dumps(refusal))

    def send_head(self: Any, status: int, headers: dict[str, Any]) -> None:
        if self.command != "HEAD" or "Content-Length" not in headers:
            send_no_body(self, status, headers)
            return
        self.send_response(status)  # Chalice would say that GET's body is empty as well
        self._send_headers(headers)

    handler._parse_payload, handler._send_http_response_no_body = parse_payload, send_head
    for method in ("GET", "PUT", "POST", "HEAD", "DELETE", "PATCH", "OPTIONS"):
        setattr(handler, f"do_{method}", handle)
    setattr(handler, _MARK, True)


def read_chunks(stream: BinaryIO, max_bytes: int) -> tuple[bytes, bool]:
    """A body in chunks, and whether all of it was read; raises BadChunks.

    Of a body that has more, the first `max_bytes` + 1 bytes. Source: RFC 9112, 7.1.
    """
    body, seen = bytearray(), 0
    while seen <= max_bytes * _DISCARDED:
        size_text = _line(stream).partition(b";")[0].strip()
        if not size_text or len(size_text) > 8 or size_text.strip(b"0123456789abcdefABCDEF"):
            raise BadChunks(f"{size_text[:20].decode('latin-1')!r} is no length of a chunk")
        size = int(size_text, 16)
        if not size:
            for _ in range(_TRAILERS):
                if not _line(stream):
                    return bytes(body), True
            raise BadChunks("more than 32 lines follow the last chunk")
        seen += size
        _read(stream, size, body, max_bytes + 1)
        if _line(stream):
            raise BadChunks("a chunk does not end where its length says")
    return bytes(body), False


def _read(stream: BinaryIO, size: int, body: bytearray, most: int) -> None:
    """Read a chunk in pieces, and keep of it what fits into `most` bytes of the body."""
    while size:
        piece = stream.read(min(size, 65_536))
        if not piece:
            raise BadChunks("it ends within a chunk")
        size -= len(piece)
        body += piece[: max(0, most - len(body))]


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline(_LINE)
    if not line.endswith(b"\n"):
        raise BadChunks("it ends before its last chunk" if len(line) < _LINE else "a line between chunks is too long")
    return line.rstrip(b"\r\n")
