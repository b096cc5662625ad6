"""Command line: `python -m localaws run|up|invoke|prepare`.

Exit code 0 good, 1 the function failed, 2 error, 130 stopped with Ctrl-C; `run` and `up` end with it, which is good.
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

from layers.arguments import at_least
from layers.pythons import Interpreter
from localaws.errors import LocalAwsError
from localaws.host import emulation, interpreters, packages
from localaws.host.environment import CREDENTIALS, without_account
from localaws.processor import mask, mask_option
from localaws.run import serve

PORT = 4566
FRONTS = ("rest", "http", "url")
INTERRUPTED = 130
"""What a shell gives for a program that Ctrl-C ended."""


def run(options: argparse.Namespace) -> int:
    """Serve the app alone, without AWS, in the user's environment: the app's memory size is an AWS_ variable."""
    return serve(options.port)


def up(options: argparse.Namespace) -> int:
    """Start, deploy, serve until Ctrl-C or SIGTERM."""
    from localaws.cloud.local_aws import LocalAws  # importing moto takes a second, which `--help` should not take
    from localaws.deploy.deployer import Deployer
    from localaws.host.lambda_host import LambdaHost
    from localaws.host.launch import Additions
    from localaws.host.masking import additions

    shown = None if emulation.is_emulated(options.arch) else mask.show(options.processor)
    signal.signal(signal.SIGTERM, _stop)
    python = _python(options.python)
    runs = _running(python, options.arch)
    heading, added = (shown.heading, additions(shown)) if shown else (emulation.HEADING, Additions())
    host = LambdaHost(options.instances, sandbox=options.sandbox, additions=added)
    with LocalAws(options.port, host=host) as cloud:
        print(f"AWS        {cloud.url} (moto; nothing leaves this machine)")
        print(f"Functions  Python {runs.version} at {runs.path}, {cloud.host.max_instances} instances at most")
        print(f"Sandbox    {_sandbox(cloud.host.why_no_sandbox(runs))}; memory limited by {cloud.host.memory.name}")
        print(f"Processor  {heading}")
        print(f"Logs       {cloud.host.folder}/*.log", flush=True)
        chosen = {"front": options.front, "opened": options.open}
        deployed = Deployer(cloud, python, stage=options.stage, say=_say, arch=options.arch, **chosen).deploy()
        print(f"\nAPI        {deployed.url}")
        print(f"Function   {', '.join(deployed.functions)}\n")
        sample = "-H 'Content-Type: image/png' --data-binary @tests/data/seven.png"
        print(f"  curl {sample} {deployed.url}predict/image")
        exports = " ".join(f"{name}={value}" for name, value in cloud.environment().items())
        print(f"  export {exports}\n\nCtrl-C ends it.", flush=True)
        threading.Event().wait()
    return 0


def invoke(options: argparse.Namespace) -> int:
    """Send an event to a function of a running `up`: the payload to standard output, the log to standard error."""
    import base64

    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    os.environ.update({**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{options.port}"})
    event = sys.stdin.buffer.read() if options.event == "-" else Path(options.event).read_bytes()
    try:
        once = Config(read_timeout=960, retries={"total_max_attempts": 1})
        client = boto3.client("lambda", region_name="us-east-1", config=once)
        name = options.function or _api(client.list_functions()["Functions"])
        answer = client.invoke(FunctionName=name, Payload=event, LogType="Tail")
    except (BotoCoreError, ClientError, StopIteration) as error:
        raise LocalAwsError(
            f"no function answers at port {options.port} ({error}): start `python -m localaws up` first"
        ) from error
    print(base64.b64decode(answer["LogResult"]).decode(), file=sys.stderr)
    print(answer["Payload"].read().decode())
    return 1 if "FunctionError" in answer else 0


def prepare(options: argparse.Namespace) -> int:
    """Install Lambda's runtime client now, so that nothing later needs a network."""
    python = _running(_python(options.python), options.arch)
    print(f"Python {python.version} at {python.path}: {packages.install(python)}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    options = _parser().parse_args(arguments)
    if options.command is not run:
        _forget_account()
    try:
        code: int = options.command(options)
        return code
    except KeyboardInterrupt:
        return 0 if options.command in (run, up) else INTERRUPTED
    except (LocalAwsError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _forget_account() -> None:
    """So that nothing reaches an account on AWS by mistake."""
    clean = without_account(os.environ)
    os.environ.clear()
    os.environ.update(clean)


def _api(functions: list[dict[str, str]]) -> str:
    """The name of the function behind the HTTP routes; an event handler's is `app.<its name>`."""
    return next(function["FunctionName"] for function in functions if function["Handler"] == "app.app")


def _python(wanted: str | None) -> Interpreter:
    if wanted:
        return interpreters.find(wanted)
    chosen = interpreters.preferred()
    if chosen.version not in interpreters.PREFERRED:
        print(
            f"None of Lambda's Pythons ({', '.join(interpreters.PREFERRED)}) is installed here: this program's is used"
        )
    return chosen


def _running(python: Interpreter, arch: str) -> Interpreter:
    """What runs the functions that `python` deploys."""
    return emulation.interpreter(python.runtime) if emulation.is_emulated(arch) else python


def _sandbox(why_not: str | None) -> str:
    return f"none: {why_not}" if why_not else "as on Lambda: read-only, but for /tmp; no network but this AWS"


def _say(line: str) -> None:
    print(line, flush=True)


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localaws", description="AWS on one machine, for this project.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    python, port, arch = (argparse.ArgumentParser(add_help=False) for _ in range(3))
    python.add_argument("--python", metavar="VERSION", help="3.13, or a path to a Python (default: 3.13 if installed)")
    port.add_argument("--port", type=int, default=PORT, help=f"port of AWS on this machine (default {PORT})")
    arch.add_argument(
        "--arch",
        choices=emulation.ARCHITECTURES,
        default=emulation.ARCHITECTURES[0],
        help="processor of layers and functions; arm64 is emulated on another, without --processor (default: this one)",
    )

    run_parser = commands.add_parser("run", help="serve the app alone with `chalice local`, and try it with a picture")
    run_parser.add_argument("--port", type=int, default=8000, help="port of the app (default 8000)")
    run_parser.set_defaults(command=run)

    up_parser = commands.add_parser(
        "up", parents=[port, python, arch], help="start AWS, deploy the project, serve until Ctrl-C"
    )
    up_parser.add_argument("--stage", default="dev", help="stage of .chalice/config.json (default dev)")
    up_parser.add_argument(
        "--instances", type=at_least(1), metavar="N", help="function processes at once (default: 2 per CPU)"
    )
    up_parser.add_argument(
        "--no-sandbox", dest="sandbox", action="store_false", help="let functions see and write all that you may"
    )
    up_parser.add_argument("--front", choices=FRONTS, help="what stands before the app (default: what the stage says)")
    up_parser.add_argument("--open", action="store_true", help="let anybody call the function URL of --front url")
    mask_option.add_option(up_parser)
    up_parser.set_defaults(command=up)

    invoke_parser = commands.add_parser("invoke", parents=[port], help="send an event to a deployed function")
    invoke_parser.add_argument("event", metavar="EVENT.json", help="a file, or - for standard input")
    invoke_parser.add_argument("--function", metavar="NAME", help="name of the function (default: the API's)")
    invoke_parser.set_defaults(command=invoke)

    prepare_parser = commands.add_parser("prepare", parents=[python, arch], help="install Lambda's runtime client")
    prepare_parser.set_defaults(command=prepare)
    return parser


if __name__ == "__main__":
    sys.exit(main())
