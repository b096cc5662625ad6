"""100,000 pictures with keys of the greatest length: no input or output of a state comes near 256 KB.

The real definition on moto's interpreter; the real plan, which writes the real groups and the real manifest to moto's
S3; stubs for the other two functions, with answers of the greatest size.
"""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.aws.s3 import Listed, Objects
from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.inference.store import ModelStore
from chalicelib.workflow.experiment import GROUP
from chalicelib.workflow.plan import PAGE, Planner
from layers.deploy.definition import read_definition
from layers.deploy.resources import RESOURCES
from layers.deploy.state_machine import FUNCTIONS, state_machine_template
from localaws.cloud.local_aws import LocalAws
from localaws.host.function import Function
from localaws.host.invocation import Result
from localaws.host.lambda_host import LambdaHost
from localaws.shims.state_machines import batches
from tests.support.clients import clients_of
from tests.support.paths import ROOT

PICTURES, PAGES_IN_TIME = 100_000, 40
BUCKET, EXPERIMENT, NAME = "slimception-dev-123456789012-".ljust(63, "b"), "e" * 64, "x" * 80
LIMIT_BYTES = 262_144
ROOM = 16
"""The largest payload fits into the limit at least this many times."""
KEY_BYTES = 1024
LIMIT_S = 300


class ManyObjects(Objects):
    """Lists objects that do not exist; writes to S3."""

    def page(self, bucket: str, prefix: str, after: str, limit: int) -> list[Listed]:
        first = int(after.removeprefix(prefix)[:6]) + 1 if after else 0
        names = (f"{prefix}{number:06}" for number in range(first, min(first + limit, PICTURES)))
        return [Listed(name + "é" * ((KEY_BYTES - len(name)) // 2), 1000, "") for name in names]


class StubHost(LambdaHost):
    """Calls Python functions; keeps the sizes of inputs and outputs."""

    def __init__(self) -> None:
        super().__init__(max_instances=2)
        self.functions: dict[str, Callable[[Any], Any]] = {}
        self.sizes: dict[str, list[int]] = {name.lower(): [] for name in FUNCTIONS}

    def invoke(self, function: Function, payload: bytes, trace: str = "") -> Result:
        name = function.name.rpartition("-")[2]
        answer = json.dumps(self.functions[name](json.loads(payload))).encode()
        self.sizes[name] += [len(payload), len(answer)]
        return Result("id", answer, None, "", "stub", 1.0, None, 1)


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalAws]:
    host = StubHost()
    with LocalAws(host=host) as running:
        yield running


@pytest.fixture(scope="module")
def client(cloud) -> Iterator[Callable[[str], Any]]:
    with clients_of(cloud) as clients:
        yield clients


@pytest.fixture(scope="module")
def state_machine(client) -> str:
    """The definition, over functions that exist in name only."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("app.py", "")
    client("iam").create_role(RoleName="any", AssumeRolePolicyDocument="{}")
    arns = {
        name: client("lambda").create_function(
            FunctionName=f"slimception-dev-{name.lower()}", Runtime="python3.13", Handler="app.it",
            Role="arn:aws:iam::123456789012:role/any", Code={"ZipFile": file.getvalue()},
        )["FunctionArn"]
        for name in FUNCTIONS
    }  # fmt: skip
    template = state_machine_template(ROOT / RESOURCES, "dev", arns)
    client("cloudformation").create_stack(
        StackName="workflow", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
    )
    arn: str = client("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    return arn


@pytest.fixture(scope="module")
def functions(cloud, client) -> StubHost:
    store = ModelStore(Settings(model_dirs=(EMBEDDED_MODELS,), num_threads=1))
    planner = Planner(store, ManyObjects(client("s3")))
    host: StubHost = cloud.host
    host.functions["plan"] = lambda event: planner.plan(event, soon_over())
    host.functions["classify"] = lambda event: {"group": event["group"], "images": 500, "errors": 500, "fallbacks": 500}
    host.functions["report"] = lambda event: {
        "images": event["state"]["listing"]["images"],
        "report": "s" * KEY_BYTES,
        "page": "s" * 1024,
    }
    return host


def soon_over() -> Callable[[], float]:
    """The milliseconds that an invocation has left: enough for PAGES_IN_TIME pages, then none."""
    left = iter(range(PAGES_IN_TIME - 1))
    return lambda: 0.0 if next(left, None) is None else 1e9


@pytest.fixture(scope="module")
def events(client, state_machine, functions) -> list[dict[str, Any]]:
    """The history of an execution over all the pictures."""
    client("s3").create_bucket(Bucket=BUCKET)
    text = {"experiment": EXPERIMENT, "models": ["digits", "m" * 64], "source": f"s3://{BUCKET}/{'p' * 900}"}
    states = client("stepfunctions")
    arn = states.start_execution(stateMachineArn=state_machine, name=NAME, input=json.dumps(text))["executionArn"]
    deadline = time.monotonic() + LIMIT_S
    while (ended := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline, "it has not ended"
        time.sleep(0.2)
    assert ended["status"] == "SUCCEEDED", ended
    found: list[dict[str, Any]] = states.get_execution_history(executionArn=arn)["events"]
    return found


@pytest.fixture(scope="module")
def manifest(client, events) -> list[dict[str, int]]:
    key = f"workflows/{EXPERIMENT}/{NAME}/groups.json"
    found: list[dict[str, int]] = json.loads(client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())
    return found


def test_all_of_it_was_done(functions, events, manifest):
    assert len(functions.sizes["plan"]) == 2 * -(-(PICTURES // PAGE + 1) // PAGES_IN_TIME)
    assert len(functions.sizes["classify"]) == 2 * len(manifest) == 2 * PICTURES // GROUP
    assert len(functions.sizes["report"]) == 2


def test_the_map_does_not_fail(events):
    """The definition would catch a failure, and all rows would exist: only the report would show it."""
    assert not [event["type"] for event in events if event["type"].endswith("Failed")]


def test_nothing_comes_near_the_limit(functions, events, manifest):
    inside = [len(text.encode()) for event in events for text in texts(event)]
    definition = read_definition(ROOT / ".chalice/workflow.asl.json")
    run = {"run": {"bucket": BUCKET, "prefix": "w" * 200, "experiment": EXPERIMENT, "models": ["m" * 64] * 2}}
    children = [len(json.dumps(child)) for child in batches(manifest, definition["States"]["Many"]["ItemBatcher"], run)]
    largest = max(max(sizes) for sizes in (*functions.sizes.values(), inside, children))
    print(f"largest: {largest} bytes of {LIMIT_BYTES}; {len(children)} children of up to {max(children)} bytes")
    assert largest * ROOM < LIMIT_BYTES


def texts(event: dict[str, Any]) -> Iterator[str]:
    """Every input and output that an event of the history has."""
    for name, details in event.items():
        if name.endswith("EventDetails"):
            yield from (details[key] for key in ("input", "output", "parameters") if key in details)
