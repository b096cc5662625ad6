"""Whether a runtime layer holds the library that its processor needs."""

from collections.abc import Iterator

from layers.check.compatibility import Problem
from layers.contents import Contents
from layers.cpulist import library
from layers.targets import Target


def library_problems(runtime: Contents, target: Target) -> Iterator[Problem]:
    """A problem if the target loads a library before all others and the layer does not have it."""
    if library.is_needed_on(target.arch) and library.PATH not in runtime.sizes:
        found = f"the layer has no {library.PATH}, without which LiteRT runs without XNNPACK on Lambda's {target.arch}"
        yield Problem(runtime.label, found, "Build the layer again: `python -m layers build`")
