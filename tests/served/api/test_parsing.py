import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.api.contract import MAX_INSTANCES
from chalicelib.api.parsing import PredictRequest, decode_base64, parse_image_query, parse_predict
from chalicelib.errors import InvalidRequest
from chalicelib.inference.classifier import check_top_k

DATA = bytes(range(256)) + b"\xfb\xef\xbe\xff"  # its base64 holds +, / and =
PLAIN = base64.b64encode(DATA).decode()
SPELLINGS = {
    "plain": PLAIN,
    "unpadded": PLAIN.rstrip("="),
    "URL-safe": base64.urlsafe_b64encode(DATA).decode(),
    "URL-safe and unpadded": base64.urlsafe_b64encode(DATA).decode().rstrip("="),
    "lines of 76": base64.encodebytes(DATA).decode(),
    "white space": " \t" + PLAIN[:10] + "\r\n " + PLAIN[10:] + "\f\v",
    "data: URL": "data:image/png;base64," + PLAIN,
    "data: URL without a type": "data:;base64," + PLAIN,
    "DATA: URL with a parameter": "DATA:image/png;charset=x;BASE64," + PLAIN,
}


def body(**fields) -> bytes:
    return json.dumps(fields).encode()


def refusal(parse, *arguments) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parse(*arguments)
    assert len(str(caught.value)) < 300
    return str(caught.value)


class TestBase64:
    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_every_spelling_gives_identical_bytes(self, spelling):
        assert "+" in PLAIN and "/" in PLAIN and "=" in PLAIN
        assert decode_base64(SPELLINGS[spelling], "it") == DATA

    @given(st.binary(min_size=1, max_size=50))
    def test_any_bytes_in_four_spellings(self, data):
        plain, url_safe = base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()
        for text in (plain, url_safe, plain.rstrip("="), url_safe.rstrip("=")):
            assert decode_base64(text, "it") == data

    @given(st.text(max_size=30))
    def test_any_text_is_decoded_or_refused(self, text):
        try:
            assert isinstance(decode_base64(text, "it"), bytes)
        except InvalidRequest as error:
            assert str(error).startswith("it is ")

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("", "it is empty: expected the base64 of an image"),
            ("  \n", "it is empty: expected the base64 of an image"),
            ("====", "it is empty: expected the base64 of an image"),
            ("data:image/png;base64,", "it is empty: expected the base64 of an image"),
            ("!!!!", "it is not base64: it holds characters outside its alphabet"),
            ("AA*A", "it is not base64: it holds characters outside its alphabet"),
            ("AA=A", "it is not base64: it holds characters outside its alphabet"),
            ("AA==AA==", "it is not base64: it holds characters outside its alphabet"),
            ("A", "it is not base64: 1 characters cannot be a whole number of bytes"),
            ("AAAAA", "it is not base64: 5 characters cannot be a whole number of bytes"),
            ("QQ===", "it is not base64: 5 characters cannot be a whole number of bytes"),
            ("AAA=====", "it is not base64: 8 characters cannot be a whole number of bytes"),
            ("AAÄA", "it is not base64: it holds characters outside ASCII"),
            ("AA\u00a0AA", "it is not base64: it holds characters outside ASCII"),
            ("\ud800AAA", "it is not base64: it holds characters outside ASCII"),
            ("AA\0A", "it is not base64: it holds characters outside its alphabet"),
            ("data:image/png,AAAA", "it is a data: URL that is not base64"),
            ("data:image/png;base64;AAAA", "it is a data: URL that is not base64"),
            ("data:", "it is a data: URL that is not base64"),
            (None, "it is null: expected a string of base64"),
            (5, "it is 5: expected a string of base64"),
            (True, "it is true: expected a string of base64"),
            (["AAAA"], "it is a JSON list of 1: expected a string of base64"),
            ({"b64": "AAAA"}, "it is a JSON object of 1: expected a string of base64"),
        ],
        ids=repr,
    )
    def test_what_is_no_base64_is_refused(self, text, says):
        assert refusal(decode_base64, text, "it").startswith(says)


class TestPredict:
    def test_the_whole_request(self):
        assert parse_predict(body(image="QUJD", top_k=3, model="m")) == PredictRequest((b"ABC",), 3, "m", False)

    def test_only_the_image_is_needed(self):
        assert parse_predict(body(image="QUJD")) == PredictRequest((b"ABC",), None, None, False)

    def test_of_a_field_given_twice_the_last_counts(self):
        assert parse_predict(b'{"image": "QQ==", "top_k": 1, "image": "Qg==", "top_k": 2}').images == (b"B",)

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-be"])
    def test_json_in_any_unicode(self, encoding):
        assert parse_predict(json.dumps({"image": "QUJD"}).encode(encoding)).images == (b"ABC",)

    @pytest.mark.parametrize(
        ("data", "says"),
        [
            (b"", "the body is not JSON (0 bytes received)"),
            (b"{", "the body is not JSON (1 bytes received)"),
            (b"image=QUJD", "the body is not JSON (10 bytes received)"),
            (b"\xff\xfe\xfd\xfc\x80", "the body is not JSON: it holds bytes that are no text"),
            (b'{"image": "\xff"}', "the body is not JSON: it holds bytes that are no text"),
            (b'{"image": NaN}', "the body is not JSON (14 bytes received)"),
            (b'{"image": -Infinity}', "the body is not JSON (20 bytes received)"),
            (b'{"top_k": ' + b"9" * 5000 + b"}", "the body is not JSON (5011 bytes received)"),
            (b"[" * 100_000, "the body is not JSON (100000 bytes received)"),
            (b"null", "the body is null: expected a JSON object"),
            (b"1", "the body is 1: expected a JSON object"),
            (b"1e999", "the body is Infinity: expected a JSON object"),
            (b'"abc"', 'the body is "abc": expected a JSON object'),
            (b"[1]", "the body is a JSON list of 1: expected a JSON object"),
            (b"{}", 'the field "image" is missing: send {"image": "<base64>"}'),
            (b'{"Image": "QUJD"}', 'unknown field "Image": expected image, top_k, model'),
            (b'{"image": "QUJD", "topk": 5}', 'unknown field "topk": expected image, top_k, model'),
            (b'{"image": "QUJD", "\\ud800": 5}', 'unknown field "\\ud800": expected image, top_k, model'),
            (b'{"image": "QUJD", "signature_name": ""}', 'unknown field "signature_name": expected image'),
        ],
        ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else "",
    )
    def test_what_is_no_request_is_refused(self, data, says):
        assert refusal(parse_predict, data).startswith(says)

    def test_a_whole_number_may_have_a_point(self):
        assert repr(parse_predict(b'{"image": "QUJD", "top_k": 5.0}').top_k) == "5"

    @pytest.mark.parametrize("nested", [b"[" * 5000 + b"]" * 5000, b'{"a":' * 5000 + b"1" + b"}" * 5000])
    def test_json_nested_5000_deep(self, nested):
        assert refusal(parse_predict, b'{"image": ' + nested + b"}")

    @pytest.mark.parametrize(
        ("value", "shown"),
        [("0", "0"), ("-1", "-1"), ('"5"', '"5"'), ("2.5", "2.5"), ("true", "true"), ("null", "null"),
         ("1e999", "Infinity"), ("[5]", "a JSON list of 1"), ("{}", "a JSON object of 0")],
    )  # fmt: skip
    def test_a_top_k_that_is_no_positive_whole_number(self, value, shown):
        data = f'{{"image": "QUJD", "top_k": {value}}}'.encode()
        assert refusal(parse_predict, data) == f'"top_k" is {shown}: expected a whole number of at least 1'

    @pytest.mark.parametrize(("value", "shown"), [("", '""'), (5, "5"), (None, "null"), (["m"], "a JSON list of 1")])
    def test_a_model_that_is_no_name(self, value, shown):
        says = f'"model" is {shown}: expected the name of a model as a string'
        assert refusal(parse_predict, body(image="QUJD", model=value)) == says


class TestTopK:
    @pytest.mark.parametrize(("top_k", "classes", "want"), [(None, 10, 5), (None, 3, 3), (1, 3, 1), (3, 3, 3)])
    def test_the_model_bounds_it(self, top_k, classes, want):
        assert check_top_k(top_k, classes) == want

    @pytest.mark.parametrize("top_k", [4, 10**9, 2**63])
    def test_more_than_there_are_classes_is_refused(self, top_k):
        assert refusal(check_top_k, top_k, 3) == f'"top_k" is {top_k}: this model has 3 classes'

    def test_a_number_that_python_will_not_print(self):
        assert refusal(check_top_k, 10**5000, 3) == '"top_k" is a very large number: this model has 3 classes'


class TestInstances:
    def test_tensorflow_servings_form(self):
        request = body(instances=[{"b64": "QQ=="}, {"b64": "Qg"}], signature_name="serving_default", top_k=2)
        assert parse_predict(request) == PredictRequest((b"A", b"B"), 2, None, is_instances=True)

    @pytest.mark.parametrize(
        ("instances", "says"),
        [
            ([], '"instances" is a JSON list of 0: expected a list of 1 to 32 objects'),
            ([{"b64": "QQ=="}] * (MAX_INSTANCES + 1), '"instances" is a JSON list of 33: expected a list of 1 to 32'),
            ("QQ==", '"instances" is "QQ==": expected a list of 1 to 32 objects'),
            (None, '"instances" is null: expected a list of 1 to 32 objects'),
            ({"b64": "QQ=="}, '"instances" is a JSON object of 1: expected a list of 1 to 32 objects'),
            (["QQ=="], '"instances"[0] is "QQ==": expected {"b64": "<base64>"}'),
            ([{"b64": "QQ=="}, {"b65": "QQ=="}], '"instances"[1] is a JSON object of 1: expected {"b64": "<base64>"}'),
            ([{"b64": "QQ==", "x": 1}], '"instances"[0] is a JSON object of 2: expected {"b64": "<base64>"}'),
            ([{"b64": 5}], '"instances"[0] is 5: expected a string of base64'),
            ([[[0.1, 0.2]]], '"instances"[0] is a JSON list of 1: expected {"b64": "<base64>"}'),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_any_other_form_is_refused(self, instances, says):
        assert refusal(parse_predict, body(instances=instances)).startswith(says)

    def test_both_forms_at_once_are_refused(self):
        assert "unknown field" in refusal(parse_predict, body(instances=[{"b64": "QQ=="}], image="QQ=="))


class TestImageQuery:
    @pytest.mark.parametrize(
        ("query", "want"),
        [
            ({}, (None, None)),
            ({"top_k": "3"}, (3, None)),
            ({"model": "m"}, (None, "m")),
            ({"top_k": "007", "model": "7"}, (7, "7")),
        ],
        ids=str,
    )
    def test_both_are_optional(self, query, want):
        assert parse_image_query(query) == want

    @pytest.mark.parametrize(
        "text", ["", "0", "-1", "5.0", "five", "NaN", "true", "٣", "²", "1_0", "+5", " 5", "9" * 5000]
    )
    def test_a_top_k_that_is_no_positive_whole_number(self, text):
        assert refusal(parse_image_query, {"top_k": text}).endswith(": expected a whole number of at least 1")

    def test_an_empty_model_is_refused(self):
        assert refusal(parse_image_query, {"model": ""}).startswith('"model" is ""')

    def test_an_unknown_parameter_is_refused(self):
        assert refusal(parse_image_query, {"topk": "5"}) == 'unknown field "topk": expected top_k, model'
