import json
import threading
import time
from pathlib import Path

import pytest

from chalicelib import telemetry
from chalicelib.telemetry import ColdStart, Spans, log, milliseconds_since, process_age_ms


class TestSpans:
    def test_spans_are_kept_in_the_order_in_which_they_end(self):
        spans = Spans()
        with spans.measure("total"):
            with spans.measure("decode"):
                time.sleep(0.002)
            with spans.measure("inference"):
                pass
        assert list(spans) == ["decode", "inference", "total"]
        assert spans["total"] >= spans["decode"] >= 1

    def test_the_same_name_adds_up(self):
        spans = Spans()
        with spans.measure("decode"):
            time.sleep(0.002)
        first = spans["decode"]
        with spans.measure("decode"):
            time.sleep(0.002)
        assert spans["decode"] >= first + 1

    def test_a_block_that_raises_adds_nothing(self):
        spans = Spans()
        with pytest.raises(KeyError), spans.measure("decode"):
            raise KeyError
        assert spans == {}


class TestColdStart:
    def test_the_first_value_of_a_part_stays(self):
        cold_start = ColdStart()
        cold_start.record("model_load_ms", 30.126)
        cold_start.record("model_load_ms", 1)
        cold_start.record("first_inference_ms", 12.5)
        assert cold_start.breakdown() == {"model_load_ms": 30.13, "first_inference_ms": 12.5, "total_ms": 42.63}

    def test_the_import_is_split_from_pythons_own_start(self):
        cold_start = ColdStart()
        cold_start.imported()
        parts = cold_start.breakdown()
        assert parts.pop("import_ms") > 0
        assert parts.pop("total_ms") > 0
        assert set(parts) <= {"python_ms"}

    def test_it_is_over_once_somebody_has_claimed_it(self):
        cold_start = ColdStart()
        assert not cold_start.has_answered
        cold_start.claim()
        assert cold_start.has_answered

    def test_one_caller_alone_claims_it(self):
        cold_start, barrier, claims = ColdStart(), threading.Barrier(8), []

        def claim():
            barrier.wait()
            claims.append(cold_start.claim())

        threads = [threading.Thread(target=claim) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(claims) == [False] * 7 + [True]
        assert cold_start.claim() is False


class TestClocks:
    def test_milliseconds_since_counts_in_milliseconds(self):
        began = time.perf_counter()
        time.sleep(0.005)
        assert 4 <= milliseconds_since(began) <= (time.perf_counter() - began) * 1000 + 1

    @pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
    def test_the_process_is_older_than_its_imports(self):
        assert process_age_ms() >= milliseconds_since(telemetry.IMPORT_BEGAN) - 20  # the kernel counts in 10 ms


class TestLog:
    def test_one_line_of_json(self, capsys):
        log("request", status=200, spans_ms=Spans(total=1.5))
        out, err = capsys.readouterr()
        assert (out, err) == ('{"event":"request","status":200,"spans_ms":{"total":1.5}}\n', "")

    @pytest.mark.parametrize("text", ['a\n{"event":"forged"}', "a\r\nb", "a\u2028b\x85c\x0b\x0cd", "\ud800", "\0"])
    def test_no_text_can_forge_a_second_line(self, capsys, text):
        log("request", path=text)
        out = capsys.readouterr().out
        assert len(out.splitlines()) == 1 and out.isascii()
        assert json.loads(out) == {"event": "request", "path": text}

    def test_what_is_no_json_is_logged_as_text(self, capsys):
        log("request", error=ValueError("no"))
        assert json.loads(capsys.readouterr().out)["error"] == "no"
