"""Fixtures: real runtime layers, and what runs those of arm64. A conftest that imports them gives them to its tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from layers.build.runtime_layer import build_runtime_layer
from layers.emulator.emulator import Emulator, find_emulator
from layers.errors import CompilerError, WheelError
from layers.targets import Target, local_target, target


@pytest.fixture(scope="session")
def build_real(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Target], Path]:
    """Build the real runtime layer for a target, once in a session, from the package index."""
    folder, built = tmp_path_factory.mktemp("layers"), dict[Target, Path]()

    def build(wanted: Target) -> Path:
        if wanted not in built:
            try:
                built[wanted] = build_runtime_layer(wanted, folder).path
            except CompilerError as error:
                pytest.skip(str(error))
            except WheelError as error:
                if "cannot be reached" in str(error):
                    pytest.skip(str(error))
                raise
        return built[wanted]

    return build


@pytest.fixture(scope="session")
def runtime_zip(build_real: Callable[[Target], Path]) -> Path:
    """The runtime layer for Python 3.13 on x86_64."""
    return build_real(target("3.13", "x86_64"))


@pytest.fixture(scope="session")
def local_zip(build_real: Callable[[Target], Path]) -> Path:
    """The runtime layer for the Python that runs the tests, which can therefore run it."""
    return build_real(local_target())


@pytest.fixture(scope="session")
def arm64() -> Emulator:
    """What runs arm64 programs here; a skip where it cannot be had."""
    found = find_emulator()
    if isinstance(found, str):
        pytest.skip(found)
    return found
