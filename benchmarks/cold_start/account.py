"""Where the milliseconds of a start go: the parts of the packaged function's first answer, its imports by package."""

import json
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from benchmarks.cold_start.processes import Ended, Starter
from benchmarks.cold_start.starts import HERE, ISOLATED, Start
from convert.modes import Mode
from localaws.processor.mask import Shown

SCRIPT = str(HERE / "answer_in_parts.py")
IMPORTS = "imports"
OWN = "app and chalicelib"
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|( +)(\S+)")
_OWNERS = {"app": OWN, "chalicelib": OWN, "chalice": "Chalice", "numpy": "numpy", "PIL": "Pillow"}


@dataclass(frozen=True)
class Import:
    """A line of `python -X importtime`: a module, the microseconds that it took itself, and its depth from 0."""

    module: str
    own_us: int
    depth: int


def account(starter: Starter, start: Start, shown: Shown, rounds: int) -> dict[str, float]:
    """Part to median ms, in the order in which they happen. The imports are split by package.

    Their split is measured in other processes, since `-X importtime` takes time itself, and scaled to what the imports
    take without it. The first process of each kind does not count.
    """
    plain = [_facts(starter.run(_in_parts(start), shown))["parts_ms"] for _ in range(rounds + 1)][1:]
    traced = [starter.run(_in_parts(start, "-X", "importtime"), shown) for _ in range(rounds + 1)][1:]
    parts = {part: statistics.median(run[part] for run in plain) for part in plain[0]}
    splits = [by_package(of_app(run.err), _facts(run)["shared_objects"]) for run in traced]
    split = {group: statistics.median(one[group] for one in splits) for group in splits[0]}
    scale = parts[IMPORTS] / sum(split.values())
    found: dict[str, float] = {}
    for part, ms in parts.items():
        found |= {f"import: {group}": own * scale for group, own in split.items()} if part == IMPORTS else {part: ms}
    return found


def _in_parts(start: Start, *options: str) -> Start:
    """The start of a packaged function, by the script that says what took how long."""
    *_, task, opt, event = start.command
    command = [sys.executable, *ISOLATED, *options, SCRIPT, task, opt, event, "BEGAN_NS"]
    return Start(command, start.environment)


def _facts(ended: Ended) -> dict[str, Any]:
    """What the script prints before its answer."""
    facts: dict[str, Any] = json.loads(ended.out.splitlines()[-2])
    return facts


def of_app(text: str) -> list[Import]:
    """The modules that `import app` loads, as `-X importtime` lists them: each after those that it imports."""
    lines = [Import(found[3], int(found[1]), len(found[2]) // 2) for found in _LINE.finditer(text)]
    last = next(number for number, line in enumerate(lines) if line.module == "app")
    first = last
    while first and lines[first - 1].depth > lines[last].depth:
        first -= 1
    return lines[first : last + 1]


def by_package(imports: list[Import], shared_objects: Collection[str]) -> dict[str, float]:
    """Package to the ms of its modules, without those of Python's library that it is the first to import.

    Those are beside it under "Python's modules for <package>", and its shared objects, which are loaded and linked,
    under "<package>: shared objects".
    """
    found: dict[str, float] = defaultdict(float)
    importers: list[tuple[int, str]] = []
    for line in reversed(imports):  # a module's importer is the next one after it with a smaller depth
        importers = [one for one in importers if one[0] < line.depth]
        package = line.module.partition(".")[0]
        owner = importers[-1][1] if importers else OWN
        if package in _OWNERS:
            owner = _OWNERS[package]
            group = f"{owner}: shared objects" if line.module in shared_objects else owner
        else:
            group = f"Python's modules for {owner}"
        found[group] += line.own_us / 1000
        importers.append((line.depth, owner))
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def table(accounts: Mapping[Mode, dict[str, float]], heading: str, rounds: int) -> Table:
    """A row for each part, a column for each model, and the sum."""
    title = f"Where the milliseconds of a start go, medians of {rounds}\n{heading}"
    made = Table(title=title, title_justify="left", show_footer=True)
    made.add_column("", footer="together")
    for name, parts in accounts.items():
        made.add_column(name, justify="right", footer=f"{sum(parts.values()):.1f}")
        made.add_column("%", justify="right", footer="100")
    for part in dict.fromkeys(part for parts in accounts.values() for part in parts):
        cells = []
        for parts in accounts.values():
            ms, whole = parts.get(part, 0.0), sum(parts.values())
            cells += [f"{ms:.1f}", f"{100 * ms / whole:.1f}"]
        made.add_row(part, *cells)
    return made
