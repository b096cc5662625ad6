"""The tables of a run, for the terminal."""

from collections.abc import Iterator

from rich.table import Table

from benchmarks.peers.agreement import LEAST
from benchmarks.peers.needs import LAMBDA_UNZIPPED_MB, Size
from benchmarks.peers.outcome import REFERENCE, OfNetwork, Outcome, Row
from localaws.processor.share import MEMORY_MB_PER_VCPU

NOTES = (
    f"ratio: of the fastest inference, to {REFERENCE}. A row that agrees with its source on less than {LEAST:.0%} of "
    "the pictures has no ratio and no price: it computes something else.\n"
    f"$: a million predictions on Lambda's x86_64, one thread, {MEMORY_MB_PER_VCPU} MB: the function; with its log "
    "behind a function URL; with logs behind an HTTP API."
)


def tables(outcome: Outcome) -> Iterator[Table]:
    """Times of each network on each processor, then what each engine needs."""
    for found in outcome.networks.values():
        for shown in outcome.shown:
            heading = f"{found.title}, one inference, medians of {outcome.rounds}\n{shown.level}: {shown.heading}"
            yield times(found, shown.level, heading)
    for found in outcome.networks.values():
        yield needs(found)


def times(found: OfNetwork, level: str, heading: str) -> Table:
    """A row for each engine and mode."""
    made = Table(title=f"{heading}\n{_judged(found, level)}", title_justify="left")
    threads = [*found.rows[level][0].ms]
    of_threads = [name for number in threads for name in (f"ms, {number} thr.", "fastest", "ratio")]
    for column in ("engine", "mode", "same first", "difference", *of_threads, "$", "$ log", "$ HTTP"):
        made.add_column(column, justify="left" if column in ("engine", "mode") else "right")
    engine = found.rows[level][0].engine
    for row in found.rows[level]:
        if row.engine != engine:
            made.add_section()
            engine = row.engine
        made.add_row(row.engine, row.mode, *_agreement(row), *_times(found, level, row), *_dollars(row))
    return made


def needs(found: OfNetwork) -> Table:
    """Memory and megabytes of each engine and mode."""
    made = Table(
        title=f"{found.title}: what one answer needs, MB; Lambda takes {LAMBDA_UNZIPPED_MB} unzipped\n"
        "packages: the engine, NumPy, Pillow, as installed, and the model; loaded: the files of them that are read",
        title_justify="left",
    )
    for column in ("", "peak memory", "packages", "zipped", "loaded", "zipped"):
        made.add_column(column, justify="right" if column else "left")
    for name, each in found.needs.items():
        made.add_row(name, f"{each.peak_mb:.0f}", *_size(each.packages), *_size(each.loaded))
    return made


def _judged(found: OfNetwork, level: str) -> str:
    judged = next((row.agreement for row in found.rows[level] if row.agreement), None)
    if judged is None:
        return "random weights, so agreement with the source is not judged"
    return f"agreement with the source in float, on {judged.pictures} pictures that calibrated nothing"


def _agreement(row: Row) -> tuple[str, str]:
    if row.agreement is None:
        return "", ""
    return f"{row.agreement.same_first:.1%}", f"{row.agreement.largest_difference:.3f}"


def _times(found: OfNetwork, level: str, row: Row) -> Iterator[str]:
    for threads, ms in row.ms.items():
        ratio = found.of_reference(level, row, threads)
        yield f"{ms:.1f}"
        yield f"{row.fastest_ms[threads]:.1f}"
        yield "" if ratio is None else f"{ratio:.2f}"


def _dollars(row: Row) -> tuple[str, ...]:
    cost = row.million if row.counts else None
    if cost is None:
        return ("", "", "")
    return tuple(f"{usd:.2f}" for usd in (cost.function_usd, cost.with_logs_usd, cost.with_http_api_usd))


def _size(size: Size) -> tuple[str, str]:
    return f"{size.unzipped_mb:.0f}", "" if size.zipped_mb is None else f"{size.zipped_mb:.0f}"
