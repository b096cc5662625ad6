"""The function as it is deployed: its zip and the runtime layer, unpacked, with nothing else to import."""

import sys
from pathlib import Path

from benchmarks.hostile.processes import HERE, PROJECT
from layers.build.bytecode import compile_modules
from layers.build.function import function_contents
from layers.build.wheels import REQUIREMENTS, download, unpack
from layers.targets import local_target


def lay_out(folder: Path) -> list[str]:
    """Write both below `folder`; returns the command line of the process. Raises LayerError."""
    task, opt = folder / "task", folder / "opt"
    function_contents(PROJECT).extract(task)
    unpack(download(local_target(), REQUIREMENTS, folder / "wheels"), opt / "python", local_target())
    for place in (task, opt / "python"):
        compile_modules(Path(sys.executable), place, str(place))
    return [sys.executable, "-I", "-S", "-B", str(HERE / "worker.py"), str(task), str(opt)]
