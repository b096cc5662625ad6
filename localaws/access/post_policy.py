"""Browser-based uploads: a form that whoever has it may send to a bucket, held against the policy that it carries.

Moto stores what such a form brings and reads none of this. Source: Amazon S3 API reference, "POST policy" and
"Authenticating requests: browser-based uploads using POST (AWS Signature Version 4)".
"""

import base64
import hashlib
import hmac
import io
import json
import re
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from html import escape
from typing import Any, NamedTuple

from werkzeug.wrappers import Request, Response

from localaws.access.calls import Call, bucket_and_key
from localaws.host.environment import CREDENTIALS

_UNSIGNED = {"file", "policy", "x-amz-signature", "bucket"}
"""Fields that no condition has to name; S3 adds the bucket itself."""
_SCOPE = re.compile(r"([^/]+)/(\d{8})/([a-z0-9-]+)/s3/aws4_request")


class Form(NamedTuple):
    """An upload: its fields, names in lower case, with the bucket, and the length of its file."""

    fields: Mapping[str, str]
    file_bytes: int
    call: Call
    """The upload as a call of whoever signed it."""


class Refused(Exception):
    """S3's answer to an upload that its policy does not allow: status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code

    def response(self) -> Response:
        """As S3 sends it."""
        body = f"<Error><Code>{self.code}</Code><Message>{escape(str(self))}</Message></Error>"
        return Response(body, self.status, content_type="application/xml")


def form_of(environ: MutableMapping[str, Any]) -> Form | None:
    """The upload that a request is, else None; its body can be read again. Raises Refused for a form without policy."""
    kind = str(environ.get("CONTENT_TYPE", "")).lower()
    bucket, key = bucket_and_key(environ)
    is_form = environ["REQUEST_METHOD"] == "POST" and kind.startswith("multipart/form-data")
    if not is_form or not bucket or key or environ.get("HTTP_AUTHORIZATION"):
        return None
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    with Request({**environ, "wsgi.input": io.BytesIO(body)}) as sent:
        fields = {**{name.lower(): value for name, value in sent.form.items()}, "bucket": bucket}
        file = sent.files.get("file")
        length = len(file.read()) if file else len(fields.get("file", ""))
    environ["wsgi.input"] = io.BytesIO(body)
    scope = _SCOPE.fullmatch(fields.get("x-amz-credential", ""))
    if scope is None or "policy" not in fields:
        raise Refused(403, "AccessDenied", "Access Denied")
    return Form(fields, length, Call(scope[1], scope[3], "s3", environ))


def check(form: Form, now: datetime | None = None) -> None:
    """Hold an upload against its policy; raises Refused."""
    if not hmac.compare_digest(_signature(form.fields), form.fields.get("x-amz-signature", "")):
        message = "The request signature we calculated does not match the signature you provided."
        raise Refused(403, "SignatureDoesNotMatch", message)
    policy = json.loads(base64.b64decode(form.fields["policy"]))
    if datetime.fromisoformat(policy["expiration"].replace("Z", "+00:00")) < (now or datetime.now(UTC)):
        raise Refused(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
    named = {name for condition in policy["conditions"] if (name := _hold(condition, form))}
    extra = {name for name in form.fields if not name.startswith("x-ignore-")} - named - _UNSIGNED
    if extra:
        raise Refused(403, "AccessDenied", f"Invalid according to Policy: Extra input fields: {min(extra)}")


def _hold(condition: Any, form: Form) -> str | None:
    """The field that a condition names, which holds, in lower case; None for the length of the file. Raises Refused."""
    if isinstance(condition, dict):
        ((name, expected),) = condition.items()
        operator, name = "eq", f"${name}"
    else:
        operator, name, expected = condition
    if operator == "content-length-range":
        if form.file_bytes > int(expected):
            raise Refused(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        if form.file_bytes < int(name):
            raise Refused(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
        return None
    field = name.removeprefix("$").lower()
    value = form.fields.get(field, "")
    if value != expected if operator == "eq" else not value.startswith(expected):
        written = json.dumps([operator, name, expected])
        raise Refused(403, "AccessDenied", f"Invalid according to Policy: Policy Condition failed: {written}")
    return str(field)


def _signature(fields: Mapping[str, str]) -> str:
    key = b"AWS4" + CREDENTIALS["AWS_SECRET_ACCESS_KEY"].encode()
    _, *scope = fields["x-amz-credential"].split("/")
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, fields["policy"].encode(), hashlib.sha256).hexdigest()
