"""The customer of a request, and the name under which its cost is counted."""

import re
from collections.abc import Collection
from typing import NamedTuple

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
    """The API key's id, else the `X-Customer-Id` header.

    Each metric costs money and anybody can send a header, so that only `known` names get one; API Gateway
    has checked a key, and the owner made it.
    """
    key = ((request.context or {}).get("identity") or {}).get("apiKeyId")
    if key and CUSTOMER_ID.fullmatch(key):
        return Customer(key, key)
    name = request.headers.get(CUSTOMER_HEADER)
    if not name or not CUSTOMER_ID.fullmatch(name):
        return Customer(None, OTHERS)
    return Customer(name, name if name in known else OTHERS)
