"""The objects behind the state machine's functions, each made at its first use, so that `import app` stays fast."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.config import Settings
from chalicelib.inference.store import ModelStore

if TYPE_CHECKING:
    from chalicelib.aws.s3 import Objects
    from chalicelib.workflow.classify import GroupClassifier
    from chalicelib.workflow.plan import Planner
    from chalicelib.workflow.reporter import Reporter


class WorkflowServices:
    """Planner, classifier and reporter of one process, over one S3 client."""

    function_arn: str | None = None
    """Of the function that this process runs, which has the account's id; None outside Lambda."""

    def __init__(self, settings: Settings, store: ModelStore) -> None:
        self._settings, self._store = settings, store

    @cached_property
    def planner(self) -> "Planner":
        """Answers the function *plan*; raises StorageError, as the others do, if no region is set."""
        from chalicelib.workflow.plan import Planner

        return Planner(self._store, self.objects)

    @cached_property
    def classifier(self) -> "GroupClassifier":
        """Answers the function *classify*."""
        from chalicelib.workflow.classify import GroupClassifier

        return GroupClassifier(self._store, self.objects, self._settings.max_object_bytes)

    @cached_property
    def reporter(self) -> "Reporter":
        """Answers the function *report*."""
        from chalicelib.workflow.reporter import Reporter

        return Reporter(self.objects, self._settings)

    @cached_property
    def objects(self) -> "Objects":
        """S3, over a client that all three share."""
        from chalicelib.aws.buckets import own_buckets
        from chalicelib.aws.clients import client
        from chalicelib.aws.s3 import Objects

        return Objects(client("s3"), own_buckets(self._settings, self.function_arn, client))
