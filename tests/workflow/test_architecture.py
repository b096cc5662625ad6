"""The package's own rules: no circle of imports, nothing of AWS or of the edge, and importing the app costs little."""

import subprocess
import sys
from graphlib import TopologicalSorter

import pytest

from tests.conftest import ROOT
from tests.sources import imports_of

MODULES = sorted(path for path in (ROOT / "chalicelib" / "workflow").glob("*.py") if path.name != "__init__.py")
EDGE = {"web", "runtime", "canary", "page", "openapi"}


def test_no_imports_go_in_a_circle():
    names = {path.stem for path in MODULES}
    graph = {
        path.stem: {part for name in imports_of(path) if name.startswith("chalicelib.workflow.")
                    for part in name.split(".")[2:3]} & names
        for path in MODULES
    }  # fmt: skip
    assert len(list(TopologicalSorter(graph).static_order())) == len(names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_nothing_of_aws_or_of_the_edge(path):
    names = imports_of(path)
    assert not {name.split(".")[0] for name in names} & {"app", "boto3", "botocore", "chalice", "localaws", "layers"}
    assert not {name.split(".")[1] for name in names if name.startswith("chalicelib.")} & EDGE
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 220
    assert "environ" not in text and "getenv" not in text


def test_importing_the_app_imports_none_of_the_work():
    code = "import app, sys; print(*(name for name in sys.modules if name.startswith('chalicelib.workflow')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"chalicelib.workflow", "chalicelib.workflow.parts"}
