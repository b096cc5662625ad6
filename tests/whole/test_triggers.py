"""Every trigger of the deployed stage on this machine's AWS: one result each, with the rights of the roles alone."""

import json
import time

import pytest
from moto.core import DEFAULT_ACCOUNT_ID

from benchmarks.batch.deployment import TIMEOUTS_S, deploy
from benchmarks.intake.proof import TRIGGERS, Proof, wire
from benchmarks.intake.sources import Sources
from chalicelib.batch.cli import remote
from chalicelib.batch.record import Result
from chalicelib.batch.table import Table
from chalicelib.batch.wiring import BatchServices
from chalicelib.config import Settings
from chalicelib.inference.store import ModelStore
from layers.deploy.resources import RESOURCES
from layers.deploy.triggers import NONE, OPTIONS, deploy_triggers
from localaws.access.guard import Record
from localaws.access.policies import statements_of
from localaws.cloud import account
from localaws.cloud.local_aws import LocalAws
from localaws.deploy.deployer import PROJECT
from localaws.host.lambda_host import LambdaHost
from localaws.shims.limits import Limits
from tests.support.access import refused, rights
from tests.support.api import wait_for
from tests.support.clients import clients_of
from tests.support.local_cloud import TRANSITION_S, skipped_without_an_index
from tests.support.paths import SEVEN

INTAKE, LEX = "slimception-dev-intake", "slimception-dev-lex"
PICTURES = 20
"""For each trigger, a tenth of them twice, and a tenth of poison."""


@pytest.fixture(scope="module")
def record() -> Record:
    return Record()


@pytest.fixture(scope="module")
def cloud(runtime_packages, record):
    host = LambdaHost(max_instances=4, async_retry_delays_s=(0.2, 0.4))
    with LocalAws(host=host, record=record, limits=Limits(transition_s=TRANSITION_S)) as running:
        with skipped_without_an_index():
            deploy(running, lambda _: None, {**TIMEOUTS_S, "intake": 12})
        yield running


@pytest.fixture(scope="module")
def aws(cloud):
    with clients_of(cloud) as clients:
        yield clients


@pytest.fixture(scope="module")
def sources(cloud):
    made = Sources(cloud)
    list(wire(cloud, made))
    yield made
    made.close()


@pytest.fixture(scope="module")
def proof(cloud, sources):
    made = Proof(cloud, sources, PICTURES, 1, print)
    yield made
    made.close()


@pytest.fixture(scope="module")
def problems(proof) -> list[str]:
    return proof.run(TRIGGERS)


@pytest.fixture(scope="module")
def services(aws, problems) -> BatchServices:
    settings = Settings(batch_prefix="slimception-dev")
    return BatchServices(settings, ModelStore(settings), aws)


def lex_event(address: str) -> dict:
    slot = {"shape": "Scalar", "value": {"originalValue": address, "interpretedValue": address, "resolvedValues": []}}
    intent = {"name": "LookAtPicture", "slots": {"Picture": slot}, "state": "ReadyForFulfillment"}
    return {"messageVersion": "1.0", "invocationSource": "FulfillmentCodeHook", "sessionState": {"intent": intent}}


def ask_lex(aws, address: str) -> str:
    payload = json.dumps(lex_event(address))
    answer = json.loads(aws("lambda").invoke(FunctionName=LEX, Payload=payload)["Payload"].read())
    return str(answer["messages"][0]["content"])


def test_each_picture_has_one_result_whatever_is_repeated_poison_or_killed(problems, proof):
    assert problems == []
    assert min(proof.kills["intake"], proof.kills["worker"]) > 1


def test_a_bot_says_what_is_on_a_picture(aws, sources, problems):
    sources.put("lex/seven.png", SEVEN.read_bytes())
    assert ask_lex(aws, f"s3://{sources.bucket}/lex/seven.png").startswith("This looks like 7 (")
    assert "is not there (NoSuchKey)" in ask_lex(aws, f"s3://{sources.bucket}/lex/gone.png")
    assert "not on the public internet" in ask_lex(aws, "https://127.0.0.1/a.png")


def test_nothing_was_refused_and_every_right_is_needed(aws, sources, problems, record):
    test_a_bot_says_what_is_on_a_picture(aws, sources, problems)
    assert record.refused == {}
    policies = {
        role: tuple(
            one for document in account.policies_of(DEFAULT_ACCOUNT_ID, role) for one in statements_of(document)
        )
        for role in (INTAKE, LEX)
    }
    assert {statement.sid for statement in policies[INTAKE]} >= {"ReadStream", "ReadTableStream", "KeepWhatFails"}
    needless = {right for right, less in rights(policies) if not refused(record, right[0], less)}
    assert {action for _, _, action in needless} == {"kinesis:DescribeStreamSummary"}, "what Lambda asks on AWS"


def test_dead_letters_say_why_and_can_be_put_back(services, aws, sources, problems):
    letters = [json.loads(one["body"]) for one in remote.dead_letters(services)]
    assert len(letters) == 8 and all(one["error"] and one["requestPayload"] for one in letters)
    assert {one["source"] for one in letters} == {"aws:sns", "shop", "aws:kinesis", "aws:dynamodb"}
    assert all(one["id"] for one in letters if one["source"] in ("aws:kinesis", "aws:dynamodb"))


def test_what_never_reaches_a_queue_is_kept_by_lambda(cloud, aws, sources, problems):
    """No right to the picture queue: three tries, then the OnFailure destination; for a stream, its numbers."""
    iam = aws("iam")
    [own] = [one for one in iam.list_role_policies(RoleName=INTAKE)["PolicyNames"] if not one.startswith("Trigger")]
    document = iam.get_role_policy(RoleName=INTAKE, PolicyName=own)["PolicyDocument"]
    less = [one for one in document["Statement"] if one["Sid"] != "QueuePictures"]
    url = aws("sqs").get_queue_url(QueueName="slimception-dev-dead-letters")["QueueUrl"]
    aws("sqs").purge_queue(QueueUrl=url)
    [mapping] = aws("lambda").list_event_source_mappings(EventSourceArn=sources.arns["stream"])["EventSourceMappings"]
    aws("lambda").update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=2)
    iam.put_role_policy(RoleName=INTAKE, PolicyName=own, PolicyDocument=json.dumps({**document, "Statement": less}))
    try:
        time.sleep(2 * TRANSITION_S)
        sources.name("sns", "sns/lost.png")
        sources.name("kinesis", "kinesis/lost.png")
        wait_for(lambda: waiting(aws, url) == 2)
    finally:
        iam.put_role_policy(RoleName=INTAKE, PolicyName=own, PolicyDocument=json.dumps(document))
    bodies = [
        json.loads(one["Body"]) for one in aws("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    ]
    conditions = {one["requestContext"]["condition"]: one for one in bodies}
    lost = conditions["RetriesExhausted"]["requestPayload"]["Records"][0]["Sns"]["Message"]
    assert json.loads(lost)["key"] == "sns/lost.png"
    assert conditions["RetryAttemptsExhausted"]["KinesisBatchInfo"]["batchSize"] == 1
    sources.put("kinesis/after.png", SEVEN.read_bytes())
    sources.name("kinesis", "kinesis/after.png")
    day = "incoming-" + time.strftime("%Y-%m-%d", time.gmtime())
    found = f"s3://{sources.bucket}/kinesis/after.png"
    wait_for(lambda: any(one.key == found for one in results(aws, day)))


def results(aws, day: str) -> list[Result]:
    return list(Table(aws("dynamodb"), "slimception-dev-batches").results(day))


def waiting(aws, url: str) -> int:
    name = "ApproximateNumberOfMessages"
    return int(aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def test_a_trigger_that_is_taken_away_calls_nobody(cloud, aws, sources, problems):
    """The last test of this deployment: the stack keeps only what every stage has."""
    given = dict.fromkeys(OPTIONS, NONE)
    list(deploy_triggers(aws("cloudformation"), PROJECT / RESOURCES, "slimception", "dev", given))
    parts = aws("cloudformation").describe_stack_resources(StackName="slimception-dev-triggers")["StackResources"]
    assert [part["LogicalResourceId"] for part in parts] == ["TriggerFailures"]
    assert aws("sns").list_subscriptions()["Subscriptions"] == []
    assert [one for one in aws("iam").list_role_policies(RoleName=INTAKE)["PolicyNames"] if "Trigger" in one] == []
