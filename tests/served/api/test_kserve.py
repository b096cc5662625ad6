"""The Open Inference Protocol and TensorFlow Serving's REST API, as their clients send requests."""

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest

from chalicelib.api.kserve import JSON_LENGTH
from chalicelib.api.views import Api
from chalicelib.config import Settings
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import cold_start
from tests.support.bundles import DAMAGES
from tests.support.pictures import BLUE, GREEN, RED
from tests.support.requests import FakeRequest, b64, json_request

pytestmark = pytest.mark.usefixtures("parsed_answers")
MODEL = "channels_float"


@pytest.fixture
def api(models_dir) -> Api:
    settings = Settings(model_dirs=(models_dir,))
    return Api(settings, ModelStore(settings, cold_start))


def tensor(*data: str, shape: list[int] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": "image", "datatype": "BYTES", "shape": shape or [len(data)], "data": list(data), **more}


def infer(api: Api, model: str = MODEL, **fields: Any) -> tuple[int, dict[str, Any]]:
    response = api.kserve_infer(json_request(fields), model)
    return response.status_code, response.body


def columns(body: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: np.reshape(one["data"], one["shape"]).tolist() for one in body["outputs"]}


def binary(fields: dict[str, Any], data: bytes) -> FakeRequest:
    head = json.dumps(fields).encode()
    return FakeRequest(head + data, {JSON_LENGTH: str(len(head)), "content-type": "application/octet-stream"})


class TestDescribing:
    def test_server_and_health(self, api):
        answers = [api.kserve(FakeRequest(path=path)).body for path in ("/v2", "/v2/health/live", "/v2/health/ready")]
        assert answers[0]["name"] == "slimception" and answers[1:] == [{"live": True}, {"ready": True}]

    def test_a_model(self, api):
        body = api.kserve(FakeRequest(path="/v2/models/{model}"), MODEL).body
        assert (body["name"], body["inputs"]) == (MODEL, [{"name": "image", "datatype": "BYTES", "shape": [-1]}])
        assert [one["name"] for one in body["outputs"]] == ["scores", "labels", "indices"]
        ready = api.kserve(FakeRequest(path="/v2/models/{model}/ready"), "channels%5Ffloat")
        assert ready.body == {"name": MODEL, "ready": True}

    @pytest.mark.parametrize("path", ["/v2/models/{model}", "/v2/models/{model}/ready"])
    def test_an_unknown_model(self, api, path):
        response = api.kserve(FakeRequest(path=path), "nobody")
        assert (response.status_code, list(response.body)) == (404, ["error"])
        assert "no model is called 'nobody'" in response.body["error"]

    def test_a_model_that_does_not_load(self, api, models_dir):
        DAMAGES["truncated model"](models_dir / MODEL) if "truncated model" in DAMAGES else (
            models_dir / MODEL / "model.tflite"
        ).unlink()
        for path, *model in (("/v2/health/ready",), ("/v2/models/{model}/ready", MODEL)):
            response = api.kserve(FakeRequest(path=path), *model)
            assert (response.status_code, list(response.body)) == (503, ["error"])
        assert api.kserve(FakeRequest(path="/v2/health/live")).status_code == 200


class TestInference:
    def test_base64_in_json(self, api):
        status, body = infer(api, id="7", inputs=[tensor(b64(RED), b64(BLUE))], parameters={"top_k": 2})
        assert status == 200 and set(body) == {"model_name", "model_version", "id", "outputs"}
        assert (body["model_name"], body["id"]) == (MODEL, "7")
        assert [(one["name"], one["datatype"], one["shape"]) for one in body["outputs"]] == [
            ("scores", "FP32", [2, 2]),
            ("labels", "BYTES", [2, 2]),
            ("indices", "INT64", [2, 2]),
        ]
        assert columns(body)["labels"] == [["red", "green"], ["blue", "red"]]
        assert columns(body)["indices"] == [[0, 1], [2, 0]]

    def test_bytes_behind_the_json(self, api):
        """Each element is a picture, or base64 of one."""
        elements = (RED, b64(GREEN).encode())
        data = b"".join(struct.pack("<I", len(one)) + one for one in elements)
        given = {"name": "x", "datatype": "BYTES", "shape": [2, 1], "parameters": {"binary_data_size": len(data)}}
        response = api.kserve_infer(binary({"inputs": [given], "outputs": [{"name": "labels"}]}, data), MODEL)
        assert [row[0] for row in columns(response.body)["labels"]] == ["red", "green"]
        assert [one["name"] for one in response.body["outputs"]] == ["labels"]

    @pytest.mark.parametrize("nested", [True, False])
    def test_pixels(self, api, nested):
        pixels = np.zeros((2, 5, 7, 3), np.uint8)
        pixels[0, ..., 1] = pixels[1, ..., 2] = 250
        data = pixels.tolist() if nested else pixels.ravel().tolist()
        given = {"name": "x", "datatype": "UINT8", "shape": [2, 5, 7, 3]}
        _, body = infer(api, inputs=[{**given, "data": data}])
        assert [row[0] for row in columns(body)["labels"]] == ["green", "blue"]
        raw = {**given, "parameters": {"binary_data_size": pixels.size}}
        assert api.kserve_infer(binary({"inputs": [raw]}, pixels.tobytes()), MODEL).body["outputs"] == body["outputs"]

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({}, '"inputs" is null'),
            ({"inputs": []}, '"inputs" is a JSON list of 0'),
            ({"inputs": [tensor("QQ=="), tensor("QQ==")]}, '"inputs" is a JSON list of 2'),
            ({"inputs": [tensor("QQ==", shape=[2])]}, "the input has 1 elements and the shape [2]"),
            ({"inputs": [tensor("QQ==", shape=[0])]}, "the input's shape is [0]"),
            ({"inputs": [tensor("QQ==", shape=[True])]}, "the input's shape is [True]"),
            ({"inputs": [tensor(*["QQ=="] * 33)]}, "the input's shape is [33]"),
            ({"inputs": [tensor(*["QQ=="] * 33, shape=[32])]}, "the input has more than 32 pictures"),
            ({"inputs": [tensor("!")]}, "picture 0 of the input is not base64"),
            ({"inputs": [tensor("QQ==", datatype="FP32")]}, 'the input\'s datatype is "FP32"'),
            ({"inputs": [tensor("QQ==", data=5)]}, "the input's data is 5"),
            ({"inputs": [tensor("QQ==", data={})]}, "the input's data is a JSON object"),
            ({"inputs": [tensor("QQ==", data=[[1], 2])]}, "the input's data is"),
            ({"inputs": [tensor("QQ==", data=[5])]}, "picture 0 of the input is 5"),
            ({"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1]}]}, "either data or binary_data_size"),
            ({"inputs": [tensor("QQ==", parameters={"binary_data_size": 4})]}, "either data or binary_data_size"),
            ({"inputs": [tensor("Q", datatype="UINT8", shape=[1, 1, 1, 3], data=[1, 2, 256])]}, "0 to 255"),
            ({"inputs": [tensor("Q", datatype="UINT8", shape=[1, 1, 1, 3], data=[1, 2, 0.5])]}, "0 to 255"),
            ({"inputs": [tensor("Q", datatype="UINT8", shape=[1, 1, 1, 3], data=[1, 2])]}, "the input has 2 bytes"),
            ({"inputs": [tensor("Q", datatype="UINT8", shape=[3], data=[1, 2, 3])]}, "the input has 3 bytes"),
            ({"inputs": [tensor("Q", datatype="UINT8", shape=[2**31 - 1] * 4, data=[1])]}, "the input's shape is"),
            ({"inputs": [tensor(b64(RED))], "outputs": [{"name": "logits"}]}, '"outputs" is'),
            ({"inputs": [tensor(b64(RED))], "outputs": {}}, '"outputs" is'),
            ({"inputs": [tensor(b64(RED))], "parameters": []}, '"parameters" is a JSON list'),
            ({"inputs": [tensor(b64(RED))], "parameters": {"top_k": 0}}, '"top_k" is 0'),
            ({"inputs": [tensor(b64(RED))], "parameters": {"top_k": 4}}, "this model has 3 classes"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_refusals(self, api, fields, says):
        status, body = infer(api, **fields)
        assert (status, list(body)) == (400, ["error"]) and says in body["error"]

    @pytest.mark.parametrize("length", ["-1", "x", "99999", "\u0663", "", "9" * 5000])
    def test_a_length_that_is_none(self, api, length):
        request = FakeRequest(b"{}", {JSON_LENGTH: length, "content-type": "application/octet-stream"})
        response = api.kserve_infer(request, MODEL)
        assert (response.status_code, list(response.body)) == (400, ["error"])

    @pytest.mark.parametrize("data", [b"\5\0\0\0abc", b"\1\0", b"\xff\xff\xff\xffx"])
    def test_elements_that_end_behind_the_data(self, api, data):
        given = {"datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(data)}}
        response = api.kserve_infer(binary({"inputs": [given]}, data), MODEL)
        assert response.status_code == 400 and "ends behind its" in response.body["error"]

    def test_other_statuses(self, api):
        assert infer(api, "nobody", inputs=[tensor(b64(RED))])[0] == 404
        assert infer(api, inputs=[tensor(b64(b"hello"))])[0] == 415
        status, body = infer(api, inputs=[tensor(b64(RED), b64(RED[:45]))])
        assert status == 422 and body["error"].startswith("picture 1 of the input: ")
        assert api.kserve_infer(FakeRequest(b"{}", {"content-type": "text/html"}), MODEL).status_code == 415
        huge = FakeRequest(bytes(7_000_000), {"content-type": "application/json"})
        assert api.kserve_infer(huge, MODEL).status_code == 413


class TestServing:
    @staticmethod
    def ask(api: Api, call: str = f"{MODEL}:predict", **fields: Any):
        return api.tfserving_predict(json_request(fields), call)

    def test_status_and_metadata(self, api):
        body = api.tfserving(FakeRequest(path="/v1/models/{model}"), MODEL).body
        assert (body["name"], body["ready"], body["model_version_status"][0]["state"]) == (MODEL, True, "AVAILABLE")
        body = api.tfserving(FakeRequest(path="/v1/models/{model}/metadata"), MODEL).body
        assert "serving_default" in body["metadata"]["signature_def"]["signature_def"]
        assert api.tfserving(FakeRequest(path="/v1/models/{model}"), "nobody").status_code == 404

    @pytest.mark.parametrize("wrap", [lambda one: one, lambda one: {"image_bytes": one}])
    def test_rows(self, api, wrap):
        given = [wrap({"b64": b64(RED)}), wrap({"b64": b64(BLUE)})]
        body = self.ask(api, instances=given, signature_name="serving_default", top_k=1).body
        assert [one["classes"] for one in body["predictions"]] == [["red"], ["blue"]]
        assert all(len(one["scores"]) == 1 for one in body["predictions"])

    @pytest.mark.parametrize("inputs", [{"b64": b64(RED)}, [{"b64": b64(RED)}], {"image": [{"b64": b64(RED)}]}])
    def test_columns(self, api, inputs):
        body = self.ask(api, inputs=inputs, top_k=2).body
        assert (body["outputs"]["classes"], len(body["outputs"]["scores"][0])) == ([["red", "green"]], 2)

    def test_a_colon_that_is_encoded(self, api):
        given = [{"b64": base64.b64encode(RED).decode()}]
        assert self.ask(api, f"{MODEL}%3Apredict", instances=given).status_code == 200

    @pytest.mark.parametrize(
        ("call", "fields", "status"),
        [
            (MODEL, {"instances": [{"b64": b64(RED)}]}, 404),
            (f"{MODEL}:classify", {"instances": [{"b64": b64(RED)}]}, 404),
            (f"{MODEL}:predict:predict", {"instances": [{"b64": b64(RED)}]}, 404),
            ("nobody:predict", {"instances": [{"b64": b64(RED)}]}, 404),
            (f"{MODEL}:predict", {}, 400),
            (f"{MODEL}:predict", {"instances": []}, 400),
            (f"{MODEL}:predict", {"instances": [{"b64": b64(RED)}] * 33}, 400),
            (f"{MODEL}:predict", {"instances": [b64(RED)]}, 400),
            (f"{MODEL}:predict", {"instances": [{"a": {"b64": b64(RED)}, "b": 1}]}, 400),
            (f"{MODEL}:predict", {"instances": [{"b64": b64(RED)}], "inputs": {}}, 400),
            (f"{MODEL}:predict", {"instances": [{"b64": b64(RED)}], "image": ""}, 400),
            (f"{MODEL}:predict", {"inputs": 5}, 400),
            (f"{MODEL}:predict", {"instances": [{"b64": b64(b"x")}]}, 415),
            (f"{MODEL}:predict", {"instances": [{"b64": b64(RED[:45])}]}, 422),
        ],
    )
    def test_refusals(self, api, call, fields, status):
        response = self.ask(api, call, **fields)
        assert (response.status_code, list(response.body)) == (status, ["error"])
