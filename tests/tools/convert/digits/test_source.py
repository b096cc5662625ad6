"""The digits bring their own pictures along, and the user's options go before that."""

from pathlib import Path
from typing import Any

import pytest

from convert.digits import training
from convert.opening.opened import opened
from convert.options import Options
from convert.pipeline import convert


@pytest.fixture(autouse=True)
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(on_epoch: Any) -> Any:
        on_epoch(0, 2.3)
        return training.build_network()

    monkeypatch.setattr(training, "train", train)


def test_int8_on_its_own_pictures_which_are_gone_afterwards(tmp_path: Path) -> None:
    options = Options("digits", out=tmp_path, name="mine", validation_limit=10, min_agreement=0)
    with opened(options) as source:
        card = convert(source, options).card
    assert (card.name, card.quantization, card.verification["pictures"]) == ("mine", "int8", 10)
    assert card.verification["accuracy"] is not None
    assert source.defaults.calibration is not None
    assert not source.defaults.calibration.exists()
    assert options == Options("digits", out=tmp_path, name="mine", validation_limit=10, min_agreement=0)


def test_another_quantisation_on_request(tmp_path: Path) -> None:
    options = Options("digits", out=tmp_path, quantize="float16", validation_limit=10)
    with opened(options) as source:
        assert convert(source, options).card.quantization == "float16"
