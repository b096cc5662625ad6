"""The processes of a folder's run: the work is shared out, and a process that ends takes nothing along."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing import Pipe, active_children
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.batch.cli import child
from chalicelib.batch.cli.job import Job
from chalicelib.batch.cli.processes import LONGEST, Processes, chunks
from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.errors import InvalidRequest, ModelError, ServiceError, UnknownModel
from chalicelib.inference.answer import PictureFailed
from chalicelib.inference.folders import find_pictures
from chalicelib.inference.store import ModelStore
from tests.support.bundles import write_bundle
from tests.support.paths import ROOT
from tests.support.pictures import encode, plain

NAMES = [f"{number:02}.png" for number in range(40)]
SETTINGS = Settings(model_dirs=(EMBEDDED_MODELS,))


@pytest.fixture
def folder(tmp_path, seven) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    for name in NAMES:
        (made / name).write_bytes(seven)
    return made


def job_of(folder: Path, processes: int = 2, **more) -> Job:
    return Job(folder, folder.parent / "out.jsonl", processes, **more)


def kill(process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.join()


@given(st.integers(0, 3000), st.integers(1, 70))
def test_chunks(count, processes):
    keys = [str(number) for number in range(count)]
    made = list(chunks(keys, processes))
    assert [key for chunk in made for key in chunk] == keys
    lengths = [len(chunk) for chunk in made]
    assert lengths == sorted(lengths, reverse=True)
    assert not made or (lengths[0] <= LONGEST and lengths[-1] == 1)


@pytest.mark.parametrize("wanted", [1, 3])
def test_every_key_once_and_no_more_processes_than_asked_for(folder, wanted):
    with Processes(job_of(folder, wanted), SETTINGS) as processes:
        assert processes.model().model == "digits"
        lines, most = [], 0
        for done in processes.classified(NAMES):
            most = max(most, len(active_children()))
            lines += done
    assert sorted(line.key for line in lines) == NAMES
    assert most == wanted
    assert not active_children()


def test_no_more_processes_than_keys(folder):
    with Processes(job_of(folder, 50), SETTINGS) as processes:
        processes.model()
        for _ in processes.classified(NAMES[:2]):
            assert len(active_children()) <= 2


def test_what_a_killed_process_had_is_answered_by_another(folder):
    """The first one is killed before it has any, then one of those that are at work."""
    with Processes(job_of(folder), SETTINGS) as processes:
        processes.model()
        kill(active_children()[0])
        lines, killed = [], False
        for done in processes.classified(NAMES):
            lines += done
            if lines and not killed:
                kill(active_children()[0])
                killed = True
    assert sorted(line.key for line in lines) == NAMES
    assert killed and not any(line.failed for line in lines)


def test_a_key_that_ends_its_process_again_and_again_is_named(folder):
    """Every process after the first is killed before it can answer."""
    with Processes(job_of(folder, 1), SETTINGS) as processes:
        processes.model()
        ended = threading.Event()

        def kill_all() -> None:
            while not ended.wait(0.005):
                for process in active_children():
                    process.kill()  # one that has ended meanwhile is no error

        kill(active_children()[0])
        killer = threading.Thread(target=kill_all)
        killer.start()
        try:
            with pytest.raises(
                ServiceError, match=r"00\.png ended its process 3 times \(SIGKILL\): take it out"
            ) as raised:
                list(processes.classified(["00.png"]))
        finally:
            ended.set()
            killer.join()
        assert "fewer --processes" in str(raised.value)


def test_a_process_that_ends_while_it_loads(folder):
    with Processes(job_of(folder), SETTINGS) as processes:
        kill(active_children()[0])
        with pytest.raises(ServiceError, match=r"ended while it loaded the model \(SIGKILL\)"):
            processes.model()


def test_a_child_has_one_thread(folder, monkeypatch):
    """Processes gain more than threads within one, and both together are slower than either."""
    threads: list[int] = []

    class Recording(ModelStore):
        def __init__(self, settings: Settings) -> None:
            threads.append(settings.num_threads)
            super().__init__(settings)

    monkeypatch.setattr(child, "ModelStore", Recording)
    ours, theirs = Pipe()
    ours.send(NAMES[:2])
    server = threading.Thread(target=child.serve, args=(theirs, job_of(folder), SETTINGS._replace(num_threads=4)))
    server.start()
    assert ours.recv().model == "digits"
    assert [line.key for line in ours.recv()] == NAMES[:2]
    ours.close()
    server.join(20)
    assert (threads, server.is_alive()) == ([1], False)


@pytest.mark.parametrize(
    ("asked", "error"), [({"model": "none"}, UnknownModel), ({"top_k": 11}, InvalidRequest), ({}, ModelError)]
)
def test_what_cannot_be_loaded_is_raised_before_anything_is_begun(folder, tmp_path, asked, error):
    settings = SETTINGS if asked else Settings(model_dirs=(tmp_path,))
    with Processes(job_of(folder, **asked), settings) as processes, pytest.raises(error):
        processes.model()


def test_a_picture_on_which_the_model_fails_is_an_error_and_the_others_are_answered(folder, tmp_path):
    write_bundle(tmp_path / "models", "not_a_number")
    (folder / "07.png").write_bytes(encode(plain((255, 0, 0))))  # the others are bright, and answered
    settings = Settings(model_dirs=(tmp_path / "models",))
    with Processes(job_of(folder, 1), settings) as processes:
        processes.model()
        lines = [line for done in processes.classified(NAMES) for line in done]
    assert sorted(line.key for line in lines) == NAMES
    (failed,) = [json.loads(line.text) for line in lines if line.failed]
    assert (failed["key"], failed["error"]["Code"]) == ("07.png", "InternalServerError")
    assert "the last of 3 tries: ModelError: model 'not_a_number' answers" in failed["error"]["Message"]


def served(monkeypatch, folder, answer) -> tuple[object, BaseException | None]:
    """What a process sends for its first chunk, and what ends it, if each picture is answered by `answer`."""
    monkeypatch.setattr(child, "answer", answer)
    monkeypatch.setattr(child, "_end_with_parent", lambda: None)
    ours, theirs = Pipe()
    ours.send(NAMES[:1])
    ended: list[BaseException] = []

    def serve() -> None:
        try:
            child.serve(theirs, job_of(folder), SETTINGS)
        except BaseException as error:
            ended.append(error)
        finally:
            theirs.close()

    server = threading.Thread(target=serve)
    server.start()
    assert ours.recv().model == "digits"
    try:
        sent = ours.recv()
    except EOFError:
        sent = None
    ours.close()
    server.join(20)
    return sent, ended[0] if ended else None


def test_a_model_is_tried_three_times(folder, monkeypatch):
    tries = iter([PictureFailed("1"), PictureFailed("2")])

    def answer(*_):
        failure = next(tries, None)
        if failure:
            raise failure
        return {"predictions": []}

    sent, _ = served(monkeypatch, folder, answer)
    assert [(line.key, line.failed) for line in sent] == [(NAMES[0], False)]


def test_a_lack_of_memory_ends_the_process_without_a_word(folder, monkeypatch):
    def answer(*_):
        raise MemoryError

    sent, ended = served(monkeypatch, folder, answer)
    assert sent is None and isinstance(ended, SystemExit) and ended.code == 1


def test_a_fault_of_the_program_is_one_line(folder, monkeypatch):
    def answer(*_):
        raise KeyError("x")

    sent, ended = served(monkeypatch, folder, answer)
    assert (type(sent), str(sent), ended) == (
        ServiceError, "a process failed (KeyError: 'x'): please report this", None,
    )  # fmt: skip


def test_ctrl_c_while_processes_start_is_one_line(folder):
    """They would each write a traceback, had they not been spared the signal from birth."""
    command = [sys.executable, "-m", "chalicelib.batch", str(folder), "--out", str(folder.parent / "out.jsonl")]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        deadline = time.monotonic() + 30
        while not any("spawn_main" in command_of(child) for child in children.read_text().split()):
            assert time.monotonic() < deadline and running.poll() is None
        os.killpg(running.pid, signal.SIGINT)
        out, shown = running.communicate(timeout=20)
    assert (running.returncode, out) == (130, ""), shown
    assert "Traceback" not in shown and shown.rstrip().endswith("or `watch ID` for a batch on AWS")


def command_of(process: str) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


def test_the_side_that_hands_out_imports_nothing_heavy():
    code = (
        "import sys; import chalicelib.batch.cli.main, chalicelib.batch.cli.folder; "
        "sys.exit(str({'numpy', 'PIL', 'ai_edge_litert', 'boto3', 'tqdm'} & set(sys.modules) or ''))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stderr.strip() == ""


def test_links(folder, seven):
    """A link to a picture is one, a link to a folder is not followed, for it may lead back; a broken one is one too."""
    (folder / "deep").mkdir()
    (folder / "deep" / "linked.png").symlink_to(folder / NAMES[0])
    (folder / "deep" / "broken.png").symlink_to(folder / "nothing")
    (folder / "deep" / "back").symlink_to(folder)
    os.mkfifo(folder / "deep" / "pipe.png")
    assert find_pictures(folder).pictures == sorted([*NAMES, "deep/broken.png", "deep/linked.png"])


def test_a_folder_deeper_than_python_s_stack(tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(1500):
            os.mkdir("d", dir_fd=here)
            inner = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        assert find_pictures(tmp_path).pictures == []
    finally:
        os.close(here)
        subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # too deep for pytest's own cleaning up
