"""What all benchmarks share: the option --processor, what headings say of the machine, and the JSON file."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localaws.errors import ProcessorMissing
from localaws.processor.mask import Shown, in_place, show


def shown(parser: argparse.ArgumentParser, level: str) -> Shown:
    """What the measured processes are shown; ends the program with 2 if this machine cannot show it."""
    try:
        return show(level)
    except ProcessorMissing as error:
        parser.exit(2, f"error: {error}\n")


def those_shown(levels: list[str]) -> tuple[list[Shown], dict[str, str]]:
    """What this machine can show of `levels`, and for each other level why it is not measured."""
    found: list[Shown] = []
    left_out: dict[str, str] = {}
    for level in levels:
        try:
            chosen = show(level)
        except ProcessorMissing as error:
            left_out[level] = str(error)
            continue
        same = next((other for other in found if other.words == chosen.words), None)
        if same:
            left_out[level] = f"the same as {same.level} here: {chosen.heading}"
        else:
            found.append(chosen)
    return found, left_out


def shown_to_this_process(parser: argparse.ArgumentParser, level: str) -> Shown:
    """The same for a benchmark that measures in its own process, which starts again under the mask if it needs one."""
    chosen = shown(parser, level)
    in_place(chosen)
    return chosen


def write_json(path: Path, facts: Mapping[str, Any]) -> None:
    """Write what was measured, and the folder if it is not there; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
