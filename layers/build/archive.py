"""Zips that are byte-identical for identical files, and files that nobody sees half-written."""

import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can state; the real ones would make every build differ."""
MODE = 0o100644
"""A plain file that everyone may read: Lambda's user is not the one who builds."""


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; the file replaces `path` if the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_zip(path: Path, names: list[str], read: Callable[[str], bytes]) -> None:
    """Write `names`, sorted, with fixed times and permissions."""
    with written_aside(path) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(names):
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, MODE << 16
            archive.writestr(info, read(name))


def zip_folder(path: Path, folder: Path) -> None:
    """Write every file below `folder`."""
    names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    write_zip(path, names, lambda name: (folder / name).read_bytes())
