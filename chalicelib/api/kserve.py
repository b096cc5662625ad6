"""The Open Inference Protocol (V2, REST), which KServe, Triton, MLServer and their clients speak.

Source: github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md; for binary data in a
request, Triton's "binary data extension". An answer is always JSON, which clients of the extension read as well.
"""

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.api.bodies import Body
from chalicelib.api.exchange import Exchange
from chalicelib.api.forms import may_be_json
from chalicelib.api.parsing import Fetch, PredictRequest, json_object, parse_top_k
from chalicelib.api.predictor import Predictor
from chalicelib.api.tensors import BYTES, OUTPUTS, pictures_of
from chalicelib.errors import InvalidRequest, UnsupportedMediaType, shown
from chalicelib.inference.store import ModelStore

NAME, PLATFORM = "slimception", "tensorflow_lite"
JSON_LENGTH = "inference-header-content-length"
"""How many of the body's bytes are JSON; the tensors' own bytes follow."""
INPUT = "image"
_EXTENSIONS = ["binary_tensor_data"]

Answer = dict[str, Any]


class Protocol:
    """The calls of the protocol. Every one raises UnknownModel, and what loading or asking the model raises."""

    def __init__(self, store: ModelStore, predictor: Predictor) -> None:
        self._store, self._predictor = store, predictor

    def describe(self, route: str, *model: str) -> Answer:
        """The answer to a GET at a route; `model` for those that are about one."""
        calls: Mapping[str, Callable[..., Answer]] = {
            "/v2": self.server,
            "/v2/health/live": self.live,
            "/v2/health/ready": self.ready,
            "/v2/models/{model}": self.model,
            "/v2/models/{model}/ready": self.model_ready,
        }
        return calls[route](*model)

    def server(self) -> Answer:
        """`GET /v2`."""
        from chalicelib.api.openapi import API_VERSION  # and all schemas with it

        return {"name": NAME, "version": API_VERSION, "extensions": _EXTENSIONS}

    def live(self) -> Answer:
        """`GET /v2/health/live`: this process answers."""
        return {"live": True}

    def ready(self) -> Answer:
        """`GET /v2/health/ready`: the default model answers."""
        self._store.get().warm()
        return {"ready": True}

    def model_ready(self, model: str) -> Answer:
        """`GET /v2/models/{model}/ready`."""
        self._store.get(model).warm()
        return {"name": model, "ready": True}

    def model(self, model: str) -> Answer:
        """`GET /v2/models/{model}`: its version, and the tensors that `infer` takes and gives."""
        card = self._store.get(model).card
        return {
            "name": card.name,
            "versions": [card.version],
            "platform": PLATFORM,
            "inputs": [{"name": INPUT, "datatype": BYTES, "shape": [-1]}],
            "outputs": [{"name": name, "datatype": kind, "shape": [-1, -1]} for name, kind in OUTPUTS.items()],
        }

    def infer(self, exchange: Exchange, body: Body, json_length: str | None, model: str, fetch: Fetch) -> Answer:
        """`POST /v2/models/{model}/infer`; raises InvalidRequest, UnsupportedMediaType and what predicting raises."""
        fields, rest = _split(body, json_length)
        exchange.record.payload_bytes = len(body.data)
        outputs = _wanted_outputs(fields.get("outputs"))
        parameters = fields.get("parameters", {})
        if not isinstance(parameters, dict):
            raise InvalidRequest(f'"parameters" is {shown(parameters)}: expected an object, such as {{"top_k": 3}}')
        images = pictures_of(fields.get("inputs"), rest, fetch)
        wanted = PredictRequest(
            images, parse_top_k(parameters), model, is_instances=True, item="picture {} of the input"
        )
        answer = self._predictor.answer(exchange, wanted)
        columns = {
            "scores": [one["score"] for row in answer["predictions"] for one in row],
            "labels": [one["label"] for row in answer["predictions"] for one in row],
            "indices": [one["index"] for row in answer["predictions"] for one in row],
        }
        shape = [len(images), len(columns["scores"]) // len(images)]
        found = [{"name": n, "datatype": OUTPUTS[n], "shape": shape, "data": columns[n]} for n in outputs]
        about = {"model_name": answer["model"]["name"], "model_version": answer["model"]["version"]}
        return {**about, "id": str(fields.get("id") or exchange.id), "outputs": found}


def _split(body: Body, json_length: str | None) -> tuple[dict[str, Any], bytes]:
    """The JSON object and the bytes behind it."""
    if json_length is None:
        if not may_be_json(body):
            raise UnsupportedMediaType(f"Content-Type is {body.media_type[:60]!r}: inference takes application/json")
        return json_object(body.data), b""
    if not (json_length.isascii() and json_length.isdigit()) or int(json_length[:9]) > len(body.data):
        raise InvalidRequest(
            f"Inference-Header-Content-Length is {json_length[:60]!r}: expected the length of the JSON in a body of "
            f"{len(body.data)} bytes"
        )
    return json_object(body.data[: int(json_length)]), body.data[int(json_length) :]


def _wanted_outputs(outputs: Any) -> list[str]:
    """The names of the outputs that a request asks for; all if it names none."""
    if outputs is None or outputs == []:
        return list(OUTPUTS)
    names = [one.get("name") for one in outputs if isinstance(one, dict)] if isinstance(outputs, list) else []
    known = [name for name in names if isinstance(name, str) and name in OUTPUTS]
    if not known or len(known) != len(outputs):
        raise InvalidRequest(f'"outputs" is {shown(outputs)}: expected objects with a name of {", ".join(OUTPUTS)}')
    return list(dict.fromkeys(known))
