"""LD_PRELOAD follows the processor: in the stage that `chalice deploy` reads, and in the packaged template."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chalice.config import Config

from layers.deploy.layer_set import layers_for
from layers.deploy.stages import CONFIG, write_layers
from layers.deploy.template import equip_functions
from layers.errors import ContentsError
from tests.support.wheelhouse import write_zip
from tests.tools.layers.conftest import ARM64, X86_64, Outcome

LIBRARY, MINE = "/opt/lib/libcpulist.so", "/opt/lib/libjemalloc.so"
FUNCTIONS = (None, "api_handler", "worker", "lister", "intake", "lex", "plan", "classify", "report")
Edit = Callable[[dict[str, Any]], None]
Stages = Callable[[], dict[str, dict[str, Any]]]


def loaded(project: Path, stage: str = "dev") -> dict[str | None, str | None]:
    """LD_PRELOAD of each function as Chalice deploys it."""
    config = json.loads((project / CONFIG).read_text())
    config.setdefault("environment_variables", {})["OWN"] = "1"
    variables = {name: Config(stage, name, {}, config).environment_variables for name in FUNCTIONS}
    assert all(found["OWN"] == "1" for found in variables.values())
    return {name: found.get("LD_PRELOAD") for name, found in variables.items()}


def edit(project: Path, change: Edit) -> dict[str, Any]:
    config = json.loads((project / CONFIG).read_text())
    change(config)
    (project / CONFIG).write_text(json.dumps(config))
    edited: dict[str, Any] = config
    return edited


def test_every_function_of_an_arm64_stage_loads_the_library(project: Path) -> None:
    write_layers(project, "dev", ["arn"], "arm64")
    assert loaded(project) == dict.fromkeys(FUNCTIONS, LIBRARY)
    assert loaded(project, "prod") == dict.fromkeys(FUNCTIONS, None)


def test_a_stage_that_goes_back_is_as_it_was(project: Path) -> None:
    write_layers(project, "dev", ["arn"], "x86_64")
    before = json.loads((project / CONFIG).read_text())
    assert write_layers(project, "dev", ["arn"], "arm64")
    assert not write_layers(project, "dev", ["arn"], "arm64")
    assert write_layers(project, "dev", ["arn"], "x86_64")
    assert json.loads((project / CONFIG).read_text()) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(environment_variables={"LD_PRELOAD": MINE}),
        lambda config: config["stages"]["dev"]["environment_variables"].update(LD_PRELOAD=MINE),
        lambda config: config["stages"]["dev"].pop("environment_variables"),
        lambda config: config["stages"]["dev"].pop("lambda_functions"),
        lambda config: config["stages"]["dev"]["lambda_functions"]["plan"].update(
            environment_variables={"LD_PRELOAD": MINE}
        ),
    ],
    ids=["all stages", "the stage", "a stage without variables", "a stage without functions", "one function"],
)
def test_what_the_user_loads_is_kept_there_and_back(project: Path, stages: Stages, change: Edit) -> None:
    edited = edit(project, change)["stages"]["dev"]
    write_layers(project, "dev", ["arn"], "x86_64")
    assert stages()["dev"] == {**edited, "layers": ["arn"], "lambda_architecture": "x86_64"}
    before, own = json.loads((project / CONFIG).read_text()), loaded(project)
    write_layers(project, "dev", ["arn"], "arm64")
    assert loaded(project) == {name: f"{mine}:{LIBRARY}" if mine else LIBRARY for name, mine in own.items()}
    write_layers(project, "dev", ["arn"], "x86_64")
    assert json.loads((project / CONFIG).read_text()) == before


def function(arch: str, **variables: str) -> dict[str, Any]:
    properties = {"Runtime": "python3.13", "Architectures": [arch], "Layers": []}
    return {
        "Type": "AWS::Serverless::Function",
        "Properties": properties | ({"Environment": {"Variables": variables}} if variables else {}),
    }


@pytest.mark.parametrize(
    ("arch", "given", "wanted"),
    [
        ("arm64", {}, {"LD_PRELOAD": LIBRARY}),
        ("arm64", {"A": "1", "LD_PRELOAD": MINE}, {"A": "1", "LD_PRELOAD": f"{MINE}:{LIBRARY}"}),
        ("arm64", {"LD_PRELOAD": LIBRARY}, {"LD_PRELOAD": LIBRARY}),
        ("x86_64", {"A": "1", "LD_PRELOAD": f"{MINE}:{LIBRARY}"}, {"A": "1", "LD_PRELOAD": MINE}),
        ("x86_64", {"A": "1", "LD_PRELOAD": LIBRARY}, {"A": "1"}),
        ("x86_64", {}, None),
    ],
)
def test_every_function_of_a_template_loads_what_its_processor_needs(
    arch: str, given: dict[str, str], wanted: dict[str, str] | None
) -> None:
    """Whatever the stage was published for before."""
    template = {"Resources": {"APIHandler": function(arch), "Plan": function("x86_64", **given)}}
    properties = equip_functions(template)["Resources"]["Plan"]["Properties"]
    assert properties.get("Environment", {}).get("Variables") == wanted


class TestPublishing:
    @pytest.fixture(autouse=True)
    def layers_alone(self, project: Path) -> None:
        (project / ".chalice" / "resources.json").unlink()

    @pytest.mark.usefixtures("aws")
    def test_publish_sets_it(self, project: Path, tmp_path: Path, run: Callable[..., Outcome]) -> None:
        for arch in ("arm64", "x86_64"):
            write_zip(tmp_path / f"layers/runtime-py313-{arch}.zip", {"lib/libcpulist.so": b"", "python/tiny.py": b""})
        command = ("publish", "--stage", "dev", "--out", tmp_path / "layers", "--project", project, "--arch")
        assert run(*command, "arm64").code == 0
        assert loaded(project) == dict.fromkeys(FUNCTIONS, LIBRARY)
        assert run(*command, "x86_64").code == 0
        assert loaded(project) == dict.fromkeys(FUNCTIONS, None)

    def test_a_layer_without_the_library_is_not_deployed(self, tmp_path: Path) -> None:
        for arch in ("arm64", "x86_64"):
            write_zip(tmp_path / f"runtime-py313-{arch}.zip", {"python/tiny.py": b""})
        assert len(layers_for(X86_64, tmp_path, "app")) == 1
        with pytest.raises(ContentsError, match=r"the layer has no lib/libcpulist\.so.*python -m layers build"):
            layers_for(ARM64, tmp_path, "app")
