"""What a function cannot do on Lambda, it cannot do here, and with the same error; what it can do, it can."""

import os
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from localaws.host.function import Archive
from localaws.host.lambda_host import LambdaHost
from localaws.host.launch import Additions
from localaws.processor.memory import WatchedMemory
from tests.support.toys import error_of, run, toy, zip_of

MB = 2**20
NO_SUCH_FILE, DENIED, READ_ONLY, FULL = "[Errno 2] No", "[Errno 13] Perm", "[Errno 30] Read-only", "[Errno 28] No space"
ALLOCATE = "import sys; block = b'x' * (int(sys.argv[1]) * 2**20)"


def value(host, expression, **options):
    result = run(host, toy(**options), "eval", expression)
    assert result.function_error is None, result.log
    return result.json()


@contextmanager
def server(answer=b"here"):
    """The address of a port of this machine, and the connections that it has had."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        seen = []

        def serve():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    seen.append(connection.recv(100))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}", seen
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def ask(address):
    """An expression that sends two bytes there, and gives what comes back."""
    host, port = address.rsplit(":", 1)
    connected = f"__import__('socket').create_connection(({host!r}, {port}), 10)"
    return f"[c := {connected}, c.sendall(b'hi'), c.recv(100).decode()][2]"


class TestRefused:
    @pytest.mark.parametrize(
        ("expression", "kind", "message"),
        [
            ("open('beside.txt', 'w')", "OSError", READ_ONLY),
            ("os.remove('/var/task/toy.py')", "OSError", READ_ONLY),
            ("os.mkdir('/opt/new')", "OSError", READ_ONLY),
            ("os.mkdir('/new')", "OSError", READ_ONLY),
            ("open('/dev/new', 'w')", "OSError", READ_ONLY),
            ("os.makedirs(os.path.expanduser('~/.cache'))", "OSError", READ_ONLY),
            ("open('/usr/new', 'w')", "OSError", READ_ONLY),
            ("open('/proc/sys/vm/swappiness', 'w')", "OSError", READ_ONLY),
            ("open('/dev/shm/new', 'w')", "FileNotFoundError", NO_SUCH_FILE),
            ("__import__('multiprocessing').Lock()", "FileNotFoundError", NO_SUCH_FILE),
            ("os.listdir('/sys')", "FileNotFoundError", NO_SUCH_FILE),
            ("os.listdir(os.path.expanduser('~'))", "FileNotFoundError", NO_SUCH_FILE),
            ("os.listdir('/root')", "PermissionError", DENIED),
        ],
    )
    def test_files_and_rights(self, sandboxed, expression, kind, message):
        found, said = error_of(run(sandboxed, toy(), "eval", expression))
        assert (found, said[: len(message)]) == (kind, message)

    def test_the_home_folder_of_this_machine(self, sandboxed, tmp_path):
        home = os.path.expanduser("~")  # noqa: PTH111
        assert value(sandboxed, f"os.path.isdir({home!r}) and os.access({home!r}, os.R_OK)") is False
        assert value(sandboxed, "os.listdir('/home')") == []
        assert value(sandboxed, f"os.path.exists({str(tmp_path)!r})") is False

    def test_another_port_of_this_machine(self, sandboxed):
        with server() as (address, seen):
            result = run(sandboxed, toy(), "eval", ask(address))
        assert error_of(result) == ("ConnectionRefusedError", "[Errno 111] Connection refused")
        assert seen == []

    def test_another_machine(self, sandboxed):
        result = run(sandboxed, toy(), "eval", ask("192.0.2.1:80"))  # RFC 5737: nobody's
        assert error_of(result) == ("OSError", "[Errno 101] Network is unreachable")

    def test_processes_of_this_machine(self, sandboxed):
        assert value(sandboxed, "[name for name in os.listdir('/proc') if name.isdigit()]") == ["1", "2"]
        assert error_of(run(sandboxed, toy(), "eval", f"os.kill({os.getpid()}, 0)"))[0] == "ProcessLookupError"

    def test_more_than_tmp_holds(self, sandboxed):
        function = toy(ephemeral_storage_mb=16)
        write = "open('/tmp/{0}', 'wb').write(bytes({1} * 2**20))"
        assert run(sandboxed, function, "eval", write.format("fits", 12)).function_error is None
        kind, message = error_of(run(sandboxed, function, "eval", write.format("not", 8)))
        assert (kind, message[: len(FULL)]) == ("OSError", FULL)


class TestAllowed:
    def test_the_layout_is_lambdas(self, sandboxed):
        seen = value(sandboxed, "dict(os.environ)")
        assert (seen["LAMBDA_TASK_ROOT"], seen["AWS_LAMBDA_RUNTIME_API"]) == ("/var/task", "127.0.0.1:9001")
        assert seen["LD_LIBRARY_PATH"].startswith("/var/lang/lib:") and seen["LD_LIBRARY_PATH"].endswith(":/opt/lib")
        assert not {"MODEL_DIR", "TMPDIR", "HOME"} & set(seen)
        assert value(sandboxed, "[os.getcwd(), sys.prefix, os.getuid(), os.getgid()]") == [
            "/var/task", "/var/lang", 993, 990
        ]  # fmt: skip
        assert value(sandboxed, "__import__('pwd').getpwuid(993).pw_name") == "sbx_user1051"

    def test_tmp_is_the_instances_and_stays_as_long(self, sandboxed):
        value(sandboxed, "open('/tmp/kept', 'w').write('x')")
        assert value(sandboxed, "os.listdir(__import__('tempfile').gettempdir())") == ["kept"]
        sandboxed.stop_idle_instances()
        assert value(sandboxed, "os.listdir('/tmp')") == []

    def test_every_address_of_this_machine_that_its_environment_names(self, sandboxed):
        with server(b"endpoint") as (endpoint, _), server(b"canary") as (canary, seen):
            named = {"AWS_ENDPOINT_URL": f"http://{endpoint}", "CANARY_URL": f"http://{canary}/predict"}
            assert value(sandboxed, ask(endpoint), environment=named) == "endpoint"
            assert value(sandboxed, ask(canary), environment=named) == "canary"
            assert value(sandboxed, ask(canary), environment=named) == "canary"
        assert seen == [b"hi", b"hi"]

    def test_much_data_both_ways(self, sandboxed):
        with server(b"x" * 10 * MB) as (address, _):
            host, port = address.split(":")
            read = f"len(__import__('socket').create_connection(({host!r}, {port})).makefile('rwb')"
            expression = f"[f := {read[4:]}, f.write(b'hi'), f.flush(), len(f.read())][3]"
            assert value(sandboxed, expression, memory_mb=512, environment={"A": address}) == 10 * MB

    def test_nothing_listens_at_an_address_that_its_environment_names(self, sandboxed):
        with server() as (address, _):
            pass
        result = run(sandboxed, toy(environment={"URL": f"http://{address}"}), "eval", ask(address))
        assert result.json() == "" or error_of(result)[0] in ("ConnectionResetError", "BrokenPipeError")

    def test_lambdas_port_of_the_runtime_api_may_be_named(self, sandboxed):
        seen = value(sandboxed, "os.environ['AWS_LAMBDA_RUNTIME_API']", environment={"URL": "localhost:9001"})
        assert seen == "127.0.0.1:9002"

    def test_its_servers_end_with_it(self, sandboxed):
        def held():
            return threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208

        value(sandboxed, "1")
        sandboxed.stop_idle_instances()
        before = held()
        with server() as (address, _):
            value(sandboxed, ask(address), environment={"A": address})
            sandboxed.stop_idle_instances()
        assert held() == before


class TestMemory:
    def test_it_is_limited_with_or_without_the_kernel(self, host):
        host.memory = WatchedMemory()
        killed = run(host, toy(), "allocate", 200)
        assert error_of(killed)[1] == "RequestId: <id> Error: Runtime exited with error: signal: killed"
        assert "Max Memory Used: 128 MB\tInit" in killed.log
        assert "Error Type: Runtime.OutOfMemory" in killed.log

    @pytest.fixture
    def limited(self, sandboxed):
        if isinstance(sandboxed.memory, WatchedMemory):
            pytest.skip("no cgroup with a memory limit can be made here")
        return sandboxed

    def test_what_a_child_uses_counts(self, limited):
        child = f"__import__('subprocess').run([sys.executable, '-c', {ALLOCATE!r}, '{{}}'])"
        assert run(limited, toy(), "eval", child.format(40) + ".returncode").json() == 0
        killed = run(limited, toy(), "eval", child.format(200) + ".returncode")
        assert error_of(killed)[0] == "Runtime.ExitError"
        assert "Error Type: Runtime.OutOfMemory" in killed.log

    def test_what_is_in_tmp_does_not_count(self, limited):
        """Slowly: what is written between two looks has to fit."""
        slowly = "[(f.write(bytes(4 * 2**20)), time.sleep(0.02)) for f in [open('/tmp/f', 'wb')] for _ in range(50)]"
        assert value(limited, f"len({slowly})", timeout_s=60) == 50
        assert error_of(run(limited, toy(timeout_s=60), "allocate", 150))[0] == "Runtime.ExitError"

    def test_what_is_read_of_files_does_not_count(self, limited):
        layer = Archive.of(zip_of({"large": bytes(96 * MB)}))
        function = toy(memory_mb=64, layers=(layer,), timeout_s=60)
        assert run(limited, function).function_error is None
        drop_from_cache(next(limited.folder.glob("trees/*/opt/large")))
        step = "sum(len(block) for block in iter(lambda f=open('/opt/large', 'rb'): f.read(2**20), b''))"
        assert run(limited, function, "eval", step).json() == 96 * MB

    def test_no_group_is_left(self, limited):
        run(limited, toy())
        (instance,) = limited.instances()
        group = limited.memory.parent / f"localaws-{instance.pid}"
        assert group.is_dir()
        limited.stop_idle_instances()
        assert not group.exists()


def test_init_begins_with_the_functions_own_process(sandboxed):
    class Slow(WatchedMemory):
        def admit(self, pid, memory_mb):
            time.sleep(3)
            return super().admit(pid, memory_mb)

    sandboxed.memory = Slow()
    result = run(sandboxed, toy(), "eval", "time.clock_gettime(time.CLOCK_BOOTTIME)")
    assert result.init_ms < 3000


def test_the_log_says_where_it_ran(sandboxed, unconfined):
    assert "in a sandbox)" in run(sandboxed, toy()).log
    assert "not in a sandbox)" in run(unconfined, toy()).log


def test_a_sandbox_can_be_turned_off(unconfined, host):
    interpreter = host.interpreter(toy().runtime)
    assert unconfined.why_no_sandbox(interpreter) == "turned off"
    assert value(unconfined, "os.getpid()") == unconfined.instances()[0].pid


class TestAdditions:
    @pytest.fixture
    def additions(self, tmp_path):
        (tmp_path / "added.so").write_bytes(b"")
        (tmp_path / "cpuinfo").write_text("model name: another\n")
        return Additions((tmp_path / "added.so",), {"ADDED": "1"}, {"/proc/cpuinfo": tmp_path / "cpuinfo"})

    def test_a_library_a_variable_and_a_file_of_the_system(self, runtime_packages, additions, sandboxed):
        with LambdaHost(max_instances=1, additions=additions) as host:
            seen = value(host, "[os.environ['LD_PRELOAD'], os.environ['ADDED'], open('/proc/cpuinfo').read()]")
            assert seen == ["/run/preload/added.so", "1", "model name: another\n"]
            both = value(host, "os.environ['LD_PRELOAD']", environment={"LD_PRELOAD": "/opt/lib/own.so"})
            assert both == "/opt/lib/own.so:/run/preload/added.so"

    def test_without_a_sandbox_the_library_keeps_its_place(self, runtime_packages, additions):
        with LambdaHost(max_instances=1, sandbox=False, additions=additions) as host:
            assert value(host, "os.environ['LD_PRELOAD']") == str(additions.preload[0])


def drop_from_cache(path):
    """So that the function reads it from the disk, and it counts as the function's."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
