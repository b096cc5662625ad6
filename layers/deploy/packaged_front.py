"""An HTTP API or a function URL in the packaged template, where a REST API is Chalice's.

The function behind the API, its role and its alias have the same logical ids behind every front, so that a stack whose
front changes keeps them.
"""

from collections.abc import Mapping, Sequence

from layers.deploy.cloudformation import GET_ATT, REF, Template, resolved
from layers.deploy.front import PREFIX
from layers.deploy.names import FUNCTION
from layers.deploy.routes import Route, with_routes
from layers.deploy.template import ALIAS, ALIAS_NAME

_FUNCTION, _FUNCTION_ROLE = "Front", "FrontRole"
"""Logical ids that Chalice makes of the function's name in app.py, `front`."""
_ROLE = "ApiHandlerRole"
"""Logical id of the role of a REST API's function, given by Chalice."""
_URL = "AWS::Lambda::Url"


def for_chalice(template: Template) -> Template:
    """The template to merge: what it adds to the function behind the API, under the name that Chalice has for it."""
    return _renamed(template, {FUNCTION: _FUNCTION})


def equip_front(template: Template, routes: Sequence[Route]) -> Template:
    """Chalice's template with the function's usual name, called through its alias, and a route for each of the app."""
    named = _renamed(template, {_FUNCTION: FUNCTION, _FUNCTION_ROLE: _ROLE})
    found = named["Resources"]
    found[FUNCTION]["Properties"]["Role"] = {GET_ATT: [_ROLE, "Arn"]}
    changed = {name: _through_alias(one) for name, one in found.items() if name.startswith(PREFIX)}
    return with_routes({**named, "Resources": {**found, **changed}}, routes)


def _renamed(template: Template, names: Mapping[str, str]) -> Template:
    return {**template, "Resources": {names.get(name, name): one for name, one in template["Resources"].items()}}


def _through_alias(resource: Template) -> Template:
    """What calls the function, calling the alias. A function URL names the alias apart, and is made after it."""
    if resource["Type"] == _URL:
        properties = {**resource["Properties"], "Qualifier": ALIAS_NAME}
        return {**resource, "DependsOn": [ALIAS], "Properties": properties}
    return dict(resolved(resource, {FUNCTION: {REF: ALIAS}, f"{FUNCTION}.Arn": {REF: ALIAS}}))
