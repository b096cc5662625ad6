"""The pictures below a folder, by what files hold and not by their names. Batch and converter share the rule."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from chalicelib.inference.formats import HEAD_BYTES, SUFFIXES, format_of


class Found(NamedTuple):
    """Sorted paths below the folder, with `/` between their parts, and how many other files were left out."""

    pictures: list[str]
    skipped: int


def find_pictures(folder: Path) -> Found:
    """Every file that begins like a picture of a served format, or whose name says that it is one.

    A file that cannot be read counts as well, so that its error is shown and not hidden. Left out are hidden files
    (`.DS_Store`, macOS's `._x.jpg`), devices and pipes; and unseen, what hidden folders and links to folders hold.
    Raises OSError if a folder cannot be listed.
    """
    pictures: list[str] = []
    skipped = 0
    for path, entry in _files(folder):
        if not entry.name.startswith(".") and _is_picture(entry):
            pictures.append(path)
        else:
            skipped += 1
    return Found(sorted(pictures), skipped)


def _files(folder: Path) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    below = [""]
    while below:
        above = below.pop()
        with os.scandir(folder / above) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith("."):
                        below.append(f"{above}{entry.name}/")
                elif not _is_linked_folder(entry):
                    yield above + entry.name, entry


def _is_linked_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_picture(entry: "os.DirEntry[str]") -> bool:
    try:
        if not entry.is_file():
            return entry.is_symlink() and _is_named(entry)  # a link to nowhere, or a device
        if _is_named(entry):
            return True
        with open(entry.path, "rb", buffering=0) as file:
            return format_of(file.read(HEAD_BYTES)) is not None
    except OSError:
        return True


def _is_named(entry: "os.DirEntry[str]") -> bool:
    return entry.name.lower().endswith(SUFFIXES)
