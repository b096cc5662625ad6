"""The option --processor, the same for every command that runs or measures a function."""

import argparse

from localaws.processor.mask import LEVELS

DEFAULT = "avx2"
ALL = "all"
HELP = "what processes see of this processor: AVX2, which Lambda promises, AVX-512 VNNI, or everything"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add it: `options.processor` is one of LEVELS."""
    parser.add_argument("--processor", choices=LEVELS, default=DEFAULT, help=f"{HELP} (default %(default)s)")


def add_repeatable_option(parser: argparse.ArgumentParser) -> None:
    """Add it as an option that may be repeated, or be `all`: `options.processor` is a list, empty if not given."""
    parser.add_argument(
        "--processor",
        choices=(*LEVELS, ALL),
        action="append",
        default=[],
        help=f"{HELP}; may be repeated, and `{ALL}` is each that can be shown here (default {DEFAULT})",
    )


def levels(given: list[str]) -> list[str]:
    """The levels that a repeatable option means, in the order of LEVELS."""
    wanted = set(LEVELS) if ALL in given else set(given or [DEFAULT])
    return [level for level in LEVELS if level in wanted]
