"""`vendor/` holds the function's bytecode, which is used as long as it fits the sources."""

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

from layers.build.vendor import vendor_bytecode
from layers.targets import local_target

APP = "print('first'.upper())\n"


def project(folder: Path) -> Path:
    (folder / "chalicelib" / "api").mkdir(parents=True)
    (folder / "app.py").write_text(APP)
    (folder / "chalicelib" / "__init__.py").write_text("")
    (folder / "chalicelib" / "api" / "page.html").write_text("<p>")
    return folder


def caches(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in (folder / "vendor").rglob("*.pyc"))


def test_every_module_of_the_function_has_bytecode_there(tmp_path: Path) -> None:
    said = vendor_bytecode(local_target(), project(tmp_path))
    tag = sys.implementation.cache_tag
    assert caches(tmp_path) == [
        f"vendor/__pycache__/app.{tag}.pyc",
        f"vendor/chalice/__pycache__/__init__.{tag}.pyc",
        f"vendor/chalice/__pycache__/app.{tag}.pyc",
        f"vendor/chalicelib/__pycache__/__init__.{tag}.pyc",
    ]
    assert "4 modules compiled" in said
    assert not list((tmp_path / "vendor").rglob("*.py"))


def test_what_was_compiled_before_goes_and_what_the_user_put_there_stays(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "vendor" / "mine").mkdir(parents=True)
    (tmp_path / "vendor" / "mine" / "data.txt").write_text("kept")
    (tmp_path / "vendor" / "__pycache__").mkdir()
    (tmp_path / "vendor" / "__pycache__" / "gone.cpython-312.pyc").write_text("old")
    vendor_bytecode(local_target(), tmp_path)
    assert (tmp_path / "vendor" / "mine" / "data.txt").read_text() == "kept"
    assert not (tmp_path / "vendor" / "__pycache__" / "gone.cpython-312.pyc").exists()


def test_a_source_that_changed_is_not_shadowed(tmp_path: Path) -> None:
    """As deployed: Chalice zips the sources, and `vendor/` over them."""
    vendor_bytecode(local_target(), project(tmp_path / "project"))
    source, deployed = tmp_path / "project", tmp_path / "deployed"
    with zipfile.ZipFile(tmp_path / "function.zip", "w") as archive:
        for path in (source / "vendor").rglob("*.pyc"):
            archive.write(path, path.relative_to(source / "vendor"))
        archive.writestr("app.py", APP)
    zipfile.ZipFile(tmp_path / "function.zip").extractall(deployed)
    cached = importlib.util.cache_from_source(str(deployed / "app.py"))
    assert Path(cached).is_file()
    assert _run(deployed) == ("FIRST", True)
    (deployed / "app.py").write_text(APP.replace("first", "second"))
    assert _run(deployed) == ("SECOND", False)


def _run(folder: Path) -> tuple[str, bool]:
    """What `app` prints, and whether Python took it from bytecode."""
    code = "import sys; sys.path.insert(0, '.'); import app"
    run = subprocess.run(
        [sys.executable, "-B", "-v", "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return run.stdout.strip(), "app.py" in run.stderr and "matches" in _about_app(run.stderr)


def _about_app(verbose: str) -> str:
    return "\n".join(line for line in verbose.splitlines() if "matches" in line and "app.py" in line)
