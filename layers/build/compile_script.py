"""Run by the target's own Python: compiles every module below a folder to bytecode that a hash validates.

A time stamp would not do. A zip changes it, and Python would then compile everything again at each cold start,
for Lambda's file systems are read-only. If source and bytecode are deployed together, Python need not even check
the hash. This file imports nothing of this project.
"""

import py_compile
import sys
from pathlib import Path


def compile_tree(folder: Path, mounted_at: str, checked: bool) -> int:
    """Compile each module; tracebacks name it below `mounted_at`. Gives the number of modules."""
    modes = py_compile.PycInvalidationMode
    mode = modes.CHECKED_HASH if checked else modes.UNCHECKED_HASH
    modules = sorted(folder.rglob("*.py"))
    for module in modules:
        shown = f"{mounted_at}/{module.relative_to(folder).as_posix()}"
        py_compile.compile(str(module), dfile=shown, doraise=True, invalidation_mode=mode)
    return len(modules)


if __name__ == "__main__":
    print(compile_tree(Path(sys.argv[1]), sys.argv[2], checked=sys.argv[3] == "checked"))
