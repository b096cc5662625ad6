"""What the adapter of each front costs: medians over new processes, beside those of a REST API's events.

"cold" is the first event of a process: what it imports, reading it, and writing the response. "warm" is each later one.
What `app` imports of the adapter is part of Lambda's INIT phase, and the same with every front.

    python -m benchmarks.fronts [--rounds 21]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.fronts.events import EVENTS

LIMIT_MS = 0.2
PROJECT = Path(__file__).parents[2]


def run(front: str) -> dict[str, float]:
    """What one process measured. It reads bytecode, as in Lambda."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.fronts.process", front]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def medians(rounds: int) -> dict[str, dict[str, float]]:
    """Of each front. The fronts take turns; a first round writes the bytecode and does not count."""
    runs: dict[str, list[dict[str, float]]] = {front: [] for front in EVENTS}
    for number in range(rounds + 1):
        for front in EVENTS:
            found = run(front)
            if number:
                runs[front].append(found)
    return {front: {name: statistics.median(run[name] for run in of) for name in of[0]} for front, of in runs.items()}


def table(found: dict[str, dict[str, float]]) -> Table:
    """Milliseconds, each front in its row."""
    shown = Table("front", "in INIT", "cold", "warm", title="The adapter: processor time in ms, medians")
    for front, ms in found.items():
        shown.add_row(front, *(f"{ms[name]:.3f}" for name in ("import_ms", "first_ms", "later_ms")))
    return shown


def slowest(found: dict[str, dict[str, float]]) -> float:
    """The most that one event takes, cold or warm, in ms."""
    return max(max(ms["first_ms"], ms["later_ms"]) for ms in found.values())


def main() -> int:
    """0 if cold and warm are within the limit with every front."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21, help="processes for each front")
    found = medians(parser.parse_args().rounds)
    Console(width=100).print(table(found))
    print(f"the slowest event takes {slowest(found):.3f} ms; at most {LIMIT_MS} ms are accepted")
    return int(slowest(found) > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
