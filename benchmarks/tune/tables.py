"""What a tuning prints: a table for each bundle, and remarks on costs."""

from collections.abc import Iterator

from rich.table import Table

from benchmarks.tune.outcome import BALANCE, Outcome, Row
from benchmarks.tune.prices import PER_DOLLAR_STATED, SOURCE, USD_PER_CALL, Cost

COLUMNS = ("MB", "vCPU", "threads", "INIT", "first", "billed", "warm", "p90", "model", "billed", "MB used",
           "$/million", "per dollar", "best for")  # fmt: skip


def table(outcome: Outcome, machine: str) -> Table:
    """A bundle's medians: durations in ms, first of a cold start, then of a warm request."""
    made = Table(title=f"{outcome.bundle}, ms, medians, {machine}")
    for column in COLUMNS:
        made.add_column(column, justify="right", no_wrap=True)
    for row in outcome.rows:
        made.add_row(*_cells(row), ", ".join(_best_for(row, outcome)), style=_style(row, outcome))
    return made


def remarks(outcome: Outcome) -> Iterator[str]:
    """Sentences: what was left out, what is recommended, and what that costs."""
    for size_mb, why in sorted(outcome.left_out.items()):
        yield f"{size_mb} MB left out: {why}"
    best = outcome.balanced
    yield f"Recommended: {best.memory_mb} MB with {best.threads} thread(s), for balance: {BALANCE}."
    alone = f"{best.per_dollar:,} predictions for a dollar of Lambda, {best.compute_per_dollar:,} without the fee"
    yield f"{alone} for each request{_beside_the_literature(best)}."
    cost = Cost.of(best.billed_ms, best.memory_mb)
    ways = (f"{way} ${cost.with_way_usd(way) * 1e6:.2f}" for way in USD_PER_CALL)
    yield f"A million predictions with the call included: {', '.join(ways)}."
    yield "arm64 takes other milliseconds: `python -m benchmarks.arm64` estimates them and their price."
    yield "Warm figures are of the quarter of the turns that other programs on this machine disturbed least."
    yield f"Prices: {SOURCE}."


def _beside_the_literature(row: Row) -> str:
    if not row.bundle.startswith("inception"):
        return ""
    few, many = PER_DOLLAR_STATED
    times = f"{row.per_dollar / many:.0f} to {row.per_dollar / few:.0f} times"
    return f": {times} the {few:,} to {many:,} that the literature states for Inception"


def _cells(row: Row) -> tuple[str, ...]:
    cold = (f"{row.init_ms:.0f}", f"{row.first_ms:.0f}", f"{row.cold_billed_ms}")
    warm = (f"{row.warm_ms:.1f}", f"{row.warm_p90_ms:.1f}", f"{row.inference_ms:.1f}", f"{row.billed_ms}")
    rest = (f"{row.used_mb}", f"{row.usd_per_million:.2f}", f"{row.per_dollar:,}")
    return (f"{row.memory_mb}", f"{row.vcpus:.2f}", f"{row.threads}", *cold, *warm, *rest)


def _best_for(row: Row, outcome: Outcome) -> list[str]:
    best = {"speed": outcome.fastest, "cost": outcome.cheapest, "balance": outcome.balanced}
    return [name for name, chosen in best.items() if chosen == row]


def _style(row: Row, outcome: Outcome) -> str:
    return "bold" if row == outcome.balanced else ""
