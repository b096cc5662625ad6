import json
import platform
from collections import defaultdict

import pytest

from chalicelib.api import metrics, predictor
from chalicelib.api.customers import OTHERS
from chalicelib.api.exchange import Exchange
from chalicelib.api.views import Api
from chalicelib.config import Settings
from chalicelib.inference.store import ModelStore
from chalicelib.pricing import cost_usd
from chalicelib.telemetry import ColdStart
from tests.support.bundles import write_bundle
from tests.support.engines import without_xnnpack
from tests.support.pictures import RED
from tests.support.requests import FakeRequest, b64, json_request

EMF_SCHEMA = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 1_600_000_000_000},
                "CloudWatchMetrics": {"type": "array", "items": {"$ref": "#/$defs/directive"}},
            },
        }
    },
    "$defs": {
        "directive": {
            "type": "object",
            "required": ["Namespace", "Dimensions", "Metrics"],
            "properties": {
                "Namespace": {"type": "string", "minLength": 1, "maxLength": 1024},
                "Dimensions": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "array", "maxItems": 30, "items": {"$ref": "#/$defs/reference"}},
                },
                "Metrics": {
                    "type": "array",
                    "maxItems": 100,
                    "items": {
                        "type": "object",
                        "required": ["Name"],
                        "properties": {"Name": {"$ref": "#/$defs/reference"}},
                        "additionalProperties": False,
                    },
                },
            },
        },
        "reference": {"type": "string", "minLength": 1, "maxLength": 1024},
    },
}
"""The embedded metric format as the CloudWatch user guide specifies it, without what is optional and costs bytes."""


def assert_is_emf(line: dict) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    jsonschema.Draft202012Validator(EMF_SCHEMA).validate(line)
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            assert type(line[metric["Name"]]) in (int, float)
        for name in (name for names in directive["Dimensions"] for name in names):
            assert isinstance(line[name], str) and line[name].isascii() and 1 <= len(line[name]) <= 1024


def cost(billed_ms: float) -> float:
    return round(cost_usd(billed_ms, 1769, platform.machine()), 12)


def totals(lines: list[dict]) -> dict[tuple, float]:
    """What CloudWatch would add up: (metric, dimension values...) to the sum."""
    sums: dict[tuple, float] = defaultdict(float)
    for line in lines:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            (names,) = directive["Dimensions"]
            for metric in directive["Metrics"]:
                sums[(metric["Name"], *(line[name] for name in names))] += line[metric["Name"]]
    return dict(sums)


def asking(image: object = None, customer: str | None = None, **context) -> FakeRequest:
    request = json_request({"image": b64(RED) if image is None else image}, context={"identity": context})
    if customer is not None:
        request.headers["x-customer-id"] = customer
    return request


@pytest.fixture
def api(models_dir) -> Api:
    given = Settings((models_dir,), memory_mb=1769, function_name="slimception-prod", customers=("42", "43"))
    return Api(given, ModelStore(given))


class TestLines:
    def test_every_kind_of_line_is_valid(self, api, models_dir, log_lines):
        api.predict(asking())
        api.predict(asking(5))
        api.predict(FakeRequest(b"{}", {"content-type": "text/plain"}))
        for view in (api.page, api.openapi, api.models, api.health):
            view(FakeRequest(path="/" + view.__name__))
        (models_dir / "channels_float" / "model.tflite").unlink()
        api._store._loaded.clear()
        api.predict(asking())
        api.health(FakeRequest(path="/health"))
        lines = log_lines()
        assert len(lines) == 9
        for line in lines:
            assert_is_emf(line)
        assert {line["_aws"]["CloudWatchMetrics"][0]["Namespace"] for line in lines} == {"Slimception/slimception-prod"}

    def test_the_metrics_of_an_answer(self, api, log_lines):
        api.predict(asking())
        (line,) = log_lines()
        assert (line["Route"], line["Model"]) == ("/predict", "channels_float")
        assert line["payload_bytes"] == len(asking().raw_body)
        parts = [line[name] for name in ("DecodeMs", "PreprocessMs", "InferenceMs")]
        assert all(part > 0 for part in parts) and line["DurationMs"] >= sum(parts) - 0.02
        assert line.get("ColdStarts", 0) == int(line["cold_start"])

    def test_no_value_stands_in_a_line_twice_and_no_counter_that_is_0(self, api, log_lines):
        """A line costs by its bytes: as much as the function, if each duration has two names."""
        for _ in range(2):
            api.predict(asking())
        _, warm = log_lines()
        assert not {"spans_ms", "duration_ms", "ClientErrors", "ServerErrors", "ColdStarts"} & set(warm)
        assert "0" not in {str(value) for name, value in warm.items() if name[0].isupper()}

    def test_a_model_without_xnnpack_is_counted_in_the_first_line_only(
        self, api, engine, models_dir, log_lines, monkeypatch
    ):
        monkeypatch.setattr(predictor, "cold_start", ColdStart())
        monkeypatch.setattr("chalicelib.inference.classifier.processor_features", lambda: ["asimddp"])
        api._store._engine = without_xnnpack(engine)._replace(name="litert")
        api.predict(asking())
        api.predict(asking())
        first, second = log_lines()
        assert_is_emf(first)
        assert first["warnings"] == ["without_delegate", "float_model"]
        assert totals([first])["WithoutDelegate",] == totals([first])["FloatModel",] == 1
        assert first["outside_delegate"] == 1
        assert not {"warnings", "features", "outside_delegate", "WithoutDelegate", "FloatModel"} & set(second)

    def test_a_model_with_nothing_to_warn_of_has_no_metric_for_it(self, api, log_lines, monkeypatch):
        monkeypatch.setattr(predictor, "cold_start", ColdStart())
        monkeypatch.setattr("chalicelib.inference.classifier.processor_features", lambda: ["avx2"])
        api.predict(asking())
        (line,) = log_lines()
        assert line["cold_start"] and not {"warnings", "WithoutDelegate", "FloatModel"} & set(line)

    def test_errors_by_code(self, api, log_lines):
        for _ in range(3):
            api.predict(asking(5))
        api.predict(asking(b64(b"no picture")))
        api.predict(asking())
        sums = totals(log_lines())
        assert sums["Errors", "BadRequestError"] == 3
        assert sums["Errors", "UnsupportedMediaTypeError"] == 1
        assert sums["ClientErrors", "/predict", "none"] == 4 and "ServerErrors" not in {key[0] for key in sums}
        assert sums["Requests", "/predict", "channels_float"] == 1

    def test_a_health_check_that_fails_is_counted_under_its_code(self, api, models_dir, log_lines):
        (models_dir / "channels_float" / "model.tflite").unlink()
        api.health(FakeRequest(path="/health"))
        assert totals(log_lines())["Errors", "ServiceUnavailableError"] == 1

    def test_a_new_span_is_a_metric_in_milliseconds(self, api, log_lines):
        with Exchange(asking(), api._settings) as exchange, exchange.spans.measure("upload"):
            exchange.answer({})
        (line,) = log_lines()
        assert_is_emf(line)
        assert line["UploadMs"] == exchange.spans["upload"]

    def test_outside_lambda_there_are_no_metrics(self, models_dir, log_lines):
        given = Settings((models_dir,))
        Api(given, ModelStore(given)).predict(asking(customer="42"))
        (line,) = log_lines()
        assert "_aws" not in line and "cost_usd" not in line and line["customer"] == "42"

    def test_a_models_name_of_any_script(self, tmp_path, log_lines):
        write_bundle(tmp_path, name="ключ")
        given = Settings((tmp_path,), memory_mb=512, function_name="f")
        Api(given, ModelStore(given)).predict(asking())
        (line,) = log_lines()
        assert_is_emf(line)
        assert (line["model"], line["Model"]) == ("ключ", "????")


class TestBill:
    def test_the_cost_by_customer_adds_up_from_a_log_of_mixed_requests(self, api, log_lines):
        for number in range(60):
            bad = 5 if number % 7 == 0 else None
            api.predict(asking(bad, customer=(None, "42", "43", "unknown-1", "unknown-2")[number % 5]))
        api.predict(asking(apiKeyId="key77", customer="42"))
        api.page(FakeRequest(path="/"))
        lines = log_lines()
        sums = totals(lines)
        costs = {key[1]: value for key, value in sums.items() if key[0] == "CostUSD"}
        assert set(costs) == {"42", "43", "key77", OTHERS}
        assert sum(costs.values()) == pytest.approx(sum(line["cost_usd"] for line in lines), rel=1e-9)
        own = [line for line in lines if line.get("customer") == "42"]
        assert len(own) == 12
        assert costs["42"] == pytest.approx(sum(line["cost_usd"] for line in own), rel=1e-9)
        for line in own:
            if not line.get("cold_start"):
                assert line["cost_usd"] == cost(line["DurationMs"])

    @pytest.mark.parametrize(("warm_in_init", "init_ms"), [(False, 40.0 + 60.0), (True, 40.0 + 60.0 + 30.0 + 12.5)])
    def test_the_first_answer_costs_the_init_phase_too(self, models_dir, log_lines, monkeypatch, warm_in_init, init_ms):
        cold_start = ColdStart()
        parts = {"python_ms": 40.0, "import_ms": 60.0, "model_load_ms": 30.0, "first_inference_ms": 12.5}
        for name, duration_ms in parts.items():
            cold_start.record(name, duration_ms)
        monkeypatch.setattr(metrics, "cold_start", cold_start)
        monkeypatch.setattr(predictor, "cold_start", cold_start)
        given = Settings((models_dir,), memory_mb=1769, function_name="f", warm_in_init=warm_in_init)
        api = Api(given, ModelStore(given))
        api.predict(asking())
        api.predict(asking())
        first, second = log_lines()
        assert (first["cold_start"], second["cold_start"]) == (True, False)
        for line, extra_ms in ((first, init_ms), (second, 0.0)):
            assert line["cost_usd"] == cost(line["DurationMs"] + extra_ms)

    def test_after_a_restore_the_first_answer_costs_that_and_no_init(self, models_dir, log_lines, monkeypatch):
        cold_start = ColdStart()
        cold_start.record("import_ms", 5000.0)
        monkeypatch.setattr(metrics, "cold_start", cold_start)
        monkeypatch.setattr(predictor, "cold_start", cold_start)
        given = Settings((models_dir,), memory_mb=2048, function_name="f", is_restored=True)
        api = Api(given, ModelStore(given))
        api.predict(asking())
        api.predict(asking())
        for line, restores in zip(log_lines(), (1, 0), strict=True):
            request = cost_usd(line["DurationMs"], 2048, platform.machine())
            assert line["cost_usd"] == pytest.approx(request + restores * 2 * 0.0001397998, abs=1e-11)

    def test_a_refused_request_costs_too(self, api, log_lines):
        api.predict(asking(5, customer="42"))
        (line,) = log_lines()
        assert line["cost_usd"] >= 2e-7 and line["Customer"] == "42"

    def test_made_up_customers_share_one_metric(self, api, log_lines):
        for number in range(300):
            api.predict(asking(5, customer=f"made-up-{number}"))
        assert {line["Customer"] for line in log_lines()} == {OTHERS}

    def test_one_line_is_small(self, api, log_lines):
        api.predict(asking())
        api.predict(asking())
        assert len(json.dumps(log_lines()[1])) < 2000
