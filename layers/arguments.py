"""What the command line takes: the commands and their options."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from layers.pythons import LAMBDA_PYTHONS
from layers.targets import DEFAULT_ARCH, DEFAULT_PYTHON

PROJECT = Path(__file__).resolve().parent.parent
LAYERS, PACKAGE, MODELS = PROJECT / "build" / "layers", PROJECT / "build" / "package", PROJECT / "models"
PICTURE = PROJECT / "tests" / "data" / "seven.png"
OLD_NAMES = {"queues": ["backing"], "alarms": ["watching"]}
"""What two commands were called before."""
TRIGGERS = {
    "bucket": "S3 bucket's ARN",
    "topic": "SNS topic's ARN",
    "event_bus": "EventBridge bus's ARN",
    "stream": "Kinesis stream's ARN",
    "table_stream": "DynamoDB stream's ARN",
    "schedule": "when a batch starts, such as `rate(1 day)`",
    "schedule_source": "what it classifies, s3://bucket/prefix",
    "schedule_model": "with which model",
    "lex_bot_alias": "Lex V2 bot alias's ARN",
}
"""Options of `triggers`; one that is not given stays as the stack has it."""


def parser() -> argparse.ArgumentParser:
    """The parser, which gives `command` and the options of that command."""
    whole = argparse.ArgumentParser(prog="python -m layers", description="Build, check and publish Lambda layers.")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    _add_build(commands)
    _add_check(commands)
    _add_publish(commands)
    _add_package(commands)
    _add(commands, "policies", [_stage()], "write a stage's IAM policies, where `chalice deploy` reads them")
    _add(commands, "queues", [_stage(), _topic()], "make a stage's queues, table and bucket")
    _add(commands, "record", [_stage()], "tell Chalice what of a stage the account has")
    _add_mappings(commands)
    _add_triggers(commands)
    _add(commands, "recursion", [_stage()], "let a stage's lister list in more than 16 invocations")
    _add_settings(commands)
    _add_front(commands)
    _add(commands, "workflow", [_stage(), _topic()], "make a stage's state machine")
    _add(commands, "alarms", [_stage(), _topic()], "make a stage's alarms and dashboard")
    _add_budget(commands)
    _add_destroy(commands)
    return whole


def at_least(least: int) -> Callable[[str], int]:
    """A kind of argument: a whole number in ASCII digits, not below `least`."""

    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of at least {least}")
        return int(text)

    return number


def _add(commands: Any, name: str, shared: Sequence[argparse.ArgumentParser], text: str) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = commands.add_parser(
        name, aliases=OLD_NAMES.get(name, []), parents=shared, help=text
    )
    added.set_defaults(command=name)
    return added


def _add_build(commands: Any) -> None:
    added = _add(commands, "build", [_target(), _picture(), _local()], "build the layers and check them")
    added.add_argument("--models", type=Path, default=MODELS, help="folder of the bundles (default models)")


def _add_check(commands: Any) -> None:
    added = _add(commands, "check", [_target(), _picture()], "check what was built, or PATHs")
    added.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="folder, zip, wheel, shared object")


def _add_publish(commands: Any) -> None:
    added = _add(commands, "publish", [_target(), _local(), _stage(), _topic()], "publish the layers for a stage")
    added.add_argument("--bucket", help="S3 bucket for layers of more than 50 MB")


def _add_package(commands: Any) -> None:
    added = _add(commands, "package", [_target(), _picture(), _project()], "write a CloudFormation template")
    added.add_argument("--stage", default="dev", help="stage of .chalice/config.json (default dev)")
    added.add_argument("--package", type=Path, default=PACKAGE, help="folder to fill (default build/package)")


def _add_mappings(commands: Any) -> None:
    added = _add(commands, "mappings", [_stage()], "let a stage's queues feed its functions")
    added.add_argument("--concurrency", type=at_least(2), metavar="N", help="workers at once, at least 2")


def _add_triggers(commands: Any) -> None:
    added = _add(commands, "triggers", [_stage()], "let your bucket, topic, stream and so on name pictures to a stage")
    for name, meaning in TRIGGERS.items():
        shown = "ARN" if meaning.endswith("ARN") else name.rpartition("_")[2].upper()
        added.add_argument(f"--{name.replace('_', '-')}", metavar=shown, help=f"{meaning}, `none` to take it away")


def _add_settings(commands: Any) -> None:
    added = _add(commands, "settings", [_stage()], "give API and functions what Chalice has no key for")
    added.add_argument("--rate", type=at_least(1), metavar="N", help="requests a second that the API takes over time")
    added.add_argument("--burst", type=at_least(1), metavar="N", help="requests that the API takes at once")
    added.add_argument("--tmp", type=at_least(512), metavar="MB", help="size of the functions' /tmp, at most 10240")


def _add_front(commands: Any) -> None:
    added = _add(commands, "front", [_stage(), _topic()], "make a stage's HTTP API or function URL, if FRONT says so")
    added.add_argument(
        "--rate", type=at_least(1), metavar="N", help="requests a second that an HTTP API takes over time"
    )
    added.add_argument("--burst", type=at_least(1), metavar="N", help="requests that an HTTP API takes at once")
    who = "who may call a function URL: whom IAM allows it, or anybody (default: as the stack has it, at first iam)"
    added.add_argument("--access", choices=("iam", "open"), help=who)


def _add_budget(commands: Any) -> None:
    added = _add(commands, "budget", [_stage()], "make a monthly budget of the account that sends e-mails")
    added.add_argument("--usd", type=at_least(1), required=True, metavar="N", help="US dollars a month")
    added.add_argument("--email", required=True, help="who hears of it")


def _add_destroy(commands: Any) -> None:
    added = _add(commands, "destroy", [_stage()], "delete all of a stage but what holds data")
    added.add_argument("--data", action="store_true", help="delete the bucket with all it holds, and the table, too")
    added.add_argument("--yes", action="store_true", help="do not ask")


def _topic() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--alarm-topic",
        metavar="ARN",
        help="SNS topic that the alarms notify, `none` for no topic (default: as the stacks have it)",
    )
    return options


def _target() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--python", help=f"Lambda's Python: {', '.join(LAMBDA_PYTHONS)} (default {DEFAULT_PYTHON})")
    options.add_argument("--arch", help=f"Lambda's processor: x86_64 or arm64 (default {DEFAULT_ARCH})")
    options.add_argument("--out", type=Path, default=LAYERS, help="folder of the layers (default build/layers)")
    return options


def _local() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--local", action="store_true", help="for this machine's own Python; not for Lambda")
    return options


def _picture() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    default = PICTURE if PICTURE.is_file() else None
    options.add_argument(
        "--picture", type=Path, default=default, help="the picture, or a folder of pictures, to classify"
    )
    return options


def _project() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--project", type=Path, default=PROJECT, help="folder of app.py and .chalice (default: this)")
    return options


def _stage() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False, parents=[_project()])
    options.add_argument("--stage", required=True, help="stage of .chalice/config.json")
    return options
