"""What the adapter of each front costs: medians over new processes, beside those of a REST API's events.

"cold" is what the first event of a process costs over and above Chalice: what `app` imports of the adapter, what that
event imports, and reading and answering it. "warm" is what each later one does.

    python -m benchmarks.fronts [--rounds 21]
"""

import argparse
import json
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
    """What one process measured."""
    command = [sys.executable, "-m", "benchmarks.fronts.process", front]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def medians(rounds: int) -> dict[str, dict[str, float]]:
    """Of each front. The fronts take turns; a first round fills the disk cache and does not count."""
    runs: dict[str, list[dict[str, float]]] = {front: [] for front in EVENTS}
    for number in range(rounds + 1):
        for front in EVENTS:
            found = run(front)
            if number:
                runs[front].append({**found, "cold_ms": found["import_ms"] + found["first_ms"]})
    return {front: {name: statistics.median(run[name] for run in of) for name in of[0]} for front, of in runs.items()}


def table(found: dict[str, dict[str, float]]) -> Table:
    """Milliseconds, each front in its row."""
    shown = Table("front", "imported with app", "first event", "cold: both", "warm", title="The adapter, ms (median)")
    for front, ms in found.items():
        shown.add_row(front, *(f"{ms[name]:.3f}" for name in ("import_ms", "first_ms", "cold_ms", "later_ms")))
    return shown


def main() -> int:
    """0 if cold and warm are within the limit with every front."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21, help="processes for each front")
    found = medians(parser.parse_args().rounds)
    Console(width=100).print(table(found))
    worst = max(max(ms["cold_ms"], ms["later_ms"]) for ms in found.values())
    print(f"the slowest takes {worst:.3f} ms, and at most {LIMIT_MS} ms are accepted")
    return int(worst > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
