"""The emulator: what it runs, and a sentence for each thing that may be missing."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from layers.emulator import root
from layers.emulator.emulator import Emulator, find_emulator
from layers.sandbox.bubblewrap import command, why_not
from layers.sandbox.view import View

Tools = Callable[..., None]
APT = """#!/bin/sh
for argument in "$@"; do case $argument in
indextargets) echo http://mirror.example/debian-security/; echo http://mirror.example/debian/;;
update) echo "E: The repository is not signed." >&2; exit 100;;
esac; done
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """Gives PATH these programs and no others, and an empty cache."""

    def only(**programs: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name, script in programs.items():
            (folder / name.replace("_", "-")).write_text(script)
            (folder / name.replace("_", "-")).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    return only


def test_a_command_names_root_processor_and_plugin() -> None:
    found = Emulator(Path("/usr/bin/qemu-aarch64"), Path("/root"))
    assert found.command([str(found.python), "-I"], plugin="/tmp/count.so,out=a") == [
        *("/usr/bin/qemu-aarch64", "-L", "/root", "-cpu", "neoverse-n1"),
        *("-plugin", "/tmp/count.so,out=a", "/root/usr/bin/python3.13", "-I"),
    ]


@pytest.mark.parametrize("confined", [False, True])
def test_the_program_gets_its_environment_and_this_machines_linker_does_not(arm64: Emulator, confined: bool) -> None:
    wanted = {"LD_PRELOAD": "/absent.so", "EVENT": '{"a": 1, "b": 2}', "LC_ALL": "C.UTF-8"}
    python, code = arm64.interpreter, "import os; print(sorted((k, v) for k, v in os.environ.items() if k != 'PWD'))"
    if confined and (reason := why_not(python)):
        pytest.skip(reason)
    program = [*(python.sandboxed_command if confined else python.command), "-I", "-S", "-c", code]
    ran = subprocess.run(
        command(View(python.read_only), program) if confined else program,
        env=python.environment(wanted), capture_output=True, text=True,
    )  # fmt: skip
    assert ran.stdout == f"{sorted(wanted.items())}\n"
    assert ran.stderr.count("/absent.so") == 1  # the program's linker looked for it, and nobody else


def test_an_arm64_python_sees_a_neoverse_n1(arm64: Emulator) -> None:
    code = "import platform; print(platform.machine(), open('/proc/cpuinfo').read())"
    ran = subprocess.run(arm64.command([str(arm64.python), "-I", "-S", "-c", code]), capture_output=True, text=True)
    assert ran.stdout.startswith("aarch64 "), ran.stderr
    assert ran.stdout.count("CPU part\t: 0xd0c") == os.cpu_count()
    assert "asimddp" in ran.stdout and "i8mm" not in ran.stdout


def test_the_root_says_nothing_of_sys(arm64: Emulator) -> None:
    """Whoever hides this machine's /sys hides it from the emulated program too."""
    assert not (arm64.root / "sys").exists()


class TestMissing:
    def test_qemu(self, tools: Tools) -> None:
        tools()
        assert find_emulator() == (
            "there is no qemu-aarch64 here to run arm64 programs: install it, `apt-get install qemu-user`"
        )

    def test_apt(self, tools: Tools) -> None:
        tools(qemu_aarch64_static="")
        assert "there is no apt-get here" in str(find_emulator())

    def test_the_keys_of_debians_archive(self, tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        tools(qemu_aarch64="", apt_get="", dpkg_deb="")
        monkeypatch.setattr(root, "KEYRING", tmp_path / "absent.gpg")
        assert "`apt-get install debian-archive-keyring`" in str(find_emulator())

    def test_a_mirror(self, tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        tools(qemu_aarch64="", apt_get="#!/bin/sh\necho http://mirror.example/ubuntu/\n", dpkg_deb="")
        monkeypatch.setattr(root, "KEYRING", Path(__file__))
        assert "apt's sources name no mirror of Debian" in str(find_emulator())

    def test_what_apt_says_is_handed_on_and_nothing_is_left(
        self, tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tools(qemu_aarch64="", apt_get=APT, dpkg_deb="")
        monkeypatch.setattr(root, "KEYRING", Path(__file__))
        said = str(find_emulator())
        assert said == "no arm64 Python was fetched: apt-get: E: The repository is not signed.; try again online"
        assert list((tmp_path / "cache/slimception/emulator").iterdir()) == []


def test_a_qemu_without_plugins_is_known(tmp_path: Path) -> None:
    assert not Emulator(Path(shutil.which("true") or "/bin/true"), tmp_path).takes_plugins
