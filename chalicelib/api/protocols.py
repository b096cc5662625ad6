"""The contract's part on other servers' protocols: the Open Inference Protocol and TensorFlow Serving's REST API."""

from typing import Any

from chalicelib.api.contract import INSTANCE, MAX_INSTANCES, Schema
from chalicelib.api.schemas import NUMBER, STRING, WHOLE
from chalicelib.api.tensors import OUTPUTS

_TRUE: Schema = {"const": True}
_NAMED_INSTANCE: Schema = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": INSTANCE.schema,
    "description": "TensorFlow Serving's clients name the input; any name will do.",
}


def _object(properties: dict[str, Any], *optional: str) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _rows(items: Schema) -> Schema:
    return {"type": "array", "items": {"type": "array", "items": items}}


_SIZES = {"type": "array", "items": {"type": "integer"}}
_TENSOR = _object({"name": STRING, "datatype": STRING, "shape": _SIZES})
_OUTPUT = _object(
    {
        "name": {"enum": list(OUTPUTS)},
        "datatype": {"enum": sorted(set(OUTPUTS.values()))},
        "shape": _SIZES,
        "data": {"type": "array"},
    }
)
_ROW = _object({"classes": {"type": "array", "items": STRING}, "scores": {"type": "array", "items": NUMBER}})
_INPUT: Schema = {
    "type": "object",
    "properties": {
        "name": STRING,
        "datatype": {"enum": ["BYTES", "UINT8"]},
        "shape": {"type": "array", "items": WHOLE, "minItems": 1, "maxItems": 4},
        "data": {"type": "array", "description": "For BYTES base64, for UINT8 RGB pixels of [N, H, W, 3], row by row."},
        "parameters": {"type": "object"},
    },
    "required": ["shape", "datatype"],
}
_INSTANCE = {"oneOf": [INSTANCE.schema, _NAMED_INSTANCE]}
_MANY = {"type": "array", "minItems": 1, "maxItems": MAX_INSTANCES, "items": _INSTANCE}


def _infer(top_k: Schema) -> Schema:
    names = {"type": "object", "properties": {"name": {"enum": list(OUTPUTS)}}, "required": ["name"]}
    properties = {
        "id": STRING,
        "parameters": {"type": "object", "properties": {"top_k": top_k}},
        "inputs": {"type": "array", "minItems": 1, "maxItems": 1, "items": _INPUT},
        "outputs": {"type": "array", "items": names},
    }
    return {"type": "object", "properties": properties, "required": ["inputs"]}


def _predict(top_k: Schema) -> Schema:
    others = {"top_k": top_k, "signature_name": {"description": "Not used."}}
    rows = _object({"instances": _MANY, **others}, *others)
    return {"oneOf": [rows, _object({"inputs": {**_MANY, "description": "In columns."}, **others}, *others)]}


COMPONENTS: dict[str, Schema] = {
    "ProtocolError": _object({"error": STRING}),
    "Server": _object({"name": STRING, "version": STRING, "extensions": {"type": "array", "items": STRING}}),
    "Live": _object({"live": _TRUE}),
    "Ready": _object({"ready": _TRUE}),
    "ModelReady": _object({"name": STRING, "ready": _TRUE}),
    "ModelMetadata": _object(
        {
            "name": STRING,
            "versions": {"type": "array", "items": STRING},
            "platform": STRING,
            "inputs": {"type": "array", "items": _TENSOR},
            "outputs": {"type": "array", "items": _TENSOR},
        }
    ),
    "Inference": _object(
        {"model_name": STRING, "model_version": STRING, "id": STRING, "outputs": {"type": "array", "items": _OUTPUT}}
    ),
    "ModelStatus": _object(
        {"name": STRING, "ready": _TRUE, "model_version_status": {"type": "array", "items": {"type": "object"}}}
    ),
    "ServingMetadata": _object({"model_spec": {"type": "object"}, "metadata": {"type": "object"}}),
    "ServingPredictions": {
        "oneOf": [
            _object({"predictions": {"type": "array", "items": _ROW}}),
            _object({"outputs": _object({"classes": _rows(STRING), "scores": _rows(NUMBER)})}),
        ]
    },
}


def paths(names: list[str], top_k: Schema, responses: Any) -> Schema:
    """The paths for the models with these names, and with this bound for `top_k`.

    `responses` makes those of an operation from the name of its good answer and the statuses of its refusals.
    """
    model = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
    if names:
        model["schema"] = {"type": "string", "enum": names}
    call = {**model, "schema": {"type": "string", **({"enum": [f"{name}:predict" for name in names]} if names else {})}}

    def get(operation: str, summary: str, answer: str, *parameters: Schema) -> Schema:
        statuses = (404, 500, 503) if parameters else (500, 503)
        about: Schema = {"operationId": operation, "summary": summary, "responses": responses(answer, statuses)}
        return {"get": {**about, "parameters": list(parameters)} if parameters else about}

    def post(operation: str, summary: str, answer: str, body: Schema, parameter: Schema) -> Schema:
        return {
            "post": {
                "operationId": operation,
                "summary": summary,
                "parameters": [parameter],
                "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
                "responses": responses(answer, (400, 404, 413, 415, 422, 500, 503)),
            }
        }

    return {
        "/v2": get("inferenceServer", "Open Inference Protocol: the server", "Server"),
        "/v2/health/live": get("inferenceLive", "Open Inference Protocol: whether it answers", "Live"),
        "/v2/health/ready": get("inferenceReady", "Open Inference Protocol: whether its model does", "Ready"),
        "/v2/models/{model}": get("inferenceModel", "Open Inference Protocol: its tensors", "ModelMetadata", model),
        "/v2/models/{model}/ready": get(
            "inferenceModelReady", "Open Inference Protocol: whether a model answers", "ModelReady", model
        ),
        "/v2/models/{model}/infer": post(
            "infer", "Open Inference Protocol: classify", "Inference", _infer(top_k), model
        ),
        "/v1/models/{model}/metadata": get(
            "servingMetadata", "TensorFlow Serving: a model's signature", "ServingMetadata", model
        ),
        "/v1/models/{model}": {
            **get("servingStatus", "TensorFlow Serving: a model's state", "ModelStatus", model),
            **post(
                "servingPredict", "TensorFlow Serving: classify; `model` ends in `:predict`", "ServingPredictions",
                _predict(top_k), call,
            ),
        },
    }  # fmt: skip
