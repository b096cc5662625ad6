"""The log of an invocation: Lambda's own lines around the function's, each invocation's apart."""

import re

from tests.support.toys import run, toy

REPORT = re.compile(
    r"REPORT RequestId: (\S+)\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\tMemory Size: 256 MB"
    r"\tMax Memory Used: (\d+) MB(\tInit Duration: ([\d.]+) ms)?"
)


def test_a_cold_start_has_all_lines_in_order(host):
    result = run(host, toy(memory_mb=256), "print", "hello")
    lines = result.log.splitlines()
    starts = [line.split(" ")[0] for line in lines]
    assert starts == ["INIT_START", "loaded", "START", "hello", "END", "REPORT"]
    assert lines[2] == f"START RequestId: {result.request_id} Version: $LATEST"
    request_id, duration, billed, memory, _, init = REPORT.fullmatch(lines[-1]).groups()
    assert request_id == result.request_id
    assert float(duration) > 0
    assert float(init) > 0
    assert int(billed) >= float(duration) + float(init)
    assert 0 < int(memory) <= 256


def test_a_warm_one_has_only_its_own(host):
    run(host, toy(), "print", "first")
    result = run(host, toy(), "print", "second")
    assert [line.split(" ")[0] for line in result.log.splitlines()] == ["START", "second", "END", "REPORT"]
    assert "Init Duration" not in result.log


def test_output_that_is_no_text_is_kept_as_far_as_it_can_be(host):
    assert "\ufffd\ufffdok" in run(host, toy(), "write bytes", [0xFF, 0xFE, *b"ok\n"]).log


def test_much_output_neither_blocks_nor_is_lost(host):
    """More than a pipe holds."""
    text = "x" * 1000
    result = run(host, toy("def handler(event, context):\n    for n in range(500):\n        print(n, 'x' * 1000)"))
    assert result.log.count(text) == 500


def test_the_stream_is_the_instances(host):
    first, second = run(host, toy()), run(host, toy())
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", first.log_stream)
    assert first.log_stream == second.log_stream
    host.stop_idle_instances()
    assert run(host, toy()).log_stream != first.log_stream
