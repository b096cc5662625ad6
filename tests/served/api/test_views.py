import json
import platform
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chalicelib import errors
from chalicelib.api.openapi import describe
from chalicelib.api.views import Api
from chalicelib.config import Settings
from chalicelib.inference.engine import Delegated, processor_features
from chalicelib.inference.formats import BINARY_TYPES
from chalicelib.inference.store import ModelStore
from chalicelib.statuses import STATUS, error_answer
from chalicelib.telemetry import cold_start
from tests.support.bundles import DAMAGES, rgb_input, write_bundle
from tests.support.engines import without_xnnpack
from tests.support.pictures import BLUE, GREEN, RED, encode, plain, png_claiming, webp_claiming
from tests.support.requests import FakeRequest, assert_is_error, b64, image_request, json_request, settled

pytestmark = pytest.mark.usefixtures("parsed_answers")

ANSWER_TO_RED = [
    {"index": 0, "label": "red", "score": 0.786986},
    {"index": 1, "label": "green", "score": 0.106507},
    {"index": 2, "label": "blue", "score": 0.106507},
]


@pytest.fixture
def api(models_dir) -> Api:
    return api_over(models_dir)


def api_over(models_dir: Path, **settings) -> Api:
    given = Settings(model_dirs=(models_dir,), **settings)
    return Api(given, ModelStore(given, cold_start))


class BrokenStore:
    """A store whose every call raises something that nobody expected."""

    SECRET = "/opt/secret/models: key=abc123"

    def get(self, name=None):
        raise RuntimeError(self.SECRET)

    cards = get


def leaves(base: type) -> set[type]:
    return {leaf for child in base.__subclasses__() for leaf in leaves(child)} or {base}


class TestStatuses:
    def test_every_leaf_of_the_tree_has_a_status(self):
        assert set(STATUS) == leaves(errors.SlimceptionError)

    def test_the_callers_errors_are_4xx_and_ours_5xx(self):
        for error, (status, _) in STATUS.items():
            assert status // 100 == (4 if issubclass(error, errors.ClientError) else 5)

    @pytest.mark.parametrize("error", STATUS)
    def test_a_4xx_shows_its_message_and_a_5xx_does_not(self, error):
        status, body = error_answer(error("/some/place is missing"))
        assert body["Code"] == STATUS[error][1]
        assert (body["Message"] == "/some/place is missing") == (status < 500)


class TestPredict:
    def test_the_whole_answer(self, api, models_dir):
        response = api.predict(json_request({"image": b64(RED)}, context={"requestId": "r-1"}))
        version = json.loads((models_dir / "channels_float" / "model.json").read_text())["sha256"][:12]
        assert response.status_code == 200
        timing = response.body.pop("timing_ms")
        assert response.headers == {
            "Content-Type": "application/json",
            "X-Request-Id": "r-1",
            "Server-Timing": ", ".join(f"{name};dur={timing[name]}" for name in timing),
        }
        assert response.body.pop("cold_start") in (True, False)
        assert response.body == {
            "model": {"name": "channels_float", "version": version, "quantization": "float32", "trained": True},
            "predictions": ANSWER_TO_RED,
            "request_id": "r-1",
        }
        assert list(timing) == ["decode", "preprocess", "inference", "total"]
        assert timing["total"] >= max(timing["decode"], timing["preprocess"], timing["inference"]) >= 0

    def test_instances_share_the_time_of_one_request(self, api):
        """Each alone is accepted. None is decoded: the log has no such span."""
        large = webp_claiming(6_000, 3_000)
        assert api.predict(json_request({"instances": [{"b64": b64(large)}]})).status_code == 422  # it has no pixels
        response = api.predict(json_request({"instances": [{"b64": b64(large)}] * 32}))
        message = assert_is_error(response.body, 413)
        assert message.startswith("the 32 images take 19.6 s to decode: at most 2.5 in one request are accepted")
        assert "decode;" not in response.headers.get("Server-Timing", "")

    def test_an_instance_that_no_reader_takes_is_named_before_any_is_decoded(self, api):
        response = api.predict(json_request({"instances": [{"b64": b64(RED)}, {"b64": b64(b"\xff\xd8\xff")}]}))
        assert assert_is_error(response.body, 422).startswith('"instances"[1]: a JPEG image of 3 bytes that is broken')

    def test_instances_get_a_list_each(self, api):
        body = api.predict(json_request({"instances": [{"b64": b64(RED)}, {"b64": b64(BLUE)}], "top_k": 1})).body
        assert [[p["label"] for p in answer] for answer in body["predictions"]] == [["red"], ["blue"]]

    def test_one_bad_instance_refuses_all(self, api):
        response = api.predict(json_request({"instances": [{"b64": b64(RED)}, {"b64": b64(RED[:50])}]}))
        assert_is_error(response.body, 422)

    def test_an_untrained_model_says_so_in_every_answer(self, models_dir):
        write_bundle(models_dir, trained=False)
        model = api_over(models_dir).predict(json_request({"image": b64(RED)})).body["model"]
        assert (model["trained"], model["warning"].split(":")[0]) == (False, "untrained")

    def test_without_an_id_each_request_gets_its_own(self, api):
        ids = {api.predict(json_request({"image": b64(RED)})).body["request_id"] for _ in range(3)}
        assert len(ids) == 3

    @pytest.mark.parametrize("request_id", ["\n", "a\r\nb", "ü", "", None, 0])
    def test_an_id_that_no_header_can_hold_is_replaced(self, api, request_id):
        response = api.predict(json_request({"image": b64(RED)}, context={"requestId": request_id}))
        assert response.headers["X-Request-Id"] == response.body["request_id"] != request_id
        assert uuid.UUID(response.body["request_id"])

    @pytest.mark.parametrize("content_type", ["application/json", "APPLICATION/JSON; charset=utf-8", "text/x+json", ""])
    def test_every_spelling_of_json(self, api, content_type):
        request = FakeRequest(json.dumps({"image": b64(RED)}).encode(), {"content-type": content_type})
        assert api.predict(request).status_code == 200

    @pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ";"])
    def test_json_of_a_type_that_nobody_chose(self, api, content_type):
        request = FakeRequest(json.dumps({"image": b64(RED)}).encode(), {"content-type": content_type})
        assert api.predict(request).body["predictions"] == ANSWER_TO_RED
        assert api.predict(FakeRequest(b"image=x", {"content-type": content_type})).status_code in (400, 415)

    @pytest.mark.parametrize("content_type", ["image/png", "text/html", "application/pdf"])
    def test_another_content_type(self, api, content_type):
        response = api.predict(FakeRequest(b"{}", {"content-type": content_type}))
        assert "POST /predict takes application/json" in assert_is_error(response.body, 415)


class TestPredictImage:
    @pytest.mark.parametrize("content_type", [*BINARY_TYPES, "IMAGE/PNG; x=y", "", "image/pjpeg", "application/json"])
    def test_the_bytes_decide_whatever_the_type_says(self, api, content_type):
        response = api.predict_image(image_request(RED, content_type))
        assert (response.status_code, response.body["predictions"]) == (200, ANSWER_TO_RED)

    def test_the_query(self, api, models_dir):
        write_bundle(models_dir, "channels_uint8")
        body = api.predict_image(image_request(GREEN, top_k="2", model="channels_uint8")).body
        assert (body["model"]["name"], [p["label"] for p in body["predictions"]]) == (
            "channels_uint8",
            ["green", "red"],
        )

    def test_both_routes_give_the_same_answer(self, api):
        by_json, by_bytes = api.predict(json_request({"image": b64(GREEN)})), api.predict_image(image_request(GREEN))
        assert settled(by_json.body) == settled(by_bytes.body)

    @pytest.mark.parametrize(
        ("request_", "status", "says"),
        [
            (image_request(b""), 400, "the body is empty"),
            (image_request(b"hello", "image/tiff"), 415, "Content-Type is 'image/tiff'"),
            (image_request(b"hello", "x" * 5000), 415, "Content-Type is 'xxx"),
            (image_request(b"hello"), 415, "the bytes are no known image format"),
            (image_request(RED[:45]), 422, "broken or truncated"),
            (image_request(png_claiming(20_000, 1)), 413, "20000x1 pixels"),
            (image_request(RED, top_k="x"), 400, '"top_k" is "x"'),
            (image_request(RED, top_k="4"), 400, "this model has 3 classes"),
            (image_request(RED, model="nobody"), 404, "no model is called 'nobody'"),
            (image_request(RED, k="4"), 400, 'unknown field "k"'),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_refusals(self, api, request_, status, says):
        response = api.predict_image(request_)
        assert response.status_code == status
        message = assert_is_error(response.body, status)
        assert says in message and len(message) < 400

    @pytest.mark.parametrize(("size", "status"), [(1000, 415), (1001, 413)])
    def test_the_limit_of_the_body(self, models_dir, size, status):
        response = api_over(models_dir, max_body_bytes=1000).predict_image(image_request(b"x" * size))
        assert response.status_code == status
        assert ("the body has 1001 bytes: at most 1000 are accepted" in response.body["Message"]) == (status == 413)


ASSUMED = {
    "pixels": {"value": "scaled to -1..1", "from": "assumption", "reason": "not known from the model"},
    "scores": {"value": "logits", "from": "graph", "reason": "nothing comes after the last sum"},
}


class TestModels:
    def test_a_card_warns_of_what_it_assumes(self, models_dir):
        write_bundle(models_dir, "channels_int8", contract=ASSUMED)
        plain_card, assuming = api_over(models_dir).models(FakeRequest(path="/models")).body["models"]
        assert "warnings" not in plain_card and "contract" not in plain_card
        assert assuming["warnings"] == ["pixels: assumed to be scaled to -1..1; not known from the model"]
        assert assuming["contract"] == ASSUMED

    def test_it_is_the_contracts_with_and_without(self, models_dir):
        validator = pytest.importorskip("jsonschema", reason="jsonschema is not installed").Draft202012Validator
        write_bundle(models_dir, "channels_int8", contract=ASSUMED, input=rgb_input() | {"resize": "area"})
        write_bundle(models_dir, "one_output")
        body = json.loads(json.dumps(api_over(models_dir).models(FakeRequest(path="/models")).body))
        contract = json.loads(json.dumps(describe([])))
        validator({**contract, "$ref": "#/components/schemas/Models"}).validate(body)
        assert len(body["models"]) == 3


class TestHealth:
    def test_the_whole_answer(self, models_dir, engine):
        response = api_over(models_dir, num_threads=2, memory_mb=512).health(FakeRequest(path="/health"))
        assert response.status_code == 200
        body = response.body
        card = json.loads((models_dir / "channels_float" / "model.json").read_text())
        assert json.loads(json.dumps(body["model"])) == {**card, "version": card["sha256"][:12]}
        assert body["runtime"] == {
            "engine": engine.name,
            "engine_version": engine.version,
            "threads": 2,
            "python": platform.python_version(),
            "architecture": platform.machine(),
            "features": processor_features(),
            "memory_mb": 512,
        }
        assert body["delegate"] == {"partitions": 1, "operators": 1, "outside": 0, "outside_names": {}}
        assert {"import_ms", "model_load_ms", "first_inference_ms", "total_ms"} <= set(body["cold_start"])
        fields = {"status", "model", "runtime", "delegate", "warnings", "cold_start", "request_id"}
        assert set(body) == fields and body["status"] == "ok"

    @pytest.mark.parametrize(
        ("name", "machine", "remedy"),
        [
            ("litert", "aarch64", "set LD_PRELOAD to the library in the arm64 layer that stands in for it"),
            ("litert", "x86_64", "convert the model again (`python -m convert`)"),
            ("tflite-runtime", "aarch64", "tflite-runtime gives it few models in 8 bits: install LiteRT"),
        ],
    )
    def test_without_xnnpack_it_says_what_helps(self, models_dir, engine, monkeypatch, name, machine, remedy):
        write_bundle(models_dir, "channels_int8")
        monkeypatch.setattr(platform, "machine", lambda: machine)
        api = api_over(models_dir, model_name="channels_int8")
        api._store._engine = without_xnnpack(engine)._replace(name=name)
        response = api.health(FakeRequest(path="/health"))
        assert (response.status_code, response.body["status"]) == (200, "ok")
        assert response.body["delegate"] == {
            "partitions": 0,
            "operators": 1,
            "outside": 1,
            "outside_names": {"MEAN": 1},
        }
        (warning,) = response.body["warnings"]
        assert warning.startswith("model 'channels_int8' runs without XNNPACK") and remedy in warning

    def test_a_float_model_where_8_bits_pay(self, models_dir, engine, monkeypatch):
        monkeypatch.setattr("chalicelib.inference.classifier.processor_features", lambda: ["avx2", "avx512_vnni"])
        monkeypatch.setattr("chalicelib.inference.store.processor_features", lambda: ["avx2", "avx512_vnni"])
        api = api_over(models_dir)
        api._store._engine = engine._replace(name="litert")
        body = api.health(FakeRequest(path="/health")).body
        assert body["runtime"]["features"] == ["avx2", "avx512_vnni"]
        (warning,) = body["warnings"]
        assert "computes in float32, and this processor (avx512_vnni) takes about a third" in warning
        assert "`python -m convert SOURCE --quantize dynamic`" in warning

    def test_what_the_card_assumes_is_said_first(self, models_dir):
        write_bundle(models_dir, contract=ASSUMED)
        body = api_over(models_dir).health(FakeRequest(path="/health")).body
        assert body["warnings"][0] == "pixels: assumed to be scaled to -1..1; not known from the model"
        assert not [warning for warning in body["warnings"] if warning.startswith("scores")]
        assert body["model"]["contract"] == ASSUMED

    def test_an_engine_that_does_not_show_its_graph(self, models_dir, monkeypatch):
        monkeypatch.setattr("chalicelib.inference.classifier.delegated", lambda _: None)
        monkeypatch.setattr("chalicelib.inference.classifier.processor_features", list)
        response = api_over(models_dir).health(FakeRequest(path="/health"))
        assert (response.status_code, response.body["delegate"], response.body["warnings"]) == (200, None, [])

    @pytest.mark.parametrize("held", [None, Delegated(3, 0, {"MEAN": 3})])
    def test_each_of_these_answers_is_the_contracts(self, models_dir, monkeypatch, held):
        validator = pytest.importorskip("jsonschema", reason="jsonschema is not installed").Draft202012Validator
        monkeypatch.setattr("chalicelib.inference.classifier.delegated", lambda _: held)
        body = json.loads(json.dumps(api_over(models_dir).health(FakeRequest(path="/health")).body))
        contract = json.loads(json.dumps(describe([])))
        validator({**contract, "$ref": "#/components/schemas/Health"}).validate(body)

    def test_no_graph_makes_the_answer_long(self, models_dir, monkeypatch):
        many = Delegated(500, 0, {f"OPERATOR_{number}": number for number in range(1, 30)})
        monkeypatch.setattr("chalicelib.inference.classifier.delegated", lambda _: many)
        held = api_over(models_dir).health(FakeRequest(path="/health")).body["delegate"]
        assert list(held["outside_names"]) == [f"OPERATOR_{number}" for number in range(29, 21, -1)]
        assert held["outside"] == sum(range(1, 30))

    @pytest.mark.parametrize("name", DAMAGES)
    def test_a_damaged_bundle(self, models_dir, name):
        damage, complaint = DAMAGES[name]
        damage(models_dir / "channels_float")
        api = api_over(models_dir)
        health = api.health(FakeRequest(path="/health"))
        assert (health.status_code, health.body.pop("status")) == (503, "unavailable")
        assert complaint in assert_is_error(health.body, 503)
        for response in (api.predict(json_request({"image": b64(RED)})), api.predict_image(image_request(RED))):
            assert response.status_code == 503
            message = assert_is_error(response.body, 503)
            assert message == "The model cannot be served at the moment; GET /health tells why."
        assert str(models_dir) not in json.dumps(health.body)
        write_bundle(models_dir)
        assert api.health(FakeRequest(path="/health")).status_code == 200
        assert api.predict(json_request({"image": b64(RED)})).body["predictions"] == ANSWER_TO_RED

    def test_a_model_that_answers_nan(self, tmp_path):
        write_bundle(tmp_path, "not_a_number")
        response = api_over(tmp_path).health(FakeRequest(path="/health"))
        assert response.status_code == 503
        assert "answers with values that are not numbers" in response.body["Message"]

    def test_an_engine_that_is_not_installed(self, models_dir, engine):
        other = "tflite-runtime" if engine.name == "litert" else "litert"
        api = api_over(models_dir, engine=other)
        response = api.health(FakeRequest(path="/health"))
        assert response.status_code == 503
        assert response.body["Message"] == f"no inference engine can be imported (ENGINE={other})"
        assert api.predict(json_request({"image": b64(RED)})).status_code == 503


class TestUnexpected:
    @pytest.mark.parametrize("view", ["predict", "predict_image", "health", "models"])
    def test_a_500_shows_nothing_of_the_exception(self, view, log_lines):
        api = Api(Settings(), BrokenStore())
        request = image_request(RED) if view == "predict_image" else json_request({"image": b64(RED)})
        response = getattr(api, view)(request)
        assert response.status_code == 500
        assert assert_is_error(response.body, 500) == "An internal server error occurred."
        (line,) = log_lines()
        assert (line["status"], line["error"]) == (500, BrokenStore.SECRET)
        assert "RuntimeError" in line["traceback"]


class TestLog:
    def test_one_line_for_each_request(self, api, log_lines):
        api.predict(json_request({"image": b64(RED)}, context={"requestId": "r-1"}))
        (line,) = log_lines()
        spans = line.pop("spans_ms")
        assert list(spans) == ["decode", "preprocess", "inference", "total"]
        for name in set(line) - {
            "event",
            "request_id",
            "path",
            "status",
            "model",
            "version",
            "cold_start",
            "payload_bytes",
        }:
            del line[name]  # the process's first answer says more
        assert line == {
            "event": "request",
            "request_id": "r-1",
            "path": "/predict",
            "status": 200,
            "model": "channels_float",
            "version": line["version"],
            "cold_start": line["cold_start"],
            "payload_bytes": len(json_request({"image": b64(RED)}).raw_body),
        }

    def test_a_4xx_is_one_line_without_a_traceback(self, api, log_lines):
        api.predict(json_request({"image": 5}, context={"requestId": "r-2"}))
        (line,) = log_lines()
        assert line.pop("duration_ms") >= 0
        assert [line] == [
            {
                "event": "request",
                "request_id": "r-2",
                "path": "/predict",
                "status": 400,
                "payload_bytes": 12,
                "code": "BadRequestError",
                "error": '"image" is 5: expected a string of base64',
                "spans_ms": {},
            }
        ]

    @pytest.mark.parametrize("view", ["predict", "health"])
    def test_a_503_is_one_line_with_its_traceback(self, models_dir, log_lines, view):
        (models_dir / "channels_float" / "model.tflite").unlink()
        getattr(api_over(models_dir), view)(json_request({"image": b64(RED)}))
        (line,) = log_lines()
        assert line["status"] == 503
        assert "model.tflite is missing" in line["error"]
        assert line["traceback"].startswith("Traceback") and "is missing" in line["traceback"]

    def test_nothing_sent_can_forge_a_line(self, api, log_lines):
        forged = 'x\n{"event":"request","status":200}\r\u2028'
        api.predict(json_request({"image": b64(RED), "model": forged}, context={"requestId": forged}, path=forged))
        api.predict(FakeRequest(b"{}", {"content-type": forged}, path=forged))
        api.predict_image(image_request(RED, **{forged: forged}))
        assert [line["status"] for line in log_lines()] == [404, 400, 400]


class TestThreads:
    def test_eight_threads_get_the_serial_answers(self, api):
        pictures = [encode(plain((i * 5, 255 - i * 5, i * 3))) for i in range(48)]
        requests = [image_request(data) for data in pictures] + [json_request({"image": 5}), image_request(b"no")]
        views = [api.predict_image] * 48 + [api.predict, api.predict_image]
        serial = [settled(view(request).body) for view, request in zip(views, requests, strict=True)]
        assert len({json.dumps(answer) for answer in serial}) > 40
        barrier = threading.Barrier(8)

        def all_of_them(offset: int):
            barrier.wait()
            order = [(i + offset * 7) % 50 for i in range(50)]
            return {i: settled(views[i](requests[i]).body) for i in order}

        with ThreadPoolExecutor(8) as pool:
            for answers in pool.map(all_of_them, range(8)):
                assert [answers[i] for i in range(50)] == serial
