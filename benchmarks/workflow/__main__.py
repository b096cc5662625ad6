"""`make workflow`: the state machine on this machine's AWS, from nothing to the report.

    python -m benchmarks.workflow [--images 400] [--weight 0.3] [--fail throttle|b-missing|b-corrupt|timeout|...]
                                   [--processor avx2]

Deploys the project into `localaws` with the digits in two quantisations, uploads scans of digits in folders named by
their label, and runs the deployed state machine on them. The exit code is 0 if the counts add up.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import machine
from benchmarks.workflow.deployment import ABSENT, CORRUPT, FIRST, SECOND, deploy
from benchmarks.workflow.faults import BAD_PICTURE, BUCKET, FAILURES, MISSING, FaultyHost, FirstWriteRefused
from benchmarks.workflow.faults import CORRUPT as B_CORRUPT
from benchmarks.workflow.trial import Trial, pictures
from chalicelib.split import ARMS
from chalicelib.workflow.report.types import Report, ShareFigures, Times
from convert.arguments import count
from localaws.cloud.local_aws import LocalAws
from localaws.deploy.deployer import PROJECT
from localaws.host import interpreters
from localaws.host.masking import additions
from localaws.processor import mask_option

OUT = PROJECT / "build" / "workflow"
SECOND_WHEN = {MISSING: ABSENT, B_CORRUPT: CORRUPT}
CONSOLE = Console(highlight=False, soft_wrap=True)


def main(arguments: list[str] | None = None) -> int:
    """Run one trial and show its report; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    began = time.monotonic()
    python = interpreters.preferred()
    shown = machine.shown(parser, options.processor)
    chosen = FaultyHost(options.instances, additions=additions(shown))
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch, chosen as host:
        host.fault = options.fail
        with LocalAws(host=host) as cloud:
            with CONSOLE.status(f"Deploying for Python {python.version}: layers, functions, state machine"):
                deploy(cloud, python, Path(scratch), lambda line: None)  # noqa: ARG005
            CONSOLE.print(f"deployed after {time.monotonic() - began:.0f} s; AWS at {cloud.url}")
            if options.fail == BUCKET:
                cloud.refuse(FirstWriteRefused())
            trial = trial_of(cloud, options)
            problems = _run(trial)
    _show(trial, problems, shown.heading)
    CONSOLE.print(f"{'failed' if problems else 'all adds up'}, {time.monotonic() - began:.0f} s in all")
    return 1 if problems else 0


def trial_of(cloud: LocalAws, options: argparse.Namespace) -> Trial:
    """The trial by the options; `fail` may be None."""
    experiment = {
        "experiment": options.experiment,
        "models": [FIRST, SECOND_WHEN.get(options.fail, SECOND)],
        "weight": options.weight,
        "shadow": options.shadow,
        "labels": "folders",
        "group": options.group,
    }
    made = pictures(options.pictures, options.seed, broken=options.fail == BAD_PICTURE)
    return Trial(cloud, options.fail or "trial", experiment, made)


def _run(trial: Trial) -> list[str]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("groups"))
    with Progress(*columns, TimeElapsedColumn(), console=CONSOLE) as progress:
        task = progress.add_task(f"{len(trial.pictures)} pictures", total=None)
        return trial.run(lambda done, of: progress.update(task, completed=done, total=of))


def _show(trial: Trial, problems: list[str], heading: str) -> None:
    if trial.report:
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / "report.html").write_text(trial.page, encoding="utf-8")
        (OUT / "report.json").write_text(json.dumps(trial.report, indent=2) + "\n", encoding="utf-8")
        CONSOLE.print(_table(trial.report, heading))
        CONSOLE.print(trial.report["verdict"]["text"], markup=False)
        for line, held in trial.checks().items():
            CONSOLE.print(f"{'ok  ' if held else 'FAIL'} {line}", markup=False)
        CONSOLE.print(f"report     {OUT / 'report.html'}\n           {OUT / 'report.json'}", markup=False)
    else:
        for line in problems:
            CONSOLE.print(f"FAIL {line}", markup=False)


def _table(report: Report, heading: str) -> Table:
    arms = [report["arms"][arm] for arm in ARMS]
    table = Table("", *(f"{arm}: {report['models'][arm]}" for arm in ARMS), title=heading, title_justify="left")
    table.add_row("images", *(str(arm["images"]) for arm in arms))
    table.add_row("answered", *(str(arm["answered"]) for arm in arms))
    table.add_row("fallbacks", *(str(arm["fallbacks"]) for arm in arms))
    table.add_row("failed", *(str(arm["failed"]) for arm in arms))
    table.add_row("inference_ms, p50 and p95", *(_latency(arm["inference_ms"]) for arm in arms))
    table.add_row("total_ms, p50 and p95", *(_latency(arm["total_ms"]) for arm in arms))
    table.add_row("accuracy", *(_share(arm["accuracy"]) for arm in arms))
    table.add_row("failures", *(", ".join(arm["failures"]) or "none" for arm in arms))
    return table


def _latency(found: Times | None) -> str:
    return f"{found['p50']} {found['p95']}" if found else "-"


def _share(found: ShareFigures | None) -> str:
    return f"{found['share']:.1%}" if found else "-"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workflow", description=__doc__)
    parser.add_argument("--images", type=count, default=400, metavar="N", help="how many pictures", dest="pictures")
    parser.add_argument("--weight", type=float, default=0.3, metavar="SHARE", help="B's share of the pictures")
    parser.add_argument(
        "--shadow", type=float, default=0.2, metavar="SHARE", help="share of the pictures that both models classify"
    )
    parser.add_argument("--group", type=count, default=25, metavar="N", help="pictures that one invocation classifies")
    parser.add_argument(
        "--experiment",
        default="digits-in-two-quantisations",
        metavar="NAME",
        help="another name deals the pictures anew",
    )
    parser.add_argument("--fail", choices=FAILURES, help="the failure to inject")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the random shifts of the pictures")
    parser.add_argument("--instances", type=count, default=4, metavar="N", help="function processes at the same time")
    mask_option.add_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
