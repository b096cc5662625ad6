"""Event source mappings are made, changed and deleted as Lambda does it: by the API and by CloudFormation."""

import json
import re
import time

import pytest
from botocore.exceptions import ClientError

from layers.pythons import own
from localaws.cloud.local_aws import LocalAws
from localaws.host.lambda_host import LambdaHost
from localaws.shims.limits import Limits
from tests.support.clients import clients_of
from tests.support.roles import make_role, policy
from tests.support.toys import zip_of

POLL = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


@pytest.fixture(scope="module")
def cloud(runtime_packages):
    """With the states as long as by default: a busy machine takes its time for each call."""
    with LocalAws(host=LambdaHost(max_instances=2)) as running:
        yield running


@pytest.fixture(scope="module")
def aws(cloud):
    with clients_of(cloud) as clients:
        yield clients


@pytest.fixture(scope="module")
def role(cloud):
    return make_role(cloud, "mapped", *POLL)


@pytest.fixture
def given(aws, role, request):
    """A function and the source of a mapping of it, both named as the test."""
    name = re.sub(r"\W+", "-", request.node.name)[-50:].strip("-")
    url = aws("sqs").create_queue(QueueName=name, Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
    make_function(aws, name, role)
    arn = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return {"EventSourceArn": arn, "FunctionName": name}


def make_function(aws, name, role):
    code = {"ZipFile": zip_of({"toy.py": "def handler(event, context): pass"})}
    aws("lambda").create_function(
        FunctionName=name, Code=code, Runtime=own().runtime, Role=role, Handler="toy.handler", Timeout=20
    )


def refusal(call, **parameters):
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


@pytest.fixture
def state(aws):
    def state(uuid):
        try:
            return aws("lambda").get_event_source_mapping(UUID=uuid)["State"]
        except aws("lambda").exceptions.ResourceNotFoundException:
            return "gone"

    return state


def test_it_is_being_made_changed_and_deleted(aws, given, state, wait_until):
    made = aws("lambda").create_event_source_mapping(**given)
    uuid = made["UUID"]
    assert made["State"] == state(uuid) == "Creating"
    in_use = "ResourceInUseException", "Cannot {} the event source mapping because it is in use."
    assert refusal(aws("lambda").update_event_source_mapping, UUID=uuid) == (in_use[0], in_use[1].format("update"))
    assert refusal(aws("lambda").delete_event_source_mapping, UUID=uuid) == (in_use[0], in_use[1].format("delete"))
    wait_until(lambda: state(uuid) == "Enabled")
    assert aws("lambda").update_event_source_mapping(UUID=uuid, BatchSize=3)["State"] == "Updating"
    assert refusal(aws("lambda").update_event_source_mapping, UUID=uuid)[0] == in_use[0]
    wait_until(lambda: state(uuid) == "Enabled")
    assert aws("lambda").delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"
    assert refusal(aws("lambda").create_event_source_mapping, **given)[0] == "ResourceConflictException"
    wait_until(lambda: state(uuid) == "gone")
    for change in (aws("lambda").update_event_source_mapping, aws("lambda").delete_event_source_mapping):
        assert refusal(change, UUID=uuid)[0] == "ResourceNotFoundException"


def test_a_second_one_is_refused_also_when_its_function_was_deleted_and_made_again(aws, given, role):
    uuid = aws("lambda").create_event_source_mapping(**given)["UUID"]
    expected = (
        "ResourceConflictException",
        f'The event source arn (" {given["EventSourceArn"]} ") and function (" {given["FunctionName"]} ") provided '
        f"mapping already exists. Please update or delete the existing mapping with UUID {uuid}",
    )
    assert refusal(aws("lambda").create_event_source_mapping, **given) == expected
    aws("lambda").delete_function(FunctionName=given["FunctionName"])
    listed = aws("lambda").list_event_source_mappings(EventSourceArn=given["EventSourceArn"])["EventSourceMappings"]
    assert [mapping["UUID"] for mapping in listed] == [uuid]
    make_function(aws, given["FunctionName"], role)
    assert refusal(aws("lambda").create_event_source_mapping, **given) == expected


def test_a_queue_that_gives_messages_again_before_the_function_times_out(aws, given):
    url = aws("sqs").get_queue_url(QueueName=given["FunctionName"])["QueueUrl"]
    aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "19"})
    assert refusal(aws("lambda").create_event_source_mapping, **given) == (
        "InvalidParameterValueException",
        "Queue visibility timeout: 19 seconds is less than Function timeout: 20 seconds",
    )


@pytest.mark.parametrize("action", POLL)
def test_a_role_that_may_not_poll(aws, given, action):
    aws("iam").put_role_policy(
        RoleName="mapped", PolicyName="rights", PolicyDocument=policy(*(other for other in POLL if other != action))
    )
    try:
        message = f"The provided execution role does not have permissions to call {action[4:]} on SQS"
        assert refusal(aws("lambda").create_event_source_mapping, **given) == (
            "InvalidParameterValueException",
            message,
        )
    finally:
        aws("iam").put_role_policy(RoleName="mapped", PolicyName="rights", PolicyDocument=policy(*POLL))


@pytest.mark.parametrize("by", ["name", "arn"])
def test_they_are_listed_by_their_function(aws, given, by):
    uuid = aws("lambda").create_event_source_mapping(**given)["UUID"]
    name = given["FunctionName"]
    arn = aws("lambda").get_function_configuration(FunctionName=name)["FunctionArn"]
    listed = aws("lambda").list_event_source_mappings(FunctionName={"name": name, "arn": arn}[by])
    assert [mapping["UUID"] for mapping in listed["EventSourceMappings"]] == [uuid]


def test_cloudformation_waits(aws, given, state):
    """A stack is complete when its mapping is settled, so that it can be changed and deleted at once."""
    stacks = aws("cloudformation")

    def template(**properties):
        mapping = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {**given, **properties}}
        return json.dumps({"Resources": {"Mapping": mapping}})

    began = time.monotonic()
    stacks.create_stack(StackName="mapped", TemplateBody=template(BatchSize=2))
    uuid = stacks.describe_stack_resource(StackName="mapped", LogicalResourceId="Mapping")["StackResourceDetail"][
        "PhysicalResourceId"
    ]
    assert state(uuid) == "Enabled" and time.monotonic() - began >= Limits().transition_s
    stacks.update_stack(StackName="mapped", TemplateBody=template(BatchSize=4))
    assert aws("lambda").get_event_source_mapping(UUID=uuid)["BatchSize"] == 4 and state(uuid) == "Enabled"
    stacks.delete_stack(StackName="mapped")
    assert state(uuid) == "gone"
