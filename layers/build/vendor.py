"""Bytecode of the function for `chalice deploy`, which ships sources only: Chalice zips `vendor/` as it is."""

import shutil
import tempfile
from pathlib import Path

from layers.build.bytecode import add_bytecode
from layers.build.function import function_contents
from layers.targets import Target

VENDOR = "vendor"
MOUNTED_AT = "/var/task"
"""Where a function sees its own code."""
CACHE = "__pycache__"


def vendor_bytecode(target: Target, project: Path) -> str:
    """Replace the bytecode in the project's `vendor`; gives a sentence on what was done. Raises BytecodeError.

    Python checks each file against its source when it imports it. If a source changes before the next
    deployment, Python ignores its old bytecode and compiles the source.
    """
    vendor = project / VENDOR
    for old in list(vendor.rglob(CACHE)):
        shutil.rmtree(old)
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        function_contents(project).extract(Path(scratch))
        sentence = add_bytecode(target.python, Path(scratch), MOUNTED_AT, checked=True)
        for cache in Path(scratch).rglob(CACHE):
            shutil.copytree(cache, vendor / cache.relative_to(scratch))
    return f"{VENDOR}/, for chalice deploy: {sentence}"
