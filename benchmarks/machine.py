"""The option --processor of every benchmark, and what its headings say of the machine."""

import argparse

from localaws.errors import ProcessorMissing
from localaws.processor.mask import Shown, in_place, show


def shown(parser: argparse.ArgumentParser, level: str) -> Shown:
    """What the measured processes are shown; ends the program with 2 if this machine cannot show it."""
    try:
        return show(level)
    except ProcessorMissing as error:
        parser.exit(2, f"error: {error}\n")


def shown_to_this_process(parser: argparse.ArgumentParser, level: str) -> Shown:
    """The same for a benchmark that measures in its own process, which starts again under the mask if it needs one."""
    chosen = shown(parser, level)
    in_place(chosen)
    return chosen
