"""Publishing into an account in memory, and over a way to AWS that fails at every step."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

from layers.deploy import publish as publishing
from layers.deploy.layer_set import Layer
from layers.deploy.layer_store import LayerStore
from layers.errors import PublishError
from tests.support.wheelhouse import write_zip
from tests.tools.layers.conftest import Outcome

Run = Callable[..., Outcome]
Stages = Callable[[], dict[str, dict[str, Any]]]


@pytest.fixture(autouse=True)
def layers_alone(project: Path) -> None:
    """Without the queues that publishing also makes: they are `test_queues`'s, and moto knows not all of them."""
    (project / ".chalice" / "resources.json").unlink()


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    """A runtime layer and two models, tiny."""
    folder = tmp_path / "layers"
    write_zip(folder / "runtime-py313-arm64.zip", {"lib/libcpulist.so": b"", "python/tiny.py": b"ANSWER = 42\n"})
    for name in ("a", "b"):
        write_zip(folder / f"model-{name}.zip", {f"models/{name}/labels.txt": name.encode()})
    return folder


def published() -> dict[str, int]:
    """Versions of each layer in the account."""
    client = boto3.client("lambda")
    names = [layer["LayerName"] for layer in client.list_layers()["Layers"]]
    return {name: len(client.list_layer_versions(LayerName=name)["LayerVersions"]) for name in names}


@pytest.mark.usefixtures("aws")
class TestAccount:
    def test_layers_are_published_and_the_stage_names_them(
        self, layers: Path, project: Path, run: Run, stages: Stages
    ) -> None:
        before = json.loads((project / ".chalice/config.json").read_text())
        outcome = run("publish", "--stage", "dev", "--out", layers, "--project", project)
        assert (outcome.code, outcome.err) == (0, "")
        arns = stages()["dev"]["layers"]
        assert [arn.split(":layer:")[1] for arn in arns] == [
            "slimception-runtime-py313-arm64:1",
            "slimception-model-a:1",
            "slimception-model-b:1",
        ]
        before["stages"]["dev"] |= {"layers": arns, "lambda_architecture": "arm64"}
        before["stages"]["dev"]["environment_variables"]["LD_PRELOAD"] = "/opt/lib/libcpulist.so"
        assert json.loads((project / ".chalice/config.json").read_text()) == before
        name = "slimception-runtime-py313-arm64"
        version = boto3.client("lambda").get_layer_version(LayerName=name, VersionNumber=1)
        assert version["CompatibleRuntimes"] == ["python3.13"]
        assert version["CompatibleArchitectures"] == ["arm64"]

    def test_a_second_run_publishes_nothing(self, layers: Path, project: Path, run: Run, stages: Stages) -> None:
        run("publish", "--stage", "dev", "--out", layers, "--project", project)
        first = stages()
        outcome = run("publish", "--stage", "dev", "--out", layers, "--project", project)
        assert outcome.out.count("already there: ") == 3
        assert "names them already" in outcome.out
        assert set(published().values()) == {1}
        assert stages() == first

    def test_only_what_changed_is_published(self, layers: Path, project: Path, run: Run, stages: Stages) -> None:
        run("publish", "--stage", "dev", "--out", layers, "--project", project)
        write_zip(layers / "model-a.zip", {"models/a/labels.txt": b"another"})
        run("publish", "--stage", "dev", "--out", layers, "--project", project)
        assert published() == {
            "slimception-runtime-py313-arm64": 1,
            "slimception-model-a": 2,
            "slimception-model-b": 1,
        }
        assert stages()["dev"]["layers"][1].endswith(":slimception-model-a:2")

    def test_another_stage_uses_the_same_versions(self, layers: Path, project: Path, run: Run, stages: Stages) -> None:
        for stage in ("dev", "prod"):
            assert run("publish", "--stage", stage, "--out", layers, "--project", project).code == 0
        assert stages()["dev"]["layers"] == stages()["prod"]["layers"]

    def test_a_large_layer_goes_through_s3(self, layers: Path) -> None:
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="artefacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        layer = Layer("large", layers / "model-a.zip")
        store = LayerStore(boto3.client("lambda"), s3, "artefacts", direct_bytes=10)
        arn = store.publish(layer)
        [stored] = s3.list_objects_v2(Bucket="artefacts")["Contents"]
        assert stored["Key"].startswith("layers/model-a-")
        assert store.find(layer) == arn

    def test_a_large_layer_without_a_bucket_is_refused(self, layers: Path) -> None:
        store = LayerStore(boto3.client("lambda"), None, None, direct_bytes=10)
        with pytest.raises(PublishError, match=r"more than the .* of a direct upload: name a bucket .* --bucket"):
            store.publish(Layer("large", layers / "model-a.zip"))
        assert published() == {}

    def test_a_version_whose_bytes_are_others_is_passed_over(self, layers: Path) -> None:
        layer, client = Layer("model-a", layers / "model-a.zip"), boto3.client("lambda")
        store = LayerStore(client, None, None)
        store.publish(layer)
        description = client.get_layer_version(LayerName="model-a", VersionNumber=1)["Description"]
        client.delete_layer_version(LayerName="model-a", VersionNumber=1)
        client.publish_layer_version(LayerName="model-a", Description=description, Content={"ZipFile": b"cut off"})
        assert store.find(layer) is None

    @pytest.mark.parametrize("stage", ["production", ""])
    def test_an_unknown_stage_is_refused_before_anything_is_published(
        self, layers: Path, project: Path, run: Run, stage: str
    ) -> None:
        outcome = run("publish", "--stage", stage, "--out", layers, "--project", project)
        assert outcome.code == 2
        assert f"has no stage {stage!r}, only dev, prod" in outcome.err
        assert published() == {}

    def test_a_layer_that_would_not_load_is_not_published(self, layers: Path, project: Path, run: Run) -> None:
        name = "python/a.cpython-312-aarch64-linux-gnu.so"
        write_zip(layers / "runtime-py313-arm64.zip", {name: b""})
        outcome = run("publish", "--stage", "dev", "--out", layers, "--project", project)
        assert outcome.code == 2
        assert f"runtime-py313-arm64.zip would not load: {name}: a module for cpython-312" in outcome.err
        assert published() == {}

    def test_what_was_not_built_is_not_published(self, layers: Path, project: Path, run: Run) -> None:
        outcome = run("publish", "--stage", "dev", "--out", layers, "--project", project, "--arch", "x86_64")
        assert outcome.code == 2
        assert "run `python -m layers build --python 3.13 --arch x86_64` first" in outcome.err

    def test_more_layers_than_a_function_takes_are_refused(self, layers: Path, project: Path, run: Run) -> None:
        for name in "cde":
            write_zip(layers / f"model-{name}.zip", {f"models/{name}/labels.txt": b""})
        outcome = run("publish", "--stage", "dev", "--out", layers, "--project", project)
        assert (outcome.code, "6 layers, a function takes 5" in outcome.err) == (2, True)


class BrokenWay:
    """A client of AWS Lambda that passes calls on, until the one named `fails` is made for the `nth` time."""

    def __init__(self, client: Any, fails: str, error: Exception, nth: int = 1) -> None:
        self._client, self._fails, self._error, self._calls_left = client, fails, error, nth

    def __getattr__(self, name: str) -> Any:
        if name == self._fails:
            self._calls_left -= 1
            if self._calls_left == 0:
                raise self._error
        return getattr(self._client, name)


DENIED = ClientError(
    {"Error": {"Code": "AccessDeniedException", "Message": "User is not\nauthorized"}}, "PublishLayerVersion"
)
CUT_OFF = ConnectionClosedError(endpoint_url="https://lambda.example")
UNREACHABLE = EndpointConnectionError(endpoint_url="https://lambda.example")


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DENIED, "AWS refuses PublishLayerVersion: AccessDeniedException: User is not authorized"),
        (CUT_OFF, "Connection was closed before we received a valid response"),
        (UNREACHABLE, "Could not connect to the endpoint URL"),
    ],
    ids=["denied", "cut off", "unreachable"],
)
def test_a_run_that_breaks_off_is_one_line_and_the_next_run_finishes_it(
    layers: Path,
    project: Path,
    run: Run,
    stages: Stages,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    message: str,
    nth: int,
) -> None:
    command = ("publish", "--stage", "dev", "--out", layers, "--project", project)
    before = (project / ".chalice/config.json").read_bytes()
    way = BrokenWay(boto3.client("lambda"), "publish_layer_version", error, nth)
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_connect", lambda bucket: LayerStore(way, None, bucket))
        outcome = run(*command)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert message in outcome.err
    assert "nothing was written to .chalice/config.json" in outcome.err
    assert (project / ".chalice/config.json").read_bytes() == before
    assert run(*command).code == 0
    assert set(published().values()) == {1}  # what the first run left was used
    assert len(stages()["dev"]["layers"]) == 3


def test_no_credentials_is_one_line(
    layers: Path, project: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "absent"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # which keeps the credentials of another test
    outcome = run("publish", "--stage", "dev", "--out", layers, "--project", project)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "error: no AWS credentials: set AWS_PROFILE, or run `aws configure`\n"
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    assert run("publish", "--stage", "dev", "--out", layers, "--project", project).err.startswith(
        "error: no AWS region: set AWS_DEFAULT_REGION"
    )


class Garbling:
    """A store of layers that receives other bytes than were sent."""

    deleted: tuple[str, int] | None = None

    def publish_layer_version(self, LayerName: str, **_: Any) -> Any:  # noqa: N803
        return {"LayerVersionArn": f"arn:{LayerName}:7", "Version": 7, "Content": {"CodeSha256": "b3RoZXI="}}

    def delete_layer_version(self, LayerName: str, VersionNumber: int) -> None:  # noqa: N803
        self.deleted = (LayerName, VersionNumber)


def test_other_bytes_than_were_sent_do_not_stay(layers: Path) -> None:
    client = Garbling()
    with pytest.raises(PublishError, match="other bytes than were sent"):
        LayerStore(client, None, None).publish(Layer("model-a", layers / "model-a.zip"))
    assert client.deleted == ("model-a", 7)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": "2.0"}', '{"stages": 3}'])
def test_a_configuration_that_cannot_be_read_is_one_line(layers: Path, project: Path, run: Run, content: str) -> None:
    (project / ".chalice/config.json").write_text(content)
    outcome = run("publish", "--stage", "dev", "--out", layers, "--project", project)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "cannot be read as Chalice's configuration" in outcome.err
