"""Writing a bundle: aside first, then put in place whole, so that no reader sees half of one."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from chalicelib.inference.card import InputSpec, ModelCard, OutputSpec
from chalicelib.inference.registry import CARD_FILE, LABELS_FILE, MODEL_FILE
from convert.sources import Source
from convert.verify import Verification


@contextmanager
def staged(out: Path, name: str) -> Iterator[Path]:
    """A folder to fill, which becomes `out/name` when the block ends well and vanishes when it does not."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=out) as aside:
        folder = Path(aside) / name
        folder.mkdir()
        yield folder
        _put_in_place(folder, out / name, Path(aside) / "old")


def write(folder: Path, model: bytes, labels: tuple[str, ...], card: ModelCard) -> None:
    """The three files."""
    (folder / MODEL_FILE).write_bytes(model)
    (folder / LABELS_FILE).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    write_card(folder, card)


def write_card(folder: Path, card: ModelCard) -> None:
    """`model.json`, one field a line for people to read."""
    text = json.dumps(card.to_dict(), indent=2, ensure_ascii=False)
    (folder / CARD_FILE).write_text(text + "\n", encoding="utf-8")


def make_card(source: Source, model: bytes, quantization: str, spec: InputSpec, output: OutputSpec) -> ModelCard:
    """The card of a model that is not verified yet."""
    return ModelCard(
        name=source.name,
        sha256=hashlib.sha256(model).hexdigest(),
        size_bytes=len(model),
        quantization=quantization,
        trained=source.trained,
        input=spec,
        output=output,
        source=source.origin,
    )


def record(folder: Path, card: ModelCard, verification: Verification) -> ModelCard:
    """The card with what verification measured, written to the bundle."""
    verified = replace(card, verification=verification.to_dict())
    write_card(folder, verified)
    return verified


def _put_in_place(new: Path, target: Path, aside: Path) -> None:
    """Rename twice; a failure between them puts the old bundle back."""
    if target.exists():
        target.rename(aside)
    try:
        new.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
