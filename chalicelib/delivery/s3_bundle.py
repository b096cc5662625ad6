"""A bundle in S3: its three objects read into a folder of this machine, the large one in ranges at once."""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn

from chalicelib import strict_json
from chalicelib.aws.direct import Bucket, Changed, Found, Refused, account_of
from chalicelib.config import AwsAccess, model_name_of
from chalicelib.delivery.parts import Plan, fetch_in_parts
from chalicelib.errors import ModelError, StorageError
from chalicelib.inference.card import ModelCard
from chalicelib.inference.registry import CARD_FILE, LABELS_FILE, MAX_CARD_BYTES, MAX_LABELS_BYTES, MODEL_FILE
from chalicelib.inference.remote import Fetched

ASIDE = ".fetched"
"""The folder within `folder` into which a bundle is written before it is verified. No bundle begins with a dot."""
TRIES = 3
"""Of a bundle that changes while it is fetched."""
COPIES, RESERVED_MB = 2, 128
"""A loaded model takes its size in memory as a file and again as what XNNPACK packs of it (measured: 1.9 times for
Inception v3, dynamic and float32). The rest is for Python, NumPy, the engine and a picture."""


class S3Bundle:
    """The bundle at MODEL_URI; a `Source` of `inference.remote`. One thread at a time may use it."""

    function_arn: str | None = None
    """Of the function that this process runs, which has the account's id; None in Lambda's INIT and outside Lambda."""

    def __init__(
        self,
        uri: str,
        folder: Path,
        access: Callable[[], AwsAccess],
        memory_mb: int | None = None,
        plan: Plan = Plan(),  # noqa: B008 - it is immutable
    ) -> None:
        """`folder` is where the model's folder will be; `memory_mb` the function's memory, None: unknown."""
        self.name = model_name_of(uri)
        self._bucket, _, self._prefix = uri.removeprefix("s3://").partition("/")
        self.shown_uri = re.sub(r"\d{12}", "<account>", uri)
        self._folder, self._access, self._memory_mb = folder, access, memory_mb
        self._plan = plan

    def fetch(self, known: tuple[str, str] | None) -> Fetched | None:
        """Write the bundle aside; None if its card is the `known` one.

        Raises ModelError if it is missing, forbidden, too large, or does not stop to change; StorageError if S3 or the
        network fails.
        """
        access = self._access()
        owner = self.function_arn.split(":")[4] if self.function_arn else account_of(access)

        def connect() -> Bucket:
            return Bucket(access, self._bucket, owner)

        with closing(connect()) as bucket:
            for _ in range(TRIES):
                card = self._read(bucket, CARD_FILE, MAX_CARD_BYTES)
                if (card.etag, card.modified) == known:
                    return None
                try:
                    return self._fetch(bucket, connect, card, replaces=known is not None)
                except Changed:
                    continue
        raise ModelError(f"{self.shown_uri} changes while it is fetched: copy model.json last, when all else is there")

    def keep(self, fetched: Fetched) -> None:
        """Move the bundle to `folder`; files of the one before stay mapped where they are used."""
        kept = self._folder / self.name
        with self._disk():
            shutil.rmtree(kept, ignore_errors=True)
            fetched.path.rename(kept)

    def _fetch(self, bucket: Bucket, connect: Callable[[], Bucket], card: Found, replaces: bool) -> Fetched:
        size_bytes = self._size(card.data, replaces)
        labels = self._read(bucket, LABELS_FILE, MAX_LABELS_BYTES)
        aside = self._folder / ASIDE / self.name
        with self._disk():
            shutil.rmtree(self._folder / ASIDE, ignore_errors=True)
            aside.mkdir(parents=True, mode=0o700)
            self._check_space(size_bytes)
            (aside / CARD_FILE).write_bytes(card.data)
            (aside / LABELS_FILE).write_bytes(labels.data)
            with self._refusals(MODEL_FILE):
                key, path = self._prefix + MODEL_FILE, aside / MODEL_FILE
                found = fetch_in_parts(bucket, connect, key, path, size_bytes, self._plan)
        if found != size_bytes:
            raise ModelError(
                f"{MODEL_FILE} of {self.shown_uri} has {found:,} bytes, its card says {size_bytes:,}: upload the "
                "bundle again, model.json last"
            )
        return Fetched(aside, (card.etag, card.modified), size_bytes)

    def _read(self, bucket: Bucket, name: str, max_bytes: int) -> Found:
        with self._refusals(name):
            found = bucket.read(self._prefix + name, max_bytes)
        if len(found.data) > max_bytes:
            raise ModelError(f"{name} of {self.shown_uri} has more than {max_bytes:,} bytes: upload the bundle again")
        return found

    def _size(self, card: bytes, replaces: bool) -> int:
        """The size of the model file by its card; raises ModelError if the card cannot be used, or for its size.

        A model that `replaces` another is in memory beside it for a while. Beyond the memory, Lambda ends the process.
        """
        try:
            size_bytes = ModelCard.from_dict(strict_json.loads(card.decode())).size_bytes
        except ModelError as error:
            raise ModelError(f"{CARD_FILE} of {self.shown_uri}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise ModelError(
                f"{CARD_FILE} of {self.shown_uri} cannot be read as JSON: upload the bundle again"
            ) from error
        copies = COPIES * (2 if replaces else 1)
        if self._memory_mb and size_bytes * copies > (self._memory_mb - RESERVED_MB) * 2**20:
            raise ModelError(
                f"{MODEL_FILE} of {self.shown_uri} has {size_bytes:,} bytes, and the function {self._memory_mb} MB of "
                f"memory: it takes {copies} times its size, beside {RESERVED_MB} MB; raise lambda_memory_size"
            )
        return size_bytes

    def _check_space(self, size_bytes: int) -> None:
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        if size_bytes > free:
            raise OSError(errno.ENOSPC, f"{free:,} bytes are free, {MODEL_FILE} has {size_bytes:,}")

    @contextmanager
    def _refusals(self, name: str) -> Iterator[None]:
        try:
            yield
        except Refused as error:
            self._refuse(name, error)

    def _refuse(self, name: str, error: Refused) -> NoReturn:
        what = f"{name} of {self.shown_uri}"
        if error.status in (404, 416):
            raise ModelError(
                f"{what} is not there, or is empty ({error.code}): upload the bundle, model.json last"
            ) from error
        if error.region or error.status in (301, 307):
            raise ModelError(
                f"{what} is in another AWS region ({error.region or error.code}): copy the bundle into a bucket of the "
                "stage's region"
            ) from error
        if error.status == 403:
            raise ModelError(
                f"{what}: access denied, or there is no such object ({error.code}): upload it to a bucket of the same "
                "account, or deploy the stage again, so that its policies name MODEL_URI"
            ) from error
        raise StorageError(f"{what} cannot be read ({error.code}): try again") from error

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Errors of the disk. Those of the network are StorageErrors already."""
        try:
            yield
        except OSError as error:
            raise ModelError(
                f"{self.shown_uri} cannot be written to /tmp ({error.strerror}): a model needs its size there, twice "
                "while it is replaced; give the function more (EphemeralStorage)"
            ) from error
