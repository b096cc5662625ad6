"""Writes a bundle into a temporary folder, then renames it, so that nobody reads half a bundle."""

import hashlib
import json
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from chalicelib.inference.card import ModelCard, OutputSpec
from chalicelib.inference.registry import CARD_FILE, LABELS_FILE, MODEL_FILE
from convert.contract.decide import Contract
from convert.modes import Found
from convert.sources import Source
from convert.verify import Verification


@contextmanager
def staged(out: Path, name: str) -> Iterator[Path]:
    """A folder to fill. It becomes `out/name` if the block succeeds, and is deleted if the block raises."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=out) as aside:
        folder = Path(aside) / name
        folder.mkdir()
        yield folder
        _put_in_place(folder, out / name, Path(aside) / "old")


def write(folder: Path, model: bytes, labels: tuple[str, ...], card: ModelCard) -> None:
    """Write the three files of a bundle; raises OSError."""
    (folder / MODEL_FILE).write_bytes(model)
    (folder / LABELS_FILE).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    write_card(folder, card)


def write_card(folder: Path, card: ModelCard) -> None:
    """Write `model.json` for people to read, one field on each line; raises OSError."""
    text = json.dumps(card.to_dict(), indent=2, ensure_ascii=False)
    (folder / CARD_FILE).write_text(text + "\n", encoding="utf-8")


def make_card(
    source: Source,
    model: bytes,
    quantization: Found,
    changes: Mapping[str, int],
    contract: Contract,
    output: OutputSpec,
) -> ModelCard:
    """The card of a model that is not verified yet; `changes` is what `rewrite.make_faster` returned."""
    return ModelCard(
        name=source.name,
        sha256=hashlib.sha256(model).hexdigest(),
        size_bytes=len(model),
        crc32=f"{zlib.crc32(model):08x}",
        quantization=quantization,
        trained=source.trained,
        input=contract.input,
        output=output,
        contract=contract.card,
        source={**source.origin, **changes},
    ).checked()


def record(folder: Path, card: ModelCard, verification: Verification) -> ModelCard:
    """Add what verification measured to the card, and write the card again; raises OSError."""
    verified = card._replace(verification=verification.to_dict()).checked()
    write_card(folder, verified)
    return verified


def _put_in_place(new: Path, target: Path, aside: Path) -> None:
    """Rename twice; if the second rename fails, put the old bundle back."""
    if target.exists():
        target.rename(aside)
    try:
        new.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
