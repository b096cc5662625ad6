"""Run by the target's own Python: compiles every module below a folder to unchecked-hash bytecode.

Unchecked, since Lambda's file systems are read-only: a Python that found the time stamps of a zip wanting
would compile everything again at each cold start. This file imports nothing of this project.
"""

import py_compile
import sys
from pathlib import Path


def compile_tree(folder: Path, mounted_at: str) -> int:
    """Compile each module; tracebacks name it below `mounted_at`. Gives the number of modules."""
    modules = sorted(folder.rglob("*.py"))
    for module in modules:
        shown = f"{mounted_at}/{module.relative_to(folder).as_posix()}"
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(module), dfile=shown, doraise=True, invalidation_mode=mode)
    return len(modules)


if __name__ == "__main__":
    print(compile_tree(Path(sys.argv[1]), sys.argv[2]))
