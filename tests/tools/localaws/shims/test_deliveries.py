"""What calls functions: buckets, topics, buses and schedules, if the function's policy lets them; and what fails."""

import json
import re

import pytest

from layers.pythons import own
from localaws.cloud import schedules
from localaws.cloud.local_aws import LocalAws
from localaws.host.lambda_host import LambdaHost
from localaws.shims.conditions import is_true, without_unwanted
from localaws.shims.limits import Limits
from tests.support.api import wait_for
from tests.support.clients import clients_of
from tests.support.local_cloud import TRANSITION_S
from tests.support.roles import make_role
from tests.support.toys import zip_of

ACCOUNT, REGION = "123456789012", "us-east-1"
SHOWS = """
import json

def handler(event, context):
    print("got " + json.dumps(event))
    if "fail" in json.dumps(event):
        raise ValueError("asked to fail")
"""


@pytest.fixture(scope="module")
def cloud(runtime_packages):
    """With minutes of a quarter of a second."""
    host = LambdaHost(max_instances=2, async_retry_delays_s=(0.01, 0.01))
    with LocalAws(host=host, limits=Limits(transition_s=TRANSITION_S, minute_s=0.25)) as running:
        make_role(running, "called", "logs:*", "sqs:*")
        yield running


@pytest.fixture(scope="module")
def aws(cloud):
    with clients_of(cloud) as clients:
        yield clients


@pytest.fixture
def function(aws, request):
    """A function called as the test; gives its name and its ARN."""
    name = re.sub(r"\W+", "-", request.node.name)[-40:].strip("-")
    made = aws("lambda").create_function(
        FunctionName=name, Code={"ZipFile": zip_of({"toy.py": SHOWS})}, Runtime=own().runtime,
        Role=f"arn:aws:iam::{ACCOUNT}:role/called", Handler="toy.handler", Timeout=10, MemorySize=256,
    )  # fmt: skip
    return name, made["FunctionArn"]


def allow(aws, name: str, service: str, source_arn: str, **more) -> None:
    action, principal = "lambda:InvokeFunction", f"{service}.amazonaws.com"
    aws("lambda").add_permission(
        FunctionName=name, StatementId="one", Action=action, Principal=principal, SourceArn=source_arn, **more
    )


def got(cloud, name: str) -> list[dict]:
    texts = [path.read_text() for path in cloud.host.folder.glob(f"{name}*.log")]
    return [json.loads(found) for text in texts for found in re.findall(r"got (\{.*\})", text)]


def notify(aws, name: str, arn: str) -> None:
    aws("s3").create_bucket(Bucket=name)
    direct = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    aws("s3").put_bucket_notification_configuration(
        Bucket=name,
        NotificationConfiguration={"LambdaFunctionConfigurations": [direct], "EventBridgeConfiguration": {}},
    )


def test_a_bucket_calls_a_function_that_lets_it(cloud, aws, function):
    name, arn = function
    notify(aws, name, arn)
    aws("s3").put_object(Bucket=name, Key="before", Body=b"x")
    allow(aws, name, "s3", f"arn:aws:s3:::{name}", SourceAccount=ACCOUNT)
    aws("s3").put_object(Bucket=name, Key="a b", Body=b"x")
    wait_for(lambda: got(cloud, name))
    [event] = got(cloud, name)
    [record] = event["Records"]
    assert (record["eventSource"], record["s3"]["object"]["key"]) == ("aws:s3", "a+b")
    assert record["s3"]["object"]["sequencer"]


def test_a_topic(cloud, aws, function):
    name, arn = function
    topic = aws("sns").create_topic(Name=name)["TopicArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    aws("sns").publish(TopicArn=topic, Message="refused")
    allow(aws, name, "sns", topic)
    sent = aws("sns").publish(TopicArn=topic, Message="hello")["MessageId"]
    wait_for(lambda: got(cloud, name))
    [event] = got(cloud, name)
    message = event["Records"][0]["Sns"]
    assert (message["Message"], message["MessageId"], message["TopicArn"]) == ("hello", sent, topic)
    assert message["Timestamp"][:2] == "20"


def test_a_bus_has_events_of_s3_and_own_ones(cloud, aws, function):
    name, arn = function
    pattern = json.dumps({"$or": [{"detail-type": ["Picture"]}, {"source": ["aws.s3"]}]})
    rule = aws("events").put_rule(Name=name, EventPattern=pattern)["RuleArn"]
    aws("events").put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])
    allow(aws, name, "events", rule)
    entry = {"Source": "shop", "DetailType": "Picture", "Detail": '{"image": "s3://b/k"}'}
    aws("events").put_events(Entries=[entry, {**entry, "DetailType": "Other"}])
    wait_for(lambda: len(got(cloud, name)) == 1)
    assert got(cloud, name)[0]["detail"] == {"image": "s3://b/k"}
    notify(aws, name, arn)
    aws("s3").put_object(Bucket=name, Key="a b", Body=b"x")
    wait_for(lambda: len(got(cloud, name)) == 2)
    [event] = [one for one in got(cloud, name) if one["source"] == "aws.s3"]
    assert (event["detail"]["object"]["key"], event["detail-type"]) == ("a b", "Object Created")
    assert event["detail"]["object"]["etag"] and event["time"][:2] == "20"


def test_a_rate_fires_again_and_again_with_its_input(cloud, aws, function):
    name, arn = function
    rule = aws("events").put_rule(Name=name, ScheduleExpression="rate(2 minutes)")["RuleArn"]
    transformer = {"InputPathsMap": {"at": "$.time"}, "InputTemplate": '{"time": <at>, "source": "s3://b/p"}'}
    aws("events").put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn, "InputTransformer": transformer}])
    allow(aws, name, "events", rule)
    wait_for(lambda: len(got(cloud, name)) >= 2)
    aws("events").disable_rule(Name=name)
    assert all(set(one) == {"time", "source"} and one["time"].endswith("Z") for one in got(cloud, name))


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(1 day)", 86400), ("cron(0 3 * * ? *)", None), ("", None)],
)
def test_the_time_between_two(expression, seconds):
    assert schedules.rate_s(expression, 60) == seconds


def test_an_event_that_fails_at_every_try_goes_to_its_queue(cloud, aws, function):
    name, _ = function
    queue = aws("sqs").create_queue(QueueName=name)["QueueUrl"]
    destination = {"OnFailure": {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}}
    aws("lambda").put_function_event_invoke_config(FunctionName=name, DestinationConfig=destination)
    for payload in ({"is": "well"}, {"please": "fail"}):
        aws("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(payload))
    received = wait_for(lambda: aws("sqs").receive_message(QueueUrl=queue).get("Messages"))
    [record] = [json.loads(one["Body"]) for one in received]
    assert record["requestPayload"] == {"please": "fail"}
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorMessage"] == "asked to fail"


CONDITIONS = {
    "A": {"Fn::Not": [{"Fn::Equals": [{"Ref": "P"}, ""]}]},
    "B": {"Fn::Equals": [{"Ref": "N"}, 5]},
    "Both": {"Fn::And": [{"Condition": "A"}, {"Condition": "B"}]},
    "Either": {"Fn::Or": [{"Condition": "A"}, {"Condition": "B"}]},
}


@pytest.mark.parametrize(
    ("parameters", "true"),
    [
        ({"P": "", "N": 0}, set()),
        ({"P": "x", "N": 0}, {"A", "Either"}),
        ({"P": "", "N": "5"}, {"B", "Either"}),
        ({"P": "x", "N": 5}, {"A", "B", "Both", "Either"}),
    ],
)
def test_conditions(parameters, true):
    assert {name for name, one in CONDITIONS.items() if is_true(one, CONDITIONS, parameters)} == true
    resources = {name: {"Type": "T", "Condition": name, "DependsOn": ["A"]} for name in CONDITIONS}
    kept = without_unwanted({"Conditions": CONDITIONS, "Resources": resources}, parameters)["Resources"]
    assert set(kept) == true and all(one["DependsOn"] == (["A"] if "A" in true else []) for one in kept.values())
