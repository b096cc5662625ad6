"""The deployed batch at limits of AWS: throttled workers, and a chain of more than 16 invocations."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sqs.models import sqs_backends

from benchmarks.workflow.trial import pictures
from layers.pythons import own
from localaws.cloud.local_aws import REGION
from localaws.deploy import project
from localaws.deploy.deployer import PROJECT, Deployer
from localaws.host import lineage
from tests.support.api import ask, wait_for
from tests.support.clients import clients_of
from tests.support.local_cloud import skipped_without_an_index

WORKER, LISTER = "slimception-dev-worker", "slimception-dev-lister"
PICTURES, FEW = lineage.MOST + 2, 6
VISIBLE_AFTER_S = 2
PAGE, ONE_A_PAGE = "\nPAGE = 100\n", "\nPAGE = 1\n"
SHORT_S = 15
"""The lister's time-out, with which it asks for another invocation after each page."""


@pytest.fixture(scope="module")
def deployed(cloud, tmp_path_factory) -> Any:
    """A lister that lists one key in each invocation."""
    copied = project.copy(PROJECT, tmp_path_factory.mktemp("deployment") / "project")
    listing = copied / "chalicelib" / "batch" / "listing.py"
    assert PAGE in listing.read_text()
    listing.write_text(listing.read_text().replace(PAGE, ONE_A_PAGE))
    if (PROJECT / "build").is_dir():
        (copied / "build").symlink_to(PROJECT / "build")
    with skipped_without_an_index():
        deployed = Deployer(cloud, own(), copied, say=lambda _: None).deploy()
    with clients_of(cloud) as clients:
        clients("lambda").update_function_configuration(FunctionName=LISTER, Timeout=SHORT_S)
    return deployed


@pytest.fixture
def aws(cloud, deployed) -> Iterator[Callable[[str], Any]]:
    with clients_of(cloud) as clients:
        yield clients


@pytest.fixture
def start(aws, deployed) -> Callable[..., Callable[[], dict[str, Any]]]:
    """Starts a batch of scans of digits; gives a function that reads its state."""

    def start(prefix: str, count: int = PICTURES) -> Callable[[], dict[str, Any]]:
        bucket = aws("s3").list_buckets()["Buckets"][0]["Name"]
        for name, content in pictures(count, 1).items():
            aws("s3").put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=content)
        batch = ask(f"{deployed.url}batches", {"source": f"s3://{bucket}/{prefix}/"})
        return lambda: ask(f"{deployed.url}batches/{batch['id']}")

    return start


def waiting(name: str) -> list[Any]:
    """The messages of a queue, which nobody receives by looking."""
    return list(sqs_backends[DEFAULT_ACCOUNT_ID][REGION].queues[f"slimception-dev-{name}"]._messages)


class TestAChain:
    def test_of_more_than_16_invocations_is_stopped(self, aws, start):
        assert aws("lambda").get_function_recursion_config(FunctionName=LISTER)["RecursiveLoop"] == "Allow", "deployed"
        aws("lambda").put_function_recursion_config(FunctionName=LISTER, RecursiveLoop="Terminate")
        state = start("stopped")
        wait_for(lambda: waiting("dead-letters"))
        assert (state()["state"], state()["listed"]) == ("listing", lineage.MOST)
        (message,) = waiting("dead-letters")
        assert json.loads(message.body)["batch"] == state()["id"]
        sqs_backends[DEFAULT_ACCOUNT_ID][REGION].queues["slimception-dev-dead-letters"]._messages.clear()

    def test_is_completed_if_the_function_may_call_itself(self, aws, start):
        aws("lambda").put_function_recursion_config(FunctionName=LISTER, RecursiveLoop="Allow")
        state = start("allowed")
        wait_for(lambda: state()["state"] == "complete")
        assert (state()["done"], state()["failed"], waiting("dead-letters")) == (PICTURES, 0, [])


class TestThrottledWorkers:
    """Refused until a picture has been received four times, one more than it once had."""

    def test_lose_no_picture(self, aws, start):
        aws("lambda").put_function_recursion_config(FunctionName=LISTER, RecursiveLoop="Allow")
        aws("lambda").put_function_concurrency(FunctionName=WORKER, ReservedConcurrentExecutions=0)
        self.visible_after(aws, VISIBLE_AFTER_S)
        state = start("throttled", FEW)
        self.received(3)
        self.visible_after(aws, 30)  # from here on a slow machine has the time that it needs
        self.received(4)
        aws("lambda").delete_function_concurrency(FunctionName=WORKER)
        wait_for(lambda: state()["state"] == "complete")
        assert (state()["done"], state()["failed"], waiting("dead-letters")) == (FEW, 0, [])

    @staticmethod
    def received(times: int) -> None:
        wait_for(lambda: any(message.approximate_receive_count >= times for message in waiting("pictures")))

    @staticmethod
    def visible_after(aws: Callable[[str], Any], seconds: int) -> None:
        url = aws("sqs").get_queue_url(QueueName="slimception-dev-pictures")["QueueUrl"]
        aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})
