"""Which processors are measured, by processes that take turns, and what the table says of them."""

import io
import json

import pytest
from rich.console import Console

from benchmarks.inception import latency, turns
from benchmarks.inception.latency import as_json, choose, table, title
from localaws.errors import ProcessorMissing
from localaws.processor.mask import Shown
from tests.support.paths import ROOT

AVX2 = Shown("avx2", {}, None, "AVX2 (X, all it has)", None)
MASKED = Shown("avx2", {"MARK": "masked"}, ROOT / "mask.so", "AVX2 shown of AVX-512 VNNI (X)", None)
NATIVE = Shown("native", {}, None, "AVX-512 VNNI (X, all it has)", "more than Lambda promises, which is AVX2")
TIMES = {"avx2": {"float32": {1: 100.0, 2: 60.0}, "int8": {1: 90.0, 2: 45.0}}}


@pytest.fixture
def machine(monkeypatch):
    """What this machine shows, by level; a text is the reason why not."""

    def of(shown):
        def show(level):
            if isinstance(shown[level], str):
                raise ProcessorMissing(shown[level])
            return shown[level]

        monkeypatch.setattr(latency, "show", show)

    return of


class TestChosen:
    def test_each_that_differs(self, machine):
        machine({"avx2": MASKED, "avx512": "no AVX-512 here", "native": NATIVE})
        assert choose(["avx2", "avx512", "native"]) == ([MASKED, NATIVE], {"avx512": "no AVX-512 here"})

    def test_the_same_is_not_measured_twice(self, machine):
        machine({"avx2": AVX2, "native": AVX2._replace(level="native")})
        found, left_out = choose(["avx2", "native"])
        assert found == [AVX2]
        assert left_out == {"native": "the same as avx2 here: AVX2 (X, all it has)"}

    def test_nothing_can_be_shown(self, machine, capsys):
        machine({"avx512": "--processor avx512: none"})
        assert latency.main(["--processor", "avx512"]) == 2
        assert capsys.readouterr().err == "error: --processor avx512: none\n"


class TestTurns:
    def test_processes_take_turns_under_their_own_masks(self, tmp_path, monkeypatch):
        """A worker that answers with the length of what was written before it shows the order."""
        worker = (
            "import json, os, sys\n"
            "log = open(sys.argv[1], 'a+')\n"
            "for _ in sys.stdin:\n"
            "    log.write(os.environ.get('MARK', 'none') + ' '); log.flush()\n"
            "    print(json.dumps([[1.0, 2.0], [3.0, float(len(open(sys.argv[1]).read().split()))]]), flush=True)\n"
        )
        monkeypatch.setattr(turns, "WORKER", ("-c", worker, str(tmp_path / "log")))
        plain = MASKED._replace(library=None, level="native")
        shown = [MASKED._replace(library=tmp_path / "none.so"), plain]
        found = turns.measure(shown, {"a": tmp_path, "b": tmp_path}, [1, 2], range(3))
        assert (tmp_path / "log").read_text().split() == ["masked", "none"] * 3
        assert found["avx2"] == {"a": {1: 1.0, 2: 3.0}, "b": {1: 2.0, 2: 3.0}}  # the median of 1, 3 and 5
        assert found["native"]["b"][2] == 4.0

    def test_a_process_that_ends_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setattr(turns, "WORKER", ("-c", "raise SystemExit(3)"))
        with pytest.raises(SystemExit, match="a measuring process ended with 3"):
            turns.measure([AVX2], {"a": tmp_path}, [1], range(1))


class TestShown:
    def test_the_table_has_ms_ratios_and_dollars(self):
        heading = title([AVX2], {"avx512": "none here"}, 40)
        console = Console(width=120, file=io.StringIO())
        console.print(table(TIMES, {"float32": 95_200_000, "int8": 24_300_000}, heading))
        text = console.file.getvalue()
        assert "medians of 40" in text
        assert "avx2: AVX2 (X, all it has)" in text
        assert "avx512 is not measured: none here" in text
        (row,) = [line.replace("│", " ").split() for line in text.splitlines() if "int8" in line]
        assert row == ["avx2", "int8", "24.3", "90.0", "0.90", "45.0", "0.75", "2.79"]

    def test_the_heading_says_whose_figures_they_are(self):
        assert "native: AVX-512 VNNI (X, all it has); more than Lambda promises" in title([NATIVE], {}, 1)

    def test_json_has_the_machine_beside_the_figures(self):
        facts = json.loads(json.dumps(as_json(TIMES, [AVX2], {"avx512": "none"}, 40)))
        assert facts["processors"]["avx2"] == {
            "machine": "AVX2 (X, all it has)",
            "ms": {"float32": {"1": 100.0, "2": 60.0}, "int8": {"1": 90.0, "2": 45.0}},
        }
        assert facts["not_measured"] == {"avx512": "none"}
