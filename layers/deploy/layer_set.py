"""The layers of one deployment: the runtime layer for a target, and a layer for each model."""

from dataclasses import dataclass
from pathlib import Path

from layers.check.compatibility import find_problems
from layers.check.preloaded import library_problems
from layers.check.report import model_zips
from layers.contents import open_contents
from layers.errors import ContentsError
from layers.targets import MAX_LAYERS, Target


@dataclass(frozen=True)
class Layer:
    """A zip, and its name in the account; `python` or `arch` None fits every one."""

    name: str
    path: Path
    python: str | None = None
    arch: str | None = None

    def compatibility(self) -> dict[str, list[str]]:
        """The Pythons and processors that Lambda states for it, in the API's and in CloudFormation's words."""
        runtimes = {"CompatibleRuntimes": [f"python{self.python}"]} if self.python else {}
        return runtimes | ({"CompatibleArchitectures": [self.arch]} if self.arch else {})


def layers_for(target: Target, folder: Path, app_name: str) -> list[Layer]:
    """What `folder` holds for `target`; raises ContentsError for a layer that is missing or would not load."""
    runtime = folder / f"runtime-{target.name}.zip"
    if not runtime.is_file():
        options = f"--python {target.python} --arch {target.arch}"
        raise ContentsError(f"{runtime} does not exist: run `python -m layers build {options}` first")
    models = [Layer(f"{app_name}-{path.stem}", path) for path in model_zips(folder)]
    layers = [Layer(f"{app_name}-{runtime.stem}", runtime, target.python, target.arch), *models]
    if len(layers) > MAX_LAYERS:
        raise ContentsError(f"{len(layers)} layers, a function takes {MAX_LAYERS}: remove models and build again")
    for layer in layers:
        with open_contents(layer.path) as contents:
            missing = library_problems(contents, target) if layer.path == runtime else ()
            for problem in [*find_problems(contents, target), *missing]:
                raise ContentsError(f"{layer.path.name} would not load: {problem}")
    return layers
