"""A folder in this machine's processes: the same file however often the run is interrupted."""

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from chalicelib.batch.cli import main as command_line
from chalicelib.batch.cli.files import Line, write
from chalicelib.batch.cli.folder import run as run_folder
from chalicelib.batch.cli.job import Job
from chalicelib.batch.cli.progress import Progress
from chalicelib.config import Settings
from chalicelib.inference.answer import answer
from tests.support.paths import ROOT, SEVEN
from tests.support.pictures import encode, quarters

needs_tqdm = pytest.mark.skipif(find_spec("tqdm") is None, reason="tqdm, which shows progress, is not installed")
NAMES = ["a.png", "b c+%.PNG", "ünï/日本.png", "sub/deep/d.png", "sub/text.png", "empty.png"]


@pytest.fixture
def folder(tmp_path, seven):
    made = tmp_path / "pictures"
    for name in NAMES:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes({"sub/text.png": b"no picture", "empty.png": b""}.get(name, seven))
    (made / ".hidden").mkdir()
    for name in (".hidden/h.png", ".h.png", "notes.txt"):
        (made / name).write_bytes(seven if name.endswith(".png") else b"notes")
    return made


needs_tqdm = pytest.mark.skipif(find_spec("tqdm") is None, reason="tqdm is not installed: no progress bar")


@pytest.fixture(autouse=True)
def embedded(monkeypatch):
    """The model is `digits`, whatever lies in models/."""
    monkeypatch.setenv("MODEL_NAME", "digits")


def run(*arguments) -> int:
    return command_line.main([str(argument) for argument in arguments])


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@needs_tqdm
def test_every_picture_has_its_serial_answer(folder, tmp_path, digits, seven, capfd):
    out = tmp_path / "out.jsonl"
    assert run(folder, "--out", out, "--processes", 2, "--top-k", 2) == 0
    shown = capfd.readouterr()
    rows = {row.pop("key"): row for row in rows_of(out)}
    assert list(rows) == sorted(NAMES)
    contents = {"sub/text.png": b"no picture", "empty.png": b""}
    for name, row in rows.items():
        assert row == answer(digits, lambda name=name: contents.get(name, seven), top_k=2)
    assert "6 pictures, 2 of them with an error; other files left out: 2" in shown.out
    assert "6/6" in shown.err and "failed=2" in shown.err and "INFO" not in shown.err
    assert not list(tmp_path.glob("*part*"))


@needs_tqdm
def test_the_bytes_decide_and_no_file_ends_the_run(folder, tmp_path, seven, capsys):
    """Names without or with another suffix, links to themselves and to nowhere, a palette that is damaged."""
    (folder / "no_suffix").write_bytes(seven)
    (folder / "x.jfif").write_bytes(encode(quarters(), "JPEG"))
    (folder / "._x.jpg").write_bytes(b"\0\5\x16\7")
    (folder / "palette.png").write_bytes(encode(quarters().convert("P")).replace(b"PLTE", b"teXt"))
    (folder / "itself.png").symlink_to("itself.png")
    (folder / "loop").symlink_to(".")
    out = tmp_path / "out.jsonl"
    assert run(folder, "--out", out, "--processes", 1) == 0
    rows = {row["key"]: row for row in rows_of(out)}
    assert set(rows) == {*NAMES, "no_suffix", "x.jfif", "palette.png", "itself.png"}
    failed = {key: row["error"]["Code"] for key, row in rows.items() if "error" in row}
    assert failed == {
        "sub/text.png": "UnsupportedMediaTypeError",
        "empty.png": "UnsupportedMediaTypeError",
        "palette.png": "UnprocessableEntityError",
        "itself.png": "ForbiddenError",
    }
    assert "10 pictures, 4 of them with an error; other files left out: 3" in capsys.readouterr().out


@needs_tqdm
def test_a_damaged_journal_costs_only_the_damaged_lines(folder, tmp_path):
    whole, out, journal = tmp_path / "whole.jsonl", tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    assert run(folder, "--out", whole, "--processes", 1) == 0
    rows = rows_of(whole)
    head = {"folder": str(folder.resolve()), "model": "digits", "version": rows[0]["model"]["version"], "top_k": None}
    marked = {**rows[0], "marked": True}
    lines = [json.dumps(head), '{"key": 5}', "[]", "\udcff\0", json.dumps(marked), json.dumps(rows[1])[:-9], "null"]
    for damaged in ("\n".join(lines).encode("utf-8", "surrogateescape"), b"\0" * 5_000, b"\xff\xfe[", b"[]\n"):
        journal.write_bytes(damaged)
        assert run(folder, "--out", out, "--processes", 1) == 0
        assert rows_of(out) == ([marked, *rows[1:]] if damaged.startswith(b"{") else rows)


@needs_tqdm
def test_csv(folder, tmp_path):
    out = tmp_path / "out.csv"
    assert run(folder, "--out", out, "--processes", 1) == 0
    rows = {row["key"]: row for row in csv.DictReader(out.read_text().splitlines())}
    assert (rows["ünï/日本.png"]["label"], float(rows["a.png"]["score"]) > 0.9) == ("7", True)
    assert (rows["sub/text.png"]["label"], rows["sub/text.png"]["error"]) == ("", "UnsupportedMediaTypeError")


@needs_tqdm
def test_a_journal_is_resumed(folder, tmp_path, capsys):
    """What it holds is not asked for again; its last line, cut off, is."""
    out, whole = tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    assert run(folder, "--out", whole, "--processes", 1) == 0
    rows = rows_of(whole)
    marked = {**rows[0], "marked": True}
    head = {"folder": str(folder.resolve()), "model": "digits", "version": rows[0]["model"]["version"], "top_k": None}
    journal = tmp_path / "out.jsonl.partial"
    journal.write_text(f"{json.dumps(head)}\n{json.dumps(marked)}\n{json.dumps(rows[1])[:20]}")
    assert run(folder, "--out", out, "--processes", 1) == 0
    assert rows_of(out) == [marked, *rows[1:]]
    journal.write_text(f"{json.dumps({**head, 'top_k': 3})}\n{json.dumps(marked)}\n")
    assert run(folder, "--out", out, "--processes", 1) == 0
    assert out.read_bytes() == whole.read_bytes()


DAMAGES = {
    "zeros after a loss of power": lambda lines: [*lines[:3], b"\0" * 40, b""],
    "not UTF-8": lambda lines: [*lines[:3], b'{"key":"\xff"}', *lines[4:]],
    "a line cut in the middle": lambda lines: [*lines[:2], lines[2][:30], *lines[3:]],
    "a row without a key": lambda lines: [*lines[:2], b'{"predictions":[]}', *lines[3:]],
    "rows that are none": lambda lines: [lines[0], b"5", b"null", b"[]", b'{"key":5}', b'{"key":"a.png"}', b""],
    "a score that is none": lambda lines: [lines[0], lines[1].replace(b'"score":', b'"score":NaN,"x":'), b""],
    "nested without end": lambda lines: [lines[0], b"[" * 100_000, b""],
    "a head that is none": lambda lines: [b"\xff", *lines[1:]],
    "empty": lambda lines: [b""],
    "no line end": lambda lines: [lines[0]],
}


@needs_tqdm
@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_journal_is_classified_again_where_it_is_damaged(folder, tmp_path, capsys, name):
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    assert run(folder, "--out", whole, "--processes", 1) == 0
    kept: list[bytes] = []
    job = Job(folder, out, 1)

    def interrupt(done: int, total: int, failed: int) -> None:
        if done == total:
            kept.append(job.journal.read_bytes())

    run_folder(job, Settings.from_env(), interrupt)
    job.journal.write_bytes(b"\n".join(DAMAGES[name](kept[0].split(b"\n"))))
    out.unlink()
    assert run(folder, "--out", out, "--processes", 1) == 0
    assert out.read_bytes() == whole.read_bytes()


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x";"y")']


def test_a_csv_cell_is_never_a_formula(tmp_path):
    """Keys are the names of files that anybody may have made; labels and messages repeat what others wrote."""
    out = tmp_path / "out.csv"
    error = {"Code": "=c", "Message": "@m"}
    rows = [{"key": key, "predictions": [{"label": key, "index": 1, "score": 0.5}]} for key in [*FORMULAS, "a=1.png"]]
    write(out, map(Line.of, [*rows, {"key": "k", "error": error}]))
    with open(out, newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["key"] for row in found] == [*(f"'{key}" for key in FORMULAS), "a=1.png", "k"]
    assert [row["label"] for row in found] == [*(f"'{key}" for key in FORMULAS), "a=1.png", ""]
    assert (found[-1]["error"], found[-1]["message"], found[0]["score"]) == ("'=c", "'@m", "0.5")
    lines = tmp_path / "out.jsonl"
    write(lines, map(Line.of, rows))
    assert [row["key"] for row in rows_of(lines)] == [*FORMULAS, "a=1.png"]  # as they are


@pytest.mark.parametrize("text", ["five", "0", "-1", "1.5", "", "²"])
@pytest.mark.parametrize("option", ["--top-k", "--processes"])
def test_a_number_that_is_none(folder, capsys, option, text):
    with pytest.raises(SystemExit) as ended:
        run(folder, f"{option}={text}")
    assert ended.value.code == 2
    expected = f"error: argument {option}: {text!r} was given: expected a whole number of at least 1\n"
    assert capsys.readouterr().err.endswith(expected)


def test_what_is_shown_as_done_is_in_the_journal(folder, tmp_path):
    """If the run is killed then, the next one does not answer it again."""
    job = Job(folder, tmp_path / "out.jsonl", 1)
    shown: list[tuple[int, int]] = []

    def show(done: int, total: int, failed: int) -> None:
        shown.append((done, len(job.journal.read_text().splitlines()) - 1))  # without its head

    run_folder(job, Settings.from_env(), show)
    assert shown[-1][0] == len(NAMES)
    assert all(done == kept for done, kept in shown), shown


@needs_tqdm
def test_a_picture_larger_than_the_limit(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("MAX_OBJECT_BYTES", "20")
    assert run(folder, "--out", tmp_path / "out.jsonl", "--processes", 1) == 0
    codes = {row["key"]: row["error"]["Code"] for row in rows_of(tmp_path / "out.jsonl")}
    assert codes["a.png"] == "PayloadTooLargeError" and codes["sub/text.png"] == "UnsupportedMediaTypeError"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "nowhere is not a folder: expected a folder, or s3://bucket/prefix"),
        (
            ("{empty}",),
            "holds no picture: JPEG, PNG, WebP, GIF and BMP are accepted, whatever the files' names (0 others)",
        ),
        (("{folder}", "--model", "none"), "no model is called 'none'"),
        (("{folder}", "--top-k", "11"), '"top_k" is 11: this model has 10 classes'),
        (("{folder}", "--out", "{empty}/no/out.jsonl"), "No such file or directory"),
    ],
)
def test_an_error_is_one_line(folder, tmp_path, capsys, arguments, message):
    (tmp_path / "empty").mkdir()
    places = {"folder": folder, "empty": tmp_path / "empty"}
    assert run(*(argument.format(**places) for argument in arguments)) == 2
    shown = capsys.readouterr().err
    assert message in shown and shown.count("\n") == 1


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> tuple[list[str], bytes]:
    """A command line without its OUT, and what it writes if nothing interrupts it. Its folder holds 1,500 files."""
    above, chooser, seven = tmp_path_factory.mktemp("uninterrupted"), random.Random(5), SEVEN.read_bytes()
    pictures, whole = above / "pictures", above / "whole.jsonl"
    pictures.mkdir()
    for number in range(1500):
        (pictures / f"{number:04}.png").write_bytes(seven if number % 7 else bytes(chooser.randbytes(50)))
    command = [sys.executable, "-m", "chalicelib.batch", str(pictures), "--processes", "2", "--out"]
    given = {**os.environ, "MODEL_NAME": "digits"}
    subprocess.run([*command, whole], cwd=ROOT, env=given, capture_output=True, check=True)
    return command, whole.read_bytes()


@needs_tqdm
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_killed_and_started_again_it_ends_with_the_same_file(tmp_path, uninterrupted, how):
    """Ctrl-C reaches every process of the group; SIGKILL the command alone, whose processes then end themselves."""
    command, whole = uninterrupted
    out, journal = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    with subprocess.Popen([*command, out], cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True) as running:
        deadline = time.monotonic() + 30
        while (not journal.exists() or journal.stat().st_size < 20_000) and time.monotonic() < deadline:
            time.sleep(0.005)
        if how is signal.SIGINT:
            os.killpg(running.pid, how)
        else:
            running.kill()
        assert running.wait(20) == (130 if how is signal.SIGINT else -signal.SIGKILL)
    assert not out.exists()
    begun = len(journal.read_text().splitlines())
    assert 1 < begun <= 1500
    wait_until_alone(str(out))
    assert subprocess.run([*command, out], cwd=ROOT, capture_output=True, check=False).returncode == 0
    assert out.read_bytes() == whole
    assert not journal.exists()


def wait_until_alone(argument: str) -> None:
    """No process is left that was started with this argument."""
    deadline = time.monotonic() + 10
    while any(argument in path.read_text(errors="replace") for path in commands()):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def commands():
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            path.read_bytes()
        except OSError:
            continue
        yield path


@needs_tqdm
def test_progress():
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress.show(5, None, 0)
        progress.show(30, 60, 2)
        progress.show(60, 60, 2)
    assert "5 pictures" in stream.getvalue()
    last = stream.getvalue().splitlines()[-1]
    assert "100%" in last and "60/60" in last and "failed=2" in last


@needs_tqdm
def test_a_line_beside_progress():
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress.say("before")
        progress.show(5, 60, 0)
        progress.say("during")
    assert "before\n" in stream.getvalue() and "during\n" in stream.getvalue()


@needs_tqdm
def test_progress_that_is_broken_off_ends_its_line():
    stream = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Progress(stream) as progress:
        progress.show(5, 60, 0)
        raise KeyboardInterrupt
    assert "5/60" in stream.getvalue() and stream.getvalue().endswith("\n")
