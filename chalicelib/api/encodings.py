"""Content-Encoding: a body that was sent compressed. It is imported where a request has the header."""

import zlib

from chalicelib.errors import InvalidRequest, PayloadTooLarge, UnsupportedMediaType

_GZIP = 16 + zlib.MAX_WBITS
"""Asks zlib for gzip's header and checksum. Source: zlib manual, "inflateInit2"."""


def decoded(data: bytes, coding: str, max_bytes: int, advice: str = "") -> bytes:
    """The bytes that were compressed. No more than `max_bytes` + 1 of them are ever made.

    Raises UnsupportedMediaType for another coding than gzip, PayloadTooLarge, or InvalidRequest for damaged data. One
    member of gzip's file format is read, for no HTTP client sends several.
    """
    if coding not in ("gzip", "x-gzip"):  # the same: RFC 9110, 8.4.1.3
        raise UnsupportedMediaType(f"Content-Encoding is {coding[:60]!r}: gzip is accepted, or none")
    stream = zlib.decompressobj(_GZIP)
    try:
        plain = stream.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise InvalidRequest(f"the body is no gzip, or a damaged one ({len(data)} bytes received)") from error
    if len(plain) > max_bytes:
        raise PayloadTooLarge(
            f"the body has more than {max_bytes} bytes when decompressed: at most {max_bytes} are accepted{advice}"
        )
    if not stream.eof or stream.unused_data:
        fault = "bytes follow its end" if stream.eof else "its end is missing"
        raise InvalidRequest(f"the gzip body is damaged: {fault} ({len(data)} bytes received)")
    return plain
