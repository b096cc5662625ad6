"""Zip archives of models, unpacked into a temporary folder."""

import lzma
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from convert.errors import ConvertError

MOST_FILES = 2000
"""A SavedModel has ten; a TensorFlow.js model a shard for each 4 MB."""
MOST_BYTES = 4 << 30
"""Of everything that is unpacked. The largest networks of Keras applications have 0.5 GB."""
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
)
_FOR_FINDERS = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A folder with what is in the archive, deleted at the block's end; raises ConvertError.

    Only files and folders below it are written; links, absolute paths and paths with ".." are refused.
    """
    with tempfile.TemporaryDirectory(prefix="slimception-") as text:
        folder = Path(text)
        try:
            with zipfile.ZipFile(path) as archive:
                _extract(archive, folder, path)
        except (*_DAMAGED, NotImplementedError, RuntimeError, ValueError) as error:
            raise ConvertError(f"{path} is a zip that is damaged or cut off: download it again, whole") from error
        yield folder


def _extract(archive: zipfile.ZipFile, folder: Path, path: Path) -> None:
    members = [member for member in archive.infolist() if not member.is_dir() and not _is_for_finders(member.filename)]
    if len(members) > MOST_FILES:
        raise ConvertError(f"{path} holds {len(members):,} files: expected the zip of one model; give the model itself")
    size = sum(member.file_size for member in members)  # zipfile reads no more of a member than it declares
    if size > min(MOST_BYTES, shutil.disk_usage(folder).free):
        raise ConvertError(
            f"{path} unpacks to {size / 1e9:,.1f} GB, more than {MOST_BYTES >> 30} GB or than there is room for: "
            "give the model itself"
        )
    for member in members:
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        is_link = stat.S_ISLNK(member.external_attr >> 16)
        if is_link or not parts or parts[0] == "/" or ".." in parts or ":" in parts[0] or "\0" in member.filename:
            raise ConvertError(
                f"{path} holds {member.filename[:100]!r}, a link or a path out of the archive: "
                "unpack it by hand, and give the model"
            )
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as packed, target.open("wb") as file:
            shutil.copyfileobj(packed, file)


def _is_for_finders(name: str) -> bool:
    """Whether macOS or Windows added the file."""
    return any(part in _FOR_FINDERS or part.startswith("._") for part in name.split("/"))
