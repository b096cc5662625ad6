"""The rules that the design states, held by reading the source."""

import ast
import sys
from pathlib import Path

import pytest

from tests.sources import imports_of

ROOT = Path(__file__).parent.parent
ORDER = ("errors", "statuses", "pricing", "s3_url", "split", "config", "telemetry", "card", "registry", "images", "preprocessing", "engine",
         "classifier", "model_store", "contract", "parsing", "bodies", "customers", "metrics", "exchange", "ab_test",
         "page", "schemas", "openapi", "aws", "storage", "queues", "events", "batch", "workflow", "canary", "web",
         "runtime", "app")  # fmt: skip
"""Each may import what stands to its left."""
FORBIDDEN = {"convert", "layers", "localaws", "benchmarks", "tests", "tensorflow", "keras", "ai_edge_quantizer"}
THIRD_PARTY = {"numpy", "PIL", "chalice"}
SERVED = [ROOT / "app.py", *sorted(path for path in (ROOT / "chalicelib").glob("*.py") if path.name != "__init__.py")]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def own_imports(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports_of(path) if name.split(".")[0] == "chalicelib"}


class TestImports:
    def test_every_served_module_has_its_place(self):
        assert {path.stem for path in SERVED} == set(ORDER) - {"batch", "workflow"}

    @pytest.mark.parametrize("path", SERVED, ids=lambda path: path.stem)
    def test_they_point_one_way(self, path):
        allowed = set(ORDER[: ORDER.index(path.stem)])
        assert own_imports(path) <= allowed

    @pytest.mark.parametrize("path", SERVED, ids=lambda path: path.stem)
    def test_nothing_served_imports_what_is_not_deployed(self, path):
        assert not {name.split(".")[0] for name in imports_of(path)} & FORBIDDEN

    @pytest.mark.parametrize("path", SERVED, ids=lambda path: path.stem)
    def test_only_known_packages(self, path):
        roots = {name.split(".")[0] for name in imports_of(path)}
        aws = {"boto3", "botocore"} if path.stem == "aws" else set()
        assert roots <= set(sys.stdlib_module_names) | THIRD_PARTY | {"chalicelib"} | aws

    @pytest.mark.parametrize("path", SERVED, ids=lambda path: path.stem)
    def test_only_app_and_web_import_chalice(self, path):
        imported = any(name.split(".")[0] == "chalice" for name in imports_of(path))
        assert not imported or path.stem in ("app", "web")

    def test_app_imports_telemetry_before_anything_else(self):
        first = next(node for node in tree_of(ROOT / "app.py").body if isinstance(node, ast.ImportFrom | ast.Import))
        assert ast.unparse(first) == "from chalicelib import telemetry"


class TestEnvironment:
    @pytest.mark.parametrize("path", SERVED, ids=lambda path: path.stem)
    def test_only_config_reads_it(self, path):
        names = {node.attr for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute)}
        names |= {name.split(".")[-1] for name in imports_of(path)}
        assert not names & {"environ", "environb", "getenv"} or path.stem == "config"


class TestShape:
    def test_a_view_is_at_most_ten_lines(self):
        views = [node for node in tree_of(ROOT / "app.py").body if isinstance(node, ast.FunctionDef)]
        assert views
        for view in views:
            assert view.end_lineno - view.lineno < 10, view.name

    def test_app_does_no_arithmetic_of_its_own(self):
        assert not {name.split(".")[0] for name in imports_of(ROOT / "app.py")} & {"numpy", "PIL", "boto3"}

    @pytest.mark.parametrize("path", SERVED, ids=lambda path: path.stem)
    def test_files_stay_small(self, path):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 220
