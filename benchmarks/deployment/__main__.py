"""`make deploy` broken off at each of its calls and after each of its commands, and given again.

    python -m benchmarks.deployment [--first 0] [--last 200]

Nothing leaves this machine. Each trial deploys into an empty account on `localaws` with one call of AWS refused (403),
gives the same commands again, and compares the account, resource by resource, with one after an undisturbed
deployment. The exit code is 0 if all are equal. All of them take about half an hour.
"""

import argparse
import sys
from collections.abc import Iterator

from benchmarks.deployment.interrupted import Trial, attempt
from layers.arguments import at_least


def main(arguments: list[str] | None = None) -> int:
    """Run the trials, with a line on each; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deployment", description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=at_least(0), default=0, help="the first trial (default 0)")
    parser.add_argument("--last", type=at_least(0), default=None, help="the last trial (default: all)")
    options = parser.parse_args(arguments)
    undisturbed = attempt()
    tried = different = 0
    for name, trial in _trials(undisturbed, options.first, options.last):
        found = trial.differs_from(undisturbed)
        tried, different = tried + 1, different + bool(found)
        print(f"{name}: {trial.broken_off or 'went on'}; then {'different' if found else 'equal'}", flush=True)
        print(*(f"  {line}" for line in found), sep="\n", end="\n" if found else "", flush=True)
    places = len(undisturbed.calls) + len(undisturbed.commands) - 1
    print(f"{tried} of {places} places tried, {different} different, {len(undisturbed.state)} resources compared")
    return 1 if different else 0


def _trials(undisturbed: Trial, first: int, last: int | None) -> Iterator[tuple[str, Trial]]:
    """One for each call of the undisturbed deployment, then one for each command but the last."""
    calls = undisturbed.calls
    places = [*range(len(calls) + len(undisturbed.commands) - 1)]
    for place in places[first : None if last is None else last + 1]:
        if place < len(calls):
            yield f"{place} {calls[place]}", attempt(call=place)
        else:
            yield f"{place} after command {place - len(calls) + 1}", attempt(commands=place - len(calls) + 1)


if __name__ == "__main__":
    sys.exit(main())
