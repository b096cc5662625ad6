"""Calls of boto3 by a role, over HTTP: what each needs, and how each service says no."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.s3.models import s3_backends

from localaws.host.environment import role_keys
from tests.support.roles import make_role, policy

ROLE, FOREIGN = "guarded", "999999999999"
TABLE = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
KEY = {"id": {"S": "1"}}
PUT, UPDATE = {"TableName": "items", "Item": KEY}, {"TableName": "items", "Key": KEY, "UpdateExpression": "SET n = :n"}
OBJECT = {"Bucket": "guarded", "Key": "a b/ü.png"}


@pytest.fixture(scope="module")
def account(cloud):
    """A bucket with an object, another account's bucket, a queue and a table; gives the queue's URL."""
    make_role(cloud, ROLE)
    clients = [cloud.client(name) for name in ("s3", "sqs", "dynamodb")]
    clients[0].create_bucket(Bucket="guarded")
    clients[0].put_object(**OBJECT, Body=b"x")
    url = clients[1].create_queue(QueueName="guarded")["QueueUrl"]
    clients[2].create_table(TableName="items", **TABLE)
    for client in clients:
        client.close()
    s3_backends[FOREIGN]["aws"].create_bucket("foreign", "us-east-1")
    yield url


@pytest.fixture
def allow(cloud):
    def allow(*actions, **options):
        iam = cloud.client("iam")
        document = policy(*actions, **options)
        iam.put_role_policy(RoleName=ROLE, PolicyName="rights", PolicyDocument=document)
        iam.close()

    return allow


@pytest.fixture
def call(cloud, account):
    """Calls an operation with the role's rights; gives the error's code and status, or None."""
    made = {}

    def call(service, operation, **parameters):
        if service not in made:
            made[service] = boto3.client(
                service, cloud.region, endpoint_url=cloud.url, config=Config(retries={"total_max_attempts": 1}),
                **role_keys(ROLE),
            )  # fmt: skip
        try:
            getattr(made[service], operation)(**parameters)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        return None

    yield call
    for client in made.values():
        client.close()


NEEDED = [
    ("s3", "get_object", OBJECT, ["s3:GetObject"]),
    ("s3", "head_object", OBJECT, ["s3:GetObject"]),
    ("s3", "put_object", {**OBJECT, "Body": b"y"}, ["s3:PutObject"]),
    ("s3", "create_multipart_upload", {"Bucket": "guarded", "Key": "parts"}, ["s3:PutObject"]),
    ("s3", "list_objects_v2", {"Bucket": "guarded", "Prefix": "a"}, ["s3:ListBucket"]),
    ("s3", "head_bucket", {"Bucket": "guarded"}, ["s3:ListBucket"]),
    ("s3", "get_bucket_location", {"Bucket": "guarded"}, ["s3:GetBucketLocation"]),
    ("s3", "list_buckets", {}, ["s3:ListAllMyBuckets"]),
    (
        "s3",
        "copy_object",
        {"Bucket": "guarded", "Key": "copy", "CopySource": "guarded/a b/ü.png"},
        ["s3:GetObject", "s3:PutObject"],
    ),
    ("s3", "delete_objects", {"Bucket": "guarded", "Delete": {"Objects": [{"Key": "none"}]}}, ["s3:DeleteObject"]),
    ("sqs", "get_queue_url", {"QueueName": "guarded"}, ["sqs:GetQueueUrl"]),
    ("sqs", "send_message", {"QueueUrl": ..., "MessageBody": "x"}, ["sqs:SendMessage"]),
    ("sqs", "send_message_batch", {"QueueUrl": ..., "Entries": [{"Id": "1", "MessageBody": "x"}]}, ["sqs:SendMessage"]),
    ("sqs", "receive_message", {"QueueUrl": ...}, ["sqs:ReceiveMessage"]),
    ("dynamodb", "put_item", PUT, ["dynamodb:PutItem"]),
    ("dynamodb", "get_item", {"TableName": "items", "Key": KEY}, ["dynamodb:GetItem"]),
    (
        "dynamodb",
        "transact_write_items",
        {
            "TransactItems": [
                {"Put": {"TableName": "items", "Item": {"id": {"S": "2"}}}},
                {"Update": {**UPDATE, "ExpressionAttributeValues": {":n": {"N": "1"}}}},
            ]
        },
        ["dynamodb:PutItem", "dynamodb:UpdateItem"],
    ),
    (
        "dynamodb",
        "batch_write_item",
        {"RequestItems": {"items": [{"PutRequest": {"Item": KEY}}]}},
        ["dynamodb:BatchWriteItem"],
    ),
]
CODES = {
    "s3": {("AccessDenied", 403), ("403", 403)},
    "sqs": {("AccessDenied", 403)},
    "dynamodb": {("AccessDeniedException", 400)},
}


@pytest.mark.parametrize(("service", "operation", "parameters", "actions"), NEEDED, ids=[row[1] for row in NEEDED])
def test_each_right_is_needed_and_no_other(account, allow, call, service, operation, parameters, actions):
    given = {name: account if value is ... else value for name, value in parameters.items()}
    allow(*actions)
    assert call(service, operation, **given) is None
    for action in actions:
        allow(*(other for other in actions if other != action))
        assert call(service, operation, **given) in CODES[service], action


def test_a_missing_object_is_only_missing_to_those_who_may_list(allow, call):
    allow("s3:GetObject")
    assert call("s3", "get_object", Bucket="guarded", Key="none") == ("AccessDenied", 403)
    allow("s3:GetObject", "s3:ListBucket")
    assert call("s3", "get_object", Bucket="guarded", Key="none") == ("NoSuchKey", 404)


@pytest.mark.parametrize("bucket", ["foreign", "no-such-bucket"])
def test_a_bucket_of_another_account_is_refused_as_one_that_is_not_there(allow, call, bucket):
    own = {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}
    allow("s3:*", Condition=own)
    assert call("s3", "get_object", **OBJECT) is None
    for operation, parameters in (("get_object", {"Key": "a"}), ("put_object", {"Key": "a"}), ("list_objects_v2", {})):
        assert call("s3", operation, Bucket=bucket, **parameters) == ("AccessDenied", 403)


def test_a_queue_of_another_account(account, allow, call):
    allow("sqs:*", resource="arn:aws:sqs:*:123456789012:*")
    url = account.replace("123456789012", FOREIGN)
    assert call("sqs", "send_message", QueueUrl=url, MessageBody="x") == ("AccessDenied", 403)


def test_an_unknown_call_and_an_unknown_condition_are_refused(allow, call, caplog):
    allow("*")
    assert call("s3", "get_bucket_acl", Bucket="guarded") == ("AccessDenied", 403)
    assert "localaws does not know which rights s3 GET /guarded needs" in caplog.text
    allow("s3:*", Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}})
    assert call("s3", "get_object", **OBJECT) == ("AccessDenied", 403)
    assert "aws:sourcevpc, which localaws does not know" in caplog.text


def test_the_owner_may_do_all(cloud, account):
    s3 = cloud.client("s3")
    assert s3.get_bucket_acl(Bucket="guarded")["Grants"]
    s3.close()


def test_a_role_that_is_not_there_may_nothing(cloud, account):
    client = boto3.client("s3", cloud.region, endpoint_url=cloud.url, **role_keys("nobody"))
    with pytest.raises(ClientError, match="assumed-role/nobody/localaws is not authorized to perform: s3:ListBucket"):
        client.list_objects_v2(Bucket="guarded")
    client.close()
