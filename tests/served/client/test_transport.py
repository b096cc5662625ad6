from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from chalicelib.client.transport import LONGEST_WAIT_S, RequestFailed, Transport, retry_after_s
from tests.support.http_server import Reply, scripted


def replies(*given):
    left = list(given)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


class TestTries:
    @pytest.mark.parametrize("status", [429, 502, 503, 504, 0])
    def test_what_may_pass_is_tried_again(self, status):
        waits = []
        with scripted(replies(Reply(status, {}), Reply(status, {}), Reply(200, {"ok": 1}))) as server:
            response = Transport(4, waits.append).send("POST", server.url, {"A": "b"}, b"picture")
        assert (response.status, response.body) == (200, b'{"ok": 1}')
        assert [(one.method, one.body, one.headers["A"]) for one in server.asked] == [("POST", b"picture", "b")] * 3
        assert len(waits) == 2 and 0.25 <= waits[0] <= 0.75 and 0.5 <= waits[1] <= 1.5

    @pytest.mark.parametrize("status", [400, 403, 404, 413, 415, 422, 500])
    def test_what_will_not_is_an_answer_at_once(self, status):
        with scripted(replies(Reply(status, {}))) as server:
            assert Transport(4, lambda _: None).send("GET", server.url, {}).status == status
        assert len(server.asked) == 1

    def test_tries_are_bounded(self):
        with scripted(replies(Reply(503, {}))) as server:
            assert Transport(3, lambda _: None).send("GET", server.url, {}).status == 503
        assert len(server.asked) == 3

    def test_retry_after_is_kept_up_to_a_bound(self):
        waits = []
        given = [Reply(429, {}, {"Retry-After": text}) for text in ("7", "100000")]
        with scripted(replies(*given, Reply())) as server:
            Transport(4, waits.append).send("GET", server.url, {})
        assert waits == [7.0, LONGEST_WAIT_S]

    def test_after_stop_nothing_is_tried_again(self):
        with scripted(replies(Reply(503, {}))) as server:
            transport = Transport(9)
            transport.stop()
            assert transport.send("GET", server.url, {}).status == 503
        assert len(server.asked) == 1


class TestNoResponse:
    def test_nobody_listens(self):
        with scripted(replies(Reply())) as server:
            url = server.url
        with pytest.raises(RequestFailed, match=r"cannot be reached \(Connection refused\)"):
            Transport(2, lambda _: None).send("GET", url, {})

    def test_a_redirect_would_lose_the_picture(self):
        with scripted(replies(Reply(301, {}, {"Location": "https://elsewhere.example/"}))) as server:
            transport = Transport(4)
            with pytest.raises(RequestFailed, match=r"redirects to https://elsewhere.example/: give that address"):
                transport.send("POST", server.url, {}, b"picture")
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, 0), ("", 0), ("12", 12), (" 3 ", 3), ("-1", 0), ("1.5", 0), ("soon", 0), ("²", 0), ("Thu", 0)],
)
def test_retry_after_in_numbers(text, seconds):
    assert retry_after_s(text) == seconds


def test_retry_after_as_a_date():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 50 < retry_after_s(later) <= 100
    assert retry_after_s("Thu, 01 Jan 1970 00:00:00 GMT") == 0
