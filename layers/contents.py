"""Reads a layer, a wheel, a folder or one shared object alike: names and bytes."""

import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from layers.errors import ContentsError


@dataclass(frozen=True)
class Contents:
    """Files by their name inside the layer, `/` between the parts, sorted."""

    label: str
    """The file's own name, for messages."""
    sizes: Mapping[str, int]
    """Name to size in bytes, unzipped."""
    read: Callable[[str], bytes] = field(repr=False)
    zipped_sizes: Mapping[str, int] = field(default_factory=dict)
    """Name to size in bytes, compressed; empty for a folder."""

    def extract(self, folder: Path) -> None:
        """Write every file below `folder`."""
        for name in self.sizes:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.read(name))


@contextmanager
def open_contents(path: Path) -> Iterator[Contents]:
    """Open a folder, a zip, a wheel or a shared object; raises ContentsError."""
    if path.is_dir():
        yield from_files(path.name, {p.relative_to(path).as_posix(): p for p in path.rglob("*") if p.is_file()})
    elif not path.is_file():
        raise ContentsError(f"{path} does not exist")
    elif zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                yield _from_zip(path.name, archive)
        except (zipfile.BadZipFile, zlib.error) as error:
            raise ContentsError(f"{path} is damaged ({error}): build or copy it again") from error
    elif ".so" in path.suffixes:
        yield from_files(path.name, {path.name: path})
    else:
        raise ContentsError(f"{path} is not a zip, wheel, folder or shared object: build or copy it again")


def from_files(label: str, files: Mapping[str, Path]) -> Contents:
    """Contents that are files on disk."""
    ordered = dict(sorted(files.items()))
    return Contents(label, {n: p.stat().st_size for n, p in ordered.items()}, lambda name: ordered[name].read_bytes())


def _from_zip(label: str, archive: zipfile.ZipFile) -> Contents:
    files = sorted((i for i in archive.infolist() if not i.is_dir()), key=lambda info: info.filename)
    for info in files:
        if info.filename.startswith("/") or ".." in info.filename.split("/"):
            raise ContentsError(f"{label} would write {info.filename!r} outside of the layer: do not use it")
    return Contents(
        label,
        {info.filename: info.file_size for info in files},
        archive.read,
        {info.filename: info.compress_size for info in files},
    )
