"""The search for the smallest memory size, and the pictures that it sends."""

import json

import pytest

from benchmarks.tune.largest_pictures import largest_pictures
from benchmarks.tune.smallest import first_failure, smallest
from chalicelib.inference.card import RESIZES, InputSpec
from chalicelib.inference.images import seconds_of, strip
from chalicelib.inference.limits import COSTS
from tests.support.toys import toy

SPEC = InputSpec(299, 299, "RGB", 0.875, (0.0,) * 3, (1.0,) * 3)
ANSWER = """
def handler(event, context):
    block = b"x" * (event["mb"] * 2**20)
    return {"statusCode": event.get("status", 200), "body": "no"}
"""


def event(**fields):
    return json.dumps(fields).encode()


class TestSearch:
    @pytest.mark.parametrize("enough", range(100, 170, 10))
    def test_the_first_that_is_enough(self, enough):
        asked = []

        def fails(size):
            asked.append(size)
            return None if size >= enough else f"{size} is too small"

        found, reason = smallest(range(100, 161, 10), fails)
        assert found == (enough if enough <= 160 else None)
        assert reason == (None if enough == 100 else f"{enough - 10} is too small")
        assert len(asked) <= 3

    def test_the_first_failure_is_named(self, host):
        small, large = event(mb=1), event(mb=300)
        function = toy(ANSWER, memory_mb=200)
        assert first_failure(host, function, {"small": small}) is None
        assert "large: " in (first_failure(host, function, {"small": small, "large": large}) or "")
        refused = event(mb=1, status=413)
        assert first_failure(host, function, {"refused": refused}) == "refused: 413 no"


def test_each_picture_fits_into_a_request_and_is_as_large_as_its_format_may_be():
    for name, data in largest_pictures():
        assert len(data) * 4 / 3 < 6_000_000, name
        stripped = strip(data)
        area_px, limit_px = stripped.width * stripped.height, COSTS[stripped.variant].max_area_px
        assert 0.999 * limit_px < area_px <= limit_px, name
        for resize in RESIZES:
            seconds_of(data, SPEC._replace(resize=resize))  # no limit refuses it
