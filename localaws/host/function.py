"""A function as Lambda knows it: its code, its layers, its limits."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Archive:
    """A zip's bytes, compared by their SHA-256."""

    sha256: str
    data: bytes = field(compare=False, repr=False)

    @classmethod
    def of(cls, data: bytes) -> "Archive":
        """The archive with these bytes."""
        return cls(hashlib.sha256(data).hexdigest(), data)

    @classmethod
    def read(cls, path: Path) -> "Archive":
        """The archive in a file; raises OSError."""
        return cls.of(path.read_bytes())


@dataclass(frozen=True)
class Function:
    """A function as configured. Two that differ in anything but concurrency never share an instance."""

    name: str
    code: Archive
    runtime: str
    """Lambda's identifier, `python3.13`: the Python that runs the instances."""
    handler: str = "app.app"
    architecture: str = "x86_64"
    """`x86_64` or `arm64` (AWS Lambda API reference, "CreateFunction"). The latter runs emulated where it must."""
    layers: tuple[Archive, ...] = ()
    """In the order in which they are unpacked over one another."""
    memory_mb: int = 128
    timeout_s: float = 3.0
    ephemeral_storage_mb: int = 512
    """The size of /tmp, in a sandbox."""
    environment: Mapping[str, str] = field(default_factory=dict)
    reserved_concurrency: int | None = field(default=None, compare=False)
    """More invocations than this at once are refused; None: as many as the host has instances."""
    role: str = ""
    """The name of the role whose rights its calls of AWS have; without one they have all."""
    region: str = "us-east-1"
    account_id: str = "123456789012"
    version: str = "$LATEST"

    @property
    def arn(self) -> str:
        """The unqualified ARN."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.name}"

    @property
    def content_digest(self) -> str:
        """Names the code and the layers together, in their order."""
        parts = " ".join(archive.sha256 for archive in (self.code, *self.layers))
        return hashlib.sha256(parts.encode()).hexdigest()[:20]
