"""The A/B test on the API: a request that names no model gets one of two, and the same key always the same one."""

import hashlib
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from chalicelib.api.bodies import Request
from chalicelib.api.customers import customer_of
from chalicelib.api.exchange import Body, Exchange
from chalicelib.errors import ClientError, ServiceError, UnknownModel
from chalicelib.inference.store import ModelStore
from chalicelib.split import Split

Classify = Callable[[str | None], Body]
"""Answers with the model of a name, or with the default one, which is the first of the two."""


class AbTest:
    """Deals requests to the two models of a split. Safe to share between threads."""

    def __init__(self, split: Split, store: ModelStore) -> None:
        self._split, self._store = split, store

    def answer(self, key: str, exchange: Exchange, classify: Classify) -> Body:
        """The answer of the key's arm, with the arm in it and in the log line; where B's model fails, A's answers.

        What is the picture's or the caller's fault is raised, whichever model finds it.
        """
        arm = self._split.arm(key)
        exchange.fields.update(experiment=self._split.experiment, arm=arm)
        content = self._of_second(exchange, classify) if arm == "B" else None
        fallback = arm == "B" and content is None
        content = content or classify(None)
        exchange.fields["fallback"] = fallback
        return {**content, "experiment": {"name": self._split.experiment, "arm": arm, "fallback": fallback}}

    def _of_second(self, exchange: Exchange, classify: Classify) -> Body | None:
        """None when the second model cannot answer; the log line then says why, and its time counts for no span."""
        before = dict(exchange.spans)
        try:
            return classify(self._split.second)
        except Exception as error:
            if isinstance(error, ClientError) and not isinstance(error, UnknownModel):
                raise
            reason = f"{type(error).__name__}: {error}"
            exchange.fields.update(fallback_reason=reason, traceback=traceback.format_exc())
            exchange.spans.clear()
            exchange.spans.update(before)
            return None

    def describe(self) -> dict[str, Any]:
        """The test as `/models` tells it; `share` is the second model's."""
        split = self._split
        return {"name": split.experiment, "first": split.first, "second": split.second, "share": split.weight}

    def health(self) -> dict[str, Any]:
        """The same, and in `error` why the second model does not answer: the service is well without it."""
        try:
            self._store.get(self._split.second).warm()
        except (ServiceError, UnknownModel) as error:
            return {**self.describe(), "error": str(error)}
        except Exception as error:  # the engine's own, whose text may say too much
            reason = f"model {self._split.second!r} does not answer ({type(error).__name__})"
            return {**self.describe(), "error": reason}
        return self.describe()


def key_of(request: Request, images: Iterable[bytes]) -> str:
    """What a request's arm is dealt by: the customer, else the pictures' bytes.

    A customer's answers do not change from one request to the next. Where nobody says who asks, the same picture
    gets the same answer, however it is spelt and however often it is sent.
    """
    customer = customer_of(request, ()).name
    if customer:
        return f"customer {customer}"
    digest = hashlib.sha256()
    for image in images:
        digest.update(image)
    return f"image {digest.hexdigest()}"
