"""The package's own rules: imports point one way, and only some modules know moto."""

import pytest

from localaws.deploy import PROJECT
from tests.sources import imports_of

ORDER = ("errors", "function", "invocation", "layout", "interpreters", "packages", "environment", "logs",
         "process", "processor", "cgroup", "duty_cycle", "runtime_api", "instance", "pool", "host",
         "moto_lambda", "moto_queues", "moto_stacks", "moto_tables", "moto_state_machines", "moto_shims",
         "rest_event", "rest_api", "endpoint", "sqs_batch", "event_sources", "cloud", "notifications", "project",
         "deploy", "quickstart", "__main__")  # fmt: skip
"""Each may import what stands to its left."""
WITH_MOTO = {
    "moto_lambda",
    "moto_queues",
    "moto_stacks",
    "moto_state_machines",
    "moto_tables",
    "moto_shims",
    "rest_api",
    "endpoint",
}
MODULES = sorted(path for path in (PROJECT / "localaws").glob("*.py") if path.name != "__init__.py")


def test_every_module_has_its_place():
    assert {path.stem for path in MODULES} == set(ORDER)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports_point_one_way(path):
    own = {name.split(".")[1] for name in imports_of(path) if name.startswith("localaws.")}
    assert own <= set(ORDER[: ORDER.index(path.stem)])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_only_what_touches_moto_imports_it(path):
    roots = {name.split(".")[0] for name in imports_of(path)}
    assert "moto" not in roots or path.stem in WITH_MOTO
    assert not roots & {"chalicelib", "app", "convert", "tests"}
