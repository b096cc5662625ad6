"""The A/B test on the API, view by view. `tests/whole/test_ab_split.py` has the 10,000 requests."""

import json
import time
from typing import Any

import pytest

from chalicelib.api.openapi import describe
from chalicelib.api.views import Api
from chalicelib.config import Settings
from chalicelib.errors import ConfigError
from chalicelib.inference.store import ModelStore
from chalicelib.split import Split
from tests.served.api.test_metrics import assert_is_emf, totals
from tests.support.bundles import DAMAGES, write_bundle
from tests.support.pictures import BLUE, GREEN, RED
from tests.support.requests import FakeRequest, b64, image_request, json_request

pytestmark = pytest.mark.usefixtures("parsed_answers")

TWO = "channels_float,channels_int8,0.5,spring"


@pytest.fixture
def models_dir(tmp_path):
    write_bundle(tmp_path / "models", "channels_float")
    write_bundle(tmp_path / "models", "channels_int8")
    return tmp_path / "models"


def api_with(models_dir, ab_test: str = TWO, **env: str) -> Api:
    settings = Settings.from_env({"AB_TEST": ab_test, "MODEL_DIR": str(models_dir), **env})
    return Api(settings, ModelStore(settings))


@pytest.fixture
def api(models_dir):
    return api_with(models_dir)


def customer_in(arm: str) -> str:
    split = Split("spring", "channels_float", "channels_int8", 0.5)
    return next(name for name in map(str, range(100)) if split.arm(f"customer {name}") == arm)


def asking(arm: str, data: bytes = RED, **context: Any) -> FakeRequest:
    request = json_request({"image": b64(data)}, context={"identity": context})
    request.headers["x-customer-id"] = customer_in(arm)
    return request


def spoke(body: dict[str, Any]) -> tuple[str, str, bool]:
    return body["model"]["name"], body["experiment"]["arm"], body["experiment"]["fallback"]


class TestAnswer:
    @pytest.mark.parametrize(("arm", "model"), [("A", "channels_float"), ("B", "channels_int8")])
    def test_it_says_who_spoke(self, api, arm, model):
        body = api.predict(asking(arm)).body
        assert body["model"]["name"] == model
        assert body["experiment"] == {"name": "spring", "arm": arm, "fallback": False}
        assert body["predictions"][0]["label"] == "red"

    @pytest.mark.parametrize("model", ["channels_float", "channels_int8"])
    def test_who_names_a_model_is_outside(self, api, model, log_lines):
        for request in (json_request({"image": b64(RED), "model": model}), image_request(RED, model=model)):
            view = api.predict if request.path == "/predict" else api.predict_image
            body = view(request).body
            assert (body["model"]["name"], "experiment" in body) == (model, False)
        assert not any({"experiment", "arm", "fallback"} & set(line) for line in log_lines())

    def test_instances_have_one_model_together(self, api):
        bodies = [{"b64": b64(data)} for data in (RED, GREEN, BLUE)]
        body = api.predict(json_request({"instances": bodies})).body
        assert len(body["predictions"]) == 3 and body["experiment"]["arm"] in "AB"

    def test_without_a_test_nothing_is_said_of_one(self, models_dir):
        settings = Settings((models_dir,))
        api = Api(settings, ModelStore(settings))
        for view in (api.predict, api.health, api.models):
            assert "experiment" not in view(asking("B")).body

    def test_the_answers_are_those_of_the_contract(self, api):
        validator = pytest.importorskip("jsonschema", reason="jsonschema is not installed").Draft202012Validator
        contract = json.loads(json.dumps(describe([])))
        bodies = {
            "Answer": api.predict(asking("B")).body,
            "InstancesAnswer": api.predict(json_request({"instances": [{"b64": b64(RED)}]})).body,
            "Health": json.loads(json.dumps(api.health(FakeRequest(path="/health")).body)),
            "Models": json.loads(json.dumps(api.models(FakeRequest(path="/models")).body)),
        }
        for name, body in bodies.items():
            assert "experiment" in body
            validator({**contract, "$ref": f"#/components/schemas/{name}"}).validate(body)


class TestKey:
    def test_a_customer_stays_in_an_arm(self, api):
        for arm in ("A", "B"):
            assert {spoke(api.predict(asking(arm, data)).body)[1] for data in (RED, GREEN, BLUE)} == {arm}

    def test_an_api_key_goes_before_the_header(self, api):
        context = {"identity": {"apiKeyId": customer_in("B")}}
        request = json_request({"image": b64(RED)}, context=context)
        request.headers["x-customer-id"] = customer_in("A")
        assert spoke(api.predict(request).body)[1] == "B"

    def test_without_a_customer_a_picture_stays_in_an_arm_however_it_is_sent(self, api):
        for data in (RED, GREEN, BLUE):
            answers = [
                api.predict_image(image_request(data)),
                api.predict_image(image_request(data, top_k="1")),
                api.predict(json_request({"image": b64(data)})),
                api.predict(json_request({"image": "data:image/png;base64," + b64(data).rstrip("=")})),
                api.predict(json_request({"instances": [{"b64": b64(data)}]})),
            ]
            assert len({spoke(answer.body) for answer in answers}) == 1


class TestFallback:
    @pytest.mark.parametrize("name", DAMAGES)
    def test_the_first_answers_for_a_second_that_is_damaged(self, tmp_path, name, log_lines):
        damage, _ = DAMAGES[name]
        write_bundle(tmp_path / "models", name="first")
        damage(write_bundle(tmp_path / "models", name="second"))
        api = api_with(tmp_path / "models", "first,second,1")
        response = api.predict(json_request({"image": b64(RED)}))
        assert (response.status_code, spoke(response.body)) == (200, ("first", "B", True))
        (line,) = log_lines()
        assert (line["arm"], line["fallback"], line["model"]) == ("B", True, "first")
        assert line["fallback_reason"].startswith(("ModelError: ", "UnknownModel: "))
        assert "\n" not in line["fallback_reason"] and line["traceback"].startswith("Traceback")
        health = api.health(FakeRequest(path="/health"))
        assert (health.status_code, health.body["status"]) == (200, "ok")
        assert "second" in health.body["experiment"]["error"]
        assert str(tmp_path) not in json.dumps(health.body)

    def test_a_second_that_is_not_installed(self, models_dir, log_lines):
        api = api_with(models_dir, "channels_float,nobody,1")
        assert spoke(api.predict(json_request({"image": b64(RED)})).body) == ("channels_float", "B", True)
        installed = "installed: channels_float, channels_int8"
        assert log_lines()[0]["fallback_reason"].startswith(f"UnknownModel: no model is called 'nobody'; {installed}")
        assert installed in api.health(FakeRequest(path="/health")).body["experiment"]["error"]

    def test_a_second_that_answers_nan(self, models_dir, log_lines):
        write_bundle(models_dir, "not_a_number")
        api = api_with(models_dir, "channels_float,not_a_number,1")
        body = api.predict(json_request({"image": b64(BLUE)})).body
        assert spoke(body) == ("channels_float", "B", True)
        assert list(body["timing_ms"]) == ["decode", "preprocess", "inference", "total"]
        assert "values that are not numbers" in log_lines()[0]["fallback_reason"]

    def test_what_nobody_expected_of_the_second_falls_back_too(self, models_dir, monkeypatch, log_lines):
        api = api_with(models_dir, "channels_float,channels_int8,1")
        second = api._store.get("channels_int8")

        def fail(pixels):
            raise RuntimeError("/opt/secret: invoke failed")

        monkeypatch.setattr(second, "scores", fail)
        assert spoke(api.predict(json_request({"image": b64(RED)})).body) == ("channels_float", "B", True)
        assert log_lines()[0]["fallback_reason"] == "RuntimeError: /opt/secret: invoke failed"
        error = api.health(FakeRequest(path="/health")).body["experiment"]["error"]
        assert error == "model 'channels_int8' does not answer (RuntimeError)"

    def test_the_seconds_time_is_not_the_answers(self, models_dir, monkeypatch):
        """Or decoding would count twice, in the answer and in the metrics."""
        api = api_with(models_dir, "channels_float,channels_int8,1")
        seen = []

        def fail(pixels, top_k, spans):
            with spans.measure("decode"):
                time.sleep(0.05)
            seen.append(dict(spans))
            raise RuntimeError("?")

        monkeypatch.setattr(api._store.get("channels_int8"), "classify", fail)
        body = api.predict(json_request({"image": b64(RED)})).body
        assert seen[0]["decode"] >= 50
        assert body["experiment"]["fallback"]
        assert body["timing_ms"]["decode"] < seen[0]["decode"]

    def test_once_it_is_mended_the_second_answers(self, models_dir):
        api = api_with(models_dir, "channels_float,channels_int8,1")
        model = models_dir / "channels_int8" / "model.tflite"
        content = model.read_bytes()
        model.unlink()
        assert spoke(api.predict(json_request({"image": b64(RED)})).body)[2] is True
        model.write_bytes(content)
        assert spoke(api.predict(json_request({"image": b64(RED)})).body) == ("channels_int8", "B", False)

    @pytest.mark.parametrize("arm", ["A", "B"])
    def test_a_bad_picture_is_refused_in_either_arm(self, api, arm, log_lines):
        assert api.predict(asking(arm, RED[:50])).status_code == 422
        (line,) = log_lines()
        assert (line["arm"], line["code"], "fallback" in line) == (arm, "UnprocessableEntityError", False)

    def test_a_first_that_fails_is_a_503(self, models_dir, log_lines):
        (models_dir / "channels_float" / "model.tflite").unlink()
        api = api_with(models_dir)
        response = api.predict(asking("A"))
        assert (response.status_code, response.body["Code"]) == (503, "ServiceUnavailableError")
        assert log_lines()[0]["arm"] == "A"
        assert spoke(api.predict(asking("B")).body) == ("channels_int8", "B", False)
        assert api.health(FakeRequest(path="/health")).status_code == 503

    def test_a_first_that_is_not_installed_is_as_a_missing_default(self, models_dir):
        api = api_with(models_dir, "nobody,channels_int8,0")
        assert api.predict(json_request({"image": b64(RED)})).status_code == 503
        message = api.health(FakeRequest(path="/health")).body["Message"]
        assert message.startswith("the default model 'nobody' is not installed")

    def test_both_failing_is_a_503_that_tells_both_reasons(self, models_dir, log_lines):
        for name in ("channels_float", "channels_int8"):
            (models_dir / name / "model.tflite").unlink()
        assert api_with(models_dir).predict(asking("B")).status_code == 503
        (line,) = log_lines()
        assert "channels_int8" in line["fallback_reason"] and "channels_float" in line["error"]
        assert "fallback" not in line


class TestWhatIsTold:
    def test_health_and_models(self, api):
        told = {"name": "spring", "first": "channels_float", "second": "channels_int8", "share": 0.5}
        assert api.health(FakeRequest(path="/health")).body["experiment"] == told
        assert api.models(FakeRequest(path="/models")).body["experiment"] == told

    def test_the_metrics_of_an_arm(self, models_dir, log_lines):
        env = {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769"}
        api = api_with(models_dir, **env)
        for _ in range(3):
            api.predict(asking("A"))
        api.predict(asking("B"))
        api.predict(asking("B", RED[:50]))
        (models_dir / "channels_int8" / "model.tflite").unlink()
        api._store._loaded.pop("channels_int8")
        api.predict(asking("B"))
        lines = log_lines()
        for line in lines:
            assert_is_emf(line)
            assert len(json.dumps(line)) < 6000
        sums = totals(lines)
        assert [sums["Requests", "spring", arm] for arm in "AB"] == [3, 3]
        assert [sums.get(("Fallbacks", "spring", arm), 0) for arm in "AB"] == [0, 1]
        own = [line["InferenceMs"] for line in lines if line["Arm"] == "B" and not line.get("fallback", True)]
        assert len(own) == 1 and sums["InferenceMs", "spring", "B"] == pytest.approx(own[0])
        assert [sums.get(("ClientErrors", "spring", arm), 0) for arm in "AB"] == [0, 1]
        assert "ServerErrors" not in {key[0] for key in sums}
        of_a = [line for line in lines if line["Arm"] == "A"]
        assert sums["InferenceMs", "spring", "A"] == pytest.approx(sum(line["InferenceMs"] for line in of_a))
        assert sums["DurationMs", "spring", "A"] == pytest.approx(sum(line["DurationMs"] for line in of_a))
        assert {key[1:] for key in sums if "spring" in key} == {("spring", "A"), ("spring", "B")}


class TestSetting:
    @pytest.mark.parametrize(
        ("text", "want"),
        [
            ("digits,digits-f16,0.2", Split("digits-vs-digits-f16", "digits", "digits-f16", 0.2)),
            (" a , b , .5 ,", Split("a-vs-b", "a", "b", 0.5)),
            ("a,b,0", Split("a-vs-b", "a", "b", 0.0)),
            ("a,b,1.0,spring 26", Split("spring 26", "a", "b", 1.0)),
        ],
    )
    def test_two_models_a_share_and_perhaps_a_name(self, text, want):
        settings = Settings.from_env({"AB_TEST": text})
        assert (settings.ab_test, settings.model_name) == (want, want.first)

    @pytest.mark.parametrize(
        "text", ["a", "a,b", "a,b,", "a,,0.5", ",b,0.5", "a,a,0.5", "a,b,1.5", "a,b,-0.1", "a,b,20%", "a,b,nan",
                 "a,b,٣", "a,b,0.5,x,y", "a,b,1e-1", "a;b;0.5", ",,,", "a,b\udc80,0.5", "a\n,b,1"],
    )  # fmt: skip
    def test_anything_else_is_refused(self, text):
        with pytest.raises(ConfigError) as caught:
            Settings.from_env({"AB_TEST": text})
        assert str(caught.value).startswith(f"AB_TEST={text!r}: expected two models and the second one's share, 0 to 1")

    def test_the_default_model_is_the_first(self):
        env = {"AB_TEST": "a,b,0.5"}
        assert Settings.from_env({**env, "MODEL_NAME": "a"}).model_name == "a"
        with pytest.raises(ConfigError, match=r"^MODEL_NAME='b': expected 'a', the first model of AB_TEST, or none$"):
            Settings.from_env({**env, "MODEL_NAME": "b"})

    @pytest.mark.parametrize("text", ["", None])
    def test_without_it_there_is_no_test(self, text):
        assert Settings.from_env({} if text is None else {"AB_TEST": text}).ab_test is None
