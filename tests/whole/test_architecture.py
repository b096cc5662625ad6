"""The rules of the design, held by reading the source."""

import ast
import keyword
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.sources import TREES, imports_of, module_of, modules

MODULES = modules()
SERVED = sorted(name for name in MODULES if name == "app" or name.startswith("chalicelib."))

GROUND = {"errors", "split", "config", "telemetry", "statuses", "strict_json", "pricing"}
"""Modules at the root of chalicelib that every other module may use."""
MAY_USE = {
    "ground": set(),
    "inference": {"ground", "inference.containers"},
    "inference.containers": {"ground"},
    "aws": {"ground"},
    "workflow.report": {"ground"},
    "batch": {"ground", "inference", "aws"},
    "batch.cli": {"ground", "inference", "aws", "batch"},
    "client": {"ground", "inference", "batch.cli"},
    "workflow": {"ground", "inference", "aws", "workflow.report"},
    "lex": {"ground", "inference", "aws"},
    "api": {"ground", "inference", "aws", "batch", "api.fronts"},
    "api.fronts": {"ground"},
    "delivery": {"ground", "inference", "aws"},
    "runtime": {"ground", "inference", "delivery", "batch", "workflow", "lex", "api"},
    "app": {"ground", "inference", "batch", "api", "runtime"},
    "convert.digits": {"convert", "convert.contract", "convert.opening"},
    "convert.contract": {"ground", "inference", "convert"},
    "convert.opening": {"ground", "inference", "convert", "convert.contract", "convert.digits"},
    "convert.sizes": {"ground", "inference", "convert", "convert.opening"},
    "convert": {"ground", "inference", "convert.contract", "convert.opening", "convert.sizes"},
    "layers": set(),
    "layers.emulator": {"layers"},
    "layers.sandbox": {"layers"},
    "layers.cpulist": {"layers"},
    "layers.blas": {"layers"},
    "layers.build": {"ground", "inference", "layers", "layers.blas", "layers.cpulist"},
    "layers.check": {
        "ground",
        "inference",
        "app",
        "api",
        "layers",
        "layers.build",
        "layers.cpulist",
        "layers.emulator",
        "layers.sandbox",
    },
    "layers.deploy": {"layers", "layers.build", "layers.check", "layers.cpulist"},
    "localaws": set(),
    "localaws.processor": {"layers", "localaws"},
    "localaws.host": {"layers", "layers.emulator", "layers.sandbox", "localaws", "localaws.processor"},
    "localaws.access": {"localaws", "localaws.host"},
    "localaws.shims": {"localaws", "localaws.host", "localaws.access"},
    "localaws.cloud": {"localaws", "localaws.host", "localaws.access", "localaws.shims"},
    "localaws.deploy": {"layers", "localaws", "localaws.host", "localaws.cloud"},
}
"""Package to the packages that its modules may import. Within a package the only rule is: no circle."""
ENTRIES = {"chalicelib.batch.__main__", "layers.__main__", "localaws.__main__"}
"""Command lines, which may use all of their own tree."""
LOADED_BY_APP = {
    "chalicelib", "chalicelib.errors", "chalicelib.split", "chalicelib.config", "chalicelib.telemetry",
    "chalicelib.statuses", "chalicelib.strict_json", "chalicelib.pricing", "chalicelib.runtime",
    "chalicelib.inference", "chalicelib.inference.card", "chalicelib.inference.classifier",
    "chalicelib.inference.engine", "chalicelib.inference.formats", "chalicelib.inference.images",
    "chalicelib.inference.pillow",
    "chalicelib.inference.preprocessing", "chalicelib.inference.registry", "chalicelib.inference.store",
    "chalicelib.aws", "chalicelib.aws.urls",
    "chalicelib.batch", "chalicelib.batch.wiring",
    "chalicelib.workflow", "chalicelib.workflow.wiring",
    "chalicelib.api", "chalicelib.api.ab_test", "chalicelib.api.base64_text", "chalicelib.api.bodies",
    "chalicelib.api.contract",
    "chalicelib.api.customers", "chalicelib.api.exchange", "chalicelib.api.forms", "chalicelib.api.metrics",
    "chalicelib.api.parsing", "chalicelib.api.picture_json",
    "chalicelib.api.predictor", "chalicelib.api.record", "chalicelib.api.views",
    "chalicelib.api.fronted", "chalicelib.api.fronts", "chalicelib.api.fronts.door", "chalicelib.api.fronts.events",
    "chalicelib.api.fronts.alb", "chalicelib.api.fronts.format_1", "chalicelib.api.fronts.format_2",
}  # fmt: skip
"""Every cold start pays for these. A new one must earn its time. None makes a dataclass, which takes a millisecond."""
HEAVY = {"boto3", "botocore", "tensorflow", "ai_edge_litert", "tflite_runtime", "concurrent.futures", "urllib.request"}
NOT_DEPLOYED = {"convert", "layers", "localaws", "benchmarks", "tests", "tensorflow", "keras", "ai_edge_quantizer"}
ONLY = {"chalice": {"app", "chalicelib.api.fronted", "chalicelib.api.views"}, "boto3": {"chalicelib.aws.clients"}}
THIRD_PARTY = {"numpy", "PIL", "pybase64", "pyspng", "zlib_ng", "chalice", "boto3", "botocore", "urllib3"}


def package_of(module: str) -> str:
    """A row of `MAY_USE`."""
    parts = module.removeprefix("chalicelib.").split(".")
    if module.startswith("chalicelib.") and len(parts) == 1:
        return "ground" if parts[0] in GROUND else "runtime"
    return parts[0] if len(parts) == 1 else ".".join(parts[:-1])


def uses(module: str) -> set[str]:
    """The modules of the product that a module imports."""
    return {found for name in imports_of(MODULES[module]) if (found := module_of(name, MODULES))}


def outside(module: str) -> set[str]:
    """The top-level names of everything that a module imports."""
    return {name.split(".")[0] for name in imports_of(MODULES[module])}


def breaks(module: str, used: set[str]) -> set[str]:
    """Those of the used modules that the table does not allow to `module`."""
    own = package_of(module)
    if module in ENTRIES or own.startswith("benchmarks"):  # they may use everything
        return set()
    return {other for other in used if package_of(other) not in MAY_USE[own] | {own}}


def is_module(name: str, folder: Path) -> bool:
    """Whether a dotted name, or what it is taken from, is a module or a package below a folder."""
    paths = [folder.joinpath(*part.split(".")) for part in (name, name.rpartition(".")[0]) if part]
    return any(path.with_suffix(".py").is_file() or (path / "__init__.py").is_file() for path in paths)


def is_file_name(name: str) -> bool:
    return name.rpartition(".")[2] in {"json", "jsonl", "html", "txt", "tflite", "py"}


def is_of_others(name: str) -> bool:
    """Whether it is a word of Python or a package of others: one that is imported, or started as a command."""
    first = name.split(".")[0]
    imported = first not in TREES and any(first in outside(module) for module in MODULES)
    return imported or keyword.iskeyword(name) or first == "awslambdaric"


class TestPackages:
    def test_every_module_has_a_row(self):
        rows = {package_of(name) for name in MODULES if not name.startswith("benchmarks.")}
        assert rows == set(MAY_USE)

    @pytest.mark.parametrize("module", sorted(MODULES))
    def test_a_package_uses_only_what_its_row_allows(self, module):
        assert breaks(module, uses(module)) == set()

    def test_no_circles(self):
        graph = {module: uses(module) - {module} for module in MODULES}
        assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)

    @pytest.mark.parametrize(
        ("module", "used"),
        [
            ("chalicelib.inference.images", "chalicelib.aws.s3"),
            ("chalicelib.workflow.plan", "chalicelib.batch.record"),
            ("chalicelib.batch.worker", "chalicelib.api.exchange"),
            ("chalicelib.batch.table", "chalicelib.batch.cli.files"),
            ("chalicelib.telemetry", "chalicelib.inference.card"),
            ("layers.build.wheels", "layers.deploy.stack"),
            ("localaws.host.pool", "localaws.cloud.endpoint"),
            ("convert.graph", "layers.targets"),
            ("chalicelib.api.page", "convert.graph"),
            ("convert.digits.source", "chalicelib.config"),
            ("convert.verify", "chalicelib.aws.s3"),
        ],
    )
    def test_the_rule_refuses(self, module, used):
        assert breaks(module, {used}) == {used}

    def test_the_root_of_chalicelib_is_small(self):
        assert {path.stem for path in (ROOT / "chalicelib").glob("*.py")} <= GROUND | {"__init__", "runtime", "canary"}


@pytest.fixture(scope="module")
def loaded() -> list[str]:
    """The modules that importing the app loads, in their order."""
    code = "import app, sys; print(*sys.modules)"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()


class TestWhatIsServed:
    @pytest.mark.parametrize("module", SERVED)
    def test_it_imports_nothing_that_is_not_deployed_and_only_known_packages(self, module):
        assert not outside(module) & NOT_DEPLOYED
        known = set(sys.stdlib_module_names) | THIRD_PARTY | {"chalicelib"}
        assert outside(module) - known <= ({"tqdm"} if module == "chalicelib.batch.cli.progress" else set())

    @pytest.mark.parametrize("package", ONLY)
    def test_only_these_modules_import_it(self, package):
        assert {module for module in SERVED if package in outside(module)} <= ONLY[package]

    @pytest.mark.parametrize("module", SERVED)
    def test_only_config_reads_the_environment(self, module):
        tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names |= {name.split(".")[-1] for name in imports_of(MODULES[module])}
        assert not names & {"environ", "environb", "getenv"} or module == "chalicelib.config"

    def test_importing_the_app_loads_exactly_these_modules(self, loaded):
        assert {name for name in loaded if name.split(".")[0] == "chalicelib"} == LOADED_BY_APP
        assert {*loaded} & HEAVY == set()

    def test_importing_the_app_loads_one_reader_of_pictures(self, loaded):
        assert [name for name in loaded if name.endswith("ImagePlugin")] == ["PIL.JpegImagePlugin"]

    def test_the_app_imports_numpy_itself(self, loaded):
        """Imported by a module that other modules import, numpy would lie at the end of CPython's stack chunk."""
        assert loaded.index("numpy") < loaded.index("chalicelib.runtime")

    @pytest.mark.parametrize("module", sorted(LOADED_BY_APP & {*MODULES}))
    def test_no_cold_start_makes_a_dataclass(self, module):
        assert "dataclasses" not in outside(module)

    def test_app_imports_telemetry_before_anything_else(self):
        body = ast.parse((ROOT / "app.py").read_text(encoding="utf-8")).body
        first = next(node for node in body if isinstance(node, ast.ImportFrom | ast.Import))
        assert ast.unparse(first) == "from chalicelib import telemetry"


FROZEN = "convert.contract.frozen"
"""The one module of the contract that reads functions of TensorFlow."""


class TestTools:
    @pytest.mark.parametrize("module", sorted(name for name in MODULES if name.startswith("localaws.")))
    def test_only_shims_and_cloud_import_moto_and_none_the_app(self, module):
        assert "moto" not in outside(module) or package_of(module) in ("localaws.shims", "localaws.cloud")
        assert not outside(module) & {"chalicelib", "app", "convert", "tests"}

    @pytest.mark.parametrize("module", sorted(name for name in MODULES if name.startswith("convert.")))
    def test_only_opening_knows_the_digits_and_only_these_tensorflow(self, module):
        digits = {used for used in uses(module) if package_of(used) == "convert.digits"}
        assert not digits or module == "convert.opening.opened" or package_of(module) == "convert.digits"
        with_tensorflow = package_of(module) in ("convert.opening", "convert.digits") or module == FROZEN
        assert not outside(module) & {"tensorflow", "keras", "tf_keras"} or with_tensorflow

    def test_what_the_target_python_runs_imports_nothing_of_layers(self):
        for module in ("layers.build.compile_script", "layers.check.first_answer", "layers.sandbox.start"):
            assert "layers" not in outside(module)


class TestShape:
    def test_a_view_is_at_most_ten_lines(self):
        body = ast.parse((ROOT / "app.py").read_text(encoding="utf-8")).body
        views = [node for node in body if isinstance(node, ast.FunctionDef)]
        assert views
        for view in views:
            assert view.end_lineno - view.lineno < 10, view.name

    @pytest.mark.parametrize("module", sorted(MODULES))
    def test_files_stay_small(self, module):
        assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= 225

    def test_every_module_that_a_package_names_exists(self):
        """In backticks: a lower-case name, with dots or not, of this package or from the project's root.

        Not a file (`model.json`), and not a package of others that the product imports (`moto`).
        """
        missing = []
        for package in (path.parent for tree in TREES for path in (ROOT / tree).rglob("__init__.py")):
            text = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""
            for name in re.findall(r"`([a-z]\w*(?:\.\w+)*)`", text):
                exists = is_module(name, package) or is_module(name, ROOT)
                if not (exists or is_file_name(name) or is_of_others(name)):
                    missing.append(f"{package.relative_to(ROOT)}: {name}")
        assert not missing, ", ".join(missing)

    def test_every_package_says_what_it_is_and_nothing_else(self):
        """An import there would escape the rules above, which do not read these files."""
        for tree in TREES:
            for path in (ROOT / tree).rglob("__init__.py"):
                module = ast.parse(path.read_text(encoding="utf-8"))
                assert ast.get_docstring(module) and len(module.body) == 1, path.relative_to(ROOT)
