import pytest

from chalicelib.workflow.report.wording import DASH, chance, milliseconds, percent, quantile, ratio, share


@pytest.mark.parametrize(
    ("value", "want"),
    [(None, DASH), (0, "0.0%"), (0.0001, "<0.1%"), (0.1234, "12.3%"), (0.9996, ">99.9%"), (1, "100.0%")],
)
def test_percent(value, want):
    assert percent(value) == want


def test_an_unknown_figure_is_a_dash():
    assert ratio(None) == share(None) == quantile(None, "p50") == DASH


def test_the_others():
    assert share({"share": 0.5, "low": 0.25, "high": 0.75, "of": 1234}) == "50.0% (25.0% to 75.0%) of 1,234"
    assert [milliseconds(ms) for ms in (0.456, 12.34, 1234.56)] == ["0.46 ms", "12.3 ms", "1,234.6 ms"]
    assert [chance(p) for p in (0.04321, 1.0, 0.00001)] == ["p = 0.043", "p = 1", "p < 0.0001"]
    assert ratio(0.625) == "0.62×"
