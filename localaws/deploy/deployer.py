"""Deploys the project with the commands that deploy it to an account: `layers publish`, `chalice deploy`."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from layers.pythons import LAMBDA_PYTHONS, Interpreter, own
from layers.targets import local_target, target
from localaws.cloud.local_aws import LocalAws
from localaws.deploy import notifications, project
from localaws.errors import DeployFailed
from localaws.host import emulation, packages
from localaws.host.environment import without_account

PROJECT = Path(__file__).resolve().parents[2]
_LAYER = PROJECT / "layers" / "requirements.txt"
_LAYERS = (sys.executable, "-m", "layers")
_CHALICE = ("-c", "from chalice.cli import main; raise SystemExit(main())")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Deployment:
    """What was deployed."""

    url: str
    """Of the API, with a slash at the end."""
    api_id: str
    """Of the REST API, the HTTP API or the function URL."""
    functions: tuple[str, ...]
    """Their names, the API's first."""


@dataclass(frozen=True)
class Deployer:
    """Deploys a stage of `source` into `cloud`, for the version of Python and the processor that run its functions."""

    cloud: LocalAws
    interpreter: Interpreter
    source: Path = PROJECT
    stage: str = "dev"
    say: Say = print
    arch: str = emulation.ARCHITECTURES[0]
    """Under Lambda's name; functions for another processor than this machine's run emulated."""
    front: str | None = None
    """What stands before the API's function: `rest`, `http` or `url`; None: what the stage says."""
    opened: bool = False
    """Whether anybody may call a function URL, and not only signed requests."""

    def deploy(self, with_layers: bool = True) -> Deployment:
        """Publish the layers (built now unless they are there), deploy the app; raises DeployFailed.

        A second call updates what the first one made.
        """
        copied = self.cloud.host.folder / "project" / self.stage
        state = copied / ".chalice" / "deployed" / f"{self.stage}.json"
        before = state.read_text() if state.is_file() else None
        project.copy(self.source, copied)
        if self.front:
            project.choose_front(copied, self.stage, self.front, self.cloud.host.max_instances if self.opened else None)
        if before is not None:
            state.parent.mkdir()
            state.write_text(before)
        if with_layers:
            self._publish_layers(copied)
        else:  # publishing does this, too
            self._layers("policies", copied)
        resources = copied / ".chalice" / "resources.json"
        if resources.is_file():
            if not with_layers:
                self._layers("queues", copied)
            app_name = json.loads(_config(state))["app_name"]
            notifications.connect(self.cloud, resources, f"{app_name}-{self.stage}-batch")
        self._layers("record", copied)
        self._chalice_deploy(copied, with_layers)
        if resources.is_file():
            for command in ("mappings", "triggers", "recursion", "settings", "front", "workflow", "alarms"):
                self._layers(command, copied)
        return self._read(state)

    def _layers(self, command: str, copied: Path) -> None:
        options = ["--stage", self.stage, "--project", str(copied)]
        if command == "front" and self.opened:
            options += ["--access", "open"]
        self._run(f"layers {command}", [*_LAYERS, command, *options], PROJECT)

    def _publish_layers(self, copied: Path) -> None:
        options, file_name = self.layer_options()
        folder = self.source / "build" / "layers"
        into = ["--out", str(folder), *options]
        models = self.source / "models"
        if is_stale(folder, file_name, models):
            self._run("layers build", [*_LAYERS, "build", *into, "--models", str(models)], PROJECT)
        publish = [*_LAYERS, "publish", *into, "--stage", self.stage, "--project", str(copied)]
        self._run("layers publish", publish, PROJECT)

    def layer_options(self) -> tuple[list[str], str]:
        """The options of `layers build` for interpreter and processor, and the runtime layer's file name.

        A Python that Lambda does not have gets layers for this machine.
        """
        version = self.interpreter.version
        if version not in LAMBDA_PYTHONS:
            lambdas = ", ".join(LAMBDA_PYTHONS)
            if version != own().version:
                raise DeployFailed(f"only Python {version} can build layers for itself: choose one of {lambdas}")
            if emulation.is_emulated(self.arch):
                raise DeployFailed(f"Python {version} can build layers for this machine alone: choose one of {lambdas}")
            self.say(f"Lambda's Pythons are {lambdas}; these layers are for this machine's Python {version}")
            return ["--local"], f"runtime-{local_target().name}.zip"
        return ["--python", version, "--arch", self.arch], f"runtime-{target(version, self.arch).name}.zip"

    def _chalice_deploy(self, copied: Path, with_layers: bool) -> None:
        """Run Chalice with the functions' own version of Python, since it deploys for the Python that runs it.

        It imports the app, on this machine. So what the layer holds is installed for another Python than this
        program's: the layer itself may be for another processor.
        """
        python, extra = sys.executable, dict[str, str]()
        if self.interpreter.version != own().version:
            needed = [packages.REQUIREMENTS / "deploy.txt", *([_LAYER] if with_layers else [])]
            folders = [packages.install(self.interpreter, requirements) for requirements in needed]
            python = str(self.interpreter.path)
            extra = {"PYTHONPATH": os.pathsep.join(map(str, folders))}
        self._run("chalice deploy", [python, *_CHALICE, "deploy", "--stage", self.stage], copied, extra)

    def _run(self, what: str, command: Sequence[str], folder: Path, extra: Mapping[str, str] | None = None) -> None:
        """Run a command against the local AWS and pass its lines on; Ctrl-C ends it, too."""
        environment = {**without_account(os.environ), **self.cloud.environment(), **(extra or {})}
        last = "no output"
        with subprocess.Popen(
            command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as running:
            assert running.stdout is not None
            try:
                for line in running.stdout:
                    self.say(f"  {line.rstrip()}")
                    last = line.strip() or last
            except BaseException:
                running.terminate()
                raise
        if running.returncode != 0:
            raise DeployFailed(f"{what} ended with code {running.returncode}: {last}")

    def _read(self, state: Path) -> Deployment:
        resources = json.loads(state.read_text(encoding="utf-8"))["resources"]
        functions = [
            entry["lambda_arn"].rpartition(":")[2] for entry in resources if entry["resource_type"] == "lambda_function"
        ]
        app_name = json.loads(_config(state))["app_name"]
        prefix = f"{app_name}-{self.stage}"
        functions.sort(key=lambda name: name not in (prefix, f"{prefix}-front"))
        apis = [entry for entry in resources if entry["resource_type"] == "rest_api"]
        if not apis:
            return self._read_front(f"{prefix}-front", tuple(functions))
        gateway_stage = apis[0]["rest_api_url"].rstrip("/").rpartition("/")[2]
        api_id = apis[0]["rest_api_id"]
        return Deployment(self.cloud.api_url(api_id, gateway_stage), api_id, tuple(functions))

    def _read_front(self, stack: str, functions: tuple[str, ...]) -> Deployment:
        """The deployment of a stage whose HTTP API or function URL is in this stack; raises DeployFailed."""
        client = self.cloud.client("cloudformation")
        try:
            found = client.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
        except client.exceptions.ClientError as error:
            raise DeployFailed(f"stage {self.stage} has no REST API: give app.py a route") from error
        finally:
            client.close()
        address = next(one["OutputValue"] for one in found if one["OutputKey"] == "EndpointURL")
        url = self.cloud.front_url(address)
        return Deployment(url, url.rstrip("/").rpartition("/")[2], functions)


def is_stale(folder: Path, runtime_layer: str, models: Path) -> bool:
    """Whether a layer is missing, or older than what it is built from."""
    made_from = {runtime_layer: _LAYER}
    made_from |= {f"model-{card.parent.name}.zip": card for card in models.glob("[!.]*/model.json")}
    return any(
        not (folder / name).is_file() or source.stat().st_mtime > (folder / name).stat().st_mtime
        for name, source in made_from.items()
    )


def _config(state: Path) -> str:
    return (state.parent.parent / "config.json").read_text(encoding="utf-8")
