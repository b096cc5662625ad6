"""Buckets' notifications to queues, which CloudFormation makes and moto's CloudFormation does not."""

import json
from pathlib import Path
from typing import Any

from localaws.cloud.local_aws import LocalAws


def connect(cloud: LocalAws, resources: Path, stack: str) -> None:
    """Set the notifications of the template's buckets, after the stack has made buckets and queues."""
    template = json.loads(resources.read_text(encoding="utf-8"))
    cloudformation, s3, sqs = (cloud.client(service) for service in ("cloudformation", "s3", "sqs"))

    def physical_id(logical_id: str) -> str:
        detail = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        return str(detail["StackResourceDetail"]["PhysicalResourceId"])

    def queue_arn(reference: Any) -> str:
        url = physical_id(reference["Fn::GetAtt"][0])
        return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])

    for name, resource in template["Resources"].items():
        wanted = resource.get("Properties", {}).get("NotificationConfiguration")
        if resource.get("Type") == "AWS::S3::Bucket" and wanted:
            queues = [
                {
                    "QueueArn": queue_arn(one["Queue"]),
                    "Events": [one["Event"]],
                    "Filter": {"Key": {"FilterRules": one["Filter"]["S3Key"]["Rules"]}},
                }
                for one in wanted["QueueConfigurations"]
            ]
            s3.put_bucket_notification_configuration(
                Bucket=physical_id(name), NotificationConfiguration={"QueueConfigurations": queues}
            )
    for client in (cloudformation, s3, sqs):
        client.close()
