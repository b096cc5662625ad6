"""Command line: `python -m layers build|check|publish|package|policies|queues|record|mappings|triggers|recursion|
settings|front|workflow|alarms|budget|destroy`.

Exit code 0 good, 1 check failed, 2 error, 130 stopped with Ctrl-C.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console

from layers.arguments import PROJECT, parser
from layers.build.function import function_contents
from layers.build.model_layer import build_model_layers
from layers.build.runtime_layer import build_runtime_layer
from layers.build.sbom import SUFFIX, function_sbom, write_sbom
from layers.check import report
from layers.deploy import commands, package, publish
from layers.deploy.resources import RESOURCES
from layers.errors import LayerError
from layers.targets import DEFAULT_ARCH, DEFAULT_PYTHON, Target, local_target, target, target_of, target_to_build

CONSOLE = Console(highlight=False, soft_wrap=True)
INTERRUPTED = 130
"""What a shell gives for a program that Ctrl-C ended."""


def build(options: argparse.Namespace) -> int:
    """Build both kinds of layer, then check them."""
    wanted = _target_to_build(options)
    built = build_runtime_layer(wanted, options.out)
    models = build_model_layers(options.models, options.out)
    bill = write_sbom(options.out / f"function{SUFFIX}", function_sbom(function_contents(PROJECT)))
    _print([f"{built.path}: {built.bytecode}", *map(str, models), str(built.path.with_suffix(SUFFIX)), str(bill)])
    if wanted.local:
        _print(["not for Lambda: this runtime layer fits this machine's own Python"])
    return _show([report.check_deployment(wanted, built.path, models, PROJECT, options.picture)])


def check_command(options: argparse.Namespace) -> int:
    """Check the given artefacts, or all that was built if none is given."""
    if options.paths:
        return _show([report.check_artefact(_target_for(path, options), path) for path in options.paths])
    models, runtimes = report.model_zips(options.out), report.runtime_zips(options.out, options.python, options.arch)
    return _show([report.check_deployment(wanted, path, models, PROJECT, options.picture) for wanted, path in runtimes])


def publish_command(options: argparse.Namespace) -> int:
    """Publish the layers, name them in the stage's configuration, and make what `chalice deploy` looks for."""
    wanted = _target_to_build(options)
    _print(publish.publish(wanted, options.out, options.project, options.stage, options.bucket))
    _print(commands.write_policies(options))
    return _print(commands.make_queues(options)) if (options.project / RESOURCES).is_file() else 0


def package_command(options: argparse.Namespace) -> int:
    """Write a template and its artefacts."""
    wanted = _target_to_build(options)
    return _print(
        package.package(wanted, options.out, options.project, options.stage, options.package, options.picture)
    )


def main(arguments: list[str] | None = None) -> int:
    """Run one command; an error is one line on standard error."""
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except KeyboardInterrupt:
        print("\nstopped: run the same command again; it uses what is already made", file=sys.stderr)
        return INTERRUPTED
    except (LayerError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except _aws_errors() as error:
        print(f"error: AWS: {error}", file=sys.stderr)
        return 2


def _aws_errors() -> tuple[type[Exception], ...]:
    """What boto3's calls raise; nothing on a machine that builds layers and has no boto3."""
    try:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return ()
    return Boto3Error, BotoCoreError, ClientError


def _print(lines: Iterable[str]) -> int:
    """Print each step when it is done."""
    for line in lines:
        CONSOLE.print(line, markup=False)
    return 0


def _show(reports: list[report.Report]) -> int:
    problems = [problem for each in reports for problem in each.problems]
    for shown in reports:
        CONSOLE.print(shown.table)
        _print(shown.lines)
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    CONSOLE.print(f"check failed: {len(problems)} problem(s)" if problems else "check passed")
    return 1 if problems else 0


def _target_to_build(options: argparse.Namespace) -> Target:
    if getattr(options, "local", False):  # `package` has no such option
        return local_target()
    return target_to_build(options.python or DEFAULT_PYTHON, options.arch or DEFAULT_ARCH)


def _target_for(path: Path, options: argparse.Namespace) -> Target:
    """What the options say, else what the file's name says, else the default."""
    named = target_of(path.name) or target()
    if options.python is None and options.arch is None:
        return named
    return target(options.python or named.python, options.arch or named.arch)


def _of_stage(make: Callable[[argparse.Namespace], Iterable[str]]) -> Callable[[argparse.Namespace], int]:
    return lambda options: _print(make(options))


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "build": build,
    "check": check_command,
    "publish": publish_command,
    "package": package_command,
    **{name: _of_stage(make) for name, make in commands.COMMANDS.items()},
}


if __name__ == "__main__":
    sys.exit(main())
