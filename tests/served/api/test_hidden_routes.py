"""Routes behind a front that Chalice does not deploy."""

import json
import os
import subprocess
import sys

import pytest

from chalicelib.api.hidden_routes import HiddenRoutes
from tests.support.paths import ROOT

LOOK = """
import json
from chalice.test import Client
from app import app
answer = Client(app).http.get("/models")
origin = answer.headers.get("Access-Control-Allow-Origin")
functions = [[one.name, one.handler_string] for one in app.pure_lambda_functions if one.name == "front"]
print(json.dumps([bool(app.routes), len(app.routes), answer.status_code, origin, functions]))
"""


def look(**variables: str) -> list[object]:
    """What a process sees of the app: whether Chalice would deploy its routes, how many, and one answered."""
    env = {**os.environ, **variables}
    run = subprocess.run([sys.executable, "-c", LOOK], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return list(json.loads(run.stdout.splitlines()[-1]))


def test_they_are_false_and_else_a_table_of_routes() -> None:
    routes = HiddenRoutes()
    routes["/models"]["GET"] = "entry"
    assert not routes and len(routes) == 1 and dict(routes) == {"/models": {"GET": "entry"}}


@pytest.mark.parametrize("front", ["http", "url"])
def test_another_front_hides_them_from_a_deployment_and_not_from_chalice_local(front: str) -> None:
    hidden, count, status, origin, functions = look(FRONT=front)
    assert (hidden, status, origin, functions) == (False, 200, "*", [["front", "app.app"]])
    assert look(FRONT="rest") == [True, count, 200, "*", []]


def test_in_lambda_there_is_nothing_to_hide_and_the_front_speaks_of_cors() -> None:
    there, _, status, origin, functions = look(FRONT="http", AWS_LAMBDA_FUNCTION_NAME="slimception-dev-front")
    assert (there, status, origin, functions) == (True, 200, None, [])
