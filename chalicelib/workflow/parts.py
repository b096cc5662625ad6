"""The workflow's parts, each made at its first use, so that importing the app costs none of this."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.batch.parts import Parts
from chalicelib.config import Settings
from chalicelib.model_store import ModelStore

if TYPE_CHECKING:
    from chalicelib.workflow.classify import GroupClassifier
    from chalicelib.workflow.finish import Reporter
    from chalicelib.workflow.plan import Planner


class Workflow:
    """What the state machine's functions do; S3 is the batch's."""

    def __init__(self, settings: Settings, store: ModelStore, batch: Parts) -> None:
        self._settings, self._store, self._batch = settings, store, batch

    @cached_property
    def planner(self) -> "Planner":
        """Lists."""
        from chalicelib.workflow.plan import Planner

        return Planner(self._store, self._batch.objects)

    @cached_property
    def classifier(self) -> "GroupClassifier":
        """Classifies."""
        from chalicelib.workflow.classify import GroupClassifier

        return GroupClassifier(self._store, self._batch.objects, self._settings.max_object_bytes)

    @cached_property
    def reporter(self) -> "Reporter":
        """Reports."""
        from chalicelib.workflow.finish import Reporter

        return Reporter(self._batch.objects, self._settings)
