"""The library, compiled for this machine: what it answers, and that everything else is as without it."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from layers.compiler import OPTIONS
from layers.cpulist import library
from layers.pythons import own
from layers.sandbox import bubblewrap
from layers.sandbox.view import View

POSSIBLE, PRESENT = "/sys/devices/system/cpu/possible", "/sys/devices/system/cpu/present"
RunHidden = Callable[..., str]


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    if not shutil.which("cc"):
        pytest.skip("no cc to compile the library with")
    path = tmp_path / "libcpulist.so"
    subprocess.run(["cc", *OPTIONS, "-o", path, library.SOURCE], check=True)
    return path


@pytest.fixture
def run_hidden(compiled: Path) -> RunHidden:
    """Run code in a process that has loaded the library and sees no /sys, but for the files that are given."""
    if reason := bubblewrap.why_not(own()):
        pytest.skip(reason)

    def run(code: str, **files: Path) -> str:
        shown = {f"/sys/devices/system/cpu/{name}": path for name, path in files.items()}
        view = View({**own().read_only, "/opt/libcpulist.so": compiled, **shown})
        program = [*own().sandboxed_command, "-I", "-S", "-c", f"import os\n{code}"]
        preloaded = ["--die-with-parent", "--setenv", "LD_PRELOAD", "/opt/libcpulist.so"]
        environment = {"LD_LIBRARY_PATH": "/var/lang/lib"}
        ran = subprocess.run(
            bubblewrap.command(view, program, preloaded), env=environment, capture_output=True, text=True
        )
        return (ran.stdout + ran.stderr).strip()

    return run


@pytest.mark.parametrize("path", [POSSIBLE, PRESENT])
@pytest.mark.parametrize(("allowed", "wanted"), [({0}, "0\n"), ({0, 1}, "0-1\n"), ({1}, "0-1\n")])
def test_it_lists_the_processors_that_the_process_may_use(
    run_hidden: RunHidden, path: str, allowed: set[int], wanted: str
) -> None:
    if not allowed <= os.sched_getaffinity(0):
        pytest.skip("this machine has one processor")
    assert run_hidden(f"os.sched_setaffinity(0, {allowed}); print(repr(open({path!r}).read()))") == repr(wanted)


def test_a_file_that_is_there_is_read(run_hidden: RunHidden, tmp_path: Path) -> None:
    (tmp_path / "possible").write_text("0-191\n")
    assert run_hidden(f"print(open({POSSIBLE!r}).read())", possible=tmp_path / "possible") == "0-191"


@pytest.mark.parametrize("path", ["/sys/devices/system/cpu/kernel_max", "/sys/devices/system/cpu", "/absent"])
def test_every_other_file_is_missing_as_before(run_hidden: RunHidden, path: str) -> None:
    assert run_hidden(f"open({path!r})").endswith(f"FileNotFoundError: [Errno 2] No such file or directory: {path!r}")


def test_nothing_is_written_to_a_list(run_hidden: RunHidden) -> None:
    assert "FileNotFoundError" in run_hidden(f"open({POSSIBLE!r}, 'w')")


def test_a_new_file_gets_the_mode_that_it_was_made_with(compiled: Path, tmp_path: Path) -> None:
    code = f"import os; os.umask(0); os.close(os.open({str(tmp_path / 'new')!r}, os.O_CREAT | os.O_WRONLY, 0o640))"
    environment = {**os.environ, "LD_PRELOAD": str(compiled)}
    subprocess.run([*own().command, "-I", "-S", "-c", code], env=environment, check=True)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("arch", "chosen", "loaded"),
    [
        ("arm64", "", "/opt/lib/libcpulist.so"),
        ("arm64", "/opt/lib/libjemalloc.so", "/opt/lib/libjemalloc.so:/opt/lib/libcpulist.so"),
        ("arm64", "/opt/lib/libcpulist.so", "/opt/lib/libcpulist.so"),
        ("x86_64", "", ""),
        ("x86_64", "/opt/lib/libcpulist.so", ""),
        ("x86_64", "/opt/lib/a.so:/opt/lib/libcpulist.so /opt/lib/b.so", "/opt/lib/a.so:/opt/lib/b.so"),
    ],
)
def test_what_the_user_loads_stays(arch: str, chosen: str, loaded: str) -> None:
    assert library.preload(arch, chosen) == loaded
