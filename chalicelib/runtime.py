"""What lives as long as the process: settings, models, the API. Importing it loads no model."""

from chalicelib.config import Settings
from chalicelib.errors import ServiceError
from chalicelib.model_store import ModelStore
from chalicelib.telemetry import log
from chalicelib.web import Api

settings = Settings.from_env()
store = ModelStore(settings)
api = Api(settings, store)


def warm() -> None:
    """Load the default model in Lambda's INIT phase, where WARM_IN_INIT asks for it.

    A failure is only logged: the function must live to say in `/health` what is wrong.
    """
    if settings.in_lambda and settings.warm_in_init:
        try:
            store.get().warm()
        except ServiceError as error:
            log("warm_failed", error=str(error))
