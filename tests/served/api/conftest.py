"""For tests that call a view themselves."""

import json

import pytest
from chalice import Response

from chalicelib.api import views
from chalicelib.api.exchange import Exchange


@pytest.fixture
def parsed_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body of a view's response is what its JSON text says."""
    respond = views._response

    def parsed(exchange: Exchange) -> Response:
        response = respond(exchange)
        if response.headers["Content-Type"] == "application/json":
            response.body = json.loads(response.body)
        return response

    monkeypatch.setattr(views, "_response", parsed)
