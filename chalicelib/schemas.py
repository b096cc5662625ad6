"""What the answers look like, as JSON Schema. Strict, so that a field that is added here or there alone is found."""

from collections.abc import Iterable
from typing import Any

from chalicelib.card import COLORS, SCORES
from chalicelib.contract import Schema
from chalicelib.exchange import STATUS, UNEXPECTED

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


_ANSWER = {
    "model": _object(
        {"name": STRING, "version": STRING, "quantization": STRING, "trained": BOOLEAN, "warning": STRING}, ["warning"]
    ),
    "predictions": _list(_ref("Prediction")),
    "timing_ms": _object(dict.fromkeys(("decode", "preprocess", "inference", "total"), MILLISECONDS)),
    "cold_start": BOOLEAN,
    "request_id": STRING,
}
_CARD = {
    "name": STRING,
    "version": STRING,
    "sha256": STRING,
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
        }
    ),
    "output": _object({"classes": WHOLE, "scores": {"enum": list(SCORES)}, "label_offset": WHOLE}),
    "source": ANY_OBJECT,
    "verification": ANY_OBJECT,
}
_RUNTIME = {
    "engine": STRING,
    "engine_version": STRING,
    "threads": WHOLE,
    "python": STRING,
    "architecture": STRING,
    "memory_mb": {"type": ["integer", "null"]},
}

COMPONENTS: dict[str, Schema] = {
    "Prediction": _object({"index": WHOLE, "label": STRING, "score": {"type": "number", "minimum": 0, "maximum": 1}}),
    "Answer": _object(_ANSWER),
    "InstancesAnswer": _object({**_ANSWER, "predictions": _list(_list(_ref("Prediction")))}),
    "Card": _object(_CARD),
    "Models": _object(
        {
            "models": _list(
                {
                    "oneOf": [
                        _object({**_CARD, "default": BOOLEAN}),
                        _object({"name": STRING, "error": STRING, "default": BOOLEAN}),
                    ]
                }
            ),
            "request_id": STRING,
        }
    ),
    "Health": _object(
        {
            "status": {"const": "ok"},
            "model": _ref("Card"),
            "runtime": _object(_RUNTIME),
            "cold_start": {"type": "object", "additionalProperties": MILLISECONDS},
            "request_id": STRING,
        }
    ),
    "Batch": _object(
        {
            "id": STRING,
            "state": {"enum": ["listing", "running", "complete", "failed", "open"]},
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
