"""The Python for a function's runtime, and Lambda's own packages for it."""

import stat
import sys
from pathlib import Path

import pytest

from localaws.errors import PackagesMissing, PythonMissing
from localaws.host import interpreters, packages
from localaws.host.interpreters import Interpreter


def test_our_own_version_is_ours_without_its_virtual_environment():
    found = interpreters.find(interpreters.own().runtime)
    assert found == interpreters.own()
    assert not found.path.is_relative_to(sys.prefix) or sys.prefix == sys.base_prefix


def test_a_path_is_asked_what_it_is():
    assert interpreters.find(sys.executable).version == interpreters.own().version


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 1", "#!/bin/sh\necho", "no script"])
def test_what_is_no_python_that_starts(tmp_path, script):
    """Like pyenv's shims for a version that is not selected."""
    shim = tmp_path / "python3.99"
    shim.write_text(script)
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(PythonMissing, match="is not a Python that starts"):
        interpreters.find(str(shim))


def test_a_version_is_found_behind_a_shim_that_does_not_start(tmp_path, monkeypatch):
    """`python3.99` first on the path fails; pyenv's folder has one that answers."""
    places = {"shims/python3.99": "exit 1", "versions/3.99.1/bin/python3.99": "echo 3.99 /real/python"}
    for name, line in places.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert interpreters.find("python3.99") == Interpreter(Path("/real/python"), "3.99")


def test_packages_that_cannot_be_installed_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(PackagesMissing, match=r"cannot install no-such==1 for Python 3\.\d+: .*no-such"):
        packages.install(interpreters.own(), ["no-such==1"])
    assert list((tmp_path / "cache" / "slimception" / "localaws").iterdir()) == []


def test_installed_packages_are_found_again_without_an_index(runtime_packages, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert (packages.install(interpreters.own()) / "awslambdaric").is_dir()
