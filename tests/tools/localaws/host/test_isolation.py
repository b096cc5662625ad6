"""A function sees its zip, its layers and Lambda's own packages: nothing else of this machine."""

import sys
from pathlib import Path

import pytest

from layers.pythons import own
from localaws.errors import BadPackage
from localaws.host.function import Archive
from localaws.host.layout import Trees
from tests.support.toys import run, toy, zip_of


def value(host, expression, **options):
    result = run(host, toy(**options), "eval", expression)
    assert result.function_error is None, result.log
    return result.json()


@pytest.mark.parametrize(
    ("where", "packages", "python"),
    [("sandboxed", "/var/runtime", "/var/lang/lib"), ("unconfined", "slimception/localaws", sys.base_prefix)],
)
def test_the_search_path_holds_function_layers_runtime_client_and_the_standard_library(
    request, where, packages, python
):
    path = value(request.getfixturevalue(where), "sys.path")
    standard = [entry for entry in path if entry.startswith(python)]
    assert not any("site-packages" in entry for entry in standard)
    task, versioned, layer, client, *_ = path
    assert task.endswith("/var/task")
    assert versioned.endswith(f"/opt/python/lib/{own().runtime}/site-packages")
    assert layer.endswith("/opt/python")
    assert packages in client
    assert sorted(path) == sorted([task, versioned, layer, client, *standard])


@pytest.mark.parametrize("package", ["pytest", "chalice", "moto", "chalicelib", "numpy"])
def test_packages_of_this_environment_are_not_there(host, package):
    assert value(host, f"__import__('importlib.util').util.find_spec({package!r}) is None")


def test_boto3_is_there_as_on_lambda(host):
    assert value(host, "__import__('importlib.util').util.find_spec('boto3') is not None")


def test_the_environment_is_lambdas_and_the_functions(host, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/developer")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("LD_PRELOAD_PATH", "/developer")
    options = {"name": "named", "memory_mb": 256, "environment": {"COLOUR": "grün", "_HANDLER": "mine"}}
    seen = value(host, "dict(os.environ)", **options)
    assert "/developer" not in str(seen)
    assert {name: seen[name] for name in ("COLOUR", "_HANDLER", "AWS_LAMBDA_FUNCTION_NAME", "TZ")} == {
        "COLOUR": "grün",
        "_HANDLER": "toy.handler",
        "AWS_LAMBDA_FUNCTION_NAME": "named",
        "TZ": ":UTC",
    }
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert seen["LAMBDA_TASK_ROOT"] == value(host, "os.getcwd()", **options)
    assert "AWS_PROFILE" not in seen
    assert set(seen) <= set(value(host, "dict(os.environ)", **options)) | {"COLOUR"}


def test_the_context(host):
    source = (
        "def handler(e, c): return [c.function_name, c.memory_limit_in_mb, c.invoked_function_arn, c.aws_request_id]"
    )
    function = toy(source, region="eu-west-1")
    result = run(host, function)
    assert result.json() == ["toy", "128", function.arn, result.request_id]


def test_layers_lie_over_one_another_in_their_order(host):
    layers = [
        Archive.of(zip_of({"python/both.py": "which = 'first'", "python/one.py": "", "data/a": "1"})),
        Archive.of(zip_of({"python/both.py": "which = 'second'", "models/m/model.json": "{}"})),
    ]
    assert value(host, "__import__('both').which", layers=tuple(layers)) == "second"
    assert value(host, "__import__('both').which", layers=tuple(reversed(layers))) == "first"
    models = "os.listdir(os.environ.get('MODEL_DIR', '/opt/models'))"
    assert value(host, models, layers=tuple(layers)) == ["m"]
    assert value(host, "__import__('one').__name__", layers=tuple(layers)) == "one"


def test_the_function_comes_before_its_layers(host):
    layer = Archive.of(zip_of({"python/toy.py": "raise RuntimeError"}))
    assert value(host, "1", layers=(layer,)) == 1


def test_executables_keep_their_mode_and_nothing_can_be_written(host):
    layer = Archive.of(zip_of({"bin/tool": "#!/bin/sh\necho works"}, executable=("bin/tool",)))
    assert value(host, "os.popen('tool').read()", layers=(layer,)) == "works\n"
    modes = "[oct(os.stat(p).st_mode & 0o777) for p in (os.getcwd(), 'toy.py')]"
    assert value(host, modes) == ["0o555", "0o444"]
    assert value(host, "os.path.exists('__pycache__')") is False


def test_temporary_files_are_the_instances_own(unconfined):
    place = Path(value(unconfined, "__import__('tempfile').gettempdir()"))
    assert place.parent == unconfined.folder


@pytest.mark.parametrize("data", [b"", b"not a zip", zip_of({"a": "b" * 1000})[:-30]])
def test_a_broken_zip_is_named(tmp_path, data):
    trees = Trees(tmp_path)
    with pytest.raises(BadPackage, match="the function's zip of toy cannot be unzipped"):
        trees.of(toy(code=Archive.of(data)))
    with pytest.raises(BadPackage, match="layer 2 of toy cannot be unzipped"):
        trees.of(toy(layers=(Archive.of(zip_of({})), Archive.of(data))))
    assert [path for path in tmp_path.iterdir() if not path.name.startswith(".")] == []


def test_code_and_layers_above_lambdas_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("localaws.host.layout.MAX_UNZIPPED_BYTES", 3000)
    Trees(tmp_path).of(toy(layers=(Archive.of(zip_of({"a": b"x" * 1000})),)))
    with pytest.raises(BadPackage, match="larger than Lambda's 3000 bytes"):
        Trees(tmp_path).of(toy(layers=(Archive.of(zip_of({"a": b"x" * 2500})),)))


def test_a_zip_cannot_write_outside_its_tree(tmp_path):
    tree = Trees(tmp_path / "trees").of(toy(code=Archive.of(zip_of({"../../../escaped": "x", "/absolute": "x"}))))
    assert sorted(path.name for path in tree.task.iterdir()) == ["absolute", "escaped"]
    assert not list(tmp_path.glob("escaped"))
