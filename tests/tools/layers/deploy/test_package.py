"""`package`: the template, its parts, and the function as it would be uploaded."""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layers.deploy.layer_set import Layer
from layers.deploy.template import call_through_alias, merge_template
from layers.errors import PackageError
from tests.support.paths import ROOT
from tests.support.templates import Template, expanded
from tests.support.wheelhouse import write_zip
from tests.tools.layers.conftest import ARM64, X86_64, Outcome

Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def packaged(runtime_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `package` fills for dev, with the real layer for x86_64, which runs here, and two models."""
    from layers.__main__ import main

    folder = tmp_path_factory.mktemp("package")
    for name in ("a", "b"):
        shutil.copytree(ROOT / "chalicelib/models/digits", folder / "models" / name)
        files = {f"models/{name}/{f.name}": f.read_bytes() for f in (folder / "models" / name).iterdir()}
        write_zip(folder / f"layers/model-{name}.zip", files)
    shutil.copy(runtime_zip, folder / "layers")
    project = folder / "project"
    ignored = shutil.ignore_patterns("deploy*", "__pycache__")
    for name in (".chalice", "chalicelib"):
        shutil.copytree(ROOT / name, project / name, ignore=ignored)
    for name in ("app.py", "requirements.txt"):
        shutil.copy(ROOT / name, project)
    options = ["--stage", "dev", "--out", folder / "layers", "--project", project, "--package", folder / "out"]
    assert main(["package", "--arch", "x86_64", *map(str, options)]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def template(packaged: Path) -> Template:
    parsed: Template = json.loads((packaged / "sam.json").read_text())
    return parsed


@pytest.fixture(scope="module")
def function(template: Template) -> Template:
    properties: Template = template["Resources"]["APIHandler"]["Properties"]
    return properties


def test_everything_that_the_template_names_lies_next_to_it(packaged: Path, template: Template) -> None:
    properties = [resource.get("Properties", {}) for resource in template["Resources"].values()]
    named = [p[key] for p in properties for key in ("CodeUri", "ContentUri") if key in p]
    assert sorted(set(named)) == sorted(
        ["./deployment.zip", "./runtime-py313-x86_64.zip", "./model-a.zip", "./model-b.zip"]
    )
    assert {p.name for p in packaged.iterdir()} == {"sam.json", *(name.removeprefix("./") for name in named)}


def test_the_function_is_lambdas_not_the_builders(function: Template) -> None:
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["x86_64"]
    assert (function["MemorySize"], function["Timeout"]) == (1769, 30)
    assert function["EphemeralStorage"] == {"Size": {"Ref": "TmpMegabytes"}}
    assert function["Environment"]["Variables"]["BATCH_PREFIX"] == "slimception-dev"


def test_every_function_is_equipped_as_the_api(template: Template, function: Template) -> None:
    functions = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::Serverless::Function"]
    names = ("app", "worker", "lister", "intake", "lex", "plan", "classify", "report")
    assert {f["Handler"] for f in functions} == {f"app.{name}" for name in names}
    for key in ("Runtime", "Architectures", "Layers"):
        assert [f[key] for f in functions] == [function[key]] * len(names)


def test_the_worker_hands_back_single_messages(template: Template) -> None:
    mappings = [
        r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::EventSourceMapping"
    ]
    (source,) = [one for one in mappings if "Worker" in str(one["FunctionName"])]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "MaximumConcurrency"}}


def test_the_runtime_comes_first_among_the_layers(template: Template, function: Template) -> None:
    layers = [template["Resources"][layer["Ref"]]["Properties"] for layer in function["Layers"]]
    assert [layer["LayerName"] for layer in layers] == [
        "slimception-runtime-py313-x86_64",
        "slimception-model-a",
        "slimception-model-b",
    ]
    assert layers[0]["CompatibleRuntimes"] == ["python3.13"]
    assert "CompatibleRuntimes" not in layers[1]


def test_snapstart_is_a_switch_and_the_api_calls_the_published_version(template: Template, function: Template) -> None:
    assert template["Parameters"]["SnapStart"]["AllowedValues"] == ["None", "PublishedVersions"]
    assert function["SnapStart"] == {"ApplyOn": {"Ref": "SnapStart"}}
    assert function["AutoPublishAlias"] == "live"
    assert function["Environment"]["Variables"]["WARM_IN_INIT"] == {"Fn::If": ["WithSnapStart", "true", "false"]}
    body = json.dumps(template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"])
    assert "functions/${APIHandlerAliaslive}/invocations" in body
    assert "APIHandler.Arn" not in body
    permission = template["Resources"]["APIHandlerInvokePermission"]["Properties"]
    assert permission["FunctionName"] == {"Ref": "APIHandlerAliaslive"}


def test_the_endpoint_is_regional(template: Template) -> None:
    assert template["Resources"]["RestAPI"]["Properties"]["EndpointConfiguration"] == "REGIONAL"


def test_the_function_carries_bytecode_and_no_caches_of_the_builder(packaged: Path) -> None:
    with zipfile.ZipFile(packaged / "deployment.zip") as archive:
        names = set(archive.namelist())
    sources = {name for name in names if name.endswith(".py")}
    assert {"app.py", "chalice/app.py", "chalicelib/api/views.py"} <= sources
    tags = {name.split(".")[-2] for name in names if name.endswith(".pyc")}
    assert tags <= {"cpython-313"}
    if tags:
        assert len([name for name in names if name.endswith(".pyc")]) == len(sources)


def test_sam_itself_accepts_the_template(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = expanded(template, monkeypatch)
    alias = resources["APIHandlerAliaslive"]
    assert alias["Type"] == "AWS::Lambda::Alias"
    [version] = [name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::Version"]
    assert alias["Properties"]["FunctionVersion"] == {"Fn::GetAtt": [version, "Version"]}


def test_another_model_publishes_another_version(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the alias would go on serving the layers of the first deployment."""
    changed = json.loads(json.dumps(template).replace("ModelB", "ModelC"))
    one, two = (
        {n for n, resource in expanded(t, monkeypatch).items() if resource["Type"] == "AWS::Lambda::Version"}
        for t in (template, changed)
    )
    assert one.isdisjoint(two)


def test_a_layers_logical_id_names_its_content(project: Path, tmp_path: Path) -> None:
    def ids(content: bytes) -> set[str]:
        layer = Layer("slimception-model-x", write_zip(tmp_path / "model-x.zip", {"models/x/labels.txt": content}))
        merged = merge_template(project / ".chalice/resources.json", ARM64, [layer])
        assert merged["Resources"]["APIHandler"]["Properties"]["Architectures"] == ["arm64"]
        return {name for name in merged["Resources"] if name.startswith("ModelX")}

    assert len(ids(b"red")) == 1
    assert ids(b"red") == ids(b"red")
    assert ids(b"red").isdisjoint(ids(b"blue"))


@pytest.mark.parametrize("content", ["", "{", '{"Resources": '])
def test_resources_that_are_no_json_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "resources.json").write_text(content)
    with pytest.raises(PackageError, match="cannot be read as JSON"):
        merge_template(tmp_path / "resources.json", X86_64, [])


def test_another_chalices_template_is_refused() -> None:
    with pytest.raises(PackageError, match=r"is this Chalice 1\.34\?"):
        call_through_alias({"Resources": {}})


@pytest.fixture
def broken_project(project: Path, tmp_path: Path) -> Iterator[Path]:
    write_zip(tmp_path / "layers/runtime-py313-arm64.zip", {"lib/libcpulist.so": b"", "python/tiny.py": b""})
    (project / "app.py").write_text(
        "from chalice import Chalice\napp = Chalice(app_name='slimception')\n@app.route('/')\ndef view(): ...\n"
    )
    (project / "requirements.txt").write_text("")
    yield project


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (
            lambda project: (project / "app.py").write_text("import absent\n"),
            "chalice package fails: ModuleNotFoundError: No module named 'absent'; mend .chalice/ or app.py",
        ),
        (
            lambda project: (project / ".chalice/policies/api_handler.json").unlink(),
            "policies/dev/api_handler.json cannot be written from ",
        ),
        (lambda project: (project / ".chalice/resources.json").unlink(), "resources.json cannot be read as JSON"),
    ],
)
def test_a_package_that_fails_is_one_line_and_leaves_the_last_one(
    broken_project: Path, tmp_path: Path, run: Run, break_it: Callable[[Path], Any], message: str
) -> None:
    break_it(broken_project)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sam.json").write_text("the last one")
    outcome = run("package", "--out", tmp_path / "layers", "--project", broken_project, "--package", tmp_path / "out")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert message in outcome.err
    assert (tmp_path / "out/sam.json").read_text() == "the last one"
