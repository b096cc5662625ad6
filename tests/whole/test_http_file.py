"""docs/requests.http has every route of the contract once, with a body that the contract and the app accept."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest

from chalicelib.api import openapi
from chalicelib.config import Settings
from chalicelib.inference.store import ModelStore
from tests.support.local_server import Server, serving
from tests.support.pages import DOCS

FILE = DOCS / "requests.http"
DEPLOYED_ALONE = {"startUpload", "startBatch", "batch"}


class Call(NamedTuple):
    name: str
    method: str
    path: str
    content_type: str | None
    body: bytes | None


def parsed(path: Path) -> list[Call]:
    """The requests, as REST Client and JetBrains read them."""
    text = path.read_text(encoding="utf-8")
    for name, value in re.findall(r"^@(\w+) = (.+)$", text, re.M):
        text = text.replace(f"{{{{{name}}}}}", value)
    (url,) = re.findall(r"^@url = (.+)$", text, re.M)
    return [_call(block, url, path.parent) for block in re.split(r"^###.*\n", text, flags=re.M)[1:]]


def _call(block: str, url: str, folder: Path) -> Call:
    (name,) = re.findall(r"^# @name ([\w.]+)$", block, re.M)
    head, _, rest = re.sub(r"^#.*\n", "", block, flags=re.M).partition("\n\n")
    request, *headers = head.strip().splitlines()
    method, target = request.split(" ")
    assert target.startswith(url), target
    given = dict(line.split(": ", 1) for line in headers)
    body = rest.strip()
    is_form = given.get("Content-Type", "").startswith("multipart/")
    data = (b"\r\n" if is_form else b"\n").join(_line(line, folder) for line in body.split("\n")) if body else None
    return Call(name, method, target.removeprefix(url), given.get("Content-Type"), data)


def _line(line: str, folder: Path) -> bytes:
    return (folder / line[2:]).read_bytes() if line.startswith("< ") else line.encode()


CALLS = parsed(FILE)


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return openapi.describe(ModelStore(Settings()).cards(), takes_batches=True, takes_uploads=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("http_file") / "output.txt") as started:
        yield started


def operations(contract: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """The operation's id to its method, path and description; HEAD is GET without the body."""
    found = {}
    for path, item in contract["paths"].items():
        for method, operation in item.items():
            if method != "head":
                found[operation["operationId"]] = (method.upper(), path, operation)
    return found


def test_every_route_appears_once_and_every_name_once(contract) -> None:
    names = [call.name for call in CALLS]
    assert len(set(names)) == len(names)
    assert [name for name in names if "." not in name] == list(operations(contract))


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_it_is_a_request_of_the_contract(contract, call) -> None:
    method, path, operation = operations(contract)[call.name.partition(".")[0]]
    assert call.method == method
    pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
    assert re.fullmatch(pattern, call.path.partition("?")[0])
    query = {pair.split("=")[0] for pair in call.path.partition("?")[2].split("&") if pair}
    assert query <= {given["name"] for given in operation.get("parameters", [])}
    assert (call.body is None) == ("requestBody" not in operation)
    if call.body is not None:
        content = operation["requestBody"]["content"]
        media_type = str(call.content_type).partition(";")[0]
        assert media_type in content
        if media_type == "application/json":
            schema = {**content[media_type]["schema"], "components": contract["components"]}
            jsonschema.Draft202012Validator(schema).validate(json.loads(call.body))


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_the_app_answers_it(server, contract, call) -> None:
    name = call.name.partition(".")[0]
    if call.name == "page":
        call = call._replace(method="HEAD")  # whose answer is no JSON
    status, answer = server.send(call.method, call.path, call.body, call.content_type)
    good = min(map(int, operations(contract)[name][2]["responses"]))
    assert status == (404 if name in DEPLOYED_ALONE else good), answer
    if "predict" in call.path and name.startswith("predict"):
        first = answer["predictions"][0]
        assert (first[0] if isinstance(first, list) else first)["label"] == "7"
