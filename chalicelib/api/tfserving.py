"""TensorFlow Serving's REST API, as far as a classifier has it: status, metadata and `:predict` of a model.

Source: tensorflow.org, "TensorFlow Serving: RESTful API". One variable of a path stands for `{model}:predict`, since
API Gateway takes no text beside a variable in a path's segment (API Gateway developer guide, "Amazon API Gateway
important notes": a resource's path part has only letters, digits and ._-: or is one variable in braces).
"""

from typing import Any

from chalicelib.api.bodies import Body
from chalicelib.api.contract import MAX_INSTANCES
from chalicelib.api.exchange import Exchange
from chalicelib.api.forms import may_be_json
from chalicelib.api.parsing import Fetch, PredictRequest, json_object, parse_top_k, picture_of
from chalicelib.api.predictor import Predictor
from chalicelib.errors import InvalidRequest, UnknownModel, UnsupportedMediaType, shown
from chalicelib.inference.store import ModelStore

PREDICT = ":predict"
INPUT = "image_bytes"
_KNOWN = ("instances", "inputs", "signature_name", "top_k")
_EXPECTED = '{"b64": "<base64>"}, or an object with one field that is so'

Answer = dict[str, Any]


def describe(store: ModelStore, route: str, model: str) -> Answer:
    """The answer to a GET at a route; raises UnknownModel, and what loading the model raises."""
    return (metadata if route.endswith("/metadata") else status)(store, model)


def status(store: ModelStore, model: str) -> Answer:
    """`GET /v1/models/{model}`; `name` and `ready` are what KServe's V1 protocol has there. Raises UnknownModel."""
    card = store.get(model).card
    good = {"error_code": "OK", "error_message": ""}
    version = {"version": card.version, "state": "AVAILABLE", "status": good}
    return {"name": card.name, "ready": True, "model_version_status": [version]}


def metadata(store: ModelStore, model: str) -> Answer:
    """`GET /v1/models/{model}/metadata`: the signature that `:predict` has. Raises UnknownModel."""
    card = store.get(model).card
    signature = {
        "inputs": {INPUT: _tensor("DT_STRING", -1)},
        "outputs": {"classes": _tensor("DT_STRING", -1, -1), "scores": _tensor("DT_FLOAT", -1, -1)},
        "method_name": "tensorflow/serving/predict",
    }
    return {
        "model_spec": {"name": card.name, "signature_name": "", "version": card.version},
        "metadata": {"signature_def": {"signature_def": {"serving_default": signature}}},
    }


def predict(exchange: Exchange, predictor: Predictor, body: Body, segment: str, fetch: Fetch) -> Answer:
    """`POST /v1/models/{model}:predict`, with `instances` (rows) or `inputs` (columns); the answer is in the same form.

    Raises InvalidRequest, UnknownModel for another verb, UnsupportedMediaType, and what predicting raises.
    """
    model, verb, _ = segment.partition(PREDICT)
    if not verb or segment != model + PREDICT:
        raise UnknownModel(f"{shown(segment)} is no call: expected POST /v1/models/<model>:predict")
    if not may_be_json(body):
        raise UnsupportedMediaType(f"Content-Type is {body.media_type[:60]!r}: {PREDICT} takes application/json")
    exchange.record.payload_bytes = len(body.data)
    fields = json_object(body.data)
    for name in fields:
        if name not in _KNOWN:
            raise InvalidRequest(f"unknown field {shown(name)}: expected {', '.join(_KNOWN)}")
    in_rows = "instances" in fields
    if in_rows == ("inputs" in fields):
        raise InvalidRequest('the body needs either "instances" or "inputs": send {"instances": [{"b64": "<base64>"}]}')
    images = _pictures(fields["instances"] if in_rows else _column(fields["inputs"]), fetch)
    answer = predictor.answer(exchange, PredictRequest(images, parse_top_k(fields), model, is_instances=True))
    rows = [_columns(row) for row in answer["predictions"]]
    if in_rows:
        return {"predictions": rows}
    return {"outputs": {name: [row[name] for row in rows] for name in ("classes", "scores")}}


def _columns(row: list[dict[str, Any]]) -> Answer:
    return {"classes": [one["label"] for one in row], "scores": [one["score"] for one in row]}


def _column(inputs: Any) -> Any:
    """The list of a request in columns: itself, or that of its one named input."""
    if isinstance(inputs, dict) and set(inputs) != {"b64"} and len(inputs) == 1:
        inputs = next(iter(inputs.values()))
    return [inputs] if isinstance(inputs, dict) else inputs


def _pictures(instances: Any, fetch: Fetch) -> tuple[bytes, ...]:
    if not isinstance(instances, list) or not 1 <= len(instances) <= MAX_INSTANCES:
        raise InvalidRequest(f'"instances" is {shown(instances)}: expected a list of 1 to {MAX_INSTANCES} objects')
    return tuple(_picture(one, f'"instances"[{number}]', fetch) for number, one in enumerate(instances))


def _picture(instance: Any, name: str, fetch: Fetch) -> bytes:
    value = instance
    if isinstance(value, dict) and set(value) != {"b64"} and len(value) == 1:  # the input's name
        value = next(iter(value.values()))
    if not isinstance(value, dict) or set(value) != {"b64"}:
        raise InvalidRequest(f"{name} is {shown(instance)}: expected {_EXPECTED}")
    return picture_of(value["b64"], name, fetch)


def _tensor(dtype: str, *sizes: int) -> Answer:
    shape = {"dim": [{"size": str(size), "name": ""} for size in sizes], "unknown_rank": False}
    return {"dtype": dtype, "tensor_shape": shape, "name": ""}
