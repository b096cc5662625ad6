"""Chalice's app with `fronts.door` before it. With `views` and `app` the only place that knows Chalice."""

from collections.abc import Callable
from typing import Any

from chalice import Chalice, CORSConfig, Response
from chalice.app import RestAPIEventHandler, RouteEntry

from chalicelib.api.fronts import door
from chalicelib.api.views import Api
from chalicelib.errors import ClientError


class Fronted(Chalice):  # type: ignore[misc]  # Chalice has no types
    """Chalice's app behind the door, which lets every front in. Chalice itself reads a REST API's events alone."""

    def __init__(self, app_name: str, api: Callable[[], Api], cors: CORSConfig) -> None:
        """`api` answers what reaches no route; `cors` says whose pages may read such an answer."""
        super().__init__(app_name=app_name)
        self._api, self._cors = api, cors

    def __call__(self, event: Any, context: Any) -> Any:
        """The one handler of the API's function."""
        return door.answer(event, context, self)

    def serve(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The response of a route."""
        response: dict[str, Any] = super().__call__(event, context)
        return response

    def refuse(self, error: ClientError, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The response to a request that reaches no route."""
        return self._respond(lambda: self._api().refuse(self.current_request, error), event, context, self._cors)

    def preflight(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The response to OPTIONS; a REST API's own is the same, and does not reach the function."""
        methods = self.routes[event["requestContext"]["resourcePath"]]
        cors = next(iter(methods.values())).cors
        names = ",".join([*methods, "OPTIONS"])
        headers = {"Allow": names, **({"Access-Control-Allow-Methods": names} if cors else {})}
        return self._respond(lambda: Response("", headers), event, context, cors)

    def _respond(
        self, view: Callable[[], Response], event: dict[str, Any], context: Any, cors: CORSConfig | None
    ) -> dict[str, Any]:
        """What Chalice makes of a view that is no route, through the same middleware as those that are."""
        about = event["requestContext"]
        entry = RouteEntry(view, "none", "/", about["httpMethod"], cors=cors)
        table = {about["resourcePath"]: {about["httpMethod"]: entry}}
        middleware = [function for function, kind in self.middleware_handlers if kind in ("http", "all")]
        handler = RestAPIEventHandler(table, self.api, self.log, self.debug, middleware)
        self.lambda_context = context
        self.current_request = handler.create_request_object(event, context)
        response: dict[str, Any] = handler(event, context)
        return response
