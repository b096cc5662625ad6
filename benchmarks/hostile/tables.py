"""What the tool prints."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.hostile.blast import Blast, largest, slowest, unhandled
from benchmarks.hostile.costs import Cost
from benchmarks.hostile.folder import Outcome
from benchmarks.hostile.fuzz import MOST_SHOWN, Fuzzed
from benchmarks.hostile.promises import Promise, decodable, percentile, refused, wrongly_accepted
from benchmarks.hostile.soak import Starved

CONSOLE = Console(width=150, soft_wrap=True, highlight=False)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows; the first column is text, the others are numbers."""
    shown = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        shown.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        shown.add_row(*map(str, row))
    CONSOLE.print(shown, markup=False)


def lines(texts: Iterator[str] | Sequence[str], most: int = 100) -> None:
    """Print lines, and how many more there are."""
    every = list(texts)
    for text in every[:most]:
        CONSOLE.print(f"  {text}", markup=False)
    if len(every) > most:
        CONSOLE.print(f"  and {len(every) - most} more")


def folder(outcomes: list[Outcome]) -> None:
    """One row for each format, then what is refused and what is wrong."""
    kinds: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        kinds[outcome.image_format].append(outcome)
    table(
        "Files, by the format of their first bytes (times: processor; memory: above the model)",
        ("", "files", "statuses", "of decodable", "p50 ms", "p99 ms", "worst ms", "worst MB"),
        [_row(name, found) for name, found in [*sorted(kinds.items()), ("all", outcomes)]],
    )
    no = refused(outcomes)
    CONSOLE.print(f"decoded by plain Pillow, refused by the function: {len(no)}")
    lines([f"{one.name}: {one.status}, {next(iter(one.replies.values())).message}" for one in no])
    wrong = [one for one in outcomes if one.status < 100 or one.status >= 500 or one.differs]
    for one in wrong + wrongly_accepted(outcomes):
        found = {route: f"{reply.status} {reply.message}"[:120] for route, reply in one.replies.items()}
        CONSOLE.print(f"  wrong: {one.name}: {found}; Pillow: {one.plain or 'decodes it'}", markup=False)


def _row(name: str, outcomes: list[Outcome]) -> list[object]:
    replies = [reply for outcome in outcomes for reply in outcome.replies.values()]
    counts = Counter(outcome.status for outcome in outcomes)
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(counts.items()))
    decodes = len(decodable(outcomes))
    answered = decodes - len(refused(outcomes))
    times = [reply.cpu_s * 1000 for reply in replies]
    figures = [f"{percentile(times, share):.1f}" for share in (0.5, 0.99, 1)]
    worst_mb = max((reply.peak_mb for reply in replies), default=0)
    return [name, len(outcomes), statuses, f"{answered}/{decodes}" if decodes else "", *figures, f"{worst_mb:.0f}"]


def bombs(blasts: list[Blast]) -> None:
    """The slowest and the largest, by format and over all, and what was not handled."""
    formats = sorted({blast.image_format for blast in blasts})
    for what, worst in (("slowest", slowest), ("largest", largest)):
        chosen = [
            one for name in formats for one in worst([blast for blast in blasts if blast.image_format == name], 3)
        ]
        table(
            f"The {what} of {len(blasts)} bombs, three of each format",
            ("bomb", "status", "processor s", "MB"),
            [(one.name, one.reply.status, f"{one.reply.cpu_s:.2f}", f"{one.reply.peak_mb:.0f}") for one in chosen],
        )
    lines([f"not handled: {one.name}: {one.reply.status} {one.reply.message}" for one in unhandled(blasts)], MOST_SHOWN)
    over = [one for one in blasts if one.bomb.over and one.reply.status == 200]
    lines([f"over a limit and answered: {one.name}" for one in over], MOST_SHOWN)


def fuzzed(found: Fuzzed) -> None:
    """What mutants of one kind gave."""
    rate = found.mutants / max(found.seconds, 0.001)
    share = found.accepted / max(found.mutants, 1)
    CONSOLE.print(
        f"{found.kind}: {found.mutants:,} mutants in {found.seconds:.0f} s ({rate:,.0f} a second), "
        f"{share:.0%} accepted, {len(found.findings)} unhandled"
    )
    kinds = Counter(finding.fault.partition(":")[0] for finding in found.findings)
    lines([f"{count} x {fault}" for fault, count in kinds.most_common(MOST_SHOWN)])
    lines([finding.shown() for finding in found.findings], MOST_SHOWN)


def costs(found: list[Cost]) -> None:
    """The budget's constants; a ratio below 1 is a constant that is too small."""
    table(
        "Costs of slow pictures, ns (with inference by the default model)",
        ("variant", "for each", "measured", "estimate", "estimate / measured"),
        [cost.row() for cost in found],
    )


def starved(found: list[Starved]) -> None:
    """Those that got another answer for lack of memory."""
    lines(
        [
            f"wrong with {one.headroom_mb} MB: {one.name}: {one.little.status} {one.little.message}, "
            f"else {one.enough.status}"
            for one in found
            if one.is_wrong
        ],
        MOST_SHOWN,
    )


def promises(found: list[Promise]) -> None:
    """The verdict."""
    shown = [(promise.text, promise.measured, "kept" if promise.kept else "BROKEN") for promise in found]
    table("Promises", ("", "measured", ""), shown)
