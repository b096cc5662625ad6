"""The functions' policies are enough and not too much: a batch and workflow runs with the rights of their roles alone.

Everything is called that the functions call on AWS. `localaws` holds each call against the policy that was deployed.
"""

import itertools
import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from urllib3.filepost import encode_multipart_formdata
from werkzeug.wrappers import Response

from benchmarks.workflow.deployment import FIRST, SECOND, deploy
from benchmarks.workflow.trial import Trial, pictures
from layers.pythons import own
from localaws.access.guard import Record
from localaws.access.policies import statements_of
from localaws.cloud import account
from localaws.cloud.local_aws import LocalAws
from localaws.host.lambda_host import LambdaHost
from localaws.shims.limits import Limits
from tests.support.access import Policies, refused, rights
from tests.support.api import ask, wait_for
from tests.support.clients import clients_of
from tests.support.local_cloud import TRANSITION_S, skipped_without_an_index

pytest.importorskip("ai_edge_quantizer", reason="the second model needs the converter: make convert-env")

WORKER, LISTER = "slimception-dev-worker", "slimception-dev-lister"
SHORT_S = 15
"""The lister's time-out, with which it asks for another invocation after each page; also how soon messages return."""
GONE = "gone.png"
"""Keys that end so are deleted when a function asks for them: listed, and then not there."""
FORBIDDEN = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
INPUT = {"experiment": "rights", "models": [FIRST, SECOND], "weight": 0.4, "shadow": 0.3, "group": 2}
AFTER_FAILED_PARTS = "a file of several parts is given up when one of them cannot be stored"
DELIVERED = "Step Functions sets up the delivery of its log when the state machine is made"
UNUSED = {
    "s3:AbortMultipartUpload": AFTER_FAILED_PARTS,
    "s3:ListMultipartUploadParts": AFTER_FAILED_PARTS,
    "states:DescribeExecution": "moto's Distributed Map runs its children without calls",
    "states:StopExecution": "moto's Distributed Map runs its children without calls",
    "states:RedriveExecution": "an operator redrives a map run by hand",
    "logs:CreateLogDelivery": DELIVERED,
    "logs:GetLogDelivery": DELIVERED,
    "logs:UpdateLogDelivery": DELIVERED,
    "logs:DeleteLogDelivery": DELIVERED,
    "logs:ListLogDeliveries": DELIVERED,
    "logs:PutResourcePolicy": DELIVERED,
    "logs:DescribeResourcePolicies": DELIVERED,
    "logs:DescribeLogGroups": DELIVERED,
}
"""Actions that no run here needs, and why a role has them all the same."""
UNUSED_OF = {
    ("QueuePictures", "sqs:GetQueueAttributes"): "the lister looks for waiting pictures when it closes a day's batch",
}
"""The same for an action of one statement."""


@pytest.fixture(scope="module")
def record() -> Record:
    return Record()


@pytest.fixture(scope="module")
def cloud(runtime_packages, tmp_path_factory, record) -> Iterator[LocalAws]:
    with LocalAws(host=LambdaHost(max_instances=4), record=record, limits=Limits(transition_s=TRANSITION_S)) as running:
        with skipped_without_an_index():
            running.deployed = deploy(running, own(), tmp_path_factory.mktemp("deployment"), lambda line: None)
        running.refuse(Hostile())
        yield running


class Hostile:
    """Deletes what is asked for under the name GONE; forbids a group's file to whoever asks for it first and second."""

    def __init__(self) -> None:
        self._left = iter(range(2))

    def __call__(self, environ: Mapping[str, Any]) -> Response | None:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] == "GET" and path.endswith(GONE):
            bucket, _, key = path.lstrip("/").partition("/")
            s3_backends[DEFAULT_ACCOUNT_ID]["aws"].delete_object(bucket, key)
        is_group = environ["REQUEST_METHOD"] == "GET" and path.endswith("groups/000001.jsonl")
        return Response(FORBIDDEN, 403) if is_group and next(self._left, None) is not None else None


def deliver_twice(clients: Any, bucket: str, record: Record, picture: bytes) -> None:
    """A picture for which the worker has a broken model when it first comes, and a whole one when it comes again."""
    url = clients("sqs").get_queue_url(QueueName="slimception-dev-pictures")["QueueUrl"]
    clients("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(SHORT_S)})
    time.sleep(1.5)  # receivers that wait already have the old time-out
    clients("s3").put_object(Bucket=bucket, Key="incoming/one.png", Body=picture)
    wait_for(lambda: any(role == WORKER and call.action == "s3:GetObject" for role, call in list(record.calls)))
    variables = clients("lambda").get_function_configuration(FunctionName=WORKER)["Environment"]["Variables"]
    whole = {"Variables": {**variables, "MODEL_NAME": FIRST}}  # the default is the first of three, a broken one
    clients("lambda").update_function_configuration(FunctionName=WORKER, Environment=whole)
    deleted = "sqs:GetQueueUrl", "slimception-dev-pictures"  # by the worker itself, as it does with a second delivery
    wait_for(
        lambda: any(
            role == WORKER and (call.action, call.resource.rpartition(":")[2]) == deleted
            for role, call in list(record.calls)
        )
    )


def upload(url: str, picture: bytes) -> None:
    """A picture through S3, and one that is not there."""
    given = ask(f"{url}uploads", {"bytes": len(picture)})
    body, kind = encode_multipart_formdata({**given["upload"]["fields"], "file": ("picture", picture)})
    sent = urllib.request.Request(given["upload"]["url"], body, {"Content-Type": kind})
    with urllib.request.urlopen(sent, timeout=60) as response:
        assert response.status == 204
    assert ask(f"{url}predict", {"image": given["image"], "model": FIRST})["predictions"]
    with pytest.raises(AssertionError, match="404"):
        ask(f"{url}predict", {"image": f"{given['image']}-not-there", "model": FIRST})


@pytest.fixture(scope="module")
def ran(cloud, record) -> None:
    """A batch and what is dropped under incoming/; a workflow of few groups and one of many."""
    with clients_of(cloud) as clients:
        s3, functions = clients("s3"), clients("lambda")
        bucket = s3.list_buckets()["Buckets"][0]["Name"]
        some = pictures(12, 1)
        deliver_twice(clients, bucket, record, next(iter(some.values())))
        functions.update_function_configuration(FunctionName=LISTER, Timeout=SHORT_S)
        for name, content in {**some, GONE: b"x"}.items():
            s3.put_object(Bucket=bucket, Key=f"batch/{name}", Body=content)
        upload(cloud.deployed.url, next(iter(some.values())))
        batch = ask(f"{cloud.deployed.url}batches", {"source": f"s3://{bucket}/batch/", "model": FIRST})
        wait_for(lambda: ask(f"{cloud.deployed.url}batches/{batch['id']}")["state"] == "complete")
        labels = "key,label\n" + "".join(f"{name}/{key},{key[0]}\n" for name in ("few", "many") for key in some)
        s3.put_object(Bucket=bucket, Key="labels.csv", Body=labels.encode())
        for name, count in (("few", 6), ("many", 14)):
            given = {**INPUT, "labels": f"s3://{bucket}/labels.csv"}
            trial = Trial(cloud, name, given, {**pictures(count, 1), GONE: b"x"}, folder=name)
            trial.run()
            assert trial.execution["status"] == "SUCCEEDED", trial.execution


@pytest.fixture(scope="module")
def policies(cloud, ran, record) -> Policies:
    """Those of every role that called anything."""
    return {
        role: tuple(itertools.chain.from_iterable(map(statements_of, account.policies_of(DEFAULT_ACCOUNT_ID, role))))
        for role in {role for role, _ in record.calls}
    }


def test_every_role_called_and_nothing_was_refused(ran, record, policies):
    print(f"{record.calls.total()} rights needed by {len(policies)} roles, {len(record.calls)} different ones")
    names = {role.rpartition("-")[2] for role in policies if role.startswith("slimception-dev-")}
    assert {"worker", "lister", "plan", "classify", "report"} <= names and len(policies) == 7
    assert record.refused == {}


def test_every_right_is_needed(policies, record):
    """Without it, a call of this run would have been refused; or it is one of UNUSED."""
    needless = {
        right for right, less in rights(policies) if right[1:] not in UNUSED_OF and not refused(record, right[0], less)
    }
    print(f"{sum(1 for _ in rights(policies))} rights, unused: {sorted(needless)}")
    assert {action for _, _, action in needless} - set(UNUSED) == set()
    assert sum(1 for _ in rights(policies)) - len(needless) > 45


def test_a_function_fails_without_a_right(cloud, ran, record):
    """The same, for once not by arithmetic."""
    with clients_of(cloud) as clients:
        iam, role = clients("iam"), LISTER
        (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        before = json.dumps(document)
        for statement in document["Statement"]:
            statement["Action"] = [action for action in statement["Action"] if action != "s3:ListBucket"] or ["s3:None"]
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
        try:
            bucket = clients("s3").list_buckets()["Buckets"][0]["Name"]
            batch = ask(f"{cloud.deployed.url}batches", {"source": f"s3://{bucket}/batch/", "model": FIRST})
            ended = f"{cloud.deployed.url}batches/{batch['id']}"
            wait_for(lambda: ask(ended)["state"] == "failed")
            assert ask(ended)["error"]["Code"] == "ForbiddenError"
        finally:
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=before)
