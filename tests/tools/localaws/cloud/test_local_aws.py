"""The whole as a context manager: what it takes and what it gives back."""

import os
import socket
import urllib.request

import pytest
from moto.awslambda.models import LambdaFunction
from moto.sqs.models import Queue, SQSBackend

from localaws.cloud.local_aws import LocalAws
from localaws.errors import PortInUse
from localaws.host.lambda_host import LambdaHost
from tests.support.toys import run, toy

PATCHED = {(LambdaFunction, "invoke"), (Queue, "messages"), (Queue, "delete_message"), (SQSBackend, "receive_message")}


def test_moto_and_the_environment_are_as_before_once_it_is_closed(runtime_packages):
    before = {(owner, name): vars(owner)[name] for owner, name in PATCHED}
    environment = dict(os.environ)
    with LocalAws() as cloud:
        assert all(vars(owner)[name] is not before[owner, name] for owner, name in PATCHED)
        bucket = cloud.client("s3")
        bucket.create_bucket(Bucket="kept-nowhere")
        bucket.close()
        port = cloud.url.rpartition(":")[2]
    assert {(owner, name): vars(owner)[name] for owner, name in PATCHED} == before
    assert not hasattr(Queue, "lambda_event_source_mappings")
    assert dict(os.environ) == environment
    with LocalAws(int(port)) as cloud:
        bucket = cloud.client("s3")
        assert bucket.list_buckets()["Buckets"] == []
        bucket.close()


def test_a_port_in_use_is_one_clear_error_and_leaves_no_host():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        host = LambdaHost()
        with pytest.raises(PortInUse, match=r"port \d+ cannot be used \(Address already in use\).*--port"):
            LocalAws(taken.getsockname()[1], host=host)
    assert not host.folder.exists()


def test_closed_before_it_was_started():
    cloud = LocalAws()
    cloud.close()
    cloud.close()
    assert not cloud.host.folder.exists()


def test_a_test_that_fails_leaves_no_process(runtime_packages):
    class Failed(Exception):
        pass

    pids = []
    with pytest.raises(Failed), LocalAws() as cloud:
        run(cloud.host, toy())
        pids.append(cloud.host.instances()[0].pid)
        raise Failed
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_it_listens_on_loopback_only(cloud):
    host, port = cloud.url.removeprefix("http://").split(":")
    assert host == "127.0.0.1"
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.2", int(port)))  # free, so the server is not on every address


def test_requests_go_to_moto_unless_they_are_for_an_api(cloud):
    with urllib.request.urlopen(f"{cloud.url}/moto-api/data.json", timeout=30) as response:
        assert response.status == 200
