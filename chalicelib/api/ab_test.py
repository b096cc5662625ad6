"""The A/B test on the API: a request that names no model gets one of two, and the same key always gets the same one."""

from collections.abc import Iterable
from typing import Any

from chalicelib.api.bodies import Request
from chalicelib.api.customers import customer_of
from chalicelib.errors import ServiceError, UnknownModel
from chalicelib.inference.store import ModelStore
from chalicelib.split import Arm, Split


class AbTest:
    """The two models of a split. Safe to share between threads."""

    def __init__(self, split: Split, store: ModelStore) -> None:
        self._split, self._store = split, store
        self.name = split.experiment

    def arm(self, request: Request, pictures: Iterable[bytes]) -> Arm:
        """The arm of a request: by the customer, else by the bytes of its pictures.

        A customer's answers do not change from one request to the next. If nobody says who asks, the same picture
        gets the same answer, however it is spelt and however often it is sent.
        """
        customer = customer_of(request, ()).name
        return self._split.arm(f"customer {customer}" if customer else f"image {_digest(pictures)}")

    def models(self, arm: Arm) -> tuple[str | None, ...]:
        """The models to ask, in this order: the arm's own, then the one that answers if it fails.

        None is the default model, which is the first of the two.
        """
        return (self._split.second, None) if arm == "B" else (None,)

    def describe(self) -> dict[str, Any]:
        """The test as `/models` shows it; `share` is the second model's."""
        split = self._split
        return {"name": split.experiment, "first": split.first, "second": split.second, "share": split.weight}

    def health(self) -> dict[str, Any]:
        """The same, and in `error` why the second model does not answer; the service works without it."""
        try:
            self._store.get(self._split.second).warm()
        except (ServiceError, UnknownModel) as error:
            return {**self.describe(), "error": str(error)}
        except Exception as error:  # the engine's own, whose text may say too much
            reason = f"model {self._split.second!r} does not answer ({type(error).__name__})"
            return {**self.describe(), "error": reason}
        return self.describe()


def _digest(pictures: Iterable[bytes]) -> str:
    import hashlib  # as in `split`

    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(picture)
    return digest.hexdigest()
