import base64
import json
import tomllib

import pytest

import app
from chalicelib.api import openapi
from chalicelib.api.schemas import COMPONENTS
from chalicelib.inference.card import InputSpec, ModelCard, OutputSpec
from chalicelib.statuses import STATUS, UNEXPECTED
from tests.support.bundles import card_fields, write_bundle
from tests.support.paths import ROOT

TWO = [{**card_fields(), "default": True}, {**card_fields("channels_int8"), "default": False}]
TWO[1]["output"] = {**TWO[1]["output"], "classes": 1000}
BROKEN = {"name": "broken", "error": "model.json cannot be read as JSON", "default": False}


def parameters(document) -> dict:
    given = document["paths"]["/predict/image"]["post"]["parameters"]
    return {each["name"]: each["schema"] for each in given if each["in"] == "query"}


class TestDocument:
    @pytest.mark.parametrize("cards", [[], TWO, [*TWO, BROKEN], [BROKEN]], ids=["none", "two", "one broken", "broken"])
    def test_it_is_valid_openapi(self, cards):
        validator = pytest.importorskip("openapi_spec_validator", reason="openapi-spec-validator is not installed")
        validator.OpenAPIV31SpecValidator(json.loads(openapi.document(cards).text)).validate()

    def test_every_route_is_described_and_no_other(self):
        described = {
            (path, method.upper())
            for path, item in openapi.describe([], takes_batches=True, takes_uploads=True)["paths"].items()
            for method in item
        }
        assert described == {(path, method) for path, methods in app.app.routes.items() for method in methods}

    def test_the_statuses_are_those_that_errors_have(self):
        paths = openapi.describe([], takes_batches=True, takes_uploads=True)["paths"]
        described = {
            int(status) for item in paths.values() for operation in item.values() for status in operation["responses"]
        }
        assert described <= {200, 201, 202, UNEXPECTED[0], *(status for status, _ in STATUS.values())}
        wanted = [str(status) for status in (200, 400, 404, 413, 415, 422, 500, 503)]
        assert list(paths["/predict"]["post"]["responses"]) == wanted
        assert list(paths["/predict/image"]["post"]["responses"]) == wanted

    def test_the_installed_models_set_the_bounds(self):
        found = parameters(openapi.describe([*TWO, BROKEN]))
        assert found["model"]["enum"] == ["channels_float", "channels_int8"]
        assert (found["top_k"]["minimum"], found["top_k"]["maximum"]) == (1, 1000)
        bodies = openapi.describe(TWO)["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
        for body in bodies["schema"]["oneOf"]:
            assert {name: body["properties"][name] for name in found} == found

    def test_describing_changes_nothing_that_parsing_uses(self):
        before = json.dumps(openapi.describe([]))
        openapi.describe(TWO)
        assert json.dumps(openapi.describe([])) == before

    @pytest.mark.parametrize(
        ("path", "server"), [("/openapi.json", "/"), ("/api/openapi.json", "/api"), ("/v1/api/openapi.json", "/v1/api")]
    )
    def test_the_server_is_the_stage(self, path, server):
        assert json.loads(openapi.document([], path).text)["servers"] == [{"url": server}]

    def test_its_version_is_the_projects(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert project["version"] == openapi.API_VERSION

    def test_the_cards_fields_are_the_schemas(self):
        card = COMPONENTS["Card"]["properties"]
        assert set(card) == {*ModelCard._fields} | {"version"}
        for name, spec in (("input", InputSpec), ("output", OutputSpec)):
            assert set(card[name]["properties"]) == {*spec._fields}


class TestRoute:
    def test_the_answer(self, client, models_dir):
        write_bundle(models_dir, "channels_int8")
        response = client.http.get("/openapi.json")
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Cache-Control"] == "public, max-age=60"
        assert parameters(response.json_body)["model"]["enum"] == ["channels_float", "channels_int8"]
        assert response.headers["X-Request-Id"] and response.headers["Server-Timing"].startswith("total;dur=")

    def test_the_examples_are_answered(self, serve):
        client = serve(ROOT / "chalicelib" / "models")
        content = client.http.get("/openapi.json").json_body["paths"]["/predict"]["post"]["requestBody"]["content"]
        labels = []
        for example in content["application/json"]["examples"].values():
            body = json.dumps(example["value"]).encode()
            response = client.http.post("/predict", headers={"Content-Type": "application/json"}, body=body)
            assert response.status_code == 200
            labels.append(json.dumps(response.json_body["predictions"]).count('"label": "7"'))
        assert labels == [1, 2]
        assert len(base64.b64decode(openapi.EXAMPLE_IMAGE)) < 150
