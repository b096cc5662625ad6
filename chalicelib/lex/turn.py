"""One turn of a conversation: the event that Lex sends, with whatever types, and the response that it takes.

Source: Amazon Lex V2 developer guide, "AWS Lambda input event format for Lex V2" and "AWS Lambda response format for
Lex V2". Lex documents no form for an attachment: a channel or a contact flow names it in a request or session
attribute.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

ATTACHMENTS = ("picture", "image", "attachment")
"""Attributes of the request, and then of the session, that may hold a picture's address."""
SLOT = "Picture"
MAX_MESSAGE_CHARS = 1024
"""Of a message's content."""
_ADDRESS = re.compile(r"(?:https|http|s3)://[^\s<>\"']+", re.IGNORECASE)

Response = dict[str, Any]


class Turn:
    """What an event says. A part of another type than Lex documents counts as absent."""

    def __init__(self, event: Any) -> None:
        self._event = _object(event)
        self._state = _object(self._event.get("sessionState"))
        self._intent = _object(self._state.get("intent"))
        slots = _object(self._intent.get("slots"))
        self._slots = {name: value for name, value in slots.items() if value is None or isinstance(value, dict)}

    @property
    def is_dialog(self) -> bool:
        """Whether the slots are still being filled (DialogCodeHook), and nothing is to be fulfilled yet."""
        return self._name is not None and self._event.get("invocationSource") == "DialogCodeHook"

    @property
    def address(self) -> str | None:
        """The picture's address: an attachment's, or that in a slot, or else in what the user has said."""
        return next(self._addresses(), None)

    @property
    def slot(self) -> str:
        """The slot that takes the picture: `Picture` in any spelling, or else the intent's first."""
        named = [name for name in self._slots if name.lower() == SLOT.lower()]
        return (named or [*self._slots, SLOT])[0]

    def delegate(self, address: str) -> Response:
        """Let Lex go on to the fulfilment, with the address in the slot."""
        value = {"originalValue": address, "interpretedValue": address, "resolvedValues": [address]}
        return self._response(
            {"type": "Delegate"}, {self.slot: {"shape": "Scalar", "value": value}}, self._kept_state()
        )

    def close(self, text: str, state: str = "Fulfilled") -> Response:
        """End the intent with a sentence; `state` is `Fulfilled` or `Failed`."""
        return self._response({"type": "Close"}, {}, state, text)

    def ask(self, text: str) -> Response:
        """Ask for a picture, and forget what the slot has."""
        action = {"type": "ElicitSlot", "slotToElicit": self.slot}
        return self._response(action, {self.slot: None}, "InProgress", text)

    @property
    def _name(self) -> str | None:
        name = self._intent.get("name")
        return name if isinstance(name, str) and name else None

    def _kept_state(self) -> str:
        state = self._intent.get("state")
        return state if isinstance(state, str) else "InProgress"

    def _response(self, action: Response, slots: Response, state: str, text: str | None = None) -> Response:
        """Session attributes and contexts that a response does not repeat are lost. Only an intent can be closed."""
        action = action if self._name else {"type": "ElicitIntent"}
        session: Response = {"dialogAction": action, "sessionAttributes": self._attributes(self._state)}
        if isinstance(self._state.get("activeContexts"), list):
            session["activeContexts"] = self._state["activeContexts"]
        if self._name:
            session["intent"] = {"name": self._name, "slots": {**self._slots, **slots}, "state": state}
        messages = {"messages": [{"contentType": "PlainText", "content": text[:MAX_MESSAGE_CHARS]}]} if text else {}
        return {"sessionState": session, "requestAttributes": _texts(self._event.get("requestAttributes")), **messages}

    def _attributes(self, state: Mapping[str, Any]) -> dict[str, str]:
        """Those of the session, without an attachment, which is answered only once."""
        return {name: text for name, text in _texts(state.get("sessionAttributes")).items() if name not in ATTACHMENTS}

    def _addresses(self) -> Iterator[str]:
        for texts in (_texts(self._event.get("requestAttributes")), _texts(self._state.get("sessionAttributes"))):
            yield from _found(texts.get(name) for name in ATTACHMENTS)
        slots = [_object(_object(self._slots.get(name)).get("value")) for name in {self.slot: 0, **self._slots}]
        yield from _found(slot.get(name) for slot in slots for name in ("originalValue", "interpretedValue"))
        yield from _found([self._event.get("inputTranscript")])


def _found(values: Any) -> Iterator[str]:
    """The first address in each text, without the full stop or bracket that ends a sentence."""
    for value in values:
        found = _ADDRESS.search(value) if isinstance(value, str) else None
        if found:
            yield found[0].rstrip(".,;:!?)]}")


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> dict[str, str]:
    return {name: text for name, text in _object(value).items() if isinstance(text, str)}
