"""From a parsed request to the answer of a model, and what the log line says of it."""

from collections.abc import Callable
from typing import TypeVar

from chalicelib import errors
from chalicelib.api.ab_test import AbTest
from chalicelib.api.exchange import Body, Exchange
from chalicelib.api.parsing import PredictRequest
from chalicelib.config import Settings
from chalicelib.inference.classifier import Classifier, check_top_k
from chalicelib.inference.images import seconds_of
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import cold_start

T = TypeVar("T")


class Predictor:
    """Asks the model that a request names, else the default one, or the two of an A/B test."""

    def __init__(self, settings: Settings, store: ModelStore, ab_test: AbTest | None) -> None:
        self._settings, self._store, self._ab_test = settings, store, ab_test

    def answer(self, exchange: Exchange, wanted: PredictRequest) -> Body:
        """The answer of the model that the request names, else of the default one or of an A/B test's."""
        if self._ab_test is None or wanted.model is not None:
            return self._answer_of(wanted.model, exchange, wanted)
        return self._tested(self._ab_test, exchange, wanted)

    def _tested(self, test: AbTest, exchange: Exchange, wanted: PredictRequest) -> Body:
        """The answer of the request's arm, which both answer and log line name. If B's model fails, A's answers.

        An error that is the picture's or the caller's fault is raised, whichever model finds it.
        """
        record = exchange.record
        record.experiment, record.arm = test.name, test.arm(exchange.request, wanted.images)
        for model in test.models(record.arm):
            try:
                body = self._answer_of(model, exchange, wanted)
                break
            except Exception as error:
                callers = isinstance(error, errors.ClientError) and not isinstance(error, errors.UnknownModel)
                if callers or model is None:  # the default model is the last one to ask
                    raise
                exchange.note_fallback(error)
        record.fallback = record.fallback_reason is not None
        return {**body, "experiment": {"name": test.name, "arm": record.arm, "fallback": record.fallback}}

    def _answer_of(self, model: str | None, exchange: Exchange, wanted: PredictRequest) -> Body:
        classifier = self._store.get(model)
        top_k = check_top_k(wanted.top_k, len(classifier.labels))
        if len(wanted.images) > 1:
            from chalicelib.inference.limits import check_together  # with the readers, it is imported at its first use

            check_together(_of_each(wanted, lambda data: seconds_of(data, classifier.card.input)))
        answers = _of_each(wanted, lambda data: classifier.classify(data, top_k, exchange.spans))
        self.note(exchange, classifier)
        predictions = [[prediction.to_dict() for prediction in answer] for answer in answers]
        shown = predictions if wanted.is_instances else predictions[0]
        return {"model": classifier.card.summary(), "predictions": shown}

    def note(self, exchange: Exchange, classifier: Classifier) -> None:
        """Put the model, and in the first answer of this process the cold start, into the log line."""
        record, card = exchange.record, classifier.card
        record.cold_start, record.model, record.version = cold_start.claim(), card.name, card.version
        if record.cold_start:
            record.first_answer = self._store.setup(classifier)


def _of_each(wanted: PredictRequest, work: Callable[[bytes], T]) -> list[T]:
    """What `work` returns for each image; a ClientError says which of the instances it means."""
    done = []
    for number, data in enumerate(wanted.images):
        try:
            done.append(work(data))
        except errors.ClientError as error:
            if not wanted.is_instances:
                raise
            raise type(error)(f"{wanted.item.format(number)}: {error}") from error
    return done
