from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import InvalidRequest
from chalicelib.workflow.experiment import GROUP, parse

GOOD = {"experiment": "e", "models": ["a", "b"], "source": "s3://pictures/in/"}


def test_defaults():
    found = parse(GOOD)
    assert (found.split.experiment, found.split.first, found.split.second, found.split.weight) == ("e", "a", "b", 0.5)
    assert (found.bucket, found.prefix, found.pictures, found.labels) == ("pictures", "in/", None, None)
    assert (found.shadow, found.group) == (0.1, GROUP)


def test_a_picture_that_is_named_twice_is_one():
    assert parse({**GOOD, "images": ["x", "y", "x"]}).pictures == ("x", "y")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"experiment": ""}, '"experiment" is "": expected a name'),
        ({"experiment": "a/b"}, '"experiment" is "a/b"'),
        ({"experiment": None}, '"experiment" is null'),
        ({"models": ["a"]}, '"models" is a JSON list of 1: expected the names of two models'),
        ({"models": ["a", ""]}, '"models"'),
        ({"models": "ab"}, '"models" is "ab"'),
        ({"source": "pictures/"}, "expected s3://bucket/prefix"),
        ({"source": 5}, '"source" is 5'),
        ({"weight": 1.5}, '"weight" is 1.5: expected B\'s share'),
        ({"weight": True}, '"weight" is true'),
        ({"weight": float("nan")}, '"weight" is NaN'),
        ({"shadow": -0.1}, '"shadow" is -0.1'),
        ({"labels": "labels.csv"}, '"labels" is .*expected s3://'),
        ({"images": []}, '"images" is a JSON list of 0: expected a list of keys'),
        ({"images": [5]}, '"images"'),
        ({"images": ["\ud800"]}, '"images"'),
        ({"images": ["x" * 1025]}, '"images" is .*up to 1024 bytes'),
        ({"group": 0}, '"group" is 0: expected 1 to 500'),
        ({"group": 501}, '"group" is 501'),
        ({"group": 2.0}, '"group" is 2.0'),
        ({"colour": 1}, 'unknown field "colour": expected experiment, models, source'),
    ],
    ids=str,
)
def test_a_refusal(changes, message):
    with pytest.raises(InvalidRequest, match=message):
        parse({**GOOD, **changes})


@pytest.mark.parametrize("missing", GOOD)
def test_required_fields(missing):
    with pytest.raises(InvalidRequest, match=f'"{missing}" is missing'):
        parse({name: value for name, value in GOOD.items() if name != missing})


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    max_leaves=10,
)


@given(JSON, st.dictionaries(st.sampled_from([*GOOD, "weight", "shadow", "labels", "images", "group"]), JSON))
def test_any_input_is_accepted_or_refused(anything, fields):
    for value in (anything, {**GOOD, **fields}):
        with suppress(InvalidRequest):
            parse(value)
