"""The project itself, as deployed: the same answers as `chalice local`, from function and layers alone."""

import base64
import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from chalicelib.config import default_threads
from layers.pythons import own
from localaws.deploy import project
from localaws.deploy.deployer import PROJECT, Deployer
from localaws.host import packages
from tests.support.bundles import DATA_DIR
from tests.support.local_cloud import skipped_without_an_index
from tests.support.local_server import serving
from tests.support.requests import b64, settled

SEVEN = (DATA_DIR / "seven.png").read_bytes()
JSON = "application/json"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The project with no model layer, so that the default model is the embedded one."""
    copied = project.copy(PROJECT, tmp_path_factory.mktemp("project"))
    (copied / "build" / "layers").mkdir(parents=True)
    for built in (PROJECT / "build" / "layers").glob("runtime-*.zip"):
        shutil.copy2(built, copied / "build" / "layers")
    return copied


@pytest.fixture(scope="module")
def deployed(cloud, source):
    lines = []
    with skipped_without_an_index():
        return Deployer(cloud, own(), source, say=lines.append).deploy()


@pytest.fixture(scope="module")
def send(deployed):
    def send(method, path, body=None, content_type=None):
        headers = {"Content-Type": content_type} if content_type else {}
        request = urllib.request.Request(deployed.url + path.lstrip("/"), body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    return send


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """`chalice local`."""
    with serving(tmp_path_factory.mktemp("chalice-local") / "output.txt") as started:
        yield started


def predict(**fields):
    return "POST", "/predict", json.dumps(fields).encode(), JSON


@pytest.mark.parametrize(
    "request_",
    [
        predict(image=b64(SEVEN), top_k=3),
        predict(instances=[{"b64": b64(SEVEN)}] * 2),
        predict(image=b64(SEVEN), model="digits"),
        predict(image=b64(SEVEN), model="none"),
        predict(image=b64(SEVEN), top_k=0),
        predict(image="@@"),
        predict(image=b64(b"GIF89a")),
        predict(image=b64(b"no picture")),
        ("POST", "/predict", b"[1, 2]", JSON),
        ("POST", "/predict", None, JSON),
        ("POST", "/predict", b"{", JSON),
        ("POST", "/predict", b"\xff\xfe", JSON),
        ("POST", "/predict", SEVEN, "image/png"),
        ("POST", "/predict/image?top_k=2", SEVEN, "image/png"),
        ("POST", "/predict/image?top_k=11&model=digits", SEVEN, "image/png"),
        ("POST", "/predict/image", SEVEN[:200], "image/png"),
        ("POST", "/predict/image", SEVEN, "text/plain"),
        ("POST", "/predict/image", None, "image/png"),
        ("GET", "/models", None, None),
    ],
    ids=lambda request: f"{request[0]} {request[1]} {(request[2] or b'')[:24]!r}",
)
def test_the_answer_is_that_of_chalice_local(send, server, request_):
    status, body = send(*request_)
    expected_status, expected = server.send(*request_)
    assert (status, settled(body)) == (expected_status, settled(expected))


def test_health_is_that_of_chalice_local_but_for_what_is_measured(send, server):
    (status, body), (expected_status, expected) = send("GET", "/health"), server.send("GET", "/health")
    assert (status, body["status"], body["model"]) == (expected_status, "ok", expected["model"])
    memory_mb = body["runtime"]["memory_mb"]  # on Lambda, memory decides on the number of threads, too
    own = {"memory_mb": memory_mb, "threads": default_threads(memory_mb), "features": body["runtime"]["features"]}
    assert body["runtime"] == {**expected["runtime"], **own}  # the processor that Lambda shows may be another
    assert body["delegate"] == expected["delegate"]
    assert set(body["cold_start"]) == set(expected["cold_start"])


def test_the_page_is_that_of_chalice_local(deployed, server):
    pages = [urllib.request.urlopen(url, timeout=60) for url in (deployed.url, server.url)]
    (content, kind), expected = [(page.read(), page.headers["Content-Type"]) for page in pages]
    for page in pages:
        page.close()
    assert (content, kind) == expected


def test_a_route_that_is_not_there(send, server):
    assert send("GET", "/nothing") == server.send("GET", "/nothing")


def test_each_cold_start_leaves_its_line_in_the_log(send, cloud, deployed):
    cloud.host.stop_idle_instances()
    _, first = send(*predict(image=b64(SEVEN)))
    _, second = send(*predict(image=b64(SEVEN)))
    assert (first["cold_start"], second["cold_start"]) == (True, False)
    (instance,) = cloud.host.instances()
    lines = [json.loads(line) for line in instance.log.since(0).splitlines() if line.startswith("{")]
    assert [(line["request_id"], line["cold_start"]) for line in lines] == [
        (first["request_id"], True),
        (second["request_id"], False),
    ]
    assert {"python_ms", "import_ms", "model_load_ms", "first_inference_ms"} <= set(lines[0]["cold_start_ms"])


def test_an_event_by_lambdas_own_api_gives_the_same(cloud, deployed, send):
    event = {
        "resource": "/predict/image",
        "path": "/predict/image",
        "httpMethod": "POST",
        "headers": {"Content-Type": "image/png"},
        "multiValueQueryStringParameters": {"top_k": ["1"]},
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"resourcePath": "/predict/image", "httpMethod": "POST", "requestId": "mine"},
        "body": base64.b64encode(SEVEN).decode(),
        "isBase64Encoded": True,
    }
    client = cloud.client("lambda")
    answer = json.loads(client.invoke(FunctionName=deployed.functions[0], Payload=json.dumps(event))["Payload"].read())
    client.close()
    body = json.loads(answer["body"])
    assert (answer["statusCode"], body["predictions"][0]["label"], body["request_id"]) == (200, "7", "mine")
    assert settled(body) == settled(send("POST", "/predict/image?top_k=1", SEVEN, "image/png")[1])


def test_every_file_that_is_mapped_is_of_the_function_its_layers_lambda_or_the_system(cloud, send):
    """What answers is the deployed zip with its layers: nothing of this environment or of the sources."""
    assert send(*predict(image=b64(SEVEN)))[0] == 200
    instance = cloud.host.instances()[0]
    mapped = {line.split(maxsplit=5)[5] for line in Path(f"/proc/{instance.pid}/maps").read_text().splitlines()
              if "/" in line}  # fmt: skip
    in_sandbox = map(Path, ("/var/task", "/opt", "/var/runtime", "/var/lang"))
    allowed = [*in_sandbox, cloud.host.folder / "trees", packages.install(own()), own().path.parent.parent]
    foreign = {path for path in mapped if not any(Path(path).is_relative_to(folder) for folder in allowed)}
    assert {path for path in foreign if "site-packages" in path or str(PROJECT) in path} == set()
    assert any("opt/python/ai_edge_litert" in path for path in mapped)
    folder = Path(f"/proc/{instance.pid}/cwd")
    assert any(folder.samefile(task) for task in cloud.host.folder.glob("trees/*/var/task"))
