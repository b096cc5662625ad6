"""Requests made by hand, each with the status that it must get: `REQUESTS`."""

import base64
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmarks.hostile.bombs import png
from benchmarks.hostile.bombs.bomb import png_chunk
from benchmarks.hostile.samples import drawn, encoded
from benchmarks.hostile.values import (
    BODIES,
    CODINGS,
    FOREIGN,
    JSON_TYPE,
    JSON_TYPES,
    MODELS,
    NO_BASE64,
    NO_FIELDS,
    OTHER_TYPES,
    TOP_K,
    TOP_K_QUERY,
)
from chalicelib.api.contract import MAX_INSTANCES
from chalicelib.inference.formats import BINARY_TYPES

Event = dict[str, Any]
PICTURES = {name: encoded(drawn("RGB"), name) for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP")}
PICTURE = PICTURES["PNG"]
TEXT = base64.b64encode(PICTURE).decode()


class Sent(NamedTuple):
    """One request as API Gateway's event, and the status of its answer."""

    name: str
    event: Event
    status: int


def event(method: str, path: str, body: bytes | str | None = None, **given: Any) -> Event:
    """The event of a REST API; `bytes` are sent in base64, as API Gateway does with binary types."""
    binary = isinstance(body, bytes)
    return {
        "requestContext": {"httpMethod": method, "resourcePath": path, "requestId": "by-hand"},
        "headers": {"content-type": JSON_TYPE},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": binary,
    } | given


def predict(fields: Any, **given: Any) -> Event:
    """`POST /predict` with JSON, or with text as it is."""
    return event("POST", "/predict", fields if isinstance(fields, str | bytes) else json.dumps(fields), **given)


def raw(data: bytes, kind: str | None = "image/png", **query: str | list[str]) -> Event:
    """`POST /predict/image`."""
    values = {name: value if isinstance(value, list) else [value] for name, value in query.items()}
    headers = {} if kind is None else {"content-type": kind}
    return event("POST", "/predict/image", data, headers=headers, multiValueQueryStringParameters=values or None)


def spellings(text: str) -> dict[str, str]:
    """The same base64, in every way in which it may be written."""
    safe = text.replace("+", "-").replace("/", "_")
    return {
        "plain": text,
        "unpadded": text.rstrip("="),
        "URL-safe": safe,
        "URL-safe, unpadded": safe.rstrip("="),
        "in lines": "\r\n".join(text[n : n + 76] for n in range(0, len(text), 76)),
        "with spaces": f" \t{text[:9]} \f\v{text[9:]}\n",
        "data: URL": f"data:image/png;base64,{text}",
        "data: URL of another type": f"data:text/html;base64,{text}",
        "data: URL in capitals": f"DATA:;BASE64,{text}",
    }


def of_json() -> Iterator[Sent]:
    """`POST /predict` with one image."""
    for image_format, data in PICTURES.items():
        for name, text in spellings(base64.b64encode(data).decode()).items():
            yield Sent(f"{image_format}, {name}", predict({"image": text}), 200)
    for text in NO_BASE64:
        yield Sent(f"no base64: {text!r}", predict({"image": text}), 400)
    for value in NO_FIELDS:
        yield Sent(f"image is {json.dumps(value)[:40]}", predict({"image": value}), 400)
    for number, body in enumerate(BODIES):
        yield Sent(f"body {number}: {body[:40]!r}", predict(body), 400)
    for top_k, status in TOP_K:
        yield Sent(f"top_k {top_k[:40]}", predict(f'{{"image": "{TEXT}", "top_k": {top_k}}}'), status)
    for model, status in MODELS:
        yield Sent(f"model {json.dumps(model)[:40]}", predict({"image": TEXT, "model": model}), status)
    for kind, status in JSON_TYPES:
        yield Sent(f"JSON as {kind[:60]!r}", predict({"image": TEXT}, headers={"content-type": kind}), status)
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-le"):
        yield Sent(f"JSON in {encoding}", predict(json.dumps({"image": TEXT}).encode(encoding)), 200)
    for encoding in ("utf-7", "cp037", "utf-16"):
        yield Sent(f"JSON cut in {encoding}", predict(json.dumps({"image": TEXT}).encode(encoding)[:-1]), 400)
    for kind, name in (("utf-16", "another charset"), ("latin-1", "latin-1")):
        headers = {"content-type": f"application/json; charset={kind}"}
        yield Sent(f"JSON that claims {name}", predict({"image": TEXT}, headers=headers), 200)


def of_bytes() -> Iterator[Sent]:
    """`POST /predict/image`."""
    for kind in [*BINARY_TYPES, "IMAGE/PNG", "image/png; x=y", "", None]:
        yield Sent(f"bytes as {kind!r}", raw(PICTURE, kind), 200)
    for kind in OTHER_TYPES:
        yield Sent(f"bytes as {kind[:60]!r}", raw(PICTURE, kind), 200)
        yield Sent(f"text as {kind[:60]!r}", raw(b"hello", kind), 415)
    for kind in ("image/png,image/gif", "multipart/form-data; boundary=x", "multipart/form-data"):
        yield Sent(f"bytes as {kind!r}", raw(PICTURE, kind), 400)
    for coding, status in CODINGS:
        headers = {"content-type": "image/png", "content-encoding": coding}
        yield Sent(
            f"bytes encoded as {coding[:60]!r}", event("POST", "/predict/image", PICTURE, headers=headers), status
        )
    for name, data in FOREIGN.items():
        yield Sent(f"bytes of {name}", raw(data), 415)
    for text, status in TOP_K_QUERY:
        yield Sent(f"top_k={text[:40]}", raw(PICTURE, top_k=text), status)
    for model, status in MODELS:
        if isinstance(model, str):
            yield Sent(f"model={model[:40]!r}", raw(PICTURE, model=model), status)
    for name in ("topk", "TOP_K", "", "image", "top_k ", "top_k[]", "__proto__", "x" * 9_000, "\0"):
        yield Sent(f"query {name[:40]!r}", raw(PICTURE, **{name: "1"}), 400)
    yield Sent("top_k twice", raw(PICTURE, top_k=["1", "2"]), 200)
    yield Sent("no bytes", raw(b""), 400)
    yield Sent("base64 as text", event("POST", "/predict/image", TEXT, headers={}), 415)
    yield Sent("no body", event("POST", "/predict/image", None, headers={}), 400)
    for image_format, data in PICTURES.items():
        yield Sent(f"{image_format} with a trailer", raw(data + b"trailer" * 99), 200)
        for share in (30, 50, 70):
            yield Sent(f"{image_format} cut at {share} %", raw(data[: len(data) * share // 100]), 422)
        yield Sent(f"{image_format}, its first 20 bytes", raw(data[:20]), 422)
        yield Sent(f"{image_format} behind a space", raw(b" " + data), 415)
    for width, height in ((16_385, 1), (1, 16_385), (2**31 - 1, 1), (6_000, 6_000), (2**31 - 1, 2**31 - 1)):
        claim = png.header(width, height, 8, 0) + png_chunk(b"IDAT", b"x") + png.END
        yield Sent(f"a PNG that claims {width}x{height}", raw(claim), 413)


def of_instances() -> Iterator[Sent]:
    """TensorFlow Serving's form."""
    good = {"b64": TEXT}
    for number in (1, 2, MAX_INSTANCES):
        yield Sent(f"{number} instances", predict({"instances": [good] * number}), 200)
    yield Sent("instances, signature_name", predict({"instances": [good], "signature_name": [1]}), 200)
    yield Sent("instances, top_k", predict({"instances": [good], "top_k": 2, "model": "digits"}), 200)
    wrong: list[Any] = [
        [],
        [good] * (MAX_INSTANCES + 1),
        {},
        None,
        "AAAA",
        1,
        True,
        [None],
        [1],
        ["AAAA"],
        [[]],
        [[good]],
    ]
    wrong += [[{}], [{"b64": None}], [{"b64": 1}], [{"B64": TEXT}], [{**good, "x": 1}], [good, {}], [good, {"b64": ""}]]
    for value in wrong:
        yield Sent(f"instances: {json.dumps(value)[:40]}, {len(str(value))}", predict({"instances": value}), 400)
    for name, data in (("no picture", b"ABC"), ("cut", PICTURE[:60])):
        text = base64.b64encode(data).decode()
        status = 422 if data[:4] == PICTURE[:4] else 415
        yield Sent(f"instances, one is {name}", predict({"instances": [good, {"b64": text}]}), status)
    yield Sent("both forms", predict({"instances": [good], "image": TEXT}), 400)


def of_the_rest() -> Iterator[Sent]:
    """Pages, health, batches, headers, and events of another shape."""
    for path in ("/", "/health", "/models", "/openapi.json"):
        forms: dict[str, Event] = {
            "plain": {},
            "no headers": {"headers": {}},
            "a query": {"multiValueQueryStringParameters": {"x": ["1", "2"]}},
            "a body": {"body": "{", "headers": {"content-type": JSON_TYPE}},
            "a customer": {"headers": {"x-customer-id": "\r\n\0" * 99}},
            "an accept": {"headers": {"accept": "image/png;q=0.1, */*;q=x"}},
        }
        for name, given in forms.items():
            yield Sent(f"GET {path}, {name}", event("GET", path, **given), 200)
    for source in ("s3://bucket/prefix", "", "s3://", None, 1):
        yield Sent(f"a batch of {source!r}", event("POST", "/batches", json.dumps({"source": source})), 404)
    for batch_id in ("x", "../x", "\0", "x" * 9_000, "\U0001f600"):
        given = event("GET", "/batches/{batch_id}", pathParameters={"batch_id": batch_id})
        yield Sent(f"batch {batch_id[:20]!r}", given, 404)
    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", ""):
        status = 200 if method == "OPTIONS" else 405
        yield Sent(f"{method} /predict", event(method, "/predict", json.dumps({"image": TEXT})), status)
    for name, headers in {
        "a customer": {"x-customer-id": "acme"},
        "a long customer": {"x-customer-id": "x" * 9_000},
        "a trace": {"x-amzn-trace-id": "Root=1;\n"},
        "a type in capitals": {"CONTENT-TYPE": JSON_TYPE},
        "many headers": {f"x-{n}": "y" for n in range(500)},
    }.items():
        yield Sent(f"predict with {name}", predict({"image": TEXT}, headers={"content-type": JSON_TYPE} | headers), 200)
    yield Sent("broken base64", {**raw(b"x"), "body": "!"}, 400)
    yield Sent("a lone surrogate", predict('{"image": "\ud800"}'), 400)
    yield Sent("an empty JSON body", predict(""), 400)
    yield Sent("no JSON body", event("POST", "/predict", None), 400)
    yield Sent("JSON of 7 MB", predict('{"image": "' + "A" * 7_000_000 + '"}'), 413)
    yield Sent("bytes of 7 MB", raw(bytes(7_000_000)), 413)


REQUESTS = [*of_json(), *of_bytes(), *of_instances(), *of_the_rest()]
