"""What moto is taught of the definition language."""

import json
import time

import pytest

from localaws.shims.state_machines import batches
from tests.support.clients import clients_of
from tests.support.roles import make_role

READER = {
    "Resource": "arn:aws:states:::s3:getObject",
    "ReaderConfig": {"InputType": "JSON"},
    "Parameters": {"Bucket": "lists", "Key.$": "$.list"},
}
MAP = {
    "Type": "Map",
    "ItemReader": READER,
    "ItemBatcher": {"MaxItemsPerBatch": 3, "BatchInput": {"all.$": "$.shared", "fixed": 1}},
    "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        "StartAt": "Inner",
        "States": {
            "Inner": {
                "Type": "Map",
                "ItemsPath": "$.Items",
                "ItemSelector": {"all.$": "$.BatchInput.all", "item.$": "$$.Map.Item.Value"},
                "ItemProcessor": {"StartAt": "Keep", "States": {"Keep": {"Type": "Pass", "End": True}}},
                "End": True,
            }
        },
    },
    "End": True,
}


@pytest.fixture
def client(cloud):
    with clients_of(cloud) as clients:
        yield clients


def template_of(definition, answer="forty-two"):
    properties = {
        "StateMachineName": "batched",
        "RoleArn": "arn:aws:iam::123456789012:role/any",
        "DefinitionString": json.dumps(definition),
        "DefinitionSubstitutions": {"Answer": answer},
    }
    return json.dumps(
        {"Resources": {"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}}
    )


@pytest.fixture
def execute(client):
    stacks, states = client("cloudformation"), client("stepfunctions")

    def run(definition, text, **options):
        change = stacks.update_stack if states.list_state_machines()["stateMachines"] else stacks.create_stack
        change(StackName="batched", TemplateBody=template_of(definition, **options))
        (machine,) = states.list_state_machines()["stateMachines"]
        started = states.start_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps(text))
        while (ended := states.describe_execution(executionArn=started["executionArn"]))["status"] == "RUNNING":
            time.sleep(0.02)
        assert ended["status"] == "SUCCEEDED", ended
        return json.loads(ended["output"])

    yield run
    states.delete_state_machine(stateMachineArn=states.list_state_machines()["stateMachines"][0]["stateMachineArn"])
    stacks.delete_stack(StackName="batched")


@pytest.fixture(scope="module", autouse=True)
def bucket(cloud):
    make_role(cloud, "any", "s3:GetObject", "states:StartExecution")
    with clients_of(cloud) as clients:
        clients("s3").create_bucket(Bucket="lists")


def test_items_come_in_batches_with_what_they_share(client, execute):
    client("s3").put_object(Bucket="lists", Key="seven.json", Body=json.dumps([{"n": n} for n in range(7)]))
    found = execute({"StartAt": "Map", "States": {"Map": MAP}}, {"list": "seven.json", "shared": "x"})
    assert [len(batch) for batch in found] == [3, 3, 1]
    assert [item for batch in found for item in batch] == [{"all": "x", "item": {"n": n}} for n in range(7)]


def test_what_a_definition_leaves_open_is_filled_in_and_filled_in_anew(execute):
    definition = {"StartAt": "Say", "States": {"Say": {"Type": "Pass", "Result": {"it is": "${Answer}"}, "End": True}}}
    assert execute(definition, {}) == {"it is": "forty-two"}
    assert execute(definition, {}, answer="another") == {"it is": "another"}


@pytest.mark.parametrize(("percentage", "warned"), [(100.0, False), (5.5, True)])
def test_only_a_limit_of_failures_that_is_not_kept_is_warned_of(client, execute, caplog, percentage, warned):
    client("s3").put_object(Bucket="lists", Key="two.json", Body="[1, 2]")
    some = {**MAP, "ToleratedFailurePercentage": percentage}
    execute({"StartAt": "Map", "States": {"Map": some}}, {"list": "two.json", "shared": "x"})
    assert ("ToleratedFailure" in caplog.text) is warned


@pytest.mark.parametrize(
    ("batcher", "sizes"),
    [
        ({"MaxItemsPerBatch": 4}, [4, 4, 2]),
        ({"MaxItemsPerBatch": 100}, [10]),
        ({"MaxInputBytesPerBatch": 40}, [2, 2, 2, 2, 2]),
        ({"MaxItemsPerBatch": 1}, [1] * 10),
    ],
)
def test_number_and_size_limit_a_batch(batcher, sizes):
    found = list(batches([f"item-{n}" for n in range(10)], batcher, {}))
    assert [len(batch["Items"]) for batch in found] == sizes
    assert all(set(batch) == {"Items"} for batch in found)


def test_no_items_are_no_batches():
    assert list(batches([], {"MaxItemsPerBatch": 4}, {})) == []
