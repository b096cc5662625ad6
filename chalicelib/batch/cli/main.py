"""Command line: `python -m chalicelib.batch SOURCE` classifies pictures, and other commands manage batches on AWS.

    python -m chalicelib.batch s3://bucket/prefix      start a batch on a deployed stage, and watch it
    python -m chalicelib.batch pictures/               classify a folder on this machine; run the same
                                                       command again to resume
    python -m chalicelib.batch watch ID                watch a batch that is already running
    python -m chalicelib.batch export ID               write the results that a batch on AWS has, at any time
    python -m chalicelib.batch dead                    list the messages that failed at every delivery
    python -m chalicelib.batch redrive                 put the failed messages back on their queues

Exit code: 0 success, 1 the batch failed, 2 error, 130 interrupted.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chalicelib.batch.cli.progress import Progress
from chalicelib.batch.record import COMPLETE
from chalicelib.config import Settings, default_threads
from chalicelib.errors import InvalidRequest, SlimceptionError

if TYPE_CHECKING:
    from chalicelib.batch.wiring import BatchServices

COMMANDS = ("run", "watch", "export", "dead", "redrive")


def run(options: argparse.Namespace) -> int:
    """Classify the pictures under the source."""
    return run_on_aws(options) if options.source.startswith("s3://") else run_here(options)


def run_on_aws(options: argparse.Namespace) -> int:
    """Start a batch and watch it."""
    services = _services(options)
    status = services.service.start(options.source, options.model, options.top_k, options.out)
    batch_id = status["id"]
    print(f"batch {batch_id}; watch it again with: python -m chalicelib.batch watch {batch_id}", file=sys.stderr)
    return _watch(services, batch_id)


def watch(options: argparse.Namespace) -> int:
    """Watch a batch."""
    return _watch(_services(options), options.id)


def export(options: argparse.Namespace) -> int:
    """Write a batch's results."""
    from chalicelib.batch.cli.export import export

    out = options.out or f"{options.id}.jsonl"
    batch, counts = export(_services(options), options.id, out)
    print(f"{out}: {counts.total} results, {counts.failed} of them errors; the batch is {batch.state}")
    return 0


def _services(options: argparse.Namespace) -> "BatchServices":
    from chalicelib.batch.cli import remote

    return remote.services_of(options.stage, Settings.from_env())


def _watch(services: "BatchServices", batch_id: str) -> int:
    from chalicelib.batch.cli import remote

    with Progress() as progress:
        batch = remote.watch(services, batch_id, progress.show, progress.say)
    print(json.dumps(batch.describe(), indent=2))
    return 0 if batch.state == COMPLETE else 1


def run_here(options: argparse.Namespace) -> int:
    """Classify a folder."""
    from chalicelib.batch.cli import folder
    from chalicelib.batch.cli.job import Job

    source = Path(options.source)
    if not source.is_dir():
        raise InvalidRequest(f"{options.source} is not a folder: expected a folder, or s3://bucket/prefix")
    out = Path(options.out or "results.jsonl")
    job = Job(source, out, options.processes, options.model, options.top_k)
    with Progress() as progress:
        counts = folder.run(job, Settings.from_env(), progress.show)
    others = f"; other files left out: {counts['skipped']}" if counts["skipped"] else ""
    print(f"{out}: {counts['total']} pictures, {counts['failed']} of them with an error{others}")
    return 0


def dead(options: argparse.Namespace) -> int:
    """List the dead letters, a line of JSON each."""
    from chalicelib.batch.cli import remote

    for letter in remote.dead_letters(_services(options)):
        print(json.dumps(letter))
    return 0


def redrive(options: argparse.Namespace) -> int:
    """Put the dead letters back on their queues."""
    from chalicelib.batch.cli import remote

    print(f"{remote.redrive(_services(options))} message(s) put back on their queues")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an error is one line on standard error."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] not in (*COMMANDS, "-h", "--help"):
        given.insert(0, "run")
    options = _parser().parse_args(given)
    try:
        code: int = options.command(options)
        return code
    except KeyboardInterrupt:
        print(
            "\nstopped; run the same command again to resume a folder, or `watch ID` for a batch on AWS",
            file=sys.stderr,
        )
        return 130
    except (SlimceptionError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chalicelib.batch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    staged = argparse.ArgumentParser(add_help=False)
    staged.add_argument("--stage", default="dev", help="name of the deployed stage (default dev)")
    run_parser = commands.add_parser("run", parents=[staged], help="classify s3://bucket/prefix or a folder")
    run_parser.add_argument("source", metavar="SOURCE", help="s3://bucket/prefix, or a folder on this machine")
    run_parser.add_argument(
        "--out",
        help="result of a folder: a .jsonl or .csv file (default results.jsonl); of a batch: s3://bucket/prefix",
    )
    run_parser.add_argument(
        "--model", metavar="NAME", help="name of an installed model (default: the API's default model)"
    )
    run_parser.add_argument(
        "--top-k", type=_at_least_one, metavar="N", help="number of labels for each picture (default 5)"
    )
    run_parser.add_argument(
        "--processes",
        type=_at_least_one,
        default=default_threads(None),
        metavar="N",
        help="processes for a folder (default: one for each processor, %(default)s here)",
    )
    run_parser.set_defaults(command=run)
    watch_parser = commands.add_parser("watch", parents=[staged], help="watch a batch on AWS until it ends")
    watch_parser.add_argument("id", metavar="ID", help="the batch's id")
    watch_parser.set_defaults(command=watch)
    export_parser = commands.add_parser("export", parents=[staged], help="write the results that a batch on AWS has")
    export_parser.add_argument("id", metavar="ID", help="the batch's id; incoming-2026-01-31 for a day of incoming/")
    export_parser.add_argument("--out", help="a .jsonl or .csv file, or s3://bucket/key of one (default ID.jsonl)")
    export_parser.set_defaults(command=export)
    for name, command, text in (
        ("dead", dead, "list the messages that failed at every delivery"),
        ("redrive", redrive, "put the failed messages back on their queues"),
    ):
        commands.add_parser(name, parents=[staged], help=text).set_defaults(command=command)
    return parser


def _at_least_one(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} was given: expected a whole number of at least 1")
    return int(text)
