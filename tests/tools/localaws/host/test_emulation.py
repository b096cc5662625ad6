"""Functions for arm64 on a machine of another processor."""

from pathlib import Path

import pytest

from layers.emulator.emulator import Emulator
from layers.emulator.root import PYTHON
from layers.targets import target
from localaws.errors import EmulatorMissing, PackagesMissing, PythonMissing
from localaws.host import emulation, packages
from localaws.host.lambda_host import LambdaHost
from localaws.host.launch import Additions
from tests.support.toys import error_of, run, toy

RUNTIME = f"python{PYTHON}"
LOOK = """
import os, platform, sys

def handler(event, context):
    names = ("LD_PRELOAD", "QEMU_SET_ENV")
    seen = [platform.machine(), sys.version_info[:2], *map(os.environ.get, names), os.path.exists("/sys/devices")]
    return [*seen, context.get_remaining_time_in_millis()]
"""

pytestmark = pytest.mark.skipif(target(PYTHON, "arm64").is_this_machine, reason="arm64 runs here")


@pytest.fixture
def installed(arm64: Emulator) -> Emulator:
    """An emulator, and Lambda's runtime client for it."""
    try:
        packages.install(arm64.interpreter)
    except PackagesMissing as error:
        pytest.skip(str(error))
    return arm64


def test_this_machines_processor_comes_first_and_only_arm64_is_emulated() -> None:
    assert emulation.ARCHITECTURES[-1] == "arm64" and len(emulation.ARCHITECTURES) == 2
    assert [emulation.time_factor(name) for name in emulation.ARCHITECTURES] == [1, emulation.SLOWDOWN]


@pytest.mark.parametrize("sandbox", [True, False])
def test_it_runs_in_the_emulated_python_with_its_own_environment(installed: Emulator, sandbox: bool) -> None:
    """Its library is preloaded by the emulated linker alone, and this machine's mask is not given to it."""
    function = toy(
        LOOK, runtime=RUNTIME, architecture="arm64", timeout_s=3, memory_mb=512,
        environment={"LD_PRELOAD": "/opt/lib/absent.so"},
    )  # fmt: skip
    additions = Additions((Path("/absent/mask.so"),))
    with LambdaHost(1, sandbox=sandbox, additions=additions) as host:
        confined = host.why_no_sandbox(host.interpreter(RUNTIME, "arm64")) is None
        result = host.invoke(function, b"{}")
        opt = "/opt" if confined else str(next(host.folder.glob("trees/*/opt")))
    machine, version, preload, for_qemu, has_sys, left_ms = result.json()  # type: ignore[misc]
    assert (machine, version) == ("aarch64", [3, 13])
    assert (preload, for_qemu) == (f"{opt}/lib/absent.so", None)
    assert not (confined and has_sys)
    assert 3_000 < left_ms <= 3_000 * emulation.SLOWDOWN
    assert result.log.count("absent.so") == 1
    start = result.log.splitlines()[0]
    assert start.startswith("INIT_START") and "emulated by QEMU" in start and f"{emulation.SLOWDOWN} times" in start


def test_its_time_out_is_longer(installed: Emulator) -> None:
    with LambdaHost(1) as host:
        function = toy(runtime=RUNTIME, architecture="arm64", timeout_s=0.1, memory_mb=512)
        assert run(host, function, "sleep", 0.5).function_error is None
        longest = 0.1 * emulation.SLOWDOWN
        assert error_of(run(host, function, "sleep", 60))[1].endswith(f"Task timed out after {longest:.2f} seconds")


def test_without_an_emulator_nothing_starts_and_the_error_says_what_to_install(
    host: LambdaHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as changed, pytest.raises(EmulatorMissing, match=r"`apt-get install qemu-user`") as told:
        changed.setenv("PATH", str(tmp_path))
        run(host, toy(architecture="arm64"))
    assert str(told.value).startswith("functions for arm64 do not run here, for there is no qemu-aarch64")
    assert host.instances() == []
    assert run(host, toy()).function_error is None


def test_another_python_than_the_emulators(host: LambdaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulation, "find_emulator", lambda: Emulator(Path("/usr/bin/qemu-aarch64"), Path("/root")))
    with pytest.raises(
        PythonMissing, match=r"runtime of the arm64 function is python3\.12: deploy it with --python 3\.13"
    ):
        run(host, toy(runtime="python3.12", architecture="arm64"))
