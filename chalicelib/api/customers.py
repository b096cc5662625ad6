"""The customer of a request, and the name under which its cost is counted."""

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from chalicelib.api.bodies import Request

CUSTOMER_HEADER = "x-customer-id"
CUSTOMER_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
OTHERS = "others"
"""The one metric for all customers that are not known by name."""


class Customer(NamedTuple):
    """The customer's name in the log line (None: unknown), and the name of the metric that counts the cost."""

    name: str | None
    metric: str


def customer_of(request: Request, known: Collection[str]) -> Customer:
    """The API key's id, else the claim `sub` of a token, else `X-Customer-Id`, else who signed the request.

    Anybody can send a header; a program that signs its requests says with it for whom it asks. Each metric costs money,
    so that only `known` names get one, and the ids of keys, which the owner made.
    """
    context = request.context or {}
    identity = _fields(context, "identity")
    key = _name(identity.get("apiKeyId"))
    if key:
        return Customer(key, key)
    name = _subject(context) or _name(request.headers.get(CUSTOMER_HEADER)) or _signer(identity)
    return Customer(name, name if name in known else OTHERS) if name else Customer(None, OTHERS)


def _subject(context: Mapping[str, Any]) -> str | None:
    """`sub` of a JWT: a user of Cognito or of another issuer, or a program. Other characters, as "|", become "_".

    Source: RFC 7519, 4.1.2. `api.fronts` gives an HTTP API's claims the place that a REST API's have.
    """
    subject = _fields(_fields(context, "authorizer"), "claims").get("sub")
    return _name(re.sub(r"[^A-Za-z0-9_.-]", "_", subject)) if isinstance(subject, str) else None


def _signer(identity: Mapping[str, Any]) -> str | None:
    """The unique id of the user or role that signed, without the session's name, which the caller chooses.

    Source: IAM user guide, "IAM identifiers": AIDA... is a user, AROA... a role.
    """
    caller = identity.get("caller") if identity.get("userArn") else None
    return _name(caller.partition(":")[0]) if isinstance(caller, str) else None


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and CUSTOMER_ID.fullmatch(value) else None


def _fields(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = given.get(name)
    return found if isinstance(found, dict) else {}
