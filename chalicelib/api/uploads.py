"""Pictures that are too large for a request: a signed form to put one into the stage's bucket, and reading it there.

Whoever may call the API may read these pictures' labels, if he knows a key. So only keys under `uploads/` are read:
those are random, POST /uploads hands them out, and S3 deletes what lies there after a day. What else the bucket holds
(`incoming/`, `results/`) stays as unknown to a caller as before.
"""

import secrets
from collections.abc import Callable
from typing import Any

from chalicelib.api.bodies import SCALE_DOWN
from chalicelib.api.contract import UPLOAD, fits
from chalicelib.api.parsing import json_object, no_bucket, refuse_unknown
from chalicelib.aws.posts import Posts
from chalicelib.aws.urls import parse_s3_url
from chalicelib.batch.wiring import BatchServices
from chalicelib.config import Settings
from chalicelib.errors import InvalidRequest, NotDeployed, ObjectForbidden, PayloadTooLarge, StorageError, shown

PREFIX = "uploads/"
VALID_S = 300
"""How long a form may be used."""
ANY_PICTURE = "image/*"
"""The Content-Type of an upload for which none was named. The bytes decide later."""


class Uploads:
    """The uploads of one stage. `services` knows its bucket."""

    def __init__(self, settings: Settings, services: BatchServices) -> None:
        self._settings, self._services = settings, services

    def start(self, body: bytes) -> dict[str, Any]:
        """The answer to `POST /uploads`: the picture's URL, and the form to send first.

        Raises InvalidRequest, PayloadTooLarge, StorageError, or NotDeployed if there is no bucket.
        """
        fields = json_object(body) if body.strip() else {}
        refuse_unknown(fields, UPLOAD)
        for name, value in fields.items():
            if not fits(value, UPLOAD[name].schema):
                raise InvalidRequest(f'"{name}" is {shown(value)}: expected {UPLOAD[name].expected}')
        content_type = _picture_type(fields.get("content_type", ANY_PICTURE))
        most, key = self._settings.max_object_bytes, PREFIX + secrets.token_urlsafe(24)
        wanted = int(fields.get("bytes", most))
        if wanted > most:
            raise PayloadTooLarge(f"an upload of {wanted} bytes: at most {most} are accepted{SCALE_DOWN}")
        bucket = self._bucket()
        post = Posts(self._services.presigning).sign(bucket, key, content_type, wanted, VALID_S)
        return {"image": f"s3://{bucket}/{key}", "upload": post._asdict(), "max_bytes": wanted, "expires_in_s": VALID_S}

    def reader(self) -> Callable[[str, str], bytes]:
        """A `Fetch` for one request, whose pictures together have at most MAX_OBJECT_BYTES.

        It raises InvalidRequest for another bucket or prefix, ObjectGone, PayloadTooLarge, and StorageError if S3 does
        not answer or does not let this stage read.
        """
        left = self._settings.max_object_bytes

        def fetch(url: str, field: str) -> bytes:
            nonlocal left
            bucket, key = self._checked(url, field)
            try:
                data = self._services.objects.read(bucket, key, left)
            except ObjectForbidden as error:  # of a key that the stage's own policy names
                raise StorageError(str(error)) from error
            left -= len(data)
            return data

        return fetch

    def _checked(self, url: str, field: str) -> tuple[str, str]:
        if not self._is_deployed():
            no_bucket(url, field)
        bucket, key = parse_s3_url(url, field.strip('"'))
        if bucket != self._bucket():
            raise InvalidRequest(
                f"{field} is {shown(url)}: only this stage's bucket is read, {self._settings.batch_prefix}-<account>-"
                "<region>; POST /uploads answers with its name"
            )
        if not key.startswith(PREFIX) or key == PREFIX:
            raise InvalidRequest(f"{field} is {shown(url)}: only what lies under {PREFIX} is read; use POST /uploads")
        return bucket, key

    def _bucket(self) -> str:
        """The name that .chalice/resources.json gives; raises NotDeployed."""
        if not self._is_deployed():
            raise NotDeployed("uploads are not available: this is not a deployed stage with a bucket; send the image")
        return self._services.bucket

    def _is_deployed(self) -> bool:
        return self._settings.has_bucket and bool(self._services.function_arn)


def _picture_type(text: str) -> str:
    kind, _, name = text.partition("/")
    if kind != "image" or not name or not text.isascii() or not text.isprintable() or " " in text or len(text) > 100:
        raise InvalidRequest(f'"content_type" is {shown(text)}: expected {UPLOAD["content_type"].expected}')
    return text
