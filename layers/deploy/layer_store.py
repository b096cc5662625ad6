"""AWS Lambda's layer versions. The clients are passed in; nothing here reads credentials."""

import base64
import hashlib
from pathlib import Path
from typing import Any

from layers.deploy.layer_set import Layer
from layers.errors import PublishError
from layers.targets import DIRECT_UPLOAD_BYTES


class LayerStore:
    """Publishes each content once.

    A version's description names the SHA-256 of its zip, and AWS states the SHA-256 of what it received. A version
    counts only if both are right. So a run reuses the versions of an earlier run and ignores damaged ones.
    """

    def __init__(self, lambda_client: Any, s3_client: Any, bucket: str | None, direct_bytes: int = DIRECT_UPLOAD_BYTES):
        self._lambda, self._s3, self._bucket, self._direct_bytes = lambda_client, s3_client, bucket, direct_bytes

    def find(self, layer: Layer) -> str | None:
        """The ARN of the version with this very content, or None."""
        digest = _sha256(layer.path)
        pages = self._lambda.get_paginator("list_layer_versions").paginate(LayerName=layer.name)
        for version in (version for page in pages for version in page.get("LayerVersions", [])):
            if digest.hex() in version.get("Description", "") and self._holds(layer.name, version["Version"], digest):
                return str(version["LayerVersionArn"])
        return None

    def publish(self, layer: Layer) -> str:
        """Upload a new version and give its ARN; raises PublishError if AWS received other bytes."""
        digest = _sha256(layer.path)
        answer = self._lambda.publish_layer_version(
            LayerName=layer.name,
            Description=f"{layer.path.stem} sha256:{digest.hex()}",
            Content=self._content(layer, digest),
            **layer.compatibility(),
        )
        if not _is(answer, digest):
            self._lambda.delete_layer_version(LayerName=layer.name, VersionNumber=answer["Version"])
            raise PublishError(f"{layer.path.name}: AWS received other bytes than were sent: publish again")
        return str(answer["LayerVersionArn"])

    def _holds(self, name: str, version: int, digest: bytes) -> bool:
        return _is(self._lambda.get_layer_version(LayerName=name, VersionNumber=version), digest)

    def _content(self, layer: Layer, digest: bytes) -> dict[str, Any]:
        size = layer.path.stat().st_size
        if size <= self._direct_bytes:
            return {"ZipFile": layer.path.read_bytes()}
        if not self._bucket:
            raise PublishError(
                f"{layer.path.name} has {size / 1e6:.1f} MB, more than the {self._direct_bytes / 1e6:.1f} MB of a "
                "direct upload: name a bucket in the same region with --bucket"
            )
        key = f"layers/{layer.path.stem}-{digest.hex()}.zip"
        self._s3.upload_file(str(layer.path), self._bucket, key)  # S3 shows an object only when it is whole
        return {"S3Bucket": self._bucket, "S3Key": key}


def _is(version: Any, digest: bytes) -> bool:
    return bool(version["Content"]["CodeSha256"] == base64.b64encode(digest).decode())


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
