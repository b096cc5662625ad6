"""The routes, through Chalice's own test client, and the cold start of a true process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from chalice.local import LambdaContext

import app
from chalicelib.inference.engine import processor_features
from tests.support.bundles import DAMAGES, DATA_DIR, write_bundle
from tests.support.paths import ROOT
from tests.support.pictures import BLUE, GREEN, RED, encode, plain, png_claiming, quarters, scan_bomb
from tests.support.requests import assert_is_error, b64, settled

JSON = {"Content-Type": "application/json"}
VALID = b64(RED)


def post(client, body: bytes, path: str = "/predict", content_type: str = "application/json"):
    return client.http.post(path, headers={"Content-Type": content_type}, body=body)


def predict(client, **fields):
    return post(client, json.dumps(fields).encode())


class TestPredict:
    def test_the_best_label_comes_first(self, client):
        body = predict(client, image=b64(GREEN), top_k=2).json_body
        assert [(p["index"], p["label"]) for p in body["predictions"]] == [(1, "green"), (0, "red")]
        assert body["predictions"][0]["score"] > body["predictions"][1]["score"]

    def test_instances(self, client):
        body = predict(client, instances=[{"b64": b64(data)} for data in (RED, GREEN, BLUE)], top_k=1).json_body
        assert [answer[0]["label"] for answer in body["predictions"]] == ["red", "green", "blue"]

    @pytest.mark.parametrize(
        "spell",
        [
            lambda text: text,
            lambda text: text.rstrip("="),
            lambda text: text.replace("+", "-").replace("/", "_"),
            lambda text: "\n".join(text[i : i + 76] for i in range(0, len(text), 76)),
            lambda text: "data:image/jpeg;base64," + text,
        ],
        ids=["plain", "unpadded", "URL-safe", "lines", "data: URL"],
    )
    def test_five_spellings_of_one_picture(self, client, spell):
        text = b64(encode(quarters(), "JPEG"))
        assert "+" in text and "/" in text
        want = settled(predict(client, image=text).json_body)
        assert settled(predict(client, image=spell(text)).json_body) == want

    def test_scores_of_a_picture_in_every_format(self, client):
        for image_format in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
            data = encode(plain((250, 10, 10), (40, 30)), image_format)
            response = post(client, data, "/predict/image", f"image/{image_format.lower()}")
            assert (response.status_code, response.json_body["predictions"][0]["label"]) == (200, "red")


class TestBadInput:
    """Issue by issue what bad input gets: a status and a message of the contract, never a 500."""

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"", 400),
            (b"not JSON", 400),
            (b"[1]", 400),
            (b"null", 400),
            (b'"abc"', 400),
            (b"1", 400),
            (b"\xff\xfe\x80", 400),
            (b"{}", 400),
            (b'{"image": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400),
            (b'{"image": "QUJD", "top_k": NaN}', 400),
            (b'{"image": "QUJD", "top_k": 1e999}', 400),
        ],
        ids=["empty", "text", "list", "null", "string", "number", "bytes", "object", "deep", "NaN", "1e999"],
    )
    def test_bodies(self, client, body, status):
        response = post(client, body)
        assert response.status_code == status
        assert_is_error(response.json_body, status)

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"image": None}, 400),
            ({"image": 5}, 400),
            ({"image": ""}, 400),
            ({"image": "!!!!"}, 400),
            ({"image": "ünï"}, 400),
            ({"image": "data:image/png,abc"}, 400),
            ({"image": VALID, "unknown": 1}, 400),
            ({"image": VALID, "instances": []}, 400),
            ({"instances": []}, 400),
            ({"image": VALID, "model": ""}, 400),
            ({"image": VALID, "model": 5}, 400),
            ({"image": VALID, "model": None}, 400),
            ({"image": VALID, "model": "nobody"}, 404),
            ({"image": VALID, "model": "../channels_float"}, 404),
            ({"image": b64(b"no picture")}, 415),
            ({"image": b64(b"%PDF-1.7")}, 415),
            ({"image": b64(encode(quarters())[:300])}, 422),
            ({"image": b64(png_claiming(1, 39_999_999))}, 413),
            ({"image": b64(encode(plain((1, 1, 1), (65_535, 1)), "BMP"))}, 413),
            ({"image": b64(scan_bomb(500))}, 413),
            ({"image": b64(encode(plain((1, 1, 1), (1, 1))))}, 200),
            *(({"image": VALID, "top_k": k}, 400) for k in (0, -1, 10**9, 2**63, "5", 2.5, True, None, [], 4)),
            ({"image": VALID, "top_k": 3}, 200),
        ],
        ids=lambda value: json.dumps(value).replace(VALID, "VALID")[:70] if isinstance(value, dict) else "",
    )
    def test_fields(self, client, fields, status):
        response = predict(client, **fields)
        assert response.status_code == status
        if status != 200:
            assert assert_is_error(response.json_body, status)

    @pytest.mark.parametrize("path", ["/predict", "/predict/image"])
    def test_a_body_over_the_limit(self, serve, models_dir, path):
        client = serve(models_dir, max_body_bytes=1000)
        response = post(client, b"x" * 1001, path, "application/json" if path == "/predict" else "image/png")
        assert response.status_code == 413
        assert "1001 bytes: at most 1000" in assert_is_error(response.json_body, 413)

    def test_a_broken_base64_event_is_refused(self, client):
        event = {
            "requestContext": {"httpMethod": "POST", "resourcePath": "/predict/image", "requestId": "r-9"},
            "headers": {"content-type": "image/png"},
            "multiValueQueryStringParameters": None,
            "pathParameters": {},
            "stageVariables": None,
            "body": "A",
            "isBase64Encoded": True,
        }
        answer = app.app(event, LambdaContext("slimception", 128))
        assert (answer["statusCode"], answer["headers"]["X-Request-Id"]) == (400, "r-9")


class TestOtherRoutes:
    def test_health(self, client):
        response = client.http.get("/health")
        assert (response.status_code, response.json_body["status"]) == (200, "ok")
        assert response.json_body["model"]["name"] == "channels_float"

    @pytest.mark.parametrize("name", ["model file missing", "labels not UTF-8", "card not JSON"])
    def test_health_of_a_damaged_bundle(self, client, models_dir, name):
        damage, complaint = DAMAGES[name]
        damage(models_dir / "channels_float")
        response = client.http.get("/health")
        assert (response.status_code, complaint in response.json_body["Message"]) == (503, True)
        answer = predict(client, image=VALID)
        assert answer.status_code == 503
        assert complaint not in answer.body.decode() and str(models_dir) not in answer.body.decode()
        write_bundle(models_dir)
        assert predict(client, image=VALID).status_code == 200

    def test_models(self, client, models_dir):
        write_bundle(models_dir, "channels_int8")
        body = client.http.get("/models").json_body
        assert [(card["name"], card["default"]) for card in body["models"]] == [
            ("channels_float", True),
            ("channels_int8", False),
        ]

    @pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("GET", "/predict"), ("DELETE", "/models")])
    def test_what_is_no_route_is_no_500(self, client, method, path):
        assert 400 <= client.http.request(method, path).status_code < 500

    def test_a_browser_of_another_site_may_ask(self, client):
        headers = client.http.get("/health").headers
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert headers["Access-Control-Expose-Headers"] == "X-Request-Id,Server-Timing"

    def test_only_the_page_is_not_for_other_sites(self):
        routes = {path: entry.cors for path, methods in app.app.routes.items() for entry in methods.values()}
        assert [path for path, cors in routes.items() if cors is None] == ["/"]


COLD_START = """
import json, sys
import app
loaded = {"boto3", "botocore", "tensorflow", "ai_edge_litert", "tflite_runtime", "tests"} & set(sys.modules)
from chalicelib import runtime
assert not loaded, loaded
assert not runtime.store._loaded
from tests.support.pictures import RED
from tests.support.requests import json_request, b64
for _ in range(2):
    assert runtime.api.predict(json_request({"image": b64(RED)})).status_code == 200
"""


def run_python(script: str, **env: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **env}
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=given, text=True, capture_output=True, timeout=60, check=False
    )


class TestColdStart:
    def test_the_first_answer_of_a_process_tells_what_it_cost(self, models_dir, engine):
        run = run_python(
            COLD_START,
            MODEL_DIR=str(models_dir),
            MODEL_NAME="channels_float",
            AWS_LAMBDA_FUNCTION_MEMORY_SIZE="1769",
        )
        assert run.returncode == 0, run.stderr
        first, second = map(json.loads, run.stdout.splitlines())
        parts = first["cold_start_ms"]
        assert first["cold_start"] is True
        assert set(parts) - {"python_ms"} == {"import_ms", "model_load_ms", "first_inference_ms", "total_ms"}
        assert ("python_ms" in parts) == Path("/proc/self/stat").exists()
        total = parts.pop("total_ms")
        assert total == pytest.approx(sum(parts.values()), abs=0.1) and min(parts.values()) >= 0
        assert parts["import_ms"] > 1
        assert (first["engine"], first["engine_version"]) == (engine.name, engine.version)
        assert (first["model"], first["memory_mb"], first["threads"]) == ("channels_float", 1769, 1)
        assert len(first["version"]) == 12 and first["architecture"] and first["python"]
        assert second["cold_start"] is False
        assert first["outside_delegate"] == 0 and first["features"] == processor_features()
        assert not {"cold_start_ms", "engine", "memory_mb", "architecture", "features"} & set(second)

    def test_the_garbage_collector_pauses_for_the_imports_and_never_looks_at_them(self, models_dir):
        code = """
import gc
before = sum(generation["collections"] for generation in gc.get_stats())
import app
after = sum(generation["collections"] for generation in gc.get_stats())
print(gc.isenabled(), after - before, gc.get_freeze_count())
"""
        run = run_python(code, MODEL_DIR=str(models_dir))
        enabled, collections, frozen = run.stdout.split()
        assert enabled == "True"
        assert int(collections) < 20  # of the modules before `telemetry`; 150 without the pause
        assert int(frozen) > 10_000

    @pytest.mark.parametrize(("in_lambda", "warm"), [(True, True), (True, False), (False, True)])
    def test_warming_in_init_happens_only_in_lambda_and_only_when_asked_for(self, models_dir, in_lambda, warm):
        run = run_python(
            "import app; from chalicelib import runtime; print(len(runtime.store._loaded))",
            MODEL_DIR=str(models_dir),
            MODEL_NAME="channels_float",
            WARM_IN_INIT=str(warm).lower(),
            **({"AWS_LAMBDA_FUNCTION_NAME": "slimception"} if in_lambda else {}),
        )
        assert (run.stdout, run.returncode) == (f"{int(in_lambda and warm)}\n", 0), run.stderr

    def test_warming_a_broken_model_leaves_the_process_alive(self, models_dir):
        (models_dir / "channels_float" / "model.tflite").write_bytes(b"")
        run = run_python(
            "import app",
            MODEL_DIR=str(models_dir),
            MODEL_NAME="channels_float",
            WARM_IN_INIT="true",
            AWS_LAMBDA_FUNCTION_NAME="slimception",
        )
        assert run.returncode == 0, run.stderr
        (line,) = map(json.loads, run.stdout.splitlines())
        assert line["event"] == "warm_failed" and "(0 bytes, expected 412)" in line["error"]

    def test_a_bad_setting_is_named(self):
        run = run_python("import app", ENGINE="fastest")
        assert run.returncode == 1
        assert "ENGINE='fastest': expected one of auto, litert, tflite-runtime" in run.stderr


class TestEmbeddedDefault:
    def test_the_sample_digit_is_read(self, serve):
        client = serve(ROOT / "chalicelib" / "models")
        body = predict(client, image=b64((DATA_DIR / "seven.png").read_bytes())).json_body
        assert body["model"]["name"] == "digits"
        assert (body["predictions"][0]["label"], len(body["predictions"])) == ("7", 5)
        assert body["predictions"][0]["score"] > 0.9
