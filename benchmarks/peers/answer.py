"""Run in a new process, by an engine's own Python: the scores of every picture, and what the process needed.

python -m benchmarks.peers.answer ENGINE MODEL PICTURES.npy SCORES.npy THREADS

Writes the raw scores, float64 (N, classes), and prints JSON: peak memory, and the packages with their loaded files.
"""

import importlib.metadata
import json
import re
import sys
import sysconfig
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.peers.engines import ENGINES

SITE = Path(sysconfig.get_paths()["purelib"]).resolve()


def peak_mb() -> float:
    """The most memory that this process had so far (proc_pid_status(5), VmHWM), MB of 1,000,000 bytes."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def loaded_files() -> list[Path]:
    """The installed files of which this process has a module or a mapping."""
    modules = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    maps = [line.split(maxsplit=5)[5] for line in Path("/proc/self/maps").read_text().splitlines() if " /" in line]
    found = {Path(name.strip()).resolve() for name in [*filter(None, modules), *maps]}
    return sorted(path for path in found if path.is_relative_to(SITE) and path.is_file())


def package_files(loaded: list[Path]) -> list[Path]:
    """All files of the packages to which the loaded ones belong."""
    whole: list[Path] = []
    for package in importlib.metadata.distributions(path=[str(SITE)]):
        if package.name == "setuptools":  # every start of Python in an environment loads a file of it
            continue
        files = [Path(str(file.locate())).resolve() for file in package.files or [] if file.suffix != ".pyc"]
        if set(files) & set(loaded):
            whole += [path for path in files if path.is_file() and path.is_relative_to(SITE)]
    return sorted(set(whole))


def main() -> None:
    """Answer, then say what it took."""
    engine, path, pictures, scores, threads = sys.argv[1:]
    Image.preinit()  # every answer decodes a picture
    given = np.load(pictures, mmap_mode="r")
    model = ENGINES[engine](path, int(threads))
    np.save(scores, np.stack([model.scores(given[i : i + 1].copy()) for i in range(len(given))]))
    peak, loaded = peak_mb(), loaded_files()
    packages = package_files(loaded)
    print(json.dumps({"peak_mb": peak, "loaded": [*map(str, loaded)], "packages": [*map(str, packages)]}))


if __name__ == "__main__":
    main()
