"""The fields of a request. `parsing` checks them and `openapi` publishes them, so that the two cannot differ.

Fields are JSON Schema 2020-12; `fits` knows the keywords that are used here.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from chalicelib.aws.urls import S3_PATTERN
from chalicelib.inference.classifier import DEFAULT_TOP_K
from chalicelib.inference.formats import listed

Schema = dict[str, Any]

MAX_INSTANCES = 32
_SPACE, _CHARACTER = r"[ \t\r\n\f\v]*", r"[A-Za-z0-9+/_-]"
BASE64_PATTERN = (
    r"^(?:[Dd][Aa][Tt][Aa]:[^,]*;[Bb][Aa][Ss][Ee]64,)?"
    rf"{_SPACE}(?:(?:{_CHARACTER}{_SPACE}){{4}})*(?:{_CHARACTER}{_SPACE}){{2,4}}(?:={_SPACE}){{0,2}}$"
)
"""The base64 that `parsing.decode_base64` accepts. It decodes instead of matching, which takes 200 times as long."""


class Field(NamedTuple):
    """A field's schema, and the same in words for the message that refuses a value."""

    schema: Schema
    expected: str


IMAGE = Field(
    {
        "type": "string",
        "pattern": BASE64_PATTERN,
        "contentEncoding": "base64",
        "description": f"A {listed('or')} image: base64, plain or URL-safe, or a data: URL.",
    },
    "a string of base64",
)
TOP_K = Field(
    {
        "type": "integer",
        "minimum": 1,
        "default": DEFAULT_TOP_K,
        "description": "How many labels to answer with, best first; at most as many as the model has.",
    },
    "a whole number of at least 1",
)
MODEL = Field(
    {
        "type": "string",
        "minLength": 1,
        "description": "An installed model; left out, the default one, or in an A/B test one of the two.",
    },
    "the name of a model as a string",
)
INSTANCE = Field(
    {"type": "object", "properties": {"b64": IMAGE.schema}, "required": ["b64"], "additionalProperties": False},
    '{"b64": "<base64>"}',
)
INSTANCES = Field(
    {"type": "array", "minItems": 1, "maxItems": MAX_INSTANCES, "items": INSTANCE.schema},
    f"a list of 1 to {MAX_INSTANCES} objects",
)
STORED_IMAGE = Field(
    {
        "type": "string",
        "anyOf": [{"pattern": BASE64_PATTERN}, {"pattern": S3_PATTERN}],
        "description": f"A {listed('or')} image: base64, plain or URL-safe, a data: URL, or an upload's s3:// URL.",
    },
    IMAGE.expected,
)
"""IMAGE and INSTANCES of a stage that has a bucket."""
STORED_INSTANCES = Field(
    {**INSTANCES.schema, "items": {**INSTANCE.schema, "properties": {"b64": STORED_IMAGE.schema}}}, INSTANCES.expected
)
SIGNATURE_NAME = Field({"description": "TensorFlow Serving's clients send it; it is not used."}, "anything")

QUERY: Mapping[str, Field] = {"top_k": TOP_K, "model": MODEL}
"""The query of `POST /predict/image`."""
SINGLE: Mapping[str, Field] = {"image": IMAGE, **QUERY}
"""The body of `POST /predict`; the first field is required, here and below."""
SERVING: Mapping[str, Field] = {"instances": INSTANCES, **QUERY, "signature_name": SIGNATURE_NAME}
"""The same in TensorFlow Serving's form."""
SOURCE = Field(
    {
        "type": "string",
        "pattern": S3_PATTERN,
        "description": "Where the pictures lie: every object whose key begins so is classified.",
    },
    "s3://bucket/prefix",
)
OUTPUT = Field(
    {
        "type": "string",
        "pattern": S3_PATTERN,
        "description": "Where results.jsonl and summary.json go; left out, results/<id>/ in the bucket of the source.",
    },
    "s3://bucket/prefix",
)
BATCH: Mapping[str, Field] = {"source": SOURCE, **QUERY, "output": OUTPUT}
"""The body of `POST /batches`."""
UPLOAD: Mapping[str, Field] = {
    "bytes": Field(
        {"type": "integer", "minimum": 1, "description": "The picture's size; S3 then takes no larger one."},
        "a whole number of at least 1",
    ),
    "content_type": Field(
        {"type": "string", "pattern": r"^image/[!-~]{1,94}$", "description": "With which S3 takes it, and no other."},
        "the media type of an image, such as image/jpeg",
    ),
}
"""The body of `POST /uploads`; none is required."""
EXAMPLE_IMAGE = (
    "iVBORw0KGgoAAAANSUhEUgAAABgAAAAYAQAAAADIDABVAAAAPElEQVR42lXMsQ2AMBQD0RczCIzC/pNkACoU9CmIBBSWi/O5FfHGsIYtS4naAzXq"
    "4dfcnbOPnxtd0D6fN6J+DHKasRysAAAAAElFTkSuQmCC"
)
"""A seven, 24x24, 117 bytes of PNG. The examples of the contract and the canary send it."""

_TYPES = {"string": str, "integer": int, "array": list, "object": dict}


def object_schema(fields: Mapping[str, Field]) -> Schema:
    """The schema of an object that holds `fields` and no others."""
    properties = {name: field.schema for name, field in fields.items()}
    return {
        "type": "object",
        "properties": properties,
        "required": [next(iter(fields))],
        "additionalProperties": False,
    }


def fits(value: Any, schema: Schema) -> bool:
    """Whether a JSON value has the type and the bounds of `schema`; patterns and items are not looked at.

    As in JSON Schema, `true` is no number, whatever Python says, and 5.0 is the whole number 5.
    """
    kind = schema.get("type")
    if kind == "integer" and type(value) is float and value.is_integer():
        value = int(value)
    if kind is not None and type(value) is not _TYPES[kind]:
        return False
    if kind == "integer":
        return bool(value >= schema["minimum"])
    if kind == "string":
        return bool(len(value) >= schema.get("minLength", 0))
    if kind == "array":
        return bool(schema["minItems"] <= len(value) <= schema["maxItems"])
    return kind != "object" or set(schema["required"]) <= set(value) <= set(schema["properties"])
