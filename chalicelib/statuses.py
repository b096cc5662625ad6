"""Errors as a caller sees them: the status, code and message of each. HTTP, the batch and the workflow share them."""

from typing import Any

from chalicelib import errors

STATUS: dict[type[errors.SlimceptionError], tuple[int, str]] = {
    errors.InvalidRequest: (400, "BadRequestError"),
    errors.CallerForbidden: (403, "ForbiddenError"),
    errors.ObjectForbidden: (403, "ForbiddenError"),
    errors.UnknownRoute: (404, "NotFoundError"),
    errors.UnknownModel: (404, "NotFoundError"),
    errors.UnknownBatch: (404, "NotFoundError"),
    errors.NotDeployed: (404, "NotFoundError"),
    errors.ObjectGone: (404, "NotFoundError"),
    errors.PayloadTooLarge: (413, "PayloadTooLargeError"),
    errors.ImageTooLarge: (413, "PayloadTooLargeError"),
    errors.UnsupportedMediaType: (415, "UnsupportedMediaTypeError"),
    errors.UnsupportedImage: (415, "UnsupportedMediaTypeError"),
    errors.UndecodableImage: (422, "UnprocessableEntityError"),
    errors.ConfigError: (503, "ServiceUnavailableError"),
    errors.ModelError: (503, "ServiceUnavailableError"),
    errors.SecondModelError: (503, "ServiceUnavailableError"),
    errors.EngineError: (503, "ServiceUnavailableError"),
    errors.StorageError: (503, "ServiceUnavailableError"),
}
UNEXPECTED = (500, "InternalServerError")
"""Status and code of every other exception."""
INTERNAL = "An internal server error occurred."
UNAVAILABLE = "The model cannot be served at the moment; GET /health tells why."
BUSY = "S3, SQS or DynamoDB cannot be used at the moment; try again."

ErrorBody = dict[str, str]
"""`{"Code", "Message"}`, Chalice's own shape."""


def error_answer(error: Exception) -> tuple[int, ErrorBody]:
    """Status and body of an error; the body of a 5xx shows nothing of the exception."""
    status, code = STATUS[type(error)] if isinstance(error, errors.SlimceptionError) else UNEXPECTED
    unavailable = BUSY if isinstance(error, errors.StorageError) else UNAVAILABLE
    message = str(error) if status < 500 else unavailable if status == 503 else INTERNAL
    return status, {"Code": code, "Message": message}


def refusal(error: errors.ClientError) -> dict[str, Any]:
    """The answer for a picture that cannot be classified, for batch and workflow: `{"error": {"Code", "Message"}}`."""
    return {"error": error_answer(error)[1]}
