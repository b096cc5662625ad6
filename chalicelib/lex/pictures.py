"""The picture at an address, and a sentence on what is on it."""

from collections.abc import Callable, Sequence
from typing import Any

from chalicelib.aws.urls import parse_s3_url
from chalicelib.errors import InvalidRequest
from chalicelib.inference.classifier import Prediction
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import Spans

LABELS = 3
SURE, WORTH_NAMING = 0.5, 0.05
"""Scores: below the first the sentence says that it is a guess; a further label has at least the second."""


class Pictures:
    """`objects` makes what reads S3; `fetch` gets a picture from the web, at most so many bytes of it."""

    def __init__(
        self, store: ModelStore, objects: Callable[[], Any], fetch: Callable[[str, int], bytes], max_bytes: int
    ) -> None:
        self._store, self._objects, self._fetch, self._max_bytes = store, objects, fetch, max_bytes

    def describe(self, address: str) -> str:
        """A sentence with the best labels.

        Raises ClientError if the picture cannot be had or is none, ServiceError if the model or S3 does not answer.
        """
        classifier = self._store.get()
        data = self._read(address)
        return sentence(classifier.classify(data, min(LABELS, len(classifier.labels)), Spans()))

    def _read(self, address: str) -> bytes:
        """The scheme is in lower case only in one of the spellings that people use."""
        scheme, _, rest = address.partition("://")
        if scheme.lower() != "s3":
            return self._fetch(f"{scheme.lower()}://{rest}", self._max_bytes)
        bucket, key = parse_s3_url(f"s3://{rest}", "picture")
        if not key:
            raise InvalidRequest("the address is that of a bucket: expected s3://bucket/key")
        data: bytes = self._objects().read(bucket, key, self._max_bytes)
        return data


def sentence(best: Sequence[Prediction]) -> str:
    """The labels with their scores in percent, the best first."""
    first, *others = [f"{one.label} ({one.score:.0%})" for one in best if one is best[0] or one.score >= WORTH_NAMING]
    start = f"This looks like {first}" if best[0].score >= SURE else f"I am not sure: perhaps {first}"
    return f"{start}, or {' or '.join(others)}." if others else f"{start}."
