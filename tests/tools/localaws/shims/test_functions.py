"""Moto's Lambda with functions that run: by its API, from queues, from Step Functions, from S3."""

import base64
import json

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from layers.pythons import own
from localaws.errors import EmulatorMissing
from localaws.host import emulation
from tests.support.roles import make_role
from tests.support.toys import HANDLER, zip_of

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/toy"
BATCH_HANDLER = """
import boto3, json, os

def handler(event, context):
    table = boto3.client("dynamodb")
    failures = []
    for record in event["Records"]:
        body = json.loads(record["body"])
        receives = int(record["attributes"]["ApproximateReceiveCount"])
        if receives <= body.get("fail", 0):
            failures.append({"itemIdentifier": record["messageId"]})
            continue
        table.update_item(TableName=body["table"], Key={"id": {"S": str(body["id"])}}, UpdateExpression="ADD n :one",
                          ExpressionAttributeValues={":one": {"N": "1"}})
    return {"batchItemFailures": failures}
"""


@pytest.fixture(scope="module")
def functions(cloud):
    client = cloud.client("lambda", config=Config(retries={"total_max_attempts": 1}))
    make_role(cloud, "toy", "logs:*", "sqs:*", "dynamodb:*", "lambda:InvokeFunction")
    yield client
    client.close()


@pytest.fixture
def create(functions, request):
    """Create a function named as the test."""

    def create(source=HANDLER, **options):
        name = request.node.name.replace("[", "-").replace("]", "")[:60]
        code = {"ZipFile": zip_of({"toy.py": source})}
        given = {
            "Runtime": own().runtime,
            "Role": ROLE,
            "Handler": "toy.handler",
            "Timeout": 10,
            **options,
        }
        functions.create_function(FunctionName=name, Code=code, MemorySize=256, **given)
        return name

    return create


@pytest.fixture
def call(functions):
    def call(name, event, **options):
        answer = functions.invoke(FunctionName=name, Payload=json.dumps(event), **options)
        return answer, answer["Payload"].read()

    return call


@pytest.mark.skipif(len(emulation.ARCHITECTURES) == 1, reason="arm64 runs here")
class TestArchitectures:
    """Without an emulator, so that the error shows what would have run a function."""

    @pytest.fixture(autouse=True)
    def without_emulator(self, monkeypatch):
        def missing(runtime):
            raise EmulatorMissing("no emulator")

        monkeypatch.setattr(emulation, "interpreter", missing)

    def test_arm64_is_emulated(self, create, call):
        name = create(Architectures=["arm64"])
        with pytest.raises(ClientError, match=r"InvalidParameterValueException.*no emulator"):
            call(name, {})

    def test_code_for_another_processor(self, functions, create, call):
        name, code = create(), zip_of({"toy.py": HANDLER})
        functions.update_function_code(FunctionName=name, ZipFile=code, Architectures=["arm64"])
        functions.update_function_code(FunctionName=name, ZipFile=code)
        with pytest.raises(ClientError, match="no emulator"):
            call(name, {})
        functions.update_function_code(FunctionName=name, ZipFile=code, Architectures=["x86_64"])
        assert "FunctionError" not in call(name, {})[0]


class TestInvoke:
    def test_request_and_response(self, create, call):
        answer, payload = call(create(), {"a": "ü"}, LogType="Tail")
        assert (answer["StatusCode"], json.loads(payload)["event"], "FunctionError" in answer) == (
            200,
            {"a": "ü"},
            False,
        )
        log = base64.b64decode(answer["LogResult"]).decode()
        assert "START RequestId" in log
        assert "REPORT RequestId" in log

    def test_a_failure(self, create, call):
        answer, payload = call(create(), {"do": "raise", "value": "no"})
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        assert json.loads(payload)["errorType"] == "ValueError"

    def test_configuration_and_layers_arrive(self, create, call, functions):
        layer = functions.publish_layer_version(
            LayerName="toy", Content={"ZipFile": zip_of({"python/from_layer.py": "value = 7"})}
        )["LayerVersionArn"]
        name = create(Layers=[layer], Environment={"Variables": {"COLOUR": "red"}})
        expression = "[os.environ['COLOUR'], __import__('from_layer').value, os.environ['AWS_ENDPOINT_URL'][:17]]"
        assert json.loads(call(name, {"do": "eval", "value": expression})[1]) == ["red", 7, "http://127.0.0.1:"]

    def test_new_code_runs_at_once(self, create, call, functions):
        name = create("def handler(event, context): return 1")
        assert call(name, {})[1] == b"1"
        functions.update_function_code(FunctionName=name, ZipFile=zip_of({"toy.py": "def handler(e, c): return 2"}))
        assert call(name, {})[1] == b"2"

    def test_an_event_without_waiting_is_tried_again(self, create, call, cloud, wait_until):
        name = create()
        assert call(name, {"do": "raise", "value": "x"}, InvocationType="Event")[0]["StatusCode"] == 202
        logs = cloud.client("logs")
        group = f"/aws/lambda/{name}"

        def messages():
            try:
                return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
            except logs.exceptions.ResourceNotFoundException:
                return []

        wait_until(lambda: sum(message.startswith("REPORT") for message in messages()) == 3)
        assert sum("[ERROR] ValueError: x" in message for message in messages()) == 3
        logs.close()

    def test_a_dry_run_runs_nothing(self, create, call, cloud):
        before = {instance.id for instance in cloud.host.instances()}
        assert call(create(), {}, InvocationType="DryRun")[0]["StatusCode"] == 204
        assert {instance.id for instance in cloud.host.instances()} <= before

    def test_above_reserved_concurrency(self, create, call, functions):
        name = create()
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        with pytest.raises(ClientError) as refused:
            call(name, {})
        assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429

    def test_a_function_that_cannot_be_unpacked(self, create, call, functions):
        name = create()
        functions.update_function_code(FunctionName=name, ZipFile=b"no zip")
        with pytest.raises(ClientError, match=r"InvalidParameterValueException.*zip of .* cannot be unzipped"):
            call(name, {})


class TestQueues:
    @pytest.fixture
    def queue(self, cloud, create, functions, request):
        """A queue, its dead-letter queue, a table, and a function between them."""
        sqs, table = cloud.client("sqs"), cloud.client("dynamodb")
        name = request.node.name[:60]
        table.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        redrive = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}-dead", "maxReceiveCount": 2}
        attributes = {"VisibilityTimeout": "10", "RedrivePolicy": json.dumps(redrive)}
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        mapping = functions.create_event_source_mapping(
            EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}",
            FunctionName=create(BATCH_HANDLER),
            BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )["UUID"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "4"})  # so that they come again soon
        yield Queue(sqs, table, name, url, dead)
        functions.delete_event_source_mapping(UUID=mapping)
        sqs.close()
        table.close()

    def test_partial_failures_come_again_and_the_rest_does_not(self, queue, wait_until):
        queue.send([{"id": n, "fail": 1 if n % 10 == 3 else 0} for n in range(30)])
        wait_until(queue.is_empty)
        assert queue.results() == {str(n): 1 for n in range(30)}
        assert queue.waiting(queue.dead) == 0

    def test_what_fails_each_time_goes_to_the_dead_letter_queue(self, queue, wait_until):
        queue.send([{"id": n, "fail": 99 if n == 5 else 0} for n in range(10)])
        wait_until(lambda: queue.is_empty() and queue.waiting(queue.dead) == 1)
        assert queue.results() == {str(n): 1 for n in range(10) if n != 5}

    def test_nothing_is_lost_when_instances_are_killed(self, queue, cloud, wait_until):
        queue.send([{"id": n} for n in range(100)])
        wait_until(cloud.host.instances)
        cloud.host.instances()[0].kill()
        wait_until(lambda: queue.is_empty() and queue.waiting(queue.dead) == 0)
        assert set(queue.results()) == {str(n) for n in range(100)}


class Queue:
    """The test's end of a queue."""

    def __init__(self, sqs, table, name, url, dead):
        self.sqs, self.table, self.name, self.url, self.dead = sqs, table, name, url, dead

    def send(self, bodies):
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(n), "MessageBody": json.dumps({"table": self.name, **body})}
                for n, body in enumerate(bodies[start : start + 10])
            ]
            self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)

    def waiting(self, url):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        return sum(map(int, self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()))

    def is_empty(self):
        return self.waiting(self.url) == 0

    def results(self):
        return {item["id"]["S"]: int(item["n"]["N"]) for item in self.table.scan(TableName=self.name)["Items"]}


class TestStepFunctions:
    def run(self, cloud, wait_until, task, **state):
        client = cloud.client("stepfunctions")
        states = {"Call": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", **task, **state, "End": True}}
        machine = client.create_state_machine(
            name=f"machine-{abs(hash(str(states)))}",
            roleArn=ROLE,
            definition=json.dumps({"StartAt": "Call", "States": states}),
        )["stateMachineArn"]
        execution = client.start_execution(stateMachineArn=machine, input="{}")["executionArn"]
        wait_until(lambda: client.describe_execution(executionArn=execution)["status"] != "RUNNING")
        described = client.describe_execution(executionArn=execution)
        client.close()
        return described

    def test_a_task_runs_the_function(self, cloud, create, wait_until):
        task = {"Parameters": {"FunctionName": create(), "Payload": {"a": 1}}, "OutputPath": "$.Payload.event"}
        described = self.run(cloud, wait_until, task)
        assert (described["status"], json.loads(described["output"])) == ("SUCCEEDED", {"a": 1})

    def test_an_exception_is_an_error_that_the_machine_can_name(self, cloud, create, wait_until):
        task = {"Parameters": {"FunctionName": create(), "Payload": {"do": "raise", "value": "no"}}}
        assert self.run(cloud, wait_until, task)["error"] == "ValueError"

    def test_a_time_out_is_named_as_lambda_names_it(self, cloud, create, wait_until):
        task = {"Parameters": {"FunctionName": create(Timeout=1), "Payload": {"do": "sleep", "value": 9}}}
        assert self.run(cloud, wait_until, task)["error"] == "Sandbox.Timedout"


def test_a_notification_of_s3_invokes_without_holding_up_the_upload(cloud, create, wait_until):
    name = create("def handler(event, context): print('key', event['Records'][0]['s3']['object']['key'])")
    s3, logs, functions = cloud.client("s3"), cloud.client("logs"), cloud.client("lambda")
    s3.create_bucket(Bucket="pictures")
    functions.add_permission(
        FunctionName=name, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    functions.close()
    target = {
        "LambdaFunctionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}",
        "Events": ["s3:ObjectCreated:*"],
    }
    s3.put_bucket_notification_configuration(
        Bucket="pictures", NotificationConfiguration={"LambdaFunctionConfigurations": [target]}
    )
    s3.put_object(Bucket="pictures", Key="a.png", Body=b"x")

    def logged():
        groups = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
        return groups and logs.filter_log_events(logGroupName=groups[0]["logGroupName"], filterPattern="key")["events"]

    wait_until(logged)
    s3.close()
    logs.close()
