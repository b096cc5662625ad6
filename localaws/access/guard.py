"""Lets a role's calls pass that its policies allow, and answers AccessDenied to the others."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from werkzeug.wrappers import Response

from localaws.access import post_policy
from localaws.access.answers import denied
from localaws.access.calls import Call, Needed, bucket_and_key, call_of, needed, upload_right
from localaws.access.policies import Request, is_allowed, statements_of
from localaws.errors import UnknownCall, UnknownPolicy
from localaws.host.environment import ROLE_KEY

_LOG = logging.getLogger("localaws")


class Record:
    """The rights that roles needed, each with the number of calls."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, Request]] = Counter()
        """By role and right, refused ones among them."""
        self.refused: Counter[tuple[str, Request]] = Counter()
        self._lock = threading.Lock()

    def add(self, role: str, request: Request, allowed: bool) -> None:
        """Count one."""
        with self._lock:
            self.calls[role, request] += 1
            if not allowed:
                self.refused[role, request] += 1


class Guard:
    """Decides about calls. Only those with the credentials of a role are held against policies.

    `policies` gives the policies of a role in JSON, `bucket_owner` the account of a bucket, or None for one that does
    not exist. Calls are made over HTTP here and stand for calls over TLS, so that aws:SecureTransport is true.
    """

    def __init__(
        self,
        account_id: str,
        policies: Callable[[str], Iterable[str]],
        bucket_owner: Callable[[str], str | None],
        record: Record | None = None,
    ) -> None:
        self._account_id, self._policies, self._bucket_owner = account_id, policies, bucket_owner
        self._record = record

    def refusal(self, environ: MutableMapping[str, Any]) -> Response | None:
        """The response to a call that is refused; None for one that passes."""
        try:
            form = post_policy.form_of(environ)
            if form is not None:
                post_policy.check(form)
        except post_policy.Refused as error:
            return error.response()
        call, role = _role_of(form.call if form else call_of(environ))
        if call is None:
            return None
        try:
            rights = [upload_right(form.fields)] if form else needed(call, self._account_id)
            refused = next((one for one in rights if not self._may(role, call.region, one)), None)
        except (UnknownCall, UnknownPolicy) as error:
            _LOG.error("%s: %s", role, error)
            return denied(call, str(error))
        return None if refused is None else denied(call, _sentence(self._account_id, role, refused))

    def hides_missing(self, environ: MutableMapping[str, Any]) -> Response | None:
        """What S3 says about an object that is not there to a role that may not list its bucket; None if it may.

        Source: Amazon S3 API reference, "GetObject", "Permissions".
        """
        call, role = _role_of(call_of(environ))
        bucket, key = bucket_and_key(environ)
        if call is None or call.service != "s3" or not key or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return None
        listing = "s3:ListBucket", f"arn:aws:s3:::{bucket}", dict[str, str]()
        return (
            None if self._may(role, call.region, listing) else denied(call, _sentence(self._account_id, role, listing))
        )

    def may(self, role: str, action: str, resource: str, region: str) -> bool:
        """Whether a role may do what a service does in its name."""
        try:
            return self._may(role, region, (action, resource, {}))
        except UnknownPolicy as error:
            _LOG.error("%s: %s", role, error)
            return False

    def _may(self, role: str, region: str, right: Needed) -> bool:
        action, resource, own = right
        request = Request(action, resource, tuple(sorted({**self._context(resource, region), **own}.items())))
        statements = [one for document in self._policies(role) for one in statements_of(document)]
        allowed = is_allowed(statements, request)
        if self._record is not None:
            self._record.add(role, request, allowed)
        if not allowed:
            _LOG.warning("%s may not %s on %s", role, action, resource)
        return allowed

    def _context(self, resource: str, region: str) -> dict[str, str]:
        known = {
            "aws:principalaccount": self._account_id,
            "aws:requestedregion": region,
            "aws:securetransport": "true",
        }
        if resource.startswith("arn:aws:s3:::"):
            owner = self._bucket_owner(resource.removeprefix("arn:aws:s3:::").partition("/")[0])
            return {**known, "aws:resourceaccount": owner, "s3:resourceaccount": owner} if owner else known
        return {**known, "aws:resourceaccount": (resource.split(":") + [""] * 5)[4] or self._account_id}


def _role_of(call: Call | None) -> tuple[Call | None, str]:
    if call is None or not call.key_id.startswith(ROLE_KEY):
        return None, ""
    return call, call.key_id.removeprefix(ROLE_KEY)


def _sentence(account_id: str, role: str, right: Needed) -> str:
    action, resource, _ = right
    return (
        f"User: arn:aws:sts::{account_id}:assumed-role/{role}/localaws is not authorized to perform: {action} on "
        f"resource: {resource} because no identity-based policy allows the {action} action"
    )
