"""`python -m localaws` as a user types it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from layers.pythons import own
from localaws import __main__ as command_line
from localaws.__main__ import main
from localaws.deploy.deployer import PROJECT
from localaws.host import emulation
from localaws.processor.mask_features import Machine
from tests.support.bundles import DATA_DIR

COMMAND = [sys.executable, "-u", "-m", "localaws"]
SAMPLE_COMMAND = "  curl -H 'Content-Type: image/png' --data-binary @tests/data/seven.png"


@pytest.fixture
def taken_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.fixture
def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(autouse=True)
def same_environment(monkeypatch):
    """`main` makes the environment forget the developer's account."""
    kept = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(kept)


def test_a_port_in_use_is_one_line_and_code_2(taken_port, capsys):
    previous = signal.getsignal(signal.SIGTERM)
    assert main(["up", "--port", str(taken_port), "--python", own().version]) == 2
    signal.signal(signal.SIGTERM, previous)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(rf"error: port {taken_port} cannot be used .*--port\n", err)


@pytest.mark.skipif(len(emulation.ARCHITECTURES) == 1, reason="arm64 runs here")
@pytest.mark.parametrize("command", ["up", "prepare"])
def test_arm64_without_an_emulator(command, capsys, monkeypatch, tmp_path):
    previous = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([command, "--arch", "arm64", "--python", own().version]) == 2
    signal.signal(signal.SIGTERM, previous)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: functions for arm64 do not run here, for there is no qemu-aarch64")


@pytest.mark.parametrize("command", ["up", "prepare"])
def test_a_python_that_is_not_there(command, capsys):
    previous = signal.getsignal(signal.SIGTERM)
    assert main([command, "--python", "3.99"]) == 2
    signal.signal(signal.SIGTERM, previous)
    assert capsys.readouterr().err.startswith("error: no Python 3.99 is installed here")


def test_no_instance_at_all(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["up", "--instances", "0"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith("argument --instances: '0': expected a whole number of at least 1\n")


def test_a_processor_that_this_machine_does_not_have(monkeypatch, capsys):
    monkeypatch.setattr(command_line.mask, "read", lambda: Machine("AMD EPYC", frozenset({"avx2"})))
    assert main(["up", "--python", own().version, "--processor", "avx512"]) == 2
    assert capsys.readouterr().err.startswith("error: --processor avx512: AMD EPYC has AVX2 and no AVX-512 VNNI")


def test_an_event_with_nobody_to_answer_it(free_port, capsys, tmp_path):
    assert main(["invoke", str(tmp_path / "missing.json"), "--port", str(free_port)]) == 2
    (tmp_path / "event.json").write_text("{}")
    assert main(["invoke", str(tmp_path / "event.json"), "--port", str(free_port)]) == 2
    assert "start `python -m localaws up` first" in capsys.readouterr().err


def test_prepare_says_where(runtime_packages, capsys):
    assert main(["prepare", "--python", own().version]) == 0
    assert "slimception/localaws" in capsys.readouterr().out


def test_the_app_alone_needs_no_moto():
    """`make run` uses this package where only the served app is installed."""
    code = "import sys; sys.modules['moto'] = sys.modules['boto3'] = None; import localaws.run, localaws.__main__"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True, timeout=60)


class TestRun:
    @pytest.fixture
    def environment(self):
        """The embedded model, and a memory size, which the app takes the number of threads from."""
        models = {"MODEL_DIR": str(PROJECT / "chalicelib" / "models"), "MODEL_NAME": "digits"}
        return {**os.environ, **models, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769"}

    def test_it_serves_in_the_users_environment_until_it_is_ended(self, free_port, environment, tmp_path):
        command, url = [*COMMAND, "run", "--port", str(free_port)], f"http://127.0.0.1:{free_port}"
        with (
            (tmp_path / "stderr").open("w") as errors,
            subprocess.Popen(
                command, cwd=PROJECT, env=environment, text=True, stdout=subprocess.PIPE, stderr=errors
            ) as running,
        ):
            try:
                printed = "\n".join(read_until(running, f"{SAMPLE_COMMAND} {url}/predict/image"))
                with urllib.request.urlopen(f"{url}/health", timeout=60) as response:
                    health = json.load(response)
                started = children(running.pid)
            finally:
                running.terminate()
            assert running.wait(30) == 0
        shown = printed.partition(f"POST {url}/predict with tests/data/seven.png answers:\n")[2].partition("\n\n")[0]
        assert json.loads(shown)["predictions"][0]["label"] == "7"
        assert f"Serving model 'digits' at {url} (Ctrl-C ends it)." in printed
        assert health["runtime"]["memory_mb"] == 1769
        assert len(started) == 1
        assert not Path(f"/proc/{started[0]}").exists()

    def test_a_port_in_use(self, taken_port, capsys):
        assert main(["run", "--port", str(taken_port)]) == 2
        assert capsys.readouterr() == (
            "",
            f"Port {taken_port} is in use: choose another with `make run PORT={taken_port + 1}`\n",
        )

    def test_a_model_that_is_missing(self, free_port, environment):
        command = [*COMMAND, "run", "--port", str(free_port)]
        missing = {**environment, "MODEL_NAME": "missing"}
        ended = subprocess.run(command, cwd=PROJECT, env=missing, text=True, capture_output=True, timeout=60)
        assert ended.returncode == 2
        assert "installed: digits" in ended.stderr
        assert ended.stderr.endswith("The server did not start: see its message above.\n")


class TestInterrupted:
    @pytest.fixture
    def interrupted(self, monkeypatch):
        def stop(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(command_line, "_python", stop)
        monkeypatch.setattr(command_line, "serve", stop)

    @pytest.mark.parametrize(("command", "code"), [("run", 0), ("up", 0), ("prepare", 130)])
    def test_ctrl_c_is_the_way_to_end_only_what_serves(self, interrupted, command, code):
        previous = signal.getsignal(signal.SIGTERM)
        assert main([command]) == code
        signal.signal(signal.SIGTERM, previous)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_up_serves_the_deployed_project_until_it_is_ended(runtime_packages, free_port, tmp_path, how):
    environment = {**os.environ, "AWS_PROFILE": "no-such-profile"}
    options = ["--port", str(free_port), "--python", own().version, "--instances", "1"]
    output = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen([*COMMAND, "up", *options], cwd=PROJECT, env=environment, **output) as running:
        try:
            lines = read_until(running, "Ctrl-C ends it.")
            url = next(line for line in lines if line.startswith("API")).split()[1]
            assert sum(line.startswith(("Sandbox    as on Lambda", "Sandbox    none: ")) for line in lines) == 1
            folder = Path(next(line for line in lines if line.startswith("Logs")).split()[1]).parent
            answer = post(f"{url}predict/image?model=digits", (DATA_DIR / "seven.png").read_bytes())
            assert answer["predictions"][0]["label"] == "7"
            invoked = subprocess.run(
                [*COMMAND, "invoke", "-", "--port", str(free_port)],
                cwd=PROJECT, env=environment, input="{}", text=True, capture_output=True, timeout=60,
            )  # fmt: skip
            assert invoked.returncode == 0
            assert json.loads(invoked.stdout)["warm"] is True  # an empty event is a ping
            assert "REPORT RequestId" in invoked.stderr
            started = children(running.pid)
            assert len(started) == 1
        finally:
            running.send_signal(how)
        assert running.wait(30) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)
    assert not folder.exists()


def read_until(process, last):
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if lines[-1] == last:
            return lines
    pytest.fail("\n".join(lines))


def children(pid):
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def post(url, data):
    request = urllib.request.Request(url, data, {"Content-Type": "image/png"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)
