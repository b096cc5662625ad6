"""What counts, what is compared, and how tables, JSON and the picture show it."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from benchmarks import machine
from benchmarks.peers import __main__, plot
from benchmarks.peers.agreement import Agreement
from benchmarks.peers.needs import Needs, Size, size
from benchmarks.peers.outcome import OfNetwork, Outcome, Row
from benchmarks.peers.prices import Million
from benchmarks.peers.tables import tables
from localaws.processor.mask import Shown

AVX2 = Shown("avx2", {}, None, "AVX2 (X, all it has)", None)
GOOD, BAD = Agreement(200, 0.995, 0.12), Agreement(200, 0.985, 0.4)
NEEDS = Needs(100.0, Size(140.0, 50.0), Size(80.0, 25.0))


def network(trained=True):
    judged = (GOOD, GOOD, BAD) if trained else (None, None, None)
    rows = [
        Row("LiteRT", "float32", {1: 100.0, 2: 60.0}, judged[0], {1: 90.0, 2: 50.0}),
        Row("LiteRT", "int8", {1: 80.0, 2: 45.0}, judged[1], {1: 72.0, 2: 37.5}),
        Row("Other", "int8", {1: 50.0, 2: 30.0}, judged[2], {1: 45.0, 2: 25.0}),
    ]
    needed = {"LiteRT int8": NEEDS, "Other int8": Needs(300.0, Size(400.0, None), Size(150.0, 60.0))}
    return OfNetwork("Inception v3", trained, {"avx2": rows}, needed, {"OpenVINO": "not here"})


def network_of(asked):
    assert asked.name == "inception_v3"
    return network()


def outcome(trained=True):
    return Outcome([AVX2], {"avx512": "none here"}, 20, {"inception_v3": network(trained)}, {"arm64": {"is": "there"}})


def lines_of(found):
    console = Console(width=150, file=io.StringIO())
    for table in tables(found):
        console.print(table)
    return [line.replace("│", " ").strip() for line in console.file.getvalue().splitlines()]


class TestAgreement:
    def test_it_is_the_share_of_the_same_first_class_and_the_largest_difference(self):
        expected = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.7, 0.3]])
        scores = np.array([[0.8, 0.2], [0.4, 0.6], [0.45, 0.55], [0.7, 0.3]])
        found = Agreement.of(scores, expected)
        assert (found.pictures, found.same_first) == (4, 0.75)
        assert found.largest_difference == pytest.approx(0.35)

    @pytest.mark.parametrize(("share", "counts"), [(0.9899, False), (0.99, True), (1.0, True)])
    def test_below_99_percent_no_time_counts(self, share, counts):
        assert Agreement(100, share, 0.1).counts == counts


class TestTables:
    def test_a_row_has_time_ratio_and_dollars(self):
        (row,) = [line.split() for line in lines_of(outcome()) if line.startswith("LiteRT   int8")]
        times = ["80.0", "72.0", "0.80", "45.0", "37.5", "0.75"]  # each: median, fastest, ratio of the fastest
        assert row == ["LiteRT", "int8", "99.5%", "0.120", *times, "2.50", "2.89", "3.95"]

    def test_a_row_that_does_not_agree_has_its_agreement_and_no_ratio(self):
        (row,) = [line.split() for line in lines_of(outcome()) if line.startswith("Other    int8")]
        assert row == ["Other", "int8", "98.5%", "0.400", "50.0", "45.0", "30.0", "25.0"]

    def test_random_weights_are_said_and_not_judged(self):
        lines = lines_of(outcome(trained=False))
        assert any("random weights, so agreement with the source is not judged" in line for line in lines)
        (row,) = [line.split() for line in lines if line.startswith("Other    int8")]
        assert row[2:8] == ["50.0", "45.0", "0.50", "30.0", "25.0", "0.50"]

    def test_what_lambda_does_not_take_is_not_zipped(self):
        rows = {
            line.split()[0]: line.split()[2:] for line in lines_of(outcome()) if " int8 " in line and "%" not in line
        }
        assert rows == {"LiteRT": ["100", "140", "50", "80", "25"], "Other": ["300", "400", "150", "60"]}


def test_a_million():
    found = Million.of(79.2, "x86_64")
    assert found.function_usd == pytest.approx(0.080 * 1769 / 1024 * 16.6667 + 0.2)  # billed by whole milliseconds
    assert found.with_logs_usd == pytest.approx(found.function_usd + 0.388)
    assert found.with_http_api_usd == pytest.approx(found.with_logs_usd + 1 + 0.0635)


def test_json_has_the_machine_the_date_and_every_figure():
    facts = json.loads(json.dumps(outcome().to_json()))
    assert facts["processors"] == {"avx2": "AVX2 (X, all it has)"}
    assert facts["not_measured"] == {"avx512": "none here"} and facts["arm64"] == {"is": "there"}
    assert facts["rounds"] == 20 and len(facts["date"]) == 10
    found = facts["networks"]["inception_v3"]
    assert (found["weights"], found["left_out"]) == ("trained", {"OpenVINO": "not here"})
    row = found["rows"]["avx2"]["Other int8"]
    assert row["ms"] == {"1": 50.0, "2": 30.0}
    assert row["agreement"] == {"pictures": 200, "same_first": 0.985, "largest_difference": 0.4}
    assert found["needs"]["LiteRT int8"]["packages"] == {"unzipped_mb": 140.0, "zipped_mb": 50.0}


def test_the_picture_is_small_enough_for_a_page(tmp_path):
    plot.draw(network(), "avx2", AVX2.heading, tmp_path / "found.png")
    assert (tmp_path / "found.png").stat().st_size < 60_000
    with Image.open(tmp_path / "found.png") as picture:
        assert picture.size[0] == 800


def test_files_are_measured_together_and_zipped(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(bytes(1_000_000))
    found = size((tmp_path / "a", tmp_path / "b"))
    assert found.unzipped_mb == 2.0
    assert found.zipped_mb < 0.01
    assert (found + Size(300.0, None)) == Size(302.0, None)


def test_a_run_prints_its_tables_and_writes_json_and_pictures(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(machine, "those_shown", lambda levels: ([AVX2], {"native": "the same as avx2 here"}))
    monkeypatch.setattr(__main__, "compare", lambda network, pictures, shown, options: network_of(network))
    (tmp_path / "cold_start.json").write_text('{"ms": 176}')
    out = tmp_path / "bench" / "bench.json"
    included = ["--include", str(tmp_path / "cold_start.json"), "--include", str(tmp_path / "missing.json")]
    assert __main__.main(["--network", "inception_v3", *included, "--out", str(out)]) == 0
    facts = json.loads(out.read_text())
    assert facts["cold_start"] == {"ms": 176} and "missing" not in facts
    assert [*facts["networks"]] == ["inception_v3"]
    assert (out.parent / "inception_v3-avx2.png").exists()
    printed = capsys.readouterr().out
    assert "Inception v3, one inference, medians of 20" in printed
    assert "native is not measured: the same as avx2 here" in printed
    assert "OpenVINO is not measured: not here" in printed
