"""The Python for a function's runtime, and Lambda's own packages for it."""

import stat
import sys
from pathlib import Path

import pytest

from layers.pythons import Interpreter, own
from localaws.errors import PackagesMissing, PythonMissing
from localaws.host import interpreters, packages


def test_our_own_version_is_ours_without_its_virtual_environment():
    found = interpreters.find(own().runtime)
    assert found == own()
    assert not found.path.is_relative_to(sys.prefix) or sys.prefix == sys.base_prefix


def test_a_path_is_asked_what_it_is():
    assert interpreters.find(sys.executable).version == own().version


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 1", "#!/bin/sh\necho", "no script"])
def test_what_is_no_python_that_starts(tmp_path, script):
    """Like pyenv's shims for a version that is not selected."""
    shim = tmp_path / "python3.99"
    shim.write_text(script)
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(PythonMissing, match="is not a Python that starts"):
        interpreters.find(str(shim))


def test_a_version_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    with pytest.raises(PythonMissing, match=r"no Python 3\.99 is installed here.*`uv python install 3\.99`"):
        interpreters.find("python3.99")


def test_the_default_python_of_the_layers_comes_first(monkeypatch):
    assert interpreters.PREFERRED == ("3.13", "3.14", "3.12")
    installed = {version: Interpreter(Path(version), version) for version in ("3.12", "3.14")}
    monkeypatch.setattr(interpreters, "find_python", installed.get)
    assert interpreters.preferred() == installed["3.14"]
    monkeypatch.setattr(interpreters, "find_python", {}.get)
    assert interpreters.preferred() == own()


def test_packages_that_cannot_be_installed_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    absent = tmp_path / "absent.txt"
    absent.write_text(f"no-such==1 --hash=sha256:{64 * '0'}\n")
    with pytest.raises(PackagesMissing, match=r"cannot install absent.txt for Python 3\.\d+: .*no-such"):
        packages.install(own(), absent)
    assert list((tmp_path / "cache" / "slimception" / "localaws").iterdir()) == []


def test_installed_packages_are_found_again_without_an_index(runtime_packages, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert (packages.install(own()) / "awslambdaric").is_dir()
