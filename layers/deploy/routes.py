"""The routes of a stage's app as routes of an HTTP API, each with what it asks of a caller.

An HTTP API could have one route for all requests. But its authorisation is by route, and an unknown path would cost an
invocation. A REST API has the same routes from Chalice's own document.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from layers.deploy.cloudformation import REF, SUB, Template
from layers.errors import PackageError

API, INTEGRATION = "FrontApi", "FrontIntegration"
_IAM, _NOTHING = "AWS_IAM", "NONE"
_READ = """
import json, os, sys
from chalice.cli.factory import CLIFactory
app = CLIFactory(sys.argv[1], environ=os.environ).create_config_obj(sys.argv[2]).chalice_app
found = [[method, path, bool(entry.authorizer)] for path, entries in app.routes.items()
         for method, entry in entries.items()]
print(json.dumps(found))
"""
"""With Chalice's own loader, which sets the stage's variables before it imports the app."""


class Route(NamedTuple):
    """A route of the app."""

    method: str
    path: str
    """With its parameters in braces, `/batches/{id}`, which is an HTTP API's form, too."""
    signed: bool
    """Whether a request must bring a signature, whatever the stack's parameter says."""


def routes_of(project: Path, stage: str) -> list[Route]:
    """The routes of a project's app in a stage, and HEAD for each GET; raises PackageError if it cannot be imported."""
    command = [sys.executable, "-c", _READ, str(project), stage]
    run = subprocess.run(command, cwd=project, capture_output=True, text=True)
    if run.returncode:
        lines = run.stderr.strip().splitlines() or ["no message"]
        raise PackageError(f"app.py cannot be imported ({lines[-1]}): mend that and run the same command again")
    return with_head(Route(*row) for row in json.loads(run.stdout.splitlines()[-1]))


def with_head(routes: Iterable[Route]) -> list[Route]:
    """The routes, and one for HEAD with each GET that has none: the app answers it as GET, without the body."""
    found = {(route.method, route.path): route for route in routes}
    heads = [Route("HEAD", path, one.signed) for (method, path), one in found.items() if method == "GET"]
    return sorted(
        {**{(one.method, one.path): one for one in heads}, **found}.values(), key=lambda one: (one.path, one.method)
    )


def with_routes(template: Template, routes: Sequence[Route]) -> Template:
    """The template with a resource for each route, if it has an HTTP API."""
    found = template["Resources"]
    if INTEGRATION not in found:
        return template
    return {**template, "Resources": {**found, **{_logical_id(one): _resource(one) for one in routes}}}


def _resource(route: Route) -> dict[str, Any]:
    asked = _IAM if route.signed else {"Fn::If": ["WithIAM", _IAM, _NOTHING]}
    properties = {
        "ApiId": {REF: API},
        "RouteKey": f"{route.method} {route.path}",
        "AuthorizationType": asked,
        "Target": {SUB: f"integrations/${{{INTEGRATION}}}"},
    }
    return {"Type": "AWS::ApiGatewayV2::Route", "Properties": properties}


def _logical_id(route: Route) -> str:
    """`GET /batches/{batch_id}` to `FrontRouteGetBatchesAnyBatchId`."""
    words = re.findall(r"[A-Za-z0-9]+", route.path.replace("{", " any "))
    return "FrontRoute" + "".join(word[:1].upper() + word[1:] for word in [route.method.lower(), *words])
