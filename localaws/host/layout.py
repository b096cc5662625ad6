"""The file system that a function sees: zips unpacked as Lambda unpacks them, and then read-only."""

import io
import stat
import threading
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path

from localaws.errors import BadPackage
from localaws.host.function import Archive, Function

MAX_UNZIPPED_BYTES = 250 * 1024 * 1024
"""Code and layers together (AWS Lambda developer guide, "Lambda quotas")."""


@dataclass(frozen=True)
class Tree:
    """`task` stands for /var/task, `opt` for /opt."""

    task: Path
    opt: Path


class Trees:
    """Unpacks each combination of code and layers once, below `folder`. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def of(self, function: Function) -> Tree:
        """The function's tree; raises BadPackage."""
        root = self._folder / function.content_digest
        with self._lock:
            if not root.exists():
                aside = root.with_name(f".{uuid.uuid4().hex}")
                _unpack(function, _tree(aside))
                aside.rename(root)
        return _tree(root)


def _tree(root: Path) -> Tree:
    return Tree(root / "var" / "task", root / "opt")


def _unpack(function: Function, tree: Tree) -> None:
    places = [(function.code, tree.task, "the function's zip")]
    places += [(layer, tree.opt, f"layer {number}") for number, layer in enumerate(function.layers, 1)]
    remaining_bytes = MAX_UNZIPPED_BYTES
    for archive, place, what in places:
        place.mkdir(parents=True, exist_ok=True)
        remaining_bytes -= _extract(archive, place, f"{what} of {function.name}", remaining_bytes)
    tree.opt.mkdir(exist_ok=True)
    for path in (tree.task, tree.opt):
        _make_read_only(path)


def _extract(archive: Archive, place: Path, what: str, limit_bytes: int) -> int:
    """Unpack with the modes that the zip records; returns the unzipped size."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive.data)) as zipped:
            size_bytes = sum(entry.file_size for entry in zipped.infolist())
            if size_bytes > limit_bytes:
                raise BadPackage(
                    f"{what}: code and layers are larger than Lambda's {MAX_UNZIPPED_BYTES} bytes unzipped"
                )
            for entry in zipped.infolist():
                path = Path(zipped.extract(entry, place))
                mode = stat.S_IMODE(entry.external_attr >> 16)
                if mode and not entry.is_dir():
                    path.chmod(mode | stat.S_IRUSR | stat.S_IWUSR)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise BadPackage(f"{what} cannot be unzipped: {error}") from error
    return size_bytes


def _make_read_only(root: Path) -> None:
    """As on Lambda, a function that writes beside its code fails (unless it runs as root, and not in a sandbox)."""
    for path in [*root.rglob("*"), root]:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
