import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.api.contract import (
    BASE64_PATTERN,
    IMAGE,
    INSTANCE,
    INSTANCES,
    MODEL,
    QUERY,
    SERVING,
    SINGLE,
    TOP_K,
    fits,
)
from chalicelib.api.parsing import decode_base64, parse_predict
from chalicelib.errors import InvalidRequest

PATTERN = re.compile(BASE64_PATTERN)
NEARLY_BASE64 = st.lists(
    st.sampled_from([*"AZaz09+/-_= \n\t\r\f\v.é\0", "data:", ";base64,", "DATA:;BASE64,", ","])
).map("".join)


def is_taken(text: str) -> bool:
    try:
        decode_base64(text, "it")
    except InvalidRequest:
        return False
    return True


class TestPattern:
    @given(NEARLY_BASE64)
    def test_it_says_exactly_what_is_decoded(self, text):
        assert bool(PATTERN.fullmatch(text)) == is_taken(text)

    @given(st.from_regex(BASE64_PATTERN))
    def test_what_it_says_is_decoded(self, text):
        assert is_taken(text)


class TestFits:
    @pytest.mark.parametrize("value", [1, 5, 10**30, 5.0])
    def test_a_whole_number(self, value):
        assert fits(value, TOP_K.schema)

    @pytest.mark.parametrize("value", [0, -1, 0.0, 2.5, "5", True, None, [5], float("inf"), float("nan")])
    def test_no_whole_number_of_at_least_1(self, value):
        assert not fits(value, TOP_K.schema)

    @pytest.mark.parametrize(
        ("value", "field", "want"),
        [
            ("digits", MODEL, True),
            ("", MODEL, False),
            (5, MODEL, False),
            ("", IMAGE, True),  # refused by what decodes it, in words of its own
            ({"b64": ""}, INSTANCE, True),
            ({}, INSTANCE, False),
            ({"b64": "", "x": 1}, INSTANCE, False),
            ([{}] * 32, INSTANCES, True),
            ([{}] * 33, INSTANCES, False),
            ([], INSTANCES, False),
            (None, SERVING["signature_name"], True),
        ],
        ids=str,
    )
    def test_others(self, value, field, want):
        assert fits(value, field.schema) == want


class TestOneSource:
    """A bound that changes in the contract changes what is accepted, with no other line touched."""

    def test_a_bound(self, monkeypatch):
        monkeypatch.setitem(TOP_K.schema, "minimum", 3)
        with pytest.raises(InvalidRequest):
            parse_predict(json.dumps({"image": "QUJD", "top_k": 2}).encode())

    @pytest.mark.parametrize("fields", [SINGLE, SERVING])
    def test_the_fields_are_those_that_a_refusal_names(self, fields):
        body = {"unknown": 1, **({"instances": [{"b64": "QUJD"}]} if fields is SERVING else {})}
        with pytest.raises(InvalidRequest, match=f"expected {', '.join(fields)}$"):
            parse_predict(json.dumps(body).encode())

    def test_the_query_is_part_of_both_bodies(self):
        assert set(QUERY) < set(SINGLE) and set(QUERY) < set(SERVING)
