"""Many events at once, and every process accounted for."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localaws.errors import HostClosed, PythonMissing, TooManyRequests
from localaws.host.lambda_host import LambdaHost
from tests.support.toys import run, toy


def is_running(pid):
    """Whether a process is there and has not ended; one that nobody waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_events_at_once_get_instances_of_their_own_up_to_the_limit(host):
    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(lambda _: run(host, toy(), "sleep", 0.1), range(6)))
    assert len({result.json()["instance"] for result in results}) == 2
    assert sum(result.init_ms is not None for result in results) == 2


def test_every_event_gets_its_own_answer(host):
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda n: run(host, toy(), "number", n), range(200)))
    assert [result.json()["event"]["value"] for result in results] == list(range(200))
    assert all(f"START RequestId: {result.request_id}" in result.log for result in results)


def test_above_its_reserved_concurrency_a_function_is_refused(host, wait_until):
    limited = toy(reserved_concurrency=1)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(run, host, limited, "sleep", 1)
        wait_until(host.instances)
        with pytest.raises(TooManyRequests, match="toy: 1 instances run"):
            run(host, limited)
        assert run(host, toy(name="other")).function_error is None
        assert running.result().function_error is None
    assert run(host, limited).function_error is None


def test_idle_instances_make_room_for_other_functions(host):
    names = ["a", "b", "c", "a"]
    assert None not in [run(host, toy(name=name)).init_ms for name in names]
    assert len(host.instances()) == 2


def test_a_changed_function_never_runs_in_an_old_instance(host):
    run(host, toy())
    for change in ({"environment": {"A": "1"}}, {"memory_mb": 256}, {"timeout_s": 4}, {"handler": "toy.other"}):
        assert run(host, toy(**change)).init_ms is not None
    assert len(host.instances()) <= 1


def test_an_instance_that_died_while_idle_is_replaced_unseen(host, wait_until):
    run(host, toy())
    os.kill(host.instances()[0].pid, 9)
    wait_until(lambda: not host.instances())
    second = run(host, toy())
    assert (second.function_error, second.init_ms is not None) == (None, True)


def test_a_busy_instance_that_is_killed_fails_its_event_alone(host, wait_until):
    run(host, toy(name="idle"))
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(run, host, toy(), "sleep", 30)
        wait_until(lambda: len(host.instances()) == 2 and "START" in host.instances()[0].log.since(0))
        host.instances()[0].kill()
        assert running.result().function_error == "Unhandled"
    assert run(host, toy()).function_error is None
    assert run(host, toy(name="idle")).init_ms is None


def test_an_asynchronous_event_is_tried_three_times(host):
    tries = []
    last = host.invoke_async(toy(), json.dumps({"do": "raise", "value": "again"}).encode(), tries.append).result()
    assert [result.function_error for result in tries] == ["Unhandled"] * 3
    assert last is tries[-1]


def test_an_asynchronous_event_that_succeeds_is_not_repeated(host):
    assert host.invoke_async(toy(), b"{}").result().function_error is None
    assert host.instances()[0].log.since(0).count("START RequestId") == 1


def test_asynchronous_events_wait_for_free_concurrency(host):
    events = [host.invoke_async(toy(reserved_concurrency=1), b'{"do": "sleep", "value": 0.05}') for _ in range(5)]
    assert [event.result().function_error for event in events] == [None] * 5


def test_closing_ends_every_process_the_busy_ones_too(runtime_packages, wait_until):
    host = LambdaHost(max_instances=3)
    with ThreadPoolExecutor(2) as threads:
        busy = [threads.submit(run, host, toy(timeout_s=60), "sleep", 60) for _ in range(2)]
        wait_until(lambda: len(host.instances()) == 2)
        run(host, toy(name="idle"))
        pids = [instance.pid for instance in host.instances()]
        folder = host.folder
        host.close()
        assert [future.result().function_error for future in busy] == ["Unhandled"] * 2
    assert len(pids) == 3
    assert not any(map(is_running, pids))
    assert not folder.exists()
    host.close()
    with pytest.raises(HostClosed):
        run(host, toy())


def test_what_an_instance_started_ends_with_it(host, wait_until):
    run(host, toy(), "eval", "__import__('subprocess').Popen(['sleep', '600']).pid")
    (child,) = children(host.instances()[0].pid)
    assert is_running(child)
    host.stop_idle_instances("toy")
    wait_until(lambda: not is_running(child))


def test_a_runtime_without_a_python_here(host):
    with pytest.raises(PythonMissing, match=r"no Python 3\.99 is installed here.*uv python install 3\.99"):
        run(host, toy(runtime="python3.99"))


def test_nothing_is_left_after_a_thousand_events(host):
    run(host, toy())
    threads, files = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    instance = run(host, toy()).json()["instance"]
    for _ in range(1000):
        assert run(host, toy()).json()["instance"] == instance
    assert threading.active_count() == threads
    assert len(list(Path("/proc/self/fd").iterdir())) == files
