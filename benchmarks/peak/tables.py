"""What a simulation prints: minute by minute, the peak minute by 10 s, the steps, the batch, and advice."""

from collections.abc import Iterator, Sequence

import numpy as np
from rich.table import Table

from benchmarks.peak.advice import HELD, RETRIES, Step
from benchmarks.peak.batch import Batched
from benchmarks.peak.limits import SCALING_BURST, UNRESERVED
from benchmarks.peak.periods import Period
from benchmarks.peak.prices import PARTS

_OF_PERIODS = ("from", "offered", "answered", "throttled", "by front", "by Lambda", "late", "cold", "environments",
               "p50 ms", "p90", "p99", "max", *(f"$ {part}" for part in PARTS), "$ in all")  # fmt: skip
_OF_STEPS = ("deployment", "answered", "throttled", "cold", "environments", "p50 ms", "p90", "p99", "max", "$ in all")


def of_periods(title: str, periods: Sequence[Period], total: Period | None = None) -> Table:
    """A row for each period, and one for the whole."""
    made = _table(title, _OF_PERIODS)
    for period in periods:
        made.add_row(f"{period.start_s:.0f} s", *_cells(period))
    if total is not None:
        made.add_row("in all", *_cells(total), style="bold")
    return made


def of_steps(steps: Sequence[Step]) -> Table:
    """A row for each deployment; those that hold the load are bold."""
    made = _table(f"What holds it: at most {HELD:.1%} without an answer", _OF_STEPS)
    for step in steps:
        figures = step.figures
        shares = (f"{figures.answered / figures.offered:.2%}", f"{figures.throttled_share:.2%}")
        numbers = (f"{figures.cold_starts:,}", f"{figures.environments:,}", *_latency(figures))
        cells = (step.name, *shares, *numbers, f"{figures.total_usd:.2f}")
        made.add_row(*cells, style="bold" if step.held else "")
    return made


def of_batch(batches: Sequence[Batched], steps: Sequence[Step]) -> Table:
    """The batch beside the last deployment of the API."""
    made = _table("The same pictures", ("way", "last result after", "p50", "p99", "$ in all", "$ uploads"))
    api = next((step for step in steps if step.held), steps[-1])
    latency_s = api.requests.latency_s[api.requests.answered]
    last_s = float((api.requests.arrived_s + api.requests.latency_s)[api.requests.answered].max(initial=0.0))
    made.add_row(f"API, {api.name}", _time(last_s), *_quantiles(latency_s), f"{api.figures.total_usd:.2f}", "")
    for batch in batches:
        cells = (_time(batch.last_s), *_quantiles(batch.latency_s), f"{batch.usd:.2f}", f"{batch.upload_usd:.2f}")
        made.add_row(f"batch, {batch.workers:,} workers", *cells)
    return made


def advice(steps: Sequence[Step], batches: Sequence[Batched]) -> Iterator[str]:
    """Sentences that follow from the simulations."""
    first, last = steps[0], steps[-1]
    if first.held:
        yield f"Held as it is: {_answered(first)}."
        return
    yield f"Not held as it is: {_answered(first)}{_why(first)}."
    if last.held:
        held = f"{_answered(last)}, for ${last.figures.total_usd:.2f}"
        yield f"Held with: {'; '.join(_changes(first, last))}. Then {held}."
    else:
        yield f"Nothing tried here holds it. Best with: {'; '.join(_changes(first, last))}: {_answered(last)}."
    if last.setup.provisioned > first.setup.provisioned:
        plain = steps[-3]
        unaided = plain.figures.throttled_share
        yield (
            f"Without more provisioned concurrency {unaided:.1%} are throttled, whatever the account's limit: Lambda"
            f" adds {SCALING_BURST:,} environments in 10 s. A concurrency above {plain.setup.limit:,} changes nothing."
        )
        retrying = steps[-2]
        yield f"If clients try again up to {RETRIES} times instead: {_answered(retrying)}."
    quickest = min(batches, key=lambda one: one.last_s)
    yield (
        f"If nobody waits for the answers, queue them: {quickest.workers:,} workers have the last result after"
        f" {_time(quickest.last_s)}, for ${quickest.usd:.2f}, and nothing is throttled."
    )


def _changes(first: Step, last: Step) -> Iterator[str]:
    was, now = first.setup, last.setup
    if now.front.account_rate is not None and (now.rate, now.burst) != (was.rate, was.burst):
        command = "front" if now.front_name == "http" else "settings"
        yield f"`python -m layers {command} --stage dev --rate {now.rate:.0f} --burst {now.burst:.0f}`"
    if now.account_rate not in (None, was.account_rate, now.front.account_rate):
        yield f"API Gateway's throttle of the account raised to {now.account_rate:,.0f} a second (ask AWS)"
    if now.limit > was.limit:
        way = "ask AWS" if now.limit > was.account_limit else "raise what is reserved"
        yield f"a concurrency of {now.limit:,} ({way})"
    if now.provisioned > was.provisioned:
        free = f"{UNRESERVED} of the limit stay free"
        yield f"provisioned concurrency {now.provisioned:,} with WARM_IN_INIT=true ({free})"


def _why(step: Step) -> str:
    figures, front = step.figures, step.setup.front
    causes = []
    if figures.throttled_by_front:
        causes.append(f"{front.name} throttles {figures.throttled_by_front:,} with {front.throttled_status}")
    if figures.throttled_by_lambda:
        causes.append(f"Lambda throttles {figures.throttled_by_lambda:,}, which clients see as {front.busy_status}")
    if figures.timed_out:
        causes.append(f"{figures.timed_out:,} take too long")
    return f"; {'; '.join(causes)}"


def _answered(step: Step) -> str:
    figures = step.figures
    share = f"{figures.answered / figures.offered:.2%} are answered"
    if figures.latency_ms is None:
        return share
    return f"{share}, half within {figures.latency_ms[0]:,.0f} ms, 99% within {figures.latency_ms[2]:,.0f} ms"


def _table(title: str, columns: Sequence[str]) -> Table:
    made = Table(title=title)
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left")
    return made


def _cells(period: Period) -> tuple[str, ...]:
    counts = (f"{period.offered:,}", f"{period.answered:,}", f"{period.throttled_share:.2%}")
    causes = (f"{period.throttled_by_front:,}", f"{period.throttled_by_lambda:,}", f"{period.timed_out:,}")
    environments = (f"{period.cold_starts:,}", f"{period.environments:,}")
    dollars = (*(f"{period.usd[part]:.2f}" for part in PARTS), f"{period.total_usd:.2f}")
    return (*counts, *causes, *environments, *_latency(period), *dollars)


def _latency(period: Period) -> tuple[str, ...]:
    return ("",) * 4 if period.latency_ms is None else tuple(f"{value:,.0f}" for value in period.latency_ms)


def _quantiles(latency_s: np.ndarray) -> tuple[str, str]:
    if not len(latency_s):
        return "", ""
    median_s, late_s = np.percentile(latency_s, (50, 99))
    return _time(median_s), _time(late_s)


def _time(seconds: float) -> str:
    """In the unit in which it reads best."""
    if seconds < 60:
        return f"{seconds:.2f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
