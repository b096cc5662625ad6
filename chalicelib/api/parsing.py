"""Request bodies and parameters to checked values. Every refusal names what was received and what is accepted."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from chalicelib import strict_json
from chalicelib.api import base64_text, picture_json
from chalicelib.api.contract import (
    BATCH,
    IMAGE,
    INSTANCE,
    INSTANCES,
    MODEL,
    OUTPUT,
    QUERY,
    SERVING,
    SINGLE,
    SOURCE,
    TOP_K,
    Field,
    fits,
)
from chalicelib.aws.urls import parse_s3_url
from chalicelib.errors import InvalidRequest, shown

_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
_WHITE_SPACE = b" \t\r\n\f\v"
Fetch = Callable[[str, str], bytes]
"""Reads the picture that an S3 URL names, for the field with a name."""


class PredictRequest(NamedTuple):
    """Images as sent, the number of labels wanted (None: the default), the model's name (None: the default)."""

    images: tuple[bytes, ...]
    top_k: int | None = None
    model: str | None = None
    is_instances: bool = False
    """True for TensorFlow Serving's `instances`, whose answer holds one list for each instance."""
    item: str = '"instances"[{}]'
    """How an error names one of several pictures, by its number."""


def no_bucket(url: str, field: str) -> bytes:
    """The `Fetch` of a process that has no bucket; raises InvalidRequest."""
    raise InvalidRequest(
        f"{field} is {shown(url)}: images in S3 are read only by a deployed stage with a bucket; send the image itself"
    )


def parse_predict(body: bytes, fetch: Fetch = no_bucket) -> PredictRequest:
    """`{"image", "top_k", "model"}`, or `{"instances": [{"b64"}], ...}`; raises InvalidRequest, or what `fetch` raises.

    A picture is base64, or the `s3://` URL of one, which `fetch` reads.
    """
    known = picture_json.read(body)
    fields = known.fields if known else json_object(body)
    top_k, model = parse_top_k(fields), parse_model(fields)
    if "instances" in fields:
        refuse_unknown(fields, SERVING)
        return PredictRequest(_instances(fields["instances"], fetch), top_k, model, is_instances=True)
    refuse_unknown(fields, SINGLE)
    if "image" not in fields:
        raise InvalidRequest('the field "image" is missing: send {"image": "<base64>"}')
    picture = known.picture if known else picture_of(fields["image"], '"image"', fetch)
    return PredictRequest((picture,), top_k, model)


class BatchRequest(NamedTuple):
    """S3 URLs as sent, number of labels, model's name; None: the default."""

    source: str
    top_k: int | None = None
    model: str | None = None
    output: str | None = None


def parse_batch(body: bytes) -> BatchRequest:
    """`{"source", "top_k", "model", "output"}`; raises InvalidRequest."""
    fields = json_object(body)
    refuse_unknown(fields, BATCH)
    if "source" not in fields:
        raise InvalidRequest('the field "source" is missing: send {"source": "s3://bucket/prefix"}')
    source = str(_check('"source"', fields["source"], SOURCE))
    output = str(_check('"output"', fields["output"], OUTPUT)) if "output" in fields else None
    parse_s3_url(source, "source")  # `_check` does not look at patterns
    if output is not None:
        parse_s3_url(output, "output")
    return BatchRequest(source, parse_top_k(fields), parse_model(fields), output)


def parse_image_query(query: Mapping[str, str]) -> tuple[int | None, str | None]:
    """`top_k` and `model` of a query, `?top_k=&model=`; raises InvalidRequest."""
    fields: dict[str, Any] = dict(query)
    refuse_unknown(fields, QUERY)
    if "top_k" in fields:
        fields["top_k"] = whole_number(fields["top_k"])
    return parse_top_k(fields), parse_model(fields)


def whole_number(text: str) -> int | str:
    """The number that a query or a form writes in digits; other text as it is, for `parse_top_k` to refuse."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def parse_top_k(fields: dict[str, Any]) -> int | None:
    """An integer of at least 1; the model sets the upper bound. A bool is not an integer here."""
    return int(_check('"top_k"', fields["top_k"], TOP_K)) if "top_k" in fields else None


def parse_model(fields: dict[str, Any]) -> str | None:
    """A model's name, or None where the field is absent."""
    return str(_check('"model"', fields["model"], MODEL)) if "model" in fields else None


def picture_of(text: Any, field: str, fetch: Fetch) -> bytes:
    """The bytes that a text names: base64, or an S3 URL. Raises InvalidRequest, or what `fetch` raises."""
    if isinstance(text, str) and text.startswith("s3://"):  # no base64 has a colon
        return fetch(text, field)
    return decode_base64(text, field)


def decode_base64(text: Any, field: str) -> bytes:
    """Base64, plain or URL-safe, padded or not, with or without white space or a `data:` prefix.

    Every spelling of the same bytes gives the same bytes; anything else raises InvalidRequest, for
    Python's lenient decoder would drop what it does not know and answer for other bytes.
    """
    _check(field, text, IMAGE)
    if text[:5].lower() == "data:":
        head, _, text = text.partition(",")
        if not head.lower().endswith(";base64"):
            raise InvalidRequest(f"{field} is a data: URL that is not base64: expected data:image/...;base64,...")
    if not text.isascii():
        raise InvalidRequest(f"{field} is not base64: it holds characters outside ASCII")
    try:
        if text:
            return base64_text.exact(text)
    except ValueError:
        pass  # it may be spelled otherwise
    compact = text.encode("ascii").translate(_STANDARD_ALPHABET, _WHITE_SPACE)
    bare = compact.rstrip(b"=")
    if not bare:
        raise InvalidRequest(f"{field} is empty: expected the base64 of an image")
    if len(compact) - len(bare) > 2 or len(bare) % 4 == 1:
        raise InvalidRequest(f"{field} is not base64: {len(compact)} characters cannot be a whole number of bytes")
    try:
        return base64_text.exact(bare + b"=" * (-len(bare) % 4))
    except ValueError as error:
        raise InvalidRequest(f"{field} is not base64: it holds characters outside its alphabet") from error


def _instances(instances: Any, fetch: Fetch) -> tuple[bytes, ...]:
    images = []
    for number, instance in enumerate(_check('"instances"', instances, INSTANCES)):
        name = f'"instances"[{number}]'
        images.append(picture_of(_check(name, instance, INSTANCE)["b64"], name, fetch))
    return tuple(images)


def json_object(body: bytes) -> dict[str, Any]:
    """The object that a JSON body holds; raises InvalidRequest."""
    try:
        fields = strict_json.loads(body)
    except (ValueError, RecursionError) as error:
        if "\ufffd" in body.decode("utf-8", "replace"):  # here or in a gateway, which replaces such bytes
            raise InvalidRequest("the body is not JSON: it holds bytes that are no text") from error
        raise InvalidRequest(f"the body is not JSON ({len(body)} bytes received)") from error
    if not isinstance(fields, dict):
        raise InvalidRequest(f"the body is {shown(fields)}: expected a JSON object")
    return fields


def _check(name: str, value: Any, field: Field) -> Any:
    """`value` when it fits its field; raises InvalidRequest."""
    if not fits(value, field.schema):
        raise InvalidRequest(f"{name} is {shown(value)}: expected {field.expected}")
    return value


def refuse_unknown(fields: Mapping[str, Any], known: Mapping[str, Field]) -> None:
    """Raise InvalidRequest for the first field that is not known."""
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise InvalidRequest(f"unknown field {shown(unknown[0])}: expected {', '.join(known)}")
