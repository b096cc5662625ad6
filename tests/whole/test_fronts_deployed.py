"""One stage behind one front after another, asked with curl and a browser: the same answers, never a second door."""

import json
import shutil
import subprocess
from contextlib import closing
from typing import Any, NamedTuple

import pytest

from benchmarks.deployment.interrupted import QuietDeployer
from layers.pythons import own
from localaws.deploy import project
from localaws.deploy.deployer import PROJECT, Deployment
from tests.support.browser import Visit
from tests.support.local_cloud import skipped_without_an_index
from tests.support.paths import SEVEN
from tests.support.requests import b64, settled

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
ORIGIN = "https://pictures.example"
PICTURE = ("-H", "Content-Type: image/png", "--data-binary", f"@{SEVEN}")
JSON = ("-H", "Content-Type: application/json", "-d")
SIGNED = ("-H", "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/execute-api/aws4_request")
REQUESTS: dict[str, tuple[str, ...]] = {
    "JSON": ("predict", *JSON, json.dumps({"image": b64(SEVEN.read_bytes()), "top_k": 2})),
    "raw": ("predict/image?top_k=1&model=digits", *PICTURE),
    "form": ("predict", "-F", f"image=@{SEVEN}", "-F", "top_k=2"),
    "page": ("",),
    "error": ("predict", *JSON, '{"image": "@@"}'),
    "unknown model": ("predict/image?model=n%C3%B6", *PICTURE),
    "HEAD": ("models", "--head"),
    "preflight": ("predict", "-X", "OPTIONS", "-H", "Access-Control-Request-Method: POST"),
    "unsigned": ("batches", *JSON, "{}"),
    "signed": ("batches", *SIGNED, *JSON, "{}"),
    "percent-encoded": ("batches/a%20b", *SIGNED),
}
STATUSES = dict.fromkeys(("JSON", "raw", "form", "page", "HEAD"), 200) | {
    "error": 400, "unknown model": 404, "unsigned": 403, "signed": 400, "percent-encoded": 404,
}  # fmt: skip


class Answer(NamedTuple):
    """What curl shows."""

    status: int
    headers: dict[str, list[str]]
    body: bytes


def curl(url: str, *options: str) -> Answer:
    command = ["curl", "-s", "-i", "--max-time", "60", "-H", f"Origin: {ORIGIN}", *options, url]
    head, _, body = subprocess.run(command, capture_output=True, check=True).stdout.partition(b"\r\n\r\n")
    first, *lines = head.decode().splitlines()
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    return Answer(int(first.split()[1]), headers, body)


class Fronted(NamedTuple):
    """The stage behind a front, and what it answers."""

    front: str
    url: str
    functions: tuple[str, ...]
    answers: dict[str, Answer]
    in_browser: tuple[str, list[str]] | None
    """The best label on the page for the picture of a seven, and what the browser logged; None without a browser."""


def on_the_page(browser: Any, url: str) -> tuple[str, list[str]]:
    context = browser.new_context()
    visit = Visit(context, url)
    visit.page.set_input_files("#file", str(SEVEN))
    best = visit.best()
    context.close()
    return best, visit.console


def change_front(deployer: QuietDeployer) -> Deployment:
    """Another front before a function that stays as it is, which takes a third of a deployment's time."""
    copied = deployer.cloud.host.folder / "project" / deployer.stage
    project.choose_front(copied, deployer.stage, str(deployer.front), deployer.cloud.host.max_instances)
    deployer._layers("front", copied)
    return deployer._read(copied / ".chalice" / "deployed" / f"{deployer.stage}.json")


@pytest.fixture(scope="module")
def browser_if_any(request: pytest.FixtureRequest) -> Any:
    try:
        return request.getfixturevalue("browser")
    except pytest.skip.Exception:
        return None


@pytest.fixture(scope="module")
def fronted(cloud: Any, browser_if_any: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fronted]:
    """Stage dev, deployed behind each front in turn, from one project without a model layer."""
    copied = project.copy(PROJECT, tmp_path_factory.mktemp("project"))
    (copied / "build" / "layers").mkdir(parents=True)
    for built in (PROJECT / "build" / "layers").glob("runtime-*.zip"):
        shutil.copy2(built, copied / "build" / "layers")
    found = {}
    for front in ("http", "url", "rest"):
        deployer = QuietDeployer(cloud, own(), copied, say=lambda _: None, front=front, opened=front == "url")
        with skipped_without_an_index():
            deployed = change_front(deployer) if front == "url" else deployer.deploy()
        answers = {name: curl(deployed.url + path, *options) for name, (path, *options) in REQUESTS.items()}
        seen = on_the_page(browser_if_any, deployed.url) if browser_if_any else None
        found[front] = Fronted(front, deployed.url, deployed.functions, answers, seen)
        with closing(cloud.client("apigateway")) as rest, closing(cloud.client("apigatewayv2")) as http:
            doors = (len(rest.get_rest_apis()["items"]), len(http.get_apis()["Items"]))
        assert doors == {"rest": (1, 0), "http": (0, 1), "url": (0, 0)}[front], front
    return found


@pytest.mark.parametrize("front", ["http", "url", "rest"])
class TestFront:
    @pytest.mark.parametrize("name", STATUSES)
    def test_the_status(self, fronted: dict[str, Fronted], front: str, name: str) -> None:
        answer = fronted[front].answers[name]
        refused = name == "signed" and front == "url"  # an open URL examines no signature: its batches are for nobody
        refused = refused or (name == "percent-encoded" and front == "url")
        assert answer.status == (403 if refused else STATUSES[name]), answer

    @pytest.mark.parametrize("name", ["JSON", "raw", "form", "error", "unknown model"])
    def test_the_body_is_that_of_a_rest_api(self, fronted: dict[str, Fronted], front: str, name: str) -> None:
        one, other = (settled(json.loads(fronted[of].answers[name].body)) for of in (front, "rest"))
        assert one == other

    def test_the_page_is_the_same_bytes(self, fronted: dict[str, Fronted], front: str) -> None:
        page = fronted[front].answers["page"]
        assert page.body == fronted["rest"].answers["page"].body
        assert page.headers["content-type"] == ["text/html; charset=utf-8"]

    def test_a_browser_gets_an_answer_on_the_page(self, fronted: dict[str, Fronted], front: str) -> None:
        if fronted[front].in_browser is None:
            pytest.skip("there is no browser")
        assert fronted[front].in_browser == ("7", [])

    def test_another_origin_may_read_the_answer_and_the_header_comes_once(
        self, fronted: dict[str, Fronted], front: str
    ) -> None:
        answers = fronted[front].answers
        for name in ("JSON", "error"):
            assert answers[name].headers["access-control-allow-origin"] == ["*"], name
            exposed = answers[name].headers["access-control-expose-headers"]
            assert exposed[0].lower() == "x-request-id,server-timing" and len(exposed) == 1
        preflight = answers["preflight"]
        assert preflight.status in (200, 204)
        assert preflight.headers["access-control-allow-origin"] == ["*"]
        assert "x-customer-id" in preflight.headers["access-control-allow-headers"][0].lower()

    def test_no_function_of_another_front_is_left(self, fronted: dict[str, Fronted], front: str) -> None:
        own_function, other = ("slimception-dev", "slimception-dev-front")[:: 1 if front == "rest" else -1]
        assert fronted[front].functions[0] == own_function and other not in fronted[front].functions


def test_the_last_front_is_the_only_one_that_answers(fronted: dict[str, Fronted], cloud: Any) -> None:
    assert curl(fronted["http"].url + "models").status == 404
    assert curl(fronted["url"].url + "models").status == 403
    with closing(cloud.client("lambda")) as client:
        names = {one["FunctionName"] for one in client.list_functions()["Functions"]}
    assert "slimception-dev" in names and "slimception-dev-front" not in names
    with closing(cloud.client("cloudformation")) as client:
        stacks = {one["StackName"] for one in client.describe_stacks()["Stacks"]}
    assert "slimception-dev-front" not in stacks
