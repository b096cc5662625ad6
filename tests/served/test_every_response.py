"""What holds for every response, whatever its route: its headers and its JSON, and beside a bad bundle, too."""

import json

import pytest

from chalicelib import runtime, strict_json
from tests.support.bundles import DAMAGES, write_bundle
from tests.support.pictures import RED
from tests.support.requests import b64
from tests.support.rights import as_nobody, open_folder

VALID = b64(RED)
ROUTES = {
    "page": ("GET", "/", b"", 200),
    "predict": ("POST", "/predict", json.dumps({"image": VALID}).encode(), 200),
    "instances": ("POST", "/predict", json.dumps({"instances": [{"b64": VALID}]}).encode(), 200),
    "a refusal": ("POST", "/predict", b"{}", 400),
    "no model": ("POST", "/predict", json.dumps({"image": VALID, "model": "nobody"}).encode(), 404),
    "predict image": ("POST", "/predict/image", RED, 200),
    "health": ("GET", "/health", b"", 200),
    "models": ("GET", "/models", b"", 200),
    "contract": ("GET", "/openapi.json", b"", 200),
    "batches": ("POST", "/batches", b"{}", 404),
    "a batch": ("GET", "/batches/b1", b"", 404),
    "a method that is none": ("DELETE", "/predict", b"", 405),
}
"""One request of each kind: method, path, body, and the status where one model is installed."""


def ask(client, route: str):
    method, path, body, _ = ROUTES[route]
    content_type = {"Content-Type": "image/png" if path.endswith("image") else "application/json"}
    return client.http.request(method, path, headers=content_type if body else {}, body=body)


def strict(response):
    """The JSON of a response, read as other languages read it: NaN and Infinity are errors."""
    return strict_json.loads(response.body)


class TestEveryResponse:
    @pytest.mark.parametrize("route", ROUTES)
    def test_it_has_a_type_that_is_not_to_be_guessed_and_is_strict_json(self, client, route):
        response = ask(client, route)
        assert (response.status_code, response.headers["X-Content-Type-Options"]) == (ROUTES[route][3], "nosniff")
        if route != "page":
            assert response.headers.get("Content-Type", "application/json") == "application/json"
            assert isinstance(strict(response), dict)

    @pytest.mark.parametrize("route", [name for name, asked in ROUTES.items() if asked[0] == "POST"])
    def test_nor_is_that_of_an_exception_that_nobody_foresaw(self, client, monkeypatch, route):
        def fail(*_):
            raise RuntimeError("secret")

        for view in ("predict", "predict_image", "start_batch"):
            monkeypatch.setattr(type(runtime.api), view, fail)
        response = ask(client, route)
        assert (response.status_code, response.headers["X-Content-Type-Options"]) == (500, "nosniff")
        assert "secret" not in str(strict(response))

    def test_an_answer_that_would_be_no_json_is_an_error(self, client, monkeypatch):
        monkeypatch.setattr(type(runtime.api._store), "cards", lambda _: [{"name": "x", "accuracy": float("nan")}])
        response = ask(client, "models")
        assert (response.status_code, strict(response)["Code"]) == (500, "InternalServerError")


class TestABadBundle:
    """It harms itself alone: the other models answer on every route."""

    @pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "card missing"])
    def test_the_others_answer(self, serve, tmp_path, damage):
        write_bundle(tmp_path, name="good")
        DAMAGES[damage][0](write_bundle(tmp_path, name="bad"))
        client = serve(tmp_path, model_name="good")
        for route, (*_, status) in ROUTES.items():
            response = ask(client, route)
            assert response.status_code == status, (route, response.body)
            if route != "page":
                strict(response)
        listed = {card["name"]: card for card in strict(ask(client, "models"))["models"]}
        assert set(listed) == {"good", "bad"} and "error" not in listed["good"]
        body = json.dumps({"image": VALID, "model": "bad"}).encode()
        named = client.http.post("/predict", headers={"Content-Type": "application/json"}, body=body)
        assert (named.status_code, strict(named)["Code"]) == (503, "ServiceUnavailableError")

    @pytest.mark.parametrize("bad", ["a", "z"], ids=["before the other", "after the other"])
    def test_a_folder_without_rights(self, serve, bad):
        with open_folder() as folder:
            write_bundle(folder, name="good")
            write_bundle(folder, name=bad).chmod(0)
            client = serve(folder)
            with as_nobody():
                for route, (*_, status) in ROUTES.items():
                    assert ask(client, route).status_code == status, route
                listed = {card["name"]: card for card in strict(ask(client, "models"))["models"]}
            assert listed["good"]["default"] and "Permission denied" in listed[bad]["error"]
            assert str(folder) not in str(listed)
