import pytest

from tests.support.bundles import TINY_CARDS, TINY_DIR

pytest.importorskip("ai_edge_litert.schema_py_generated", reason="LiteRT's schema module writes the tiny models")
from tests.support.make_models import MODELS, make_models


def test_the_script_still_gives_the_committed_bytes():
    made = dict(make_models())
    assert {file.name: file.read_bytes() for file in TINY_DIR.iterdir()} == made
    assert max(map(len, made.values())) < 5000


def test_each_has_a_card():
    assert {model.__name__ for model in MODELS} == set(TINY_CARDS)
