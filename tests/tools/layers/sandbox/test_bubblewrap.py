"""Whether a sandbox can be had is tried; what it lacks is named."""

import sys
from pathlib import Path

import pytest

from layers.pythons import Interpreter, ask, own
from layers.sandbox.bubblewrap import why_not

tried = why_not.__wrapped__


@pytest.fixture
def needs_sandbox():
    if reason := why_not(own()):
        pytest.skip(reason)


@pytest.fixture
def other_bwrap(tmp_path, monkeypatch):
    """A program of that name, in the place of bubblewrap's."""

    def install(script):
        (tmp_path / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bwrap").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return install


def test_bubblewrap_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install the package bubblewrap" in tried(own())


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'bwrap: Unknown option --size' >&2; exit 1", "Unknown option --size"),
        ("echo 'one'; echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1", "uid map: Permission denied"),
        ("exit 3", "exit code 3"),
    ],
)
def test_it_cannot_start(other_bwrap, script, reason):
    other_bwrap(script)
    assert reason in tried(own())
    assert "user namespaces" in tried(own())


def test_it_starts(other_bwrap):
    other_bwrap("")
    assert tried(own()) is None


@pytest.mark.parametrize("folder", ["", "me"])
def test_a_python_that_would_show_the_home_folder(folder, needs_sandbox, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert "would show the home folder" in tried(Interpreter(tmp_path / folder / "bin" / "python3", "3.13"))


def test_a_python_that_does_not_start_there(tmp_path, needs_sandbox):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text("#!/nowhere\n")
    (tmp_path / "bin" / "python3").chmod(0o755)
    assert "cannot be started here" in tried(Interpreter(tmp_path / "bin" / "python3", "3.13"))


def test_it_is_tried_once(other_bwrap, tmp_path):
    other_bwrap(f"echo x >> {tmp_path / 'count'}; exit 1")
    python = Interpreter(tmp_path / "once" / "bin" / "python3", "3.13")
    assert why_not(python) == why_not(python)
    assert (tmp_path / "count").read_text() == "x\n"


class TestInterpreter:
    def test_a_python_is_shown_where_lambda_has_it(self, tmp_path):
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "python3.13").touch()
        (tmp_path / "python").symlink_to("bin/python3.13")
        python = Interpreter(tmp_path / "python", "3.13")
        assert python.command == (str(tmp_path / "python"),)
        assert python.read_only == {"/var/lang": tmp_path}
        assert python.sandboxed_command == ("/var/lang/bin/python3.13",)

    @pytest.mark.parametrize("path", ["/usr/bin/python3", sys.executable])
    def test_the_systems_and_a_virtual_environments_start_there(self, path, needs_sandbox):
        python = ask(Path(path))
        if python is None:
            pytest.skip(f"{path} is missing")
        assert tried(python) is None
