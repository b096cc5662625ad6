"""Deployments one after the other on the local AWS: of an earlier release, broken off, destroyed, made again."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from moto.awslambda.models import lambda_backends
from moto.core import DEFAULT_ACCOUNT_ID

from benchmarks.deployment.interrupted import QuietDeployer, Trial, attempt
from benchmarks.deployment.state import differences, state_of
from layers.__main__ import main
from layers.pythons import own
from localaws.cloud.local_aws import LocalAws
from localaws.deploy import project
from localaws.deploy.deployer import PROJECT

NEW = "@app.lambda_function()\ndef {name}(event: dict[str, Any], context: Any)"
OLD = "@app.on_sqs_message(queue='slimception-dev-{queue}')\ndef {name}(event: Any, context: Any = None)"


@pytest.fixture
def aws(runtime_packages: None) -> Any:
    with LocalAws() as running:
        yield running


def quiet(aws: LocalAws, source: Path = PROJECT, last: int | None = None) -> QuietDeployer:
    return QuietDeployer(aws, own(), source, say=lambda line: None, last=last)


def mappings() -> list[Any]:
    """As moto has them, without a call."""
    return list(lambda_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]._event_source_mappings.values())


def wait_until_enabled(client: Any) -> None:
    deadline = time.monotonic() + 60
    while any(one["State"] != "Enabled" for one in client.list_event_source_mappings()["EventSourceMappings"]):
        assert time.monotonic() < deadline, "the mappings stay in transition"
        time.sleep(0.05)


def test_the_mappings_of_an_earlier_release_give_way_to_the_stacks(aws: LocalAws, tmp_path: Path) -> None:
    """They are Chalice's. At no call is there a second one for a function, or one without partial responses."""
    earlier = project.copy(PROJECT, tmp_path / "earlier")
    text = (earlier / "app.py").read_text()
    for name, queue in (("worker", "pictures"), ("lister", "listings")):
        assert NEW.format(name=name) in text
        text = text.replace(NEW.format(name=name), OLD.format(name=name, queue=queue))
    (earlier / "app.py").write_text(text)
    with pytest.raises(Exception, match="broken off before layers mappings"):
        quiet(aws, earlier, last=4).deploy(with_layers=False)
    client = aws.client("lambda")
    before = {one.uuid for one in mappings()}
    assert len(before) == 2
    wait_until_enabled(client)
    for uuid in before:  # the step that made an earlier deployment complete
        client.update_event_source_mapping(UUID=uuid, FunctionResponseTypes=["ReportBatchItemFailures"])
    wait_until_enabled(client)
    client.close()
    seen: list[tuple[int, bool]] = []

    def look(environ: Any) -> None:
        found = mappings()
        seen.append(
            (len({one.function_arn for one in found}) - len(found), all(one.function_response_types for one in found))
        )

    aws.refuse(look)
    quiet(aws).deploy(with_layers=False)
    aws.refuse(lambda environ: None)
    assert seen and set(seen) == {(0, True)}
    after = {one.function_arn.rpartition(":")[2]: one for one in mappings()}
    assert set(after) == {"slimception-dev-worker", "slimception-dev-lister"}
    assert not before & {one.uuid for one in after.values()}


def destroy(aws: LocalAws, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    copied = aws.host.folder / "project" / "dev"
    return main(["destroy", "--stage", "dev", "--project", str(copied), *options])


def test_destroyed_made_again_and_destroyed_with_its_data(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    empty = state_of(aws)
    logs = aws.client("logs")
    for name in ("slimception-dev", "slimception-development"):  # the first is of an earlier release, made by Lambda
        logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
    quiet(aws).deploy(with_layers=False)
    undisturbed = state_of(aws)
    s3, functions = aws.client("s3"), aws.client("lambda")
    (bucket,) = (one["Name"] for one in s3.list_buckets()["Buckets"])
    s3.put_object(Bucket=bucket, Key="kept.txt", Body=b"kept")
    publish(functions, "slimception-runtime-py313-arm64", "slimception-model-a", "another")

    monkeypatch.setattr("builtins.input", lambda: "prod")
    assert destroy(aws, monkeypatch) == 2
    assert "error: nothing was deleted: 'prod' is not 'dev'" in capsys.readouterr().err
    assert differences({**undisturbed, **layers(state_of(aws))}, state_of(aws)) == []

    monkeypatch.setattr("builtins.input", lambda: "dev")
    assert destroy(aws, monkeypatch) == 0
    printed = capsys.readouterr().out
    assert "what stays, since it holds data (DATA=1 deletes it, too):\n  bucket slimception-dev-" in printed
    assert sorted(state_of(aws)) == [f"bucket {bucket}", "layer another:1", "table slimception-dev-batches"]
    groups = {one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]}
    assert groups == {"/aws/lambda/slimception-development"}, "another stage's"
    assert destroy(aws, monkeypatch, "--yes") == 0
    assert "stage dev, to delete: nothing\n" in capsys.readouterr().out

    quiet(aws).deploy(with_layers=False)
    assert differences({**undisturbed, **layers(state_of(aws))}, state_of(aws)) == []
    assert s3.get_object(Bucket=bucket, Key="kept.txt")["Body"].read() == b"kept", "taken over"

    assert destroy(aws, monkeypatch, "--yes", "--data") == 0
    functions.delete_layer_version(LayerName="another", VersionNumber=1)
    assert state_of(aws) == empty == {}
    config = json.loads((aws.host.folder / "project/dev/.chalice/config.json").read_text())
    assert config == json.loads((PROJECT / ".chalice/config.json").read_text())
    for client in (s3, logs, functions):
        client.close()


def publish(functions: Any, *names: str) -> None:
    for name in names:
        functions.publish_layer_version(LayerName=name, Content={"ZipFile": b"PK\x05\x06" + bytes(18)})


def layers(state: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in state.items() if name.startswith("layer ")}


@pytest.fixture(scope="module")
def undisturbed(runtime_packages: None) -> Trial:
    return attempt()


def test_calls_of_services_are_not_taken_for_the_deployments(undisturbed: Trial) -> None:
    """Pollers begin while a command runs, in whose process they are."""
    assert undisturbed.calls and not [call for call in undisturbed.calls if call.endswith("/invocations")]


@pytest.mark.parametrize("call", ["apigateway PATCH", "lambda POST /2015-03-31/functions/slimception-dev/policy"])
def test_a_deployment_that_broke_off_and_is_given_again_is_like_an_undisturbed_one(
    undisturbed: Trial, call: str
) -> None:
    """Two of the places; `python -m benchmarks.deployment` tries every call and every command."""
    trial = attempt(call=call)
    assert str(trial.broken_off).startswith("chalice deploy ended with code")
    assert trial.differs_from(undisturbed) == []
