"""The story of a turn: no picture, ask for one; slots still open, let Lex go on; else say what is on it."""

import traceback
from collections.abc import Callable
from typing import Any

from chalicelib.errors import ClientError
from chalicelib.lex.turn import Response, Turn
from chalicelib.telemetry import log

ASK = "Which picture shall I look at? Send its address: https://... or s3://..."
LATER = "I cannot look at pictures at the moment. Please try again later."


class Hook:
    """Answers Lex's events. `describe` gives a sentence on the picture at an address, or raises."""

    def __init__(self, describe: Callable[[str], str]) -> None:
        self._describe = describe

    def answer(self, event: Any) -> Response:
        """The response for any event: a sentence also says what fails, and the log has it."""
        turn = Turn(event)
        address = turn.address
        if address is None:
            return turn.ask(ASK)
        if turn.is_dialog:
            return turn.delegate(address)
        try:
            return turn.close(self._describe(address))
        except ClientError as error:
            log("lex_refused", error=str(error))
            return turn.ask(f"I cannot look at that picture: {error}. Send another one.")
        except Exception as error:
            log("lex_failed", error=str(error), traceback=traceback.format_exc())
            return turn.close(LATER, "Failed")
