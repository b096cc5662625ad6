"""What the fronts use of the app: types alone, which nothing imports when it runs."""

from typing import Any, Protocol

from chalicelib.api.fronts.events import Event, Response, Routes
from chalicelib.errors import ClientError


class App(Protocol):
    """What the fronts use of the app."""

    @property
    def routes(self) -> Routes:
        """Chalice's table."""

    def serve(self, event: Event, context: Any) -> Response:
        """The response of the route that a REST event names."""

    def refuse(self, error: ClientError, event: Event, context: Any) -> Response:
        """The response that an error becomes."""

    def preflight(self, event: Event, context: Any) -> Response:
        """The response to OPTIONS on a route that does not answer it itself."""
