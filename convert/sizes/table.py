"""The sizes as a table, and the one that is recommended."""

import platform
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from chalicelib.config import MEMORY_MB_PER_VCPU
from convert.options import Options
from convert.screen import table_console
from convert.sizes.comparison import MAX_ACCURACY_LOSS, Comparison, Measured
from convert.timing import processor


def show(compared: Comparison, options: Options, drawn: Path) -> None:
    """Print the table on standard output, and below it how the recommendation came about; `drawn` is the curve."""
    best, own = compared.best, "x".join(map(str, compared.own))
    title = f"{best.card.name}: {best.card.verification['pictures']} pictures of {compared.validation}, against {own}"
    table = Table(title=title, title_justify="left")
    for heading in ("size", "same class", "accuracy", "largest difference", "ms", "$ a million", "MB", ""):
        table.add_column(heading, justify="left" if heading in ("size", "") else "right")
    for row in compared.rows:
        table.add_row(*_cells(row, row is best))
    out = table_console()
    out.print(table)
    for line in _lines(compared, options, own, drawn):
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def _cells(row: Measured, is_best: bool) -> Iterator[str]:
    yield row.name
    yield f"{row.agreement:.1%}"
    yield "-" if row.accuracy is None else f"{row.accuracy:.1%}"
    yield f"{row.difference:.2f}"
    yield f"{row.ms:.1f}"
    yield f"{row.usd_per_million:.2f}"
    yield f"{row.card.size_bytes / 1e6:.1f}"
    yield "recommended" if is_best else "" if row.is_good else "too far"


def _lines(compared: Comparison, options: Options, own: str, drawn: Path) -> Iterator[str]:
    best = compared.best
    yield (
        f"recommended: {best.name}, the cheapest that names the class of {own} on at least "
        f"{options.min_agreement:.0%} of the pictures (--min-agreement) and whose accuracy is at most "
        f"{MAX_ACCURACY_LOSS:.0%} lower; written to {options.out / best.card.name}"
    )
    yield f"another size: the same command with --input-size {best.name} instead of --sizes"
    yield (
        f"ms and dollars are of one inference on one thread of {processor()}; dollars at "
        f"{MEMORY_MB_PER_VCPU:,} MB of Lambda's {_lambdas(platform.machine())}, the fee of each request included"
    )
    yield f"the curve is in {drawn}"


def _lambdas(machine: str) -> str:
    return "arm64" if machine in ("aarch64", "arm64") else "x86_64"
