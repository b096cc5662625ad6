"""What a run found, as tables and JSON have it."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.peers.agreement import Agreement
from benchmarks.peers.needs import Needs
from benchmarks.peers.prices import Million
from localaws.processor.mask import Shown

OWN = "LiteRT"
REFERENCE = f"{OWN} float32"
"""The row to which all times are compared: the network before quantisation, as the converter makes it."""


@dataclass(frozen=True)
class Row:
    """One engine and mode on one processor."""

    engine: str
    mode: str
    ms: Mapping[int, float]
    """Median of one inference, by the number of threads."""
    agreement: Agreement | None
    """None if the network has random weights."""
    fastest_ms: Mapping[int, float]
    """The least of one inference, by the number of threads."""

    @property
    def name(self) -> str:
        """Engine and mode."""
        return f"{self.engine} {self.mode}"

    @property
    def counts(self) -> bool:
        """Whether its time may be compared: it answers as its source does, or nobody can tell."""
        return self.agreement is None or self.agreement.counts

    @property
    def million(self) -> Million | None:
        """Dollars on x86_64, if one thread was measured."""
        return Million.of(self.ms[1], "x86_64") if 1 in self.ms else None


@dataclass(frozen=True)
class OfNetwork:
    """Everything about one network."""

    title: str
    trained: bool
    rows: Mapping[str, list[Row]]
    """By the processor that was shown."""
    needs: Mapping[str, Needs]
    """By the row's name."""
    left_out: Mapping[str, str]
    """Engines that were not measured, and why."""

    def of_reference(self, level: str, row: Row, threads: int) -> float | None:
        """Its fastest time in terms of the reference's, if both count."""
        reference = next((other for other in self.rows[level] if other.name == REFERENCE), None)
        return row.fastest_ms[threads] / reference.fastest_ms[threads] if reference and row.counts else None


@dataclass(frozen=True)
class Outcome:
    """One run."""

    shown: list[Shown]
    not_measured: Mapping[str, str]
    """Processors that this machine cannot show, and why."""
    rounds: int
    networks: Mapping[str, OfNetwork]
    included: Mapping[str, Any]
    """What other benchmarks of the same run wrote, by their file's name."""

    def to_json(self) -> dict[str, Any]:
        """For a file: the machine and the date beside every figure."""
        return {
            "date": time.strftime("%Y-%m-%d"),
            "rounds": self.rounds,
            "processors": {each.level: each.heading for each in self.shown},
            "not_measured": dict(self.not_measured),
            "networks": {name: _of_network(found) for name, found in self.networks.items()},
            **self.included,
        }


def _of_network(found: OfNetwork) -> dict[str, Any]:
    return {
        "title": found.title,
        "weights": "trained" if found.trained else "random",
        "left_out": dict(found.left_out),
        "rows": {level: {row.name: _of_row(row) for row in rows} for level, rows in found.rows.items()},
        "needs": {name: asdict(each) for name, each in found.needs.items()},
    }


def _of_row(row: Row) -> dict[str, Any]:
    return {
        "ms": {str(threads): round(ms, 2) for threads, ms in row.ms.items()},
        "fastest_ms": {str(threads): round(ms, 2) for threads, ms in row.fastest_ms.items()},
        "agreement": asdict(row.agreement) if row.agreement else None,
        "usd_a_million": asdict(row.million) if row.million else None,
    }
