"""Asks a deployed stage what no machine here can answer, and writes a report to send to the project.

    python -m benchmarks.prove --stage dev [--yes]

It says what it costs at most, and asks, before it sends anything but reading calls. It uploads pictures under `prove/`
in the stage's bucket and deletes them; results and report of batch and workflow stay, under `results/` and
`workflows/`. Exit code: 0 all answers are as documented, 1 some are not (the report says which), 2 error, 130 stopped.
"""

import argparse
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.prove import jobs, report, requests, settings
from benchmarks.prove.plan import Plan
from benchmarks.prove.stage import NotDeployed, Stage, find

Say = Callable[[str], None]


def prove(stage: Stage, plan: Plan, say: Say) -> report.Answers:
    """Ask everything; what fails is an answer, too."""
    since, run = time.time(), time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    questions: dict[str, Callable[[], dict[str, Any]]] = {
        "processor and XNNPACK": lambda: requests.processor(stage),
        "mapping": lambda: settings.mapping(stage),
        "recursion of the lister": lambda: settings.recursion(stage),
        "schedule of the days": lambda: settings.schedule(stage),
        "refusals": lambda: requests.refusals(stage),
        "cold and warm": lambda: requests.times(stage, plan.warm, plan.burst),
        f"a batch of {plan.pictures}": lambda: jobs.batch(stage, plan.pictures, plan.limit_s, run),
        f"a workflow of {plan.workflow_pictures}": lambda: jobs.workflow(
            stage, plan.workflow_pictures, plan.limit_s, run
        ),
        "bytes of logs": lambda: settings.logs(stage, since, plan.requests),
        "throttles": lambda: requests.throttles(stage, since),
    }
    answers: report.Answers = {}
    for name, ask in questions.items():
        say(f"{name} ...")
        answers[name] = _answered(ask)
    return answers


def _answered(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return ask()
    except Exception as error:  # whatever one question meets, the others are still of use
        return {"error": f"{type(error).__name__}: {error}"}


def is_agreed(stage: Stage, plan: Plan, ask: Callable[[str], str], *, yes: bool, say: Say) -> bool:
    """Say what it costs, and ask unless `yes`."""
    found = stage.client("lambda").get_function_configuration(FunctionName=stage.functions["api"])
    memory_mb = int(found["MemorySize"])
    say(
        f"stage {stage.name} in {stage.region}: {plan.requests} requests, a batch of {plan.pictures} pictures, a "
        f"workflow of {plan.workflow_pictures}. About ${plan.usual_usd(memory_mb):.2f}; at most "
        f"${plan.most_usd(memory_mb):.2f}, if every invocation runs into its time-out and is tried to the last "
        "(list prices of us-east-1)"
    )
    return yes or ask("continue? [y/N] ").strip().lower() in ("y", "yes")


def main(arguments: list[str] | None = None) -> int:
    """Run it once."""
    options = _parser().parse_args(arguments)
    plan = Plan(options.pictures, options.workflow_pictures, options.warm, options.burst, 60 * options.minutes)
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    session = boto3.Session()
    client = functools.cache(session.client)
    try:
        stage = find(options.stage, session, client, options.url)
        if not is_agreed(stage, plan, input, yes=options.yes, say=print):
            print("nothing was sent")
            return 0
        answers = prove(stage, plan, lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        print("\nstopped: pictures may be left under prove/ in the stage's bucket", file=sys.stderr)
        return 130
    except (NotDeployed, BotoCoreError, ClientError, OSError, EOFError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    about = {"stage": stage.name, "region": stage.region, "time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}
    paths = report.write(options.out, about, answers, stage.account)
    found = report.problems(answers)
    print("\n".join(report.lines(about, answers)).replace(stage.account, "<account>"))
    print(f"to send us: {' and '.join(map(str, paths))}")
    print(f"not as documented, or not answered: {', '.join(found)}" if found else "all as documented")
    return 1 if found else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prove", description=__doc__)
    plan = Plan()
    parser.add_argument("--stage", default="dev", help="the deployed stage (default dev)")
    parser.add_argument("--url", help="the API's address (default: as Chalice or the stack noted it)")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--out", type=Path, default=Path("build/prove"), help="folder of the report (%(default)s)")
    for name, default, text in (
        ("--pictures", plan.pictures, "pictures of the batch"),
        ("--workflow-pictures", plan.workflow_pictures, "pictures of the workflow"),
        ("--warm", plan.warm, "requests one after another"),
        ("--burst", plan.burst, "requests at once, twice"),
        ("--minutes", plan.limit_s // 60, "minutes after which batch and workflow are given up"),
    ):
        parser.add_argument(name, type=_at_least_one, default=default, metavar="N", help=f"{text} (default {default})")
    return parser


def _at_least_one(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} was given: expected a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
