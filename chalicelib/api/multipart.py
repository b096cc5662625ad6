"""multipart/form-data: what HTML forms, `curl -F` and `requests.post(files=...)` send.

Source: RFC 7578 and RFC 2046, 5.1. The standard library has no parser but `email`, which takes 40 ms to import and
260 ms for 5 MB; `multipart` of PyPI takes 12 and 4.6 ms, and this 3 ms for 5 MB.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from chalicelib.api.contract import QUERY
from chalicelib.api.parsing import (
    Fetch,
    PredictRequest,
    parse_model,
    parse_top_k,
    picture_of,
    whole_number,
)
from chalicelib.errors import InvalidRequest, shown

MAX_PARTS = 8
"""A picture, two fields, and what browsers add."""
MAX_HEADER_BYTES = 4096
"""Of one part's headers."""
PICTURE_NAMES = ("image", "file")
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^\s";,]{1,70}))\s*(?:;|$)', re.IGNORECASE)
_PARAMETER = re.compile(r';\s*(name|filename\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";]+))', re.IGNORECASE)
_EXPECTED = 'send one file as "image", and top_k or model as fields'


class Part(NamedTuple):
    """A part of a form; `is_file`: it has a file's name, which may be empty."""

    name: str
    data: bytes
    is_file: bool
    has_file_name: bool


def parse(body: bytes, content_type: str, fetch: Fetch) -> PredictRequest:
    """The picture and the fields of a form; raises InvalidRequest, or what `fetch` raises for an `s3://` picture.

    The picture is the part named image or file, or the only part that is a file. As text it is what JSON's "image" is.
    """
    found = list(_parts(body, _boundary(content_type)))
    pictures = [part for part in found if part.is_file or part.name in PICTURE_NAMES]
    chosen = [part for part in pictures if part.data or part.has_file_name]  # a browser sends one if none is chosen
    if len(chosen) > 1:
        raise InvalidRequest(f"the form has {len(chosen)} pictures: {_EXPECTED}; several go as JSON's instances")
    if not chosen:
        raise InvalidRequest(f"the form has no picture, or no file was chosen: {_EXPECTED}")
    fields = _fields([part for part in found if part not in pictures])
    picture = chosen[0]
    if not picture.data:
        raise InvalidRequest(f"the form's file {shown(picture.name)} is empty: {_EXPECTED}")
    top_k, model = parse_top_k(fields), parse_model(fields)
    data = picture.data if picture.is_file else picture_of(_text(picture), f'"{picture.name}"', fetch)
    return PredictRequest((data,), top_k, model)


def _boundary(content_type: str) -> bytes:
    found = _BOUNDARY.search(content_type)
    if not found:
        raise InvalidRequest(
            "the form's Content-Type names no boundary: let the client set it, as requests, curl -F and browsers do"
        )
    return b"--" + (found[1] or found[2]).encode("latin-1", "replace")


def _parts(body: bytes, delimiter: bytes) -> Iterator[Part]:
    """The parts between delimiters. Each byte is looked at a few times, whatever the body holds."""
    if body.startswith(delimiter):
        at = len(delimiter)
    else:  # behind a preamble, which is to be ignored
        at = body.find(b"\r\n" + delimiter) + 2 + len(delimiter)
        if at == 1 + len(delimiter):
            raise InvalidRequest(f"the form's boundary never comes ({len(body)} bytes received): {_EXPECTED}")
    for _ in range(MAX_PARTS + 1):
        if body.startswith(b"--", at):
            return
        end = body.find(b"\r\n" + delimiter, at)
        if end < 0:
            raise InvalidRequest(f"the form's last boundary never comes ({len(body)} bytes received): was it cut off?")
        yield _part(body, at, end)
        at = end + 2 + len(delimiter)
    raise InvalidRequest(f"the form has more than {MAX_PARTS} parts: {_EXPECTED}")


def _part(body: bytes, at: int, end: int) -> Part:
    start = body.find(b"\r\n", at, min(end + 2, at + 80))  # white space may follow a delimiter
    stop = body.find(b"\r\n\r\n", start, min(end + 4, start + MAX_HEADER_BYTES)) if start >= 0 else -1
    if stop < 0:
        raise InvalidRequest(f"a part of the form has no headers, or more than {MAX_HEADER_BYTES} bytes of them")
    headers = _headers(body[start + 2 : stop])
    disposition = headers.get("content-disposition", "")
    parameters = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(disposition)}
    encoding = headers.get("content-transfer-encoding", "binary").strip().lower()
    if encoding not in ("binary", "8bit", "7bit"):
        raise InvalidRequest(f"a part of the form has the Content-Transfer-Encoding {encoding[:60]!r}: send it binary")
    if not disposition.lower().lstrip().startswith("form-data") or "name" not in parameters:
        raise InvalidRequest('a part of the form has no Content-Disposition: form-data; name="..."')
    file_name = parameters.get("filename", parameters.get("filename*"))
    return Part(parameters["name"], body[stop + 4 : end], file_name is not None, bool(file_name))


def _headers(lines: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines.decode("utf-8", "replace").split("\r\n"))
    return {name.strip().lower(): value for name, _, value in pairs}


def _fields(parts: list[Part]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for part in parts:
        if part.name not in QUERY:
            raise InvalidRequest(f"unknown field {shown(part.name)} in the form: expected image, {', '.join(QUERY)}")
        if part.name in fields:
            raise InvalidRequest(f"the form has the field {shown(part.name)} twice: send it once")
        text = _text(part)
        if text:  # a form sends its empty fields too
            fields[part.name] = whole_number(text) if part.name == "top_k" else text
    return fields


def _text(part: Part) -> str:
    try:
        return part.data.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the form's field {shown(part.name)} is not UTF-8: send a picture as a file") from error
