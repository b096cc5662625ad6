"""What the caller gets from a function that works, and from each way in which one can fail."""

import json

import pytest

from localaws.host.invocation import MAX_RESPONSE_BYTES
from tests.support.toys import error_of, run, toy


def test_the_event_comes_in_and_the_answer_goes_out(host):
    event = {"text": "Grüße 🌍", "list": [1, None, True], "nested": {"a": 1.5}}
    assert host.invoke(toy(), json.dumps(event).encode()).json()["event"] == event


def test_the_first_event_is_a_cold_start_and_the_second_is_not(host):
    first, second = run(host, toy()), run(host, toy())
    assert (first.init_ms is not None, second.init_ms) == (True, None)
    assert first.json()["instance"] == second.json()["instance"]
    assert "loaded" in first.log
    assert "loaded" not in second.log


def test_an_exception_is_the_runtime_clients_error_and_the_instance_lives(host):
    instance = run(host, toy()).json()["instance"]
    failed = run(host, toy(), "raise", "no such thing")
    assert error_of(failed) == ("ValueError", "no such thing")
    assert failed.json()["stackTrace"]
    assert run(host, toy()).json()["instance"] == instance


@pytest.mark.parametrize(
    ("do", "value", "error"),
    [
        ("exit", 0, "Runtime exited without providing a reason"),
        ("exit", 3, "Runtime exited with error: exit status 3"),
        ("eval", "os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("eval", "os.abort()", "Runtime exited with error: signal: aborted"),
    ],
)
def test_a_process_that_ends_is_an_exit_error_and_is_replaced(host, do, value, error):
    instance = run(host, toy()).json()["instance"]
    assert error_of(run(host, toy(), do, value)) == ("Runtime.ExitError", f"RequestId: <id> Error: {error}")
    after = run(host, toy())
    assert after.init_ms is not None
    assert after.json()["instance"] != instance


def test_a_time_out_ends_the_instance(host):
    function = toy(timeout_s=0.5)
    first = run(host, function)
    late = run(host, function, "sleep", 60)
    assert error_of(late) == ("Sandbox.Timedout", "RequestId: <id> Error: Task timed out after 0.50 seconds")
    assert f"{late.request_id} Task timed out after 0.50 seconds" in late.log
    assert "Status: timeout" in late.log
    assert run(host, function).json()["instance"] != first.json()["instance"]


def test_the_time_out_is_of_the_handler_and_not_of_the_start(host):
    slow_start = (
        "import time\ntime.sleep(0.6)\ndef handler(event, context): return context.get_remaining_time_in_millis()"
    )
    result = run(host, toy(slow_start, timeout_s=0.5))
    assert result.function_error is None
    assert 0 < result.json() <= 500
    assert result.init_ms >= 600


def test_memory_above_the_limit_is_killed_as_lambda_kills_it(host):
    function = toy(memory_mb=128)
    assert run(host, function, "allocate", 64).function_error is None
    killed = run(host, function, "allocate", 200)
    assert error_of(killed) == ("Runtime.ExitError", "RequestId: <id> Error: Runtime exited with error: signal: killed")
    assert "Error Type: Runtime.OutOfMemory" in killed.log
    assert "Max Memory Used: 128 MB" in killed.log
    assert run(host, function).function_error is None


def test_a_short_peak_of_memory_counts(host):
    """The block is gone again before the next look: only the kernel's own peak shows it."""
    small, large = run(host, toy(memory_mb=512)), run(host, toy(memory_mb=512), "allocate", 110)
    assert large.max_memory_mb >= small.max_memory_mb + 100  # of 110: two processes differ by a few MB


def test_what_cannot_be_sent_is_a_marshal_error(host):
    kind, message = error_of(run(host, toy(), "return a set"))
    assert kind == "Runtime.MarshalError"
    assert "not JSON serializable" in message


def test_an_answer_above_lambdas_limit(host):
    function = toy(memory_mb=512)
    assert run(host, function, "eval", f"'x' * {MAX_RESPONSE_BYTES - 2}").function_error is None
    kind, message = error_of(run(host, function, "eval", f"'x' * {MAX_RESPONSE_BYTES}"))
    assert kind == "Function.ResponseSizeTooLarge"
    assert str(MAX_RESPONSE_BYTES) in message
    assert run(host, function).init_ms is None


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("import no_such_module", "Runtime.ImportModuleError", "No module named 'no_such_module'"),
        ("def handler(", "Runtime.UserCodeSyntaxError", "was never closed"),
        ("other = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing"),
        ("raise RuntimeError('at import')", "RuntimeError", "at import"),
    ],
)
def test_a_function_that_cannot_be_loaded(host, source, kind, message):
    result = run(host, toy(source))
    assert error_of(result)[0] == kind
    assert message in error_of(result)[1]
    assert f"Phase: invoke\tStatus: error\tError Type: {kind}" in result.log
    assert run(host, toy()).function_error is None


def test_lambda_tries_a_failed_start_once_more(host):
    result = run(host, toy("print('starting')\nraise SystemExit(7)"))
    assert result.log.count("starting") == 2
    assert "Phase: init\tStatus: error\tError Type: Runtime.ExitError" in result.log
    assert error_of(result) == (
        "Runtime.ExitError",
        "RequestId: <id> Error: Runtime exited with error: exit status 7",
    )


def test_a_start_that_never_ends(host, monkeypatch):
    monkeypatch.setattr("localaws.host.instance.INIT_LIMIT_S", 0.3)
    result = run(host, toy("import time\ntime.sleep(60)", timeout_s=0.4))
    assert error_of(result)[0] == "Sandbox.Timedout"
    assert "Phase: init\tStatus: timeout" in result.log


def test_an_event_that_is_no_json_fails_in_the_runtime_client(host):
    assert host.invoke(toy(), b"{").function_error == "Unhandled"
    assert run(host, toy()).function_error is None
