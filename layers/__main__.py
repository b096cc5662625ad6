"""Command line: `python -m layers build|check|publish|package|queues|mappings|workflow|alarms`.

Exit code 0 good, 1 check failed, 2 error.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console

from layers.build.model_layer import build_model_layers
from layers.build.runtime_layer import build_runtime_layer
from layers.check import report
from layers.deploy import alarms, package, publish, queues, state_machine
from layers.deploy.stages import read_config
from layers.errors import LayerError
from layers.targets import DEFAULT_ARCH, DEFAULT_PYTHON, Target, local_target, target, target_of, target_to_build

PROJECT = Path(__file__).resolve().parent.parent
LAYERS, PACKAGE, MODELS = PROJECT / "build" / "layers", PROJECT / "build" / "package", PROJECT / "models"
PICTURE = PROJECT / "tests" / "data" / "seven.png"
CONSOLE = Console(highlight=False, soft_wrap=True)


def build(options: argparse.Namespace) -> int:
    """Build both kinds of layer, then check them."""
    wanted = _target_to_build(options)
    built = build_runtime_layer(wanted, options.out)
    CONSOLE.print(f"{built.path}: {built.bytecode}", markup=False)
    models = build_model_layers(options.models, options.out)
    for path in models:
        CONSOLE.print(str(path), markup=False)
    if wanted.local:
        CONSOLE.print("not for Lambda: this runtime layer fits this machine's own Python")
    return _show([report.check_deployment(wanted, built.path, models, PROJECT, options.picture)])


def check_command(options: argparse.Namespace) -> int:
    """Check given artefacts, or else all that was built."""
    if options.paths:
        return _show([report.check_artefact(_target_for(path, options), path) for path in options.paths])
    models, runtimes = report.model_zips(options.out), report.runtime_zips(options.out, options.python, options.arch)
    return _show([report.check_deployment(wanted, path, models, PROJECT, options.picture) for wanted, path in runtimes])


def publish_command(options: argparse.Namespace) -> int:
    """Publish, name the layers in the stage's configuration, make the queues that `chalice deploy` will look for."""
    wanted = _target_to_build(options)
    _tell(publish.publish(wanted, options.out, options.project, options.stage, options.bucket))
    return queues_command(options) if (options.project / package.RESOURCES).is_file() else 0


def package_command(options: argparse.Namespace) -> int:
    """Write a template and its artefacts."""
    wanted = _target_to_build(options)
    return _tell(package.package(wanted, options.out, options.project, options.stage, options.package, options.picture))


def queues_command(options: argparse.Namespace) -> int:
    """Make the queues, the table and the bucket of a stage; before `chalice deploy`."""
    return _tell(queues.deploy_queues(queues.client("cloudformation"), *_deployed(options)))


def mappings_command(options: argparse.Namespace) -> int:
    """Complete the worker's event source mapping; after `chalice deploy`."""
    _, app_name, stage = _deployed(options)
    return _tell(queues.complete_mappings(queues.client("lambda"), app_name, stage, options.concurrency))


def workflow_command(options: argparse.Namespace) -> int:
    """Make the state machine of a stage; after `chalice deploy`."""
    cloudformation, functions = queues.client("cloudformation"), queues.client("lambda")
    return _tell(state_machine.deploy_state_machine(cloudformation, functions, *_deployed(options)))


def alarms_command(options: argparse.Namespace) -> int:
    """Make a stage's alarms and dashboard; after `chalice deploy`."""
    return _tell(alarms.deploy_alarms(queues.client("cloudformation"), *_deployed(options)))


def _deployed(options: argparse.Namespace) -> tuple[Path, str, str]:
    """resources.json, the app's name and the stage."""
    app_name = read_config(options.project, options.stage)["app_name"]
    return options.project / package.RESOURCES, app_name, options.stage


def main(arguments: list[str] | None = None) -> int:
    """Run one command; an error is one line on standard error."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (LayerError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        if not type(error).__module__.startswith("botocore"):  # which not every machine has that builds layers
            raise
        print(f"error: AWS: {error}", file=sys.stderr)
        return 2


def _tell(lines: Iterable[str]) -> int:
    """Each step as it is done."""
    for line in lines:
        CONSOLE.print(line, markup=False)
    return 0


def _show(reports: list[report.Report]) -> int:
    problems = [problem for each in reports for problem in each.problems]
    for shown in reports:
        CONSOLE.print(shown.table)
        for line in shown.lines:
            CONSOLE.print(line, markup=False)
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    CONSOLE.print(f"check failed: {len(problems)} problem(s)" if problems else "check passed")
    return 1 if problems else 0


def _target_to_build(options: argparse.Namespace) -> Target:
    if getattr(options, "local", False):
        return local_target()
    return target_to_build(options.python or DEFAULT_PYTHON, options.arch or DEFAULT_ARCH)


def _target_for(path: Path, options: argparse.Namespace) -> Target:
    """What the options say, else what the file's name says, else the default."""
    named = target_of(path.name) or target()
    if options.python is None and options.arch is None:
        return named
    return target(options.python or named.python, options.arch or named.arch)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m layers", description="Build, check and publish Lambda layers.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--python", help=f"Lambda's Python: 3.12, 3.13 or 3.14 (default {DEFAULT_PYTHON})")
    shared.add_argument("--arch", help=f"Lambda's processor: x86_64 or arm64 (default {DEFAULT_ARCH})")
    shared.add_argument("--out", type=Path, default=LAYERS, help="folder of the layers (default build/layers)")
    pictured = argparse.ArgumentParser(add_help=False)
    deployed = argparse.ArgumentParser(add_help=False)
    deployed.add_argument(
        "--project", type=Path, default=PROJECT, help="folder of app.py and .chalice (default this one)"
    )
    staged = argparse.ArgumentParser(add_help=False, parents=[deployed])
    staged.add_argument("--stage", required=True)
    local = argparse.ArgumentParser(add_help=False)
    local.add_argument("--local", action="store_true", help="for this machine's own Python; not for Lambda")
    default = PICTURE if PICTURE.is_file() else None
    pictured.add_argument("--picture", type=Path, default=default, help="the picture to classify")
    build_parser = commands.add_parser(
        "build", parents=[shared, pictured, local], help="build the layers and check them"
    )
    build_parser.add_argument("--models", type=Path, default=MODELS, help="folder of the bundles (default models)")
    build_parser.set_defaults(command=build)
    check_parser = commands.add_parser("check", parents=[shared, pictured], help="check what was built, or PATHs")
    check_parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="folder, zip, wheel, shared object")
    check_parser.set_defaults(command=check_command)
    publish_parser = commands.add_parser(
        "publish", parents=[shared, local, staged], help="publish the layers for a stage"
    )
    publish_parser.add_argument("--bucket", help="S3 bucket for layers of more than 50 MB")
    publish_parser.set_defaults(command=publish_command)
    package_parser = commands.add_parser(
        "package", parents=[shared, pictured, deployed], help="write a CloudFormation template"
    )
    package_parser.add_argument("--stage", default="dev", help="default dev")
    package_parser.add_argument("--package", type=Path, default=PACKAGE, help="folder to fill (default build/package)")
    package_parser.set_defaults(command=package_command)
    for name, old_names, command, text in (
        ("queues", ["backing"], queues_command, "make a stage's queues, table and bucket"),
        ("workflow", [], workflow_command, "make a stage's state machine"),
        ("alarms", ["watching"], alarms_command, "make a stage's alarms and dashboard"),
    ):
        commands.add_parser(name, aliases=old_names, parents=[staged], help=text).set_defaults(command=command)
    mappings_parser = commands.add_parser("mappings", parents=[staged], help="complete what `chalice deploy` maps")
    mappings_parser.add_argument("--concurrency", type=int, metavar="N", help="workers at once, at least 2")
    mappings_parser.set_defaults(command=mappings_command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
