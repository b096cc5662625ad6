"""The objects of one process: settings, models, API, batch, workflow. Importing it loads no model."""

import sys
from typing import TYPE_CHECKING, Any

from chalicelib.api.views import Api
from chalicelib.batch.wiring import BatchServices
from chalicelib.config import Settings
from chalicelib.errors import ServiceError
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import cold_start, log
from chalicelib.workflow.wiring import WorkflowServices

if TYPE_CHECKING:
    from chalicelib.delivery.s3_bundle import S3Bundle


def _model_in_s3() -> "S3Bundle | None":
    """What fetches the bundle at MODEL_URI. A process without one imports nothing for it."""
    if settings.model_uri is None:
        return None
    from chalicelib.delivery.wiring import bundle_at

    return bundle_at(settings.model_uri, settings.memory_mb)


settings = Settings.from_env()
source = _model_in_s3()
store = ModelStore(settings, cold_start, source)
batch = BatchServices(settings, store)
workflow = WorkflowServices(settings, store)
api = Api(settings, store, batch)


def note_function(function_arn: str | None) -> None:
    """Note which function this process runs: the ARN has the account to which every bucket must belong."""
    batch.function_arn = workflow.function_arn = function_arn
    if source is not None:
        source.function_arn = function_arn


def check_canary() -> None:
    """Raise ServiceError when a known picture is not answered as it should be."""
    from chalicelib import canary  # only the canary's own function needs it

    canary.check(store, settings.canary_url)


def answer_lex(event: Any) -> dict[str, Any]:
    """Answer an event of a Lex bot."""
    from chalicelib.lex.hook import Hook  # only Lex's own function needs it
    from chalicelib.lex.pictures import Pictures
    from chalicelib.lex.web import fetch

    pictures = Pictures(store, lambda: batch.objects, fetch, settings.max_body_bytes)
    return Hook(pictures.describe).answer(event)


def equip_local_server() -> None:
    """Give the server of `chalice local` what it lacks, if Chalice's command line runs this."""
    if "chalice.local" in sys.modules:
        from chalicelib.api import local_server

        local_server.equip(sys.modules["chalice.local"].ChaliceRequestHandler, settings.max_body_bytes)


def warm() -> None:
    """Load the default model in Lambda's INIT phase, if WARM_IN_INIT is true.

    A failure is only logged, so that `/health` can still report what is wrong.
    """
    if settings.in_lambda and settings.warm_in_init:
        try:
            store.get().warm()
        except ServiceError as error:
            log("warm_failed", error=str(error))
