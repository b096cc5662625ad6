"""What a request must bring, as the parameter `Authentication` of the packaged stack decides.

The parts lie in the API's document with conditions, which CloudFormation resolves when it deploys: SAM's own `Auth`
would need the choice when the template is made.
Source: Amazon API Gateway developer guide, "OpenAPI extensions for API Gateway", x-amazon-apigateway-authtype.
"""

from typing import Any

from layers.deploy.cloudformation import REF, Template

_IF, _NOTHING = "Fn::If", {REF: "AWS::NoValue"}
_KEY, _IAM, _COGNITO = "api_key", "sigv4", "cognito"
_CHOICES = {"WithApiKey": _KEY, "WithIAM": _IAM, "WithCognito": _COGNITO}
"""A condition of the template to the name of what it asks for."""
_PREFLIGHT = "options"
"""Browsers send it without a key or a token."""


def with_authentication(document: Template) -> Template:
    """An API's document in which each operation asks for what the stack's parameter says.

    An operation that asks for something already, because its route in app.py does, stays as it is.
    """
    paths = {path: _operations(found) for path, found in document["paths"].items()}
    definitions = {**_definitions(), **document.get("securityDefinitions", {})}
    return {**document, "paths": paths, "securityDefinitions": definitions}


def _operations(operations: Template) -> Template:
    asked = _asked()
    return {
        method: operation if method == _PREFLIGHT else {"security": asked, **operation}
        for method, operation in operations.items()
    }


def _asked() -> Any:
    """`security` of an operation: of the conditions that exclude each other, the one that holds."""
    chosen: Any = _NOTHING
    for condition, name in _CHOICES.items():
        chosen = {_IF: [condition, [{name: []}], chosen]}
    return chosen


def _definitions() -> Template:
    token = {"type": "apiKey", "name": "Authorization", "in": "header"}
    pool = {"type": "cognito_user_pools", "providerARNs": [{REF: "UserPoolArn"}]}
    cognito = {
        **token,
        "x-amazon-apigateway-authtype": "cognito_user_pools",
        "x-amazon-apigateway-authorizer": pool,
    }
    return {
        _KEY: {"type": "apiKey", "name": "x-api-key", "in": "header"},
        _IAM: {**token, "x-amazon-apigateway-authtype": "awsSigv4"},
        _COGNITO: {_IF: ["WithCognito", cognito, _NOTHING]},
    }
