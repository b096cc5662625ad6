"""Lex's documented events, whole and with wrong types: a sentence each time, and a question if there is no picture."""

import json
from types import SimpleNamespace

import pytest

from chalicelib.aws.s3 import Objects
from chalicelib.errors import ObjectGone, StorageError
from chalicelib.inference.classifier import Prediction
from chalicelib.lex.hook import ASK, LATER, Hook
from chalicelib.lex.pictures import Pictures, sentence
from tests.support.buckets import STAGE
from tests.support.fakes import FakeObjects

ADDRESS = "https://example.org/a/cat.jpg?size=2"
S3 = "s3://pictures/in/seven.png"


def slot(text: str | None) -> dict | None:
    value = {"originalValue": text, "interpretedValue": text, "resolvedValues": [text]}
    return None if text is None else {"shape": "Scalar", "value": value}


def event(text: str | None = None, hook: str = "FulfillmentCodeHook", **more) -> dict:
    """As in "AWS Lambda input event format for Lex V2" of the Amazon Lex V2 developer guide."""
    intent = {
        "name": "LookAtPicture",
        "slots": {"Picture": slot(text), "Language": slot("English")},
        "state": "InProgress" if hook == "DialogCodeHook" else "ReadyForFulfillment",
        "confirmationState": "None",
    }
    return {
        "messageVersion": "1.0",
        "invocationSource": hook,
        "inputMode": "Text",
        "responseContentType": "text/plain; charset=utf-8",
        "sessionId": "12345678-1234-1234-1234-123456789012",
        "inputTranscript": "look at a picture",
        "bot": {
            "id": "MQEXAMPLE1",
            "name": "Pictures",
            "localeId": "en_US",
            "version": "DRAFT",
            "aliasId": "TSTALIASID",
        },
        "interpretations": [{"intent": intent, "nluConfidence": 0.91}],
        "requestAttributes": {"x-amz-lex:channels:platform": "Slack"},
        "sessionState": {
            "activeContexts": [],
            "sessionAttributes": {"customer": "7"},
            "intent": intent,
            "originatingRequestId": "d3ab4c42-616d-4906-b7f0-9b8c7d8ea1e9",
        },
        "transcriptions": [{"transcription": "look at a picture", "transcriptionConfidence": 1.0}],
        **more,
    }


def answer(given, describe=lambda address: f"saw {address}") -> dict:
    made = Hook(describe).answer(given)
    json.dumps(made)
    check(made)
    return made


def check(made: dict) -> None:
    """What "AWS Lambda response format for Lex V2" demands."""
    state = made["sessionState"]
    action = state["dialogAction"]
    assert action["type"] in ("Close", "Delegate", "ElicitIntent", "ElicitSlot")
    assert ("slotToElicit" in action) == (action["type"] == "ElicitSlot")
    if action["type"] != "ElicitIntent":
        assert state["intent"]["name"] and isinstance(state["intent"]["name"], str)
        assert all(one is None or isinstance(one, dict) for one in state["intent"]["slots"].values())
    if action["type"] == "ElicitIntent":
        assert made["messages"]
    for message in made.get("messages", []):
        assert message["contentType"] == "PlainText" and 0 < len(message["content"]) <= 1024
    for texts in (state["sessionAttributes"], made["requestAttributes"]):
        assert all(isinstance(text, str) for text in texts.values())


def said(made: dict) -> str:
    return made["messages"][0]["content"]


class TestTurns:
    def test_a_picture_in_the_slot_is_described(self, quiet):
        made = answer(event(ADDRESS))
        assert (said(made), made["sessionState"]["dialogAction"]) == (f"saw {ADDRESS}", {"type": "Close"})
        assert made["sessionState"]["intent"]["state"] == "Fulfilled"
        assert made["sessionState"]["sessionAttributes"] == {"customer": "7"}
        assert made["sessionState"]["intent"]["slots"]["Language"] == slot("English")

    @pytest.mark.parametrize("hook", ["DialogCodeHook", "FulfillmentCodeHook"])
    def test_without_one_it_asks(self, hook):
        made = answer(event(None, hook))
        assert (said(made), made["sessionState"]["dialogAction"]["slotToElicit"]) == (ASK, "Picture")

    def test_while_slots_are_filled_lex_goes_on(self):
        made = answer(event(None, "DialogCodeHook", inputTranscript=f"what is on {S3}?"))
        assert made["sessionState"]["dialogAction"] == {"type": "Delegate"} and "messages" not in made
        assert made["sessionState"]["intent"]["slots"]["Picture"]["value"]["interpretedValue"] == S3

    @pytest.mark.parametrize(
        "given",
        [
            event(f"please look at {ADDRESS}."),
            event(None, inputTranscript=f"({ADDRESS})"),
            event(None, requestAttributes={"attachment": ADDRESS}),
            event(S3, requestAttributes={"picture": f'[{{"url": "{ADDRESS}"}}]'}),
        ],
        ids=["a sentence in the slot", "said", "attachment", "attachment in JSON, before the slot"],
    )
    def test_where_an_address_is_found(self, given):
        assert said(answer(given)) == f"saw {ADDRESS}"

    def test_an_attachment_of_the_session_is_answered_once(self):
        given = event(None)
        given["sessionState"]["sessionAttributes"]["image"] = S3
        made = answer(given)
        assert (said(made), made["sessionState"]["sessionAttributes"]) == (f"saw {S3}", {"customer": "7"})

    def test_an_intent_with_another_slot(self):
        given = event(None)
        given["sessionState"]["intent"]["slots"] = {"photo": None}
        assert answer(given)["sessionState"]["dialogAction"]["slotToElicit"] == "photo"

    def test_a_picture_that_cannot_be_had_gets_a_sentence_and_a_question(self, quiet):
        def gone(address: str) -> str:
            raise ObjectGone(f"{address} is not there (404)")

        made = answer(event(S3), gone)
        assert said(made) == f"I cannot look at that picture: {S3} is not there (404). Send another one."
        assert made["sessionState"]["intent"]["slots"]["Picture"] is None

    @pytest.mark.parametrize("error", [StorageError("secret"), ValueError("secret"), MemoryError("secret")])
    def test_a_fault_shows_nothing_and_ends_the_intent(self, quiet, error):
        def fail(address: str) -> str:
            raise error

        made = answer(event(S3), fail)
        assert (said(made), made["sessionState"]["intent"]["state"]) == (LATER, "Failed")

    def test_a_long_sentence_is_cut(self, quiet):
        assert len(said(answer(event(S3), lambda _: "word " * 1000))) == 1024


def places(node, path=()):
    """Every place in an event."""
    yield path
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in inner:
        yield from places(value, (*path, name))


def changed(node, path, value):
    if not path:
        return value
    copy = node.copy()
    copy[path[0]] = changed(node[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("value", [None, 5, True, "text", "", [], ["x"], {}, {"x": 5}], ids=repr)
@pytest.mark.parametrize("hook", ["DialogCodeHook", "FulfillmentCodeHook"])
def test_a_wrong_type_in_any_place_is_a_valid_response(quiet, value, hook):
    given = event(ADDRESS, hook, requestAttributes={"attachment": S3})
    tried = list(places(given))
    assert len(tried) > 50
    for path in tried:
        answer(changed(given, path, value))


class TestPictures:
    @pytest.fixture
    def pictures(self, digits, seven):
        objects = FakeObjects({"in/seven.png": seven, "in/text.png": b"no picture"})
        return Pictures(digits, lambda: objects, lambda url, most: seven if "seven" in url else b"no picture", 5000)

    @pytest.mark.parametrize("address", [S3, "S3://pictures/in/seven.png", "HTTPS://example.org/seven.png"])
    def test_it_is_classified(self, pictures, address):
        assert pictures.describe(address).startswith("This looks like 7 (")

    @pytest.mark.parametrize(
        "address",
        ["s3://pictures", "s3://pictures/", "s3://pictures/gone.png", "s3://B/k", "s3://pictures/in/text.png"],
    )
    def test_what_cannot_be_read_is_said(self, pictures, quiet, address):
        made = answer(event(address), pictures.describe)
        assert said(made).startswith("I cannot look at that picture: ")

    def test_the_bucket_of_somebody_else_is_not_asked(self, digits, quiet):
        pictures = Pictures(
            digits, lambda: Objects(SimpleNamespace(get_object=None), STAGE), lambda url, most: b"", 5000
        )
        assert "not a bucket of this stage" in said(answer(event("s3://of-others/a.png"), pictures.describe))


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([0.994, 0.004], "This looks like a (99%)."),
        ([0.6, 0.3, 0.1], "This looks like a (60%), or b (30%) or c (10%)."),
        ([0.3, 0.2], "I am not sure: perhaps a (30%), or b (20%)."),
        ([0.01], "I am not sure: perhaps a (1%)."),
    ],
)
def test_the_sentence(scores, words):
    assert sentence([Prediction(n, "abc"[n], score) for n, score in enumerate(scores)]) == words
