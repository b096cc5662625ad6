"""The sources that name pictures to a stage: what is made of each, and how a picture is named, twice and badly."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.events.models import events_backends
from moto.s3 import notifications
from moto.s3.models import s3_backends

from localaws.cloud import schedules
from localaws.cloud.local_aws import LocalAws

USER_BUCKET = f"slimception-dev-{DEFAULT_ACCOUNT_ID}-of-the-user"
"""Not the stage's own, but one that its policies allow."""
NAME = "pictures"
AT = datetime(2026, 11, 26, 3, tzinfo=UTC)
SHARDS = 2


class Sources:
    """The user's bucket, topic, stream and table, wired to nothing yet. `arns` are the parameters that wire them."""

    def __init__(self, cloud: LocalAws, bucket: str = USER_BUCKET) -> None:
        self.cloud, self.bucket = cloud, bucket
        self._clients = {name: cloud.client(name) for name in ("s3", "sns", "kinesis", "dynamodb", "events", "lambda")}
        self._clients["s3"].create_bucket(Bucket=bucket)
        self._topic = self._clients["sns"].create_topic(Name=NAME)["TopicArn"]
        self._clients["kinesis"].create_stream(StreamName=NAME, ShardCount=SHARDS)
        stream = self._clients["kinesis"].describe_stream(StreamName=NAME)["StreamDescription"]["StreamARN"]
        bus = self._clients["events"].describe_event_bus(Name="default")["Arn"]
        self.arns = {
            "bucket": f"arn:aws:s3:::{bucket}",
            "topic": self._topic,
            "event_bus": bus,
            "stream": stream,
            "table_stream": self._make_table(),
            "schedule": "rate(1 day)",
            "schedule_source": f"s3://{bucket}/schedule/",
        }

    def connect(self, function_arn: str) -> None:
        """Let the bucket call the function for `s3/`, and send its events to the bus: what a user does by hand."""
        rules = [{"Name": "prefix", "Value": "s3/"}]
        direct = {"LambdaFunctionArn": function_arn, "Events": ["s3:ObjectCreated:*"]}
        configurations = [{**direct, "Filter": {"Key": {"FilterRules": rules}}}]
        self._clients["s3"].put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={"LambdaFunctionConfigurations": configurations}
        )

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            client.close()

    def put(self, key: str, data: bytes) -> None:
        """Upload a picture; the bucket tells the function of one under `s3/`."""
        self._clients["s3"].put_object(Bucket=self.bucket, Key=key, Body=data)

    def name(self, trigger: str, key: str) -> None:
        """Name a picture once more to a trigger, as its service or its sender does when it repeats itself."""
        getattr(self, f"_name_to_{trigger}")(key)

    def poison(self, trigger: str, number: int) -> int:
        """Send what names no picture; gives how many dead letters that makes."""
        return int(getattr(self, f"_poison_{trigger}", lambda _: 0)(number))

    def _name_to_s3(self, key: str) -> None:
        """The same notification once more."""
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        bucket = backend.get_bucket(self.bucket)
        created = notifications.S3NotificationEvent.OBJECT_CREATED_PUT_EVENT
        notifications.send_event(DEFAULT_ACCOUNT_ID, created, bucket, backend.get_object(self.bucket, key))

    def _name_to_sns(self, key: str) -> None:
        self._clients["sns"].publish(TopicArn=self._topic, Message=self._plain(key))

    def _poison_sns(self, number: int) -> int:
        self._clients["sns"].publish(TopicArn=self._topic, Message=f"no JSON {number}")
        return 1

    def _name_to_eventbridge(self, key: str) -> None:
        self._put_event({"image": f"s3://{self.bucket}/{key}"})

    def _poison_eventbridge(self, number: int) -> int:
        self._put_event({"image": number})
        return 1

    def _put_event(self, detail: Mapping[str, Any]) -> None:
        entry = {"Source": "shop", "DetailType": "Picture", "Detail": json.dumps(detail)}
        self._clients["events"].put_events(Entries=[entry])

    def _name_to_kinesis(self, key: str) -> None:
        self._put_record(self._plain(key), key)

    def _poison_kinesis(self, number: int) -> int:
        self._put_record(f"no JSON {number}", str(number))
        return 1

    def _put_record(self, data: str, key: str) -> None:
        self._clients["kinesis"].put_record(StreamName=NAME, Data=data.encode(), PartitionKey=key)

    def _name_to_dynamodb(self, key: str) -> None:
        """A new item; a second time, a change of an attribute that is not the picture's."""
        self._clients["dynamodb"].update_item(
            TableName=NAME,
            Key={"id": {"S": key}},
            UpdateExpression="SET image = :image ADD seen :one",
            ExpressionAttributeValues={":image": {"S": f"s3://{self.bucket}/{key}"}, ":one": {"N": "1"}},
        )

    def _poison_dynamodb(self, number: int) -> int:
        item = {"id": {"S": f"poison {number}"}, "image": {"S": "nowhere"}}
        self._clients["dynamodb"].put_item(TableName=NAME, Item=item)
        return 1

    def _name_to_schedule(self, key: str) -> None:  # noqa: ARG002
        """One time of the schedule, for all the keys under its prefix."""
        rules = events_backends[DEFAULT_ACCOUNT_ID][self.cloud.region].event_buses["default"].rules
        [rule] = [rule for name, rule in rules.items() if "TriggerScheduleRule" in name]
        schedules.fire(rule, AT)

    def _plain(self, key: str) -> str:
        return json.dumps({"bucket": self.bucket, "key": key})

    def _make_table(self) -> str:
        made = self._clients["dynamodb"].create_table(
            TableName=NAME,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        return str(made["TableDescription"]["LatestStreamArn"])
