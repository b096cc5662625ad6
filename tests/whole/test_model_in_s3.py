"""A stage whose model lies in S3, deployed into the local AWS: with the rights of its roles alone."""

import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.config import EMBEDDED_MODELS
from chalicelib.inference.remote import PAUSE_S
from layers.pythons import own
from localaws.cloud.local_aws import LocalAws
from localaws.deploy import project
from localaws.deploy.deployer import PROJECT, Deployer, Deployment
from tests.support.api import ask, wait_for
from tests.support.bundles import DATA_DIR, write_bundle
from tests.support.clients import clients_of
from tests.support.local_cloud import skipped_without_an_index

BUCKET, PREFIX = "models-of-mine", "models/2026-11/digits/"
URI = f"s3://{BUCKET}/{PREFIX}"
SEVEN = (DATA_DIR / "seven.png").read_bytes()
FUNCTION = "slimception-dev"


@pytest.fixture(scope="module")
def clients(cloud: LocalAws) -> Iterator[Any]:
    with clients_of(cloud) as made:
        yield made


@pytest.fixture(scope="module")
def deployed(cloud: LocalAws, clients: Any, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The embedded model is in no function's zip: what answers comes from S3."""
    clients("s3").create_bucket(Bucket=BUCKET)
    upload(clients, EMBEDDED_MODELS / "digits")
    source = project.copy(PROJECT, tmp_path_factory.mktemp("project"))
    (source / "build/layers").mkdir(parents=True)
    for built in (PROJECT / "build/layers").glob("runtime-*.zip"):
        shutil.copy2(built, source / "build/layers")
    shutil.rmtree(source / "chalicelib/models")
    config = json.loads((source / ".chalice/config.json").read_text())
    config["stages"]["dev"]["environment_variables"]["MODEL_URI"] = URI
    (source / ".chalice/config.json").write_text(json.dumps(config))
    with skipped_without_an_index():
        return Deployer(cloud, own(), source, say=lambda line: None).deploy()


def upload(clients: Any, folder: Path) -> None:
    """As docs/models-in-s3.md says: the card last."""
    for name in ("labels.txt", "model.tflite", "model.json"):
        clients("s3").upload_file(str(folder / name), BUCKET, PREFIX + name)


def send(url: str, picture: bytes | None = None) -> tuple[int, dict[str, Any]]:
    """GET, or POST of a picture."""
    request = urllib.request.Request(url, picture, {"Content-Type": "image/png"} if picture else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def start_anew(clients: Any) -> None:
    """Lambda gives a changed function new processes."""
    variables = clients("lambda").get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
    variables["STARTED"] = str(time.monotonic_ns())
    clients("lambda").update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": variables})


def test_it_answers_and_says_where_it_comes_from(deployed: Deployment, clients: Any) -> None:
    status, answer = send(f"{deployed.url}predict/image", SEVEN)
    assert (status, answer["model"]["name"], answer["predictions"][0]["label"]) == (200, "digits", "7")
    status, health = send(f"{deployed.url}health")
    etag = clients("s3").head_object(Bucket=BUCKET, Key=f"{PREFIX}model.json")["ETag"].strip('"')
    assert (status, health["origin"]["uri"], health["origin"]["etag"]) == (200, URI, etag)
    assert health["cold_start"]["fetch_ms"] > 0
    (card,) = send(f"{deployed.url}models")[1]["models"]
    assert card["default"] and card["origin"] == health["origin"]


def test_a_batch_uses_it_too(deployed: Deployment, clients: Any) -> None:
    (bucket,) = [one["Name"] for one in clients("s3").list_buckets()["Buckets"] if one["Name"] != BUCKET]
    clients("s3").put_object(Bucket=bucket, Key="some/seven.png", Body=SEVEN)
    batch = ask(f"{deployed.url}batches", {"source": f"s3://{bucket}/some/"})
    found = wait_for(lambda: (state := ask(f"{deployed.url}batches/{batch['id']}"))["state"] == "complete" and state)
    assert (found["done"], found["failed"]) == (1, 0)


def test_a_missing_one_is_503_with_its_reason_and_the_process_lives(deployed: Deployment, clients: Any) -> None:
    clients("s3").delete_object(Bucket=BUCKET, Key=f"{PREFIX}model.tflite")
    start_anew(clients)
    status, answer = send(f"{deployed.url}predict/image", SEVEN)
    assert (status, answer["Message"]) == (503, "The model cannot be served at the moment; GET /health tells why.")
    status, health = send(f"{deployed.url}health")
    assert status == 503 and f"model.tflite of {URI}: access denied, or there is no such object" in health["Message"]
    upload(clients, EMBEDDED_MODELS / "digits")
    time.sleep(PAUSE_S)
    assert send(f"{deployed.url}predict/image", SEVEN)[0] == 200


def test_another_one_in_its_place(deployed: Deployment, clients: Any, tmp_path: Path) -> None:
    upload(clients, write_bundle(tmp_path, "channels_float", name="digits"))
    start_anew(clients)
    status, answer = send(f"{deployed.url}predict/image", SEVEN)
    assert status == 200 and answer["predictions"][0]["label"] in ("red", "green", "blue")


def test_another_bucket_is_forbidden_by_the_policy(deployed: Deployment, clients: Any) -> None:
    clients("s3").create_bucket(Bucket="another")
    variables = clients("lambda").get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
    changed = {**variables, "MODEL_URI": "s3://another/digits/"}
    clients("lambda").update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": changed})
    status, health = send(f"{deployed.url}health")
    assert status == 503 and "model.json of s3://another/digits/: access denied" in health["Message"]
