"""HTTP calls of AWS's services as the rights that they need.

Source: Service authorization reference, "Actions, resources, and condition keys for" S3, SQS, DynamoDB, Lambda and
Step Functions; Amazon DynamoDB developer guide, "Using IAM with DynamoDB transactions".
"""

import html
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from localaws.errors import UnknownCall

_CREDENTIAL = re.compile(r"Credential=([^/,]+)/\d+/([^/]+)/([^/]+)/aws4_request")
_INVOCATION = re.compile(r"/[^/]+/functions/([^/]+)/invocations/?")
_DELETED_KEY = re.compile(r"<Key>(.*?)</Key>", re.DOTALL)
_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_OWN_BUCKET_QUERIES = {"location": "GetBucketLocation", "versions": "ListBucketVersions"}

Needed = tuple[str, str, dict[str, str]]
"""Action, resource and condition keys of the call alone."""


class Call(NamedTuple):
    """A signed call of a service."""

    key_id: str
    """The access key's id."""
    region: str
    service: str
    """As IAM calls it: `dynamodb`."""
    environ: MutableMapping[str, Any]

    @property
    def target(self) -> str:
        """The operation, if the service's protocol is JSON; empty for a REST service."""
        return str(self.environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]

    def body(self) -> bytes:
        """The body, which can be read again afterwards."""
        body: bytes = self.environ["wsgi.input"].read(int(self.environ.get("CONTENT_LENGTH") or 0))
        self.replace_body(body)
        return body

    def replace_body(self, body: bytes) -> None:
        """Give the service another body."""
        self.environ["wsgi.input"] = io.BytesIO(body)
        self.environ["CONTENT_LENGTH"] = str(len(body))


def call_of(environ: MutableMapping[str, Any]) -> Call | None:
    """The call; None if it is not signed."""
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    return Call(signed[1], signed[2], signed[3], environ) if signed else None


def needed(call: Call, account_id: str) -> list[Needed]:
    """The rights that a call needs; raises UnknownCall."""
    read = _SERVICES.get(call.service)
    found = list(read(call, f"arn:aws:{call.service}:{call.region}:{account_id}:")) if read else []
    if not found:
        what = call.target or f"{call.environ['REQUEST_METHOD']} {call.environ['PATH_INFO']}"
        raise UnknownCall(f"localaws does not know which rights {call.service} {what} needs: add it to localaws/access")
    return found


def bucket_and_key(environ: Mapping[str, Any]) -> tuple[str, str]:
    """Of a path-style address; an empty key for a bucket's own calls."""
    bucket, _, key = str(environ["PATH_INFO"]).lstrip("/").partition("/")
    return bucket, key.encode("latin-1", "replace").decode("utf-8", "replace")  # WSGI's strings are bytes in Latin-1


def _s3(call: Call, _: str) -> Iterator[Needed]:
    bucket, key = bucket_and_key(call.environ)
    query = dict(parse_qsl(call.environ.get("QUERY_STRING", ""), keep_blank_values=True))
    method = call.environ["REQUEST_METHOD"]
    if not key:
        yield from _bucket(call, bucket, method, query)
        return
    source = call.environ.get("HTTP_X_AMZ_COPY_SOURCE")
    if source:
        yield _object("GetObject", *unquote(source).partition("?")[0].lstrip("/").split("/", 1))
    if method in ("GET", "HEAD") and not set(query) - {"versionId", "partNumber", "x-id"}:
        yield _object("GetObjectVersion" if "versionId" in query else "GetObject", bucket, key)
    elif method in ("PUT", "POST") and not set(query) - {"partNumber", "uploadId", "uploads", "x-id"}:
        yield _object("PutObject", bucket, key)
    elif method == "DELETE" and not set(query) - {"uploadId", "x-id"}:
        yield _object("AbortMultipartUpload" if "uploadId" in query else "DeleteObject", bucket, key)


def _bucket(call: Call, bucket: str, method: str, query: Mapping[str, str]) -> Iterator[Needed]:
    arn = f"arn:aws:s3:::{bucket}"
    own = next((name for name in _OWN_BUCKET_QUERIES if name in query), None)
    if not bucket:
        yield "s3:ListAllMyBuckets", "*", {}
    elif method == "POST" and "delete" in query:
        for key in _DELETED_KEY.findall(call.body().decode()):
            yield _object("DeleteObject", bucket, html.unescape(key))
    elif method in ("GET", "HEAD") and own:
        yield f"s3:{_OWN_BUCKET_QUERIES[own]}", arn, {}
    elif method == "HEAD" or (method == "GET" and not set(query) - _LISTING):
        yield "s3:ListBucket", arn, {f"s3:{name}": query[name] for name in ("prefix", "delimiter") if name in query}


_LISTING = {
    "list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type", "marker",
    "fetch-owner", "x-id",
}  # fmt: skip


def upload_right(fields: Mapping[str, str]) -> Needed:
    """What a browser-based upload needs, by the fields of its form."""
    return _object("PutObject", fields["bucket"], fields.get("key", ""))


def _object(action: str, bucket: str, key: str) -> Needed:
    return f"s3:{action}", f"arn:aws:s3:::{bucket}/{key}", {}


def _sqs(call: Call, arn: str) -> Iterator[Needed]:
    body = json.loads(call.body() or b"{}")
    action = call.target.removesuffix("Batch")  # a batch needs the right of its single messages
    *_, account, name = ["", "*", *str(body["QueueUrl"]).split("/")] if "QueueUrl" in body else [arn.split(":")[4], "*"]
    if action:
        owned = arn.replace(arn.split(":")[4], account)
        yield f"sqs:{action}", owned + body.get("QueueName", name), {}


def _dynamodb(call: Call, arn: str) -> Iterator[Needed]:
    body, action = json.loads(call.body() or b"{}"), call.target
    if action in _STREAM_CALLS:
        stream = body.get("StreamArn") or str(body["ShardIterator"]).partition("|")[0]  # which begins with the ARN
        yield f"dynamodb:{action}", stream, {}
    elif action in ("TransactWriteItems", "TransactGetItems"):
        for item in body["TransactItems"]:
            for kind, operation in item.items():
                yield f"dynamodb:{_TRANSACTION.get(kind, 'GetItem')}", f"{arn}table/{operation['TableName']}", {}
    elif action in ("BatchWriteItem", "BatchGetItem"):
        for table in body["RequestItems"]:
            yield f"dynamodb:{action}", f"{arn}table/{table}", {}
    elif "TableName" in body:
        index = f"/index/{body['IndexName']}" if "IndexName" in body else ""
        yield f"dynamodb:{action}", f"{arn}table/{body['TableName']}{index}", {}


_STREAM_CALLS = ("DescribeStream", "GetShardIterator", "GetRecords")


def _kinesis(call: Call, _: str) -> Iterator[Needed]:
    body = json.loads(call.body() or b"{}")
    if "StreamARN" in body:
        yield f"kinesis:{call.target}", body["StreamARN"], {}


def _lambda(call: Call, arn: str) -> Iterator[Needed]:
    invoked = _INVOCATION.fullmatch(unquote(call.environ["PATH_INFO"]))
    if invoked:
        yield "lambda:InvokeFunction", f"{arn}function:{invoked[1].rpartition('function:')[2]}", {}


def _states(call: Call, _: str) -> Iterator[Needed]:
    if call.target == "StartExecution":
        yield "states:StartExecution", json.loads(call.body())["stateMachineArn"], {}


_SERVICES: Mapping[str, Callable[[Call, str], Iterator[Needed]]] = {
    "s3": _s3,
    "sqs": _sqs,
    "dynamodb": _dynamodb,
    "kinesis": _kinesis,
    "lambda": _lambda,
    "states": _states,
}
