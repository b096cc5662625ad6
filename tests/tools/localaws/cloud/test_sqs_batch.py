"""Partial batch responses, as Lambda reads them."""

import pytest

from localaws.cloud.sqs_batch import failed_ids

ALL = {"a", "b", "c"}


@pytest.mark.parametrize("payload", [b"", b"null", b"{}", b'{"batchItemFailures": null}', b'{"batchItemFailures": []}'])
def test_success(payload):
    assert failed_ids(payload, ALL) == set()


def test_some():
    assert failed_ids(b'{"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "b"}]}', ALL) == {"b"}


@pytest.mark.parametrize(
    "payload",
    [
        b"garbage",
        b"[1]",
        b'"text"',
        b'{"batchItemFailures": "b"}',
        b'{"batchItemFailures": [{"itemIdentifier": ""}]}',
        b'{"batchItemFailures": [{"itemIdentifier": null}]}',
        b'{"batchItemFailures": [{"itemIdentifier": ["a"]}]}',
        b'{"batchItemFailures": [{"id": "b"}]}',
        b'{"batchItemFailures": [{"itemIdentifier": "unknown"}]}',
    ],
)
def test_what_is_not_in_the_form_fails_the_whole_batch(payload):
    assert failed_ids(payload, ALL) == ALL
