"""What is made once on this machine and kept in the user's cache."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def cached(name: str, key: str, make: Callable[[Path], None]) -> Path:
    """The file or folder `slimception/name/key` of the user's cache, which `make` writes unless it is there.

    It appears whole or not at all. `make` gets the path to write; what else it writes beside that is deleted. Raises
    what `make` raises. Source: XDG Base Directory Specification.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    kept = Path(base, "slimception", name, key)
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".") as aside:
            made = Path(aside, key)
            make(made)
            if not kept.exists():  # another process may have been quicker
                made.rename(kept)
    return kept
