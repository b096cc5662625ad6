"""The answers as JSON Schema. It is strict, so that a field added only here or only in a view fails a test."""

from collections.abc import Iterable
from typing import Any, get_args

from chalicelib.api.contract import Schema
from chalicelib.api.health import MAX_NAMES
from chalicelib.batch.record import BatchState
from chalicelib.inference.card import COLORS, RESIZES, SCORES
from chalicelib.inference.engine import FEATURES
from chalicelib.inference.evidence import EVIDENCE
from chalicelib.statuses import STATUS, UNEXPECTED

STRING: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}
MILLISECONDS: Schema = {"type": "number", "minimum": 0}
ANY_OBJECT: Schema = {"type": "object"}


def _object(properties: dict[str, Any], optional: Iterable[str] = ()) -> Schema:
    required = [name for name in properties if name not in set(optional)]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_ARM = {"name": STRING, "arm": {"enum": ["A", "B"]}, "fallback": BOOLEAN}
_EXPERIMENT = {"name": STRING, "first": STRING, "second": STRING, "share": {**NUMBER, "minimum": 0, "maximum": 1}}
_ANSWER = {
    "model": _object(
        {"name": STRING, "version": STRING, "quantization": STRING, "trained": BOOLEAN, "warning": STRING}, ["warning"]
    ),
    "predictions": _list(_ref("Prediction")),
    "timing_ms": _object(dict.fromkeys(("decode", "preprocess", "inference", "total"), MILLISECONDS)),
    "cold_start": BOOLEAN,
    "request_id": STRING,
    "experiment": _ref("Arm"),
}
_CARD = {
    "name": STRING,
    "version": STRING,
    "sha256": STRING,
    "crc32": {**STRING, "description": "Of the model file; not there: the card is older than this field."},
    "size_bytes": WHOLE,
    "quantization": STRING,
    "trained": BOOLEAN,
    "input": _object(
        {
            "width": WHOLE,
            "height": WHOLE,
            "color": {"enum": list(COLORS)},
            "crop": NUMBER,
            "mean": _list(NUMBER),
            "std": _list(NUMBER),
            "resize": {"enum": list(RESIZES), "default": "bilinear"},
        },
        ["resize"],
    ),
    "output": _object(
        {
            "classes": WHOLE,
            "scores": {"enum": list(SCORES)},
            "label_offset": WHOLE,
            "binary": {**BOOLEAN, "default": False, "description": "One output, the score of the second label."},
        },
        ["binary"],
    ),
    "source": ANY_OBJECT,
    "verification": ANY_OBJECT,
    "contract": {
        "type": "object",
        "additionalProperties": _object({"value": STRING, "from": {"enum": list(EVIDENCE)}, "reason": STRING}),
        "description": "What input and output mean, and how the conversion knows; not there: the card does not say.",
    },
}
_OPTIONAL = ["contract", "crc32"]
_ASSUMED = {**_list(STRING), "description": "What the card assumes, because nothing in the model says it."}
_RUNTIME = {
    "engine": STRING,
    "engine_version": STRING,
    "threads": WHOLE,
    "python": STRING,
    "architecture": STRING,
    "features": {
        **_list({"enum": list(FEATURES.values())}),
        "description": "Those of the processor that decide how fast it is in 8 bits, by the Linux kernel's names.",
    },
    "memory_mb": {"type": ["integer", "null"]},
}
_DELEGATE = {
    "partitions": {**WHOLE, "description": "Parts of the graph that XNNPACK holds; 0: it runs without XNNPACK."},
    "operators": {**WHOLE, "description": "Of the whole graph."},
    "outside": {**WHOLE, "description": "Operators that XNNPACK does not hold."},
    "outside_names": {
        "type": "object",
        "additionalProperties": {"type": "integer", "minimum": 1},
        "maxProperties": MAX_NAMES,
        "description": "The most common names among these, each with its count.",
    },
}
_ORIGIN = {
    **_object(
        {"uri": STRING, "etag": STRING, "fetch_ms": MILLISECONDS, "error": STRING}, ["etag", "fetch_ms", "error"]
    ),
    "description": "Of a model that was fetched: where it is, its card's ETag, how long that took, what failed last.",
}

COMPONENTS: dict[str, Schema] = {
    "Prediction": _object({"index": WHOLE, "label": STRING, "score": {"type": "number", "minimum": 0, "maximum": 1}}),
    "Arm": {**_object(_ARM), "description": "The arm of an A/B test. A fallback: B's model failed and A's answered."},
    "Experiment": {
        **_object({**_EXPERIMENT, "error": STRING}, ["error"]),
        "description": "The A/B test of the requests that name no model; the error is why the second does not answer.",
    },
    "Answer": _object(_ANSWER, ["experiment"]),
    "InstancesAnswer": _object({**_ANSWER, "predictions": _list(_list(_ref("Prediction")))}, ["experiment"]),
    "Card": _object(_CARD, _OPTIONAL),
    "Models": _object(
        {
            "models": _list(
                {
                    "oneOf": [
                        _object(
                            {**_CARD, "warnings": _ASSUMED, "origin": _ORIGIN, "default": BOOLEAN},
                            [*_OPTIONAL, "warnings", "origin"],
                        ),
                        _object({"name": STRING, "error": STRING, "origin": _ORIGIN, "default": BOOLEAN}, ["origin"]),
                    ]
                }
            ),
            "request_id": STRING,
            "experiment": _ref("Experiment"),
        },
        ["experiment"],
    ),
    "Health": _object(
        {
            "status": {"const": "ok"},
            "model": _ref("Card"),
            "runtime": _object(_RUNTIME),
            "delegate": {
                "oneOf": [{"type": "null"}, _object(_DELEGATE)],
                "description": "What XNNPACK, which has the fast kernels, holds of the model; null: it is not known.",
            },
            "warnings": {
                **_list(STRING),
                "description": "What the card assumes; why the model is slower than it need be, and what helps.",
            },
            "cold_start": {"type": "object", "additionalProperties": MILLISECONDS},
            "origin": _ORIGIN,
            "request_id": STRING,
            "experiment": _ref("Experiment"),
        },
        ["origin", "experiment"],
    ),
    "Upload": _object(
        {
            "image": {**STRING, "description": "What to send as POST /predict's image, once the form was sent."},
            "upload": _object({"url": STRING, "fields": {"type": "object", "additionalProperties": STRING}}),
            "max_bytes": WHOLE,
            "expires_in_s": WHOLE,
            "request_id": STRING,
        }
    ),
    "Batch": _object(
        {
            "id": STRING,
            "state": {"enum": list(get_args(BatchState))},
            "source": STRING,
            "total": {**WHOLE, "type": ["integer", "null"]},
            "listed": WHOLE,
            "done": WHOLE,
            "failed": WHOLE,
            "rate_per_s": NUMBER,
            "estimated_s_left": {**WHOLE, "type": ["integer", "null"]},
            "results": {"type": ["string", "null"]},
            "summary": {"type": ["string", "null"]},
            "error": {"oneOf": [{"type": "null"}, _object({"Code": STRING, "Message": STRING})]},
            "request_id": STRING,
        }
    ),
    "Error": _object(
        {
            "Code": {"enum": sorted({code for _, code in [*STATUS.values(), UNEXPECTED]})},
            "Message": STRING,
            "request_id": STRING,
            "status": {"const": "unavailable", "description": "Only from GET /health."},
        },
        ["status"],
    ),
}
