"""What holds a stage's data: bucket and table of .chalice/resources.json, which stay when a stack is deleted."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from layers.deploy.account import Account
from layers.deploy.cloudformation import text_of
from layers.deploy.parts import Part
from layers.deploy.resources import read_resources

_NAMES = {"AWS::S3::Bucket": "BucketName", "AWS::DynamoDB::Table": "TableName"}


def holding_data(account: Account, resources: Path) -> Iterator[Part]:
    """The buckets and tables of the stage that exist."""
    template = read_resources(resources, account.stage)
    for resource in template["Resources"].values():
        kind = resource.get("Type")
        if kind in _NAMES:
            name = _filled_in(text_of(resource["Properties"][_NAMES[kind]]), account)
            yield from _bucket(account, name) if kind == "AWS::S3::Bucket" else _table(account, name)


def _filled_in(text: str, account: Account) -> str:
    """A name's `${AWS::AccountId}` and `${AWS::Region}` filled in."""
    sts = account.client("sts")
    values = {
        "AWS::AccountId": sts.get_caller_identity()["Account"],
        "AWS::Region": sts.meta.region_name,
    }
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def _bucket(account: Account, name: str) -> Iterator[Part]:
    client = account.client("s3")
    try:
        client.head_bucket(Bucket=name)
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise
        return
    yield Part(f"bucket {name}, with all that it holds", partial(_delete_bucket, client, name))


def _table(account: Account, name: str) -> Iterator[Part]:
    client = account.client("dynamodb")
    try:
        client.describe_table(TableName=name)
    except client.exceptions.ResourceNotFoundException:
        return
    yield Part(f"table {name}, the batches and their results", partial(_delete_table, client, name))


def _delete_bucket(client: Any, name: str) -> Iterable[str]:
    """Delete every version of every object, then the bucket."""
    with suppress(client.exceptions.NoSuchBucket):
        for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            if objects:
                failed = client.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True}).get(
                    "Errors", []
                )
                yield from (f"{one['Key']}: {one['Code']}" for one in failed)
        client.delete_bucket(Bucket=name)


def _delete_table(client: Any, name: str) -> Iterable[str]:
    with suppress(client.exceptions.ResourceNotFoundException):
        client.delete_table(TableName=name)
        client.get_waiter("table_not_exists").wait(TableName=name)
    return ()
