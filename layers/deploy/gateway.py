"""What API Gateway answers itself, without calling the function: a throttled request, one without a key, a time-out.

Source: Amazon API Gateway developer guide, "Gateway responses in API Gateway".
"""

from typing import Any

ANY_ORIGIN, ORIGIN_VARIABLE = "*", "CORS_ALLOW_ORIGIN"
KINDS = ("DEFAULT_4XX", "DEFAULT_5XX")
"""The answers from which all others inherit."""

_ALLOWED_ORIGIN, _SNIFFING = "Access-Control-Allow-Origin", "X-Content-Type-Options"
_JSON = "application/json"
_BODY = '{"Code":"$context.error.responseType","Message":$context.error.messageString}'
"""As the app's own errors. `messageString` has its quotes."""


def error_headers(origin: str) -> dict[str, str]:
    """Headers of every error, without which a page of another origin sees no status; values in the gateway's quotes."""
    return {_ALLOWED_ORIGIN: f"'{origin or ANY_ORIGIN}'", _SNIFFING: "'nosniff'"}


def sam_responses(origin: str) -> dict[str, Any]:
    """`GatewayResponses` of AWS::Serverless::Api."""
    answer = {"ResponseParameters": {"Headers": error_headers(origin)}, "ResponseTemplates": {_JSON: _BODY}}
    return dict.fromkeys(KINDS, answer)


def put_responses(apigateway: Any, api_id: str, origin: str) -> None:
    """Set the same in an API; it counts from the API's next deployment."""
    headers = {f"gatewayresponse.header.{name}": value for name, value in error_headers(origin).items()}
    for kind in KINDS:
        apigateway.put_gateway_response(
            restApiId=api_id, responseType=kind, responseParameters=headers, responseTemplates={_JSON: _BODY}
        )
