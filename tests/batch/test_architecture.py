"""The package's own rules: imports point one way, and nothing of the command line is imported on Lambda."""

import pytest

from tests.batch.conftest import ROOT
from tests.sources import imports_of

SERVED = ("record", "answer", "cost", "table", "finish", "listing", "worker", "service", "parts")
COMMAND_LINE = ("files", "job", "child", "processes", "folder", "progress", "remote", "__main__")
ORDER = (*SERVED, *COMMAND_LINE)
"""Each may import what stands to its left."""
MODULES = sorted(path for path in (ROOT / "chalicelib" / "batch").glob("*.py") if path.name != "__init__.py")


def test_every_module_has_its_place():
    assert {path.stem for path in MODULES} == set(ORDER)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports_point_one_way(path):
    parts = [name.split(".") for name in imports_of(path) if name.startswith("chalicelib.batch.")]
    assert {part[2] for part in parts} <= set(ORDER[: ORDER.index(path.stem)])
    roots = {name.split(".")[0] for name in imports_of(path)}
    assert not roots & {"app", "boto3", "botocore", "chalice", "localaws", "layers", "tests"}
    assert not {name.split(".")[1] for name in imports_of(path) if name.startswith("chalicelib.")} & {"web", "runtime"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_files_stay_small_and_leave_the_environment_to_settings(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 220
    assert "environ" not in text and "getenv" not in text
