"""Routes that Chalice answers and does not deploy: the stage has an HTTP API or a function URL in front of them."""

from collections import defaultdict
from typing import Any


class HiddenRoutes(defaultdict[str, dict[str, Any]]):
    """An app's routes, path to method to entry, which are false.

    Chalice makes a REST API if `app.routes` is true (chalice.deploy.appgraph, `ApplicationGraphBuilder.build`). It
    would be a second door, open beside the stage's own. `chalice local` and tests use the routes as any others.
    """

    def __init__(self) -> None:
        super().__init__(dict)

    def __bool__(self) -> bool:
        return False
