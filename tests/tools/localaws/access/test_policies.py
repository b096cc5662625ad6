"""Statements against requests, as IAM compares them."""

import json

import pytest

from localaws.access.policies import Request, is_allowed, statements_of
from localaws.errors import UnknownPolicy

CONTEXT = {"aws:principalaccount": "111122223333", "aws:securetransport": "true", "aws:requestedregion": "us-east-1"}


def allowed(statements, action="s3:GetObject", resource="arn:aws:s3:::pictures-1/a/b.png", **context):
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    given = {**CONTEXT, **{key.replace("_", ":", 1): value for key, value in context.items()}}
    return is_allowed(statements_of(document), Request(action, resource, tuple(given.items())))


def statement(effect="Allow", action="s3:GetObject", resource="arn:aws:s3:::pictures-*/*", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def test_only_what_is_allowed():
    assert allowed(statement())
    assert allowed([statement(action=["s3:PutObject", "S3:getobject"])])
    assert not allowed([])
    assert not allowed(statement(action="s3:PutObject"))
    assert not allowed(statement(resource="arn:aws:s3:::others-*/*"))
    assert not allowed(statement(resource="arn:aws:s3:::pictures-1"))


def test_a_denial_wins():
    assert not allowed([statement(), statement("Deny", action="s3:*", resource="*")])
    assert allowed([statement(), statement("Deny", action="s3:*", resource="arn:aws:s3:::pictures-2/*")])


def test_what_is_excepted():
    assert allowed({"Effect": "Allow", "NotAction": "s3:PutObject", "Resource": "*"})
    assert not allowed({"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"})
    assert not allowed({"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::pictures-1/*"})


def test_a_wildcard_stays_within_its_segment():
    queue = "arn:aws:sqs:us-east-1:111122223333:pictures"
    assert allowed(statement(action="sqs:*", resource="arn:*:sqs:*:*:pictures"), "sqs:SendMessage", queue)
    assert not allowed(statement(action="sqs:*", resource="arn:aws:sqs:*:pictures"), "sqs:SendMessage", queue)


@pytest.mark.parametrize(
    ("operator", "key", "value", "account", "expected"),
    [
        ("StringEquals", "aws:ResourceAccount", "${aws:PrincipalAccount}", "111122223333", True),
        ("StringEquals", "aws:ResourceAccount", "${aws:PrincipalAccount}", "999999999999", False),
        ("StringEquals", "s3:ResourceAccount", ["1", "999999999999"], "999999999999", True),
        ("StringNotEquals", "aws:ResourceAccount", ["1", "999999999999"], "999999999999", False),
        ("StringLike", "aws:ResourceAccount", "1111*", "111122223333", True),
        ("StringNotLike", "aws:ResourceAccount", "1111*", "111122223333", False),
        ("StringEquals", "aws:ResourceAccount", "1", None, False),
        ("StringEqualsIfExists", "aws:ResourceAccount", "1", None, True),
        ("StringNotEquals", "aws:ResourceAccount", "1", None, True),
        ("Null", "aws:ResourceAccount", "true", None, True),
        ("Null", "aws:ResourceAccount", "false", None, False),
        ("Bool", "aws:SecureTransport", "false", "1", False),
        ("Bool", "aws:SecureTransport", True, "1", True),
        ("ArnLike", "aws:ResourceAccount", "1?", "12", True),
    ],
)
def test_conditions(operator, key, value, account, expected):
    context = {} if account is None else {"aws_resourceaccount": account, "s3_resourceaccount": account}
    assert allowed(statement(Condition={operator: {key: value}}), **context) is expected


def test_every_condition_has_to_hold():
    both = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}, "Bool": {"aws:SecureTransport": "false"}}
    assert not allowed(statement(Condition=both))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (statement(Condition={"DateGreaterThan": {"aws:SecureTransport": "x"}}), "DateGreaterThan"),
        (statement(Condition={"StringEquals": {"aws:SourceVpc": "x"}}), "aws:sourcevpc"),
        (statement(resource="arn:aws:s3:::${aws:username}/*"), "aws:username"),
        (statement(Principal="*"), "Principal"),
    ],
)
def test_what_it_does_not_know_is_an_error(written, message):
    with pytest.raises(UnknownPolicy, match=message):
        allowed(written)


def test_an_old_version():
    with pytest.raises(UnknownPolicy, match="2012-10-17"):
        statements_of('{"Version": "2008-10-17", "Statement": []}')
