"""CORS of an HTTP API and of a function URL: the front answers preflights itself, and adds headers to all responses.

An HTTP API takes away what the function has said of it; a function URL does not, so that a header may come twice, which
a browser refuses. Sources: API Gateway developer guide, "Configure CORS for HTTP APIs"; Lambda developer guide,
"Creating and managing Lambda function URLs", CORS.
"""

from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

_PREFIX = "access-control-"


def preflight(request: Request, cors: Mapping[str, Any]) -> Response | None:
    """The response to a preflight, without the function; None for any other request, and if nothing is configured."""
    if not cors or request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    response = Response(status=204)
    if _origin(request, cors):
        response.headers["Access-Control-Allow-Methods"] = ",".join(cors.get("allowMethods", ()))
        response.headers["Access-Control-Allow-Headers"] = ",".join(cors.get("allowHeaders", ()))
        if "maxAge" in cors:
            response.headers["Access-Control-Max-Age"] = str(cors["maxAge"])
    return response


def taken_away(response: Response) -> Response:
    """The response without what the function has said of CORS."""
    for name in {name for name, _ in response.headers if name.lower().startswith(_PREFIX)}:
        del response.headers[name]
    return response


def allow(request: Request, cors: Mapping[str, Any], response: Response) -> Response:
    """The response with the headers for the request's origin."""
    origin = _origin(request, cors)
    if origin:
        response.headers.add("Access-Control-Allow-Origin", origin)
        if cors.get("exposeHeaders") and request.method != "OPTIONS":
            response.headers.add("Access-Control-Expose-Headers", ",".join(cors["exposeHeaders"]))
    return response


def _origin(request: Request, cors: Mapping[str, Any]) -> str:
    """What is allowed of the request's origin; empty if it has none, or another one."""
    asked, allowed = request.headers.get("Origin", ""), cors.get("allowOrigins", ())
    return "*" if asked and "*" in allowed else asked if asked in allowed else ""
