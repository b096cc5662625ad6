"""The smallest memory size at which every accepted picture is answered: the packaged function, the largest pictures.

    python -m benchmarks.tune.smallest [--model inception_v3] [--step 16] [--processor avx2]

Deploys the project into `localaws` and halves the range of sizes until one step is left. At each size a new instance
answers each picture twice. What ends the function is what ends it in `localaws`: the kernel, or a watch.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console

from benchmarks import machine
from benchmarks.tune import bundles, deployment
from benchmarks.tune.__main__ import BUILD
from benchmarks.tune.largest_pictures import largest_pictures
from benchmarks.tune.plan import Configuration
from convert.arguments import count
from localaws.errors import LocalAwsError
from localaws.host import interpreters
from localaws.host.function import Function
from localaws.host.lambda_host import LambdaHost
from localaws.host.masking import additions
from localaws.processor import mask_option

LEAST_MB, MOST_MB = 128, 1769
TIMES = 2
CONSOLE = Console(soft_wrap=True, highlight=False)


def first_failure(host: LambdaHost, function: Function, events: Mapping[str, bytes]) -> str | None:
    """The first picture that is not answered, and why; None if a new instance answers all of them."""
    host.stop_idle_instances()
    for name, event in [*events.items()] * TIMES:
        result = host.invoke(function, event)
        if result.function_error is not None:
            return f"{name}: {result.payload.decode()}"
        answer = json.loads(result.payload)
        if answer["statusCode"] != 200:
            return f"{name}: {answer['statusCode']} {answer['body']}"
    return None


def smallest(sizes_mb: Sequence[int], fails: Callable[[int], str | None]) -> tuple[int | None, str | None]:
    """The first of the rising sizes that does not fail, None if all do; and why the one below it fails."""
    low, high, reason = 0, len(sizes_mb), None
    while low < high:
        middle = (low + high) // 2
        why = fails(sizes_mb[middle])
        if why is None:
            high = middle
        else:
            low, reason = middle + 1, why
    return (sizes_mb[low] if low < len(sizes_mb) else None), reason


def main(arguments: list[str] | None = None) -> int:
    """Search once; 1 if no size is enough, 2 if the bundle is unknown or cannot be deployed."""
    parser = _parser()
    options = parser.parse_args(arguments)
    shown = machine.shown(parser, options.processor)
    try:
        bundles.lay_out([options.model], BUILD / "project")
        function = deployment.deploy(BUILD / "project", interpreters.preferred(), lambda _: None)
        events = {name: deployment.event_with(data) for name, data in largest_pictures()}
        with LambdaHost(max_instances=1, additions=additions(shown)) as host:
            CONSOLE.print(f"{options.model}, {shown.heading}; memory limited by {host.memory.name}")

            def fails(memory_mb: int) -> str | None:
                configured = deployment.configured(function, Configuration(options.model, memory_mb, 1))
                why = first_failure(host, configured, events)
                CONSOLE.print(f"{memory_mb:5} MB: {why or 'answers all'}", markup=False)
                return why

            found, reason = smallest(range(LEAST_MB, MOST_MB + 1, options.step), fails)
    except (LocalAwsError, bundles.UnknownBundle) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if found is None:
        CONSOLE.print(f"No size up to {MOST_MB} MB is enough: {reason}", markup=False)
        return 1
    CONSOLE.print(f"Smallest memory size that answers every accepted picture: {found} MB, in steps of {options.step}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tune.smallest",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="inception_v3", metavar="NAME", help="a bundle (default %(default)s)")
    parser.add_argument("--step", type=count, default=16, metavar="MB", help="between two sizes (default %(default)s)")
    mask_option.add_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
