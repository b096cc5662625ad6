"""Errors of Lambda with the status that AWS gives them; moto gives each its own."""

from moto.awslambda.exceptions import LambdaClientError


def client_error(code: str, message: str, status: int = 400) -> Exception:
    """An error that moto answers with this code, message and HTTP status."""
    error: Exception = LambdaClientError(code, message)
    error.code = status  # type: ignore[attr-defined]
    return error
