"""Request bodies and parameters to checked values. Every refusal names what was received and what is accepted."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, NamedTuple

from chalicelib import strict_json
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


class PredictRequest(NamedTuple):
    """Images as sent, the number of labels wanted (None: the default), the model's name (None: the default)."""

    images: tuple[bytes, ...]
    top_k: int | None = None
    model: str | None = None
    is_instances: bool = False
    """True for TensorFlow Serving's `instances`, whose answer holds one list for each instance."""


def parse_predict(body: bytes) -> PredictRequest:
    """`{"image", "top_k", "model"}`, or `{"instances": [{"b64"}], ...}`; raises InvalidRequest."""
    fields = _json_object(body)
    top_k, model = parse_top_k(fields), parse_model(fields)
    if "instances" in fields:
        _refuse_unknown(fields, SERVING)
        return PredictRequest(_instances(fields["instances"]), top_k, model, is_instances=True)
    _refuse_unknown(fields, SINGLE)
    if "image" not in fields:
        raise InvalidRequest('the field "image" is missing: send {"image": "<base64>"}')
    return PredictRequest((decode_base64(fields["image"], '"image"'),), top_k, model)


class BatchRequest(NamedTuple):
    """S3 URLs as sent, number of labels, model's name; None: the default."""

    source: str
    top_k: int | None = None
    model: str | None = None
    output: str | None = None


def parse_batch(body: bytes) -> BatchRequest:
    """`{"source", "top_k", "model", "output"}`; raises InvalidRequest."""
    fields = _json_object(body)
    _refuse_unknown(fields, BATCH)
    if "source" not in fields:
        raise InvalidRequest('the field "source" is missing: send {"source": "s3://bucket/prefix"}')
    source = str(_check('"source"', fields["source"], SOURCE))
    output = str(_check('"output"', fields["output"], OUTPUT)) if "output" in fields else None
    parse_s3_url(source, "source")  # `_check` does not look at patterns
    if output is not None:
        parse_s3_url(output, "output")
    return BatchRequest(source, parse_top_k(fields), parse_model(fields), output)


def parse_image_query(query: dict[str, str]) -> tuple[int | None, str | None]:
    """`top_k` and `model` of `POST /predict/image?top_k=&model=`; raises InvalidRequest."""
    fields: dict[str, Any] = dict(query)
    _refuse_unknown(fields, QUERY)
    text = fields.get("top_k", "")
    if text.isascii() and text.isdigit() and len(text) < 10:
        fields["top_k"] = int(text)
    return parse_top_k(fields), parse_model(fields)


def parse_top_k(fields: dict[str, Any]) -> int | None:
    """An integer of at least 1; the model sets the upper bound. A bool is not an integer here."""
    return int(_check('"top_k"', fields["top_k"], TOP_K)) if "top_k" in fields else None


def parse_model(fields: dict[str, Any]) -> str | None:
    """A model's name, or None where the field is absent."""
    return str(_check('"model"', fields["model"], MODEL)) if "model" in fields else None


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
    compact = text.encode("ascii").translate(_STANDARD_ALPHABET, _WHITE_SPACE)
    bare = compact.rstrip(b"=")
    if not bare:
        raise InvalidRequest(f"{field} is empty: expected the base64 of an image")
    if len(compact) - len(bare) > 2 or len(bare) % 4 == 1:
        raise InvalidRequest(f"{field} is not base64: {len(compact)} characters cannot be a whole number of bytes")
    try:
        return base64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except binascii.Error as error:
        raise InvalidRequest(f"{field} is not base64: it holds characters outside its alphabet") from error


def _instances(instances: Any) -> tuple[bytes, ...]:
    images = []
    for number, instance in enumerate(_check('"instances"', instances, INSTANCES)):
        name = f'"instances"[{number}]'
        images.append(decode_base64(_check(name, instance, INSTANCE)["b64"], name))
    return tuple(images)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        fields = strict_json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is not JSON ({len(body)} bytes received)") from error
    if not isinstance(fields, dict):
        raise InvalidRequest(f"the body is {shown(fields)}: expected a JSON object")
    return fields


def _check(name: str, value: Any, field: Field) -> Any:
    """`value` when it fits its field; raises InvalidRequest."""
    if not fits(value, field.schema):
        raise InvalidRequest(f"{name} is {shown(value)}: expected {field.expected}")
    return value


def _refuse_unknown(fields: dict[str, Any], known: Mapping[str, Field]) -> None:
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise InvalidRequest(f"unknown field {shown(unknown[0])}: expected {', '.join(known)}")
