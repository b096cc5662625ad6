"""The curve is an SVG file with a point for each size, inside of its frame."""

import re
from xml.etree import ElementTree

import pytest

pytest.importorskip("ai_edge_litert", reason="conversion needs TensorFlow: make convert-env")

from convert.sizes.comparison import Comparison
from convert.sizes.curve import HEIGHT, WIDTH, svg
from tests.tools.convert.sizes.rows import comparison, row

SVG = "{http://www.w3.org/2000/svg}"
LABELLED = comparison(row(171, 0.81, 0.7, 30), row(203, 0.93, 0.9, 50), row(299, 1.0, 0.91, 110), best=1)
BARE = comparison(row(171, 0.0, None, 0.02), row(299, 1.0, None, 0.11, high=150))


def points(drawn: str, radius: str) -> list[tuple[float, float]]:
    circles = ElementTree.fromstring(drawn).iter(f"{SVG}circle")
    return [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in circles if one.attrib["r"] == radius]


@pytest.mark.parametrize(("compared", "count"), [(LABELLED, 6), (BARE, 2)], ids=["labelled", "bare"])
def test_each_size_is_a_point_inside_of_the_frame(compared: Comparison, count: int) -> None:
    found = points(svg(compared, 0.9), "4")
    assert len(found) == count
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in found)


def test_a_slower_size_is_further_right_and_a_better_one_higher() -> None:
    (x1, y1), (x2, y2), (x3, y3) = points(svg(LABELLED, 0.9), "4")[:3]
    assert x1 < x2 < x3
    assert y1 > y2 > y3


def test_the_recommended_size_is_ringed() -> None:
    drawn = svg(LABELLED, 0.9)
    assert points(drawn, "9") == [points(drawn, "4")[1]]
    assert "recommended, ringed: 203x203" in drawn


def test_a_square_is_called_by_one_side() -> None:
    assert {">171<", ">299x150<"} <= set(re.findall(">[0-9x]+<", svg(BARE, 0.9)))


def test_accuracy_has_a_legend_only_if_it_was_measured() -> None:
    assert "names the right class" in svg(LABELLED, 0.9)
    assert "names the right class" not in svg(BARE, 0.9)
