"""Comparisons that were never measured, for what is made of them."""

from pathlib import Path

from chalicelib.inference.card import InputSpec, ModelCard, OutputSpec
from convert.sizes.comparison import Comparison, Measured


def card(name: str = "m") -> ModelCard:
    return ModelCard(
        name=name,
        sha256="0" * 64,
        size_bytes=22_600_000,
        quantization="dynamic",
        trained=True,
        input=InputSpec(299, 299, "RGB", 1.0, (0.0,) * 3, (255.0,) * 3),
        output=OutputSpec(5, "probabilities", 0),
        verification={"pictures": 100},
    )


def row(
    side: int, agreement: float, accuracy: float | None, ms: float, is_good: bool = True, high: int = 0
) -> Measured:
    return Measured((side, high or side), card(), (), agreement, 0.25, accuracy, ms, is_good)


def comparison(*rows: Measured, best: int = 0) -> Comparison:
    return Comparison(rows, rows[-1].size, rows[best], Path("pictures"))
