"""What CloudFormation sets on buckets and moto's does not: notifications to queues, CORS, days of life."""

import json
from pathlib import Path
from typing import Any

from localaws.cloud.local_aws import LocalAws


def connect(cloud: LocalAws, resources: Path, stack: str) -> None:
    """Set these for the template's buckets, after the stack has made buckets and queues.

    Of the rules of life, those that every stack has: a rule under a condition is left out.
    """
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
            s3.put_bucket_cors(Bucket=physical_id(name), CORSConfiguration={"CORSRules": _cors(resource)})
            s3.put_bucket_lifecycle_configuration(
                Bucket=physical_id(name), LifecycleConfiguration={"Rules": _lifecycle(resource)}
            )
    for client in (cloudformation, s3, sqs):
        client.close()


def _cors(bucket: Any) -> list[dict[str, Any]]:
    renamed = {"Id": "ID", "MaxAge": "MaxAgeSeconds"}
    rules = bucket["Properties"]["CorsConfiguration"]["CorsRules"]
    return [{renamed.get(name, name): value for name, value in rule.items()} for rule in rules]


def _lifecycle(bucket: Any) -> list[dict[str, Any]]:
    rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    return [
        {
            "ID": rule["Id"],
            "Status": rule["Status"],
            "Filter": {"Prefix": rule.get("Prefix", "")},
            **({"Expiration": {"Days": rule["ExpirationInDays"]}} if "ExpirationInDays" in rule else {}),
            **{name: rule[name] for name in ("AbortIncompleteMultipartUpload",) if name in rule},
        }
        for rule in rules
        if "Id" in rule
    ]
