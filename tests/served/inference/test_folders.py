"""Which files of a folder are pictures: their bytes decide, and no file ends the search."""

import os

import pytest

from chalicelib.inference.folders import find_pictures
from tests.support.pictures import encode, quarters

PNG, JPEG, BMP = (encode(quarters(), name) for name in ("PNG", "JPEG", "BMP"))
AS_ROOT = os.geteuid() == 0


def made(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_the_bytes_decide(tmp_path):
    files = {
        "a": PNG, "b.jfif": JPEG, "c.JPE": JPEG, "d.mpo": JPEG, "e.dat": BMP, "sub/deep/f.txt": JPEG, "g.png": PNG,
        "notes.txt": b"notes", "BM.txt": b"BM is a bank", "empty": b"", "one": b"\xff",
        "model.tflite": b"\x1c\0\0\0TFL3",
    }  # fmt: skip
    found = find_pictures(made(tmp_path, files))
    assert found == (["a", "b.jfif", "c.JPE", "d.mpo", "e.dat", "g.png", "sub/deep/f.txt"], 5)


def test_a_name_that_promises_a_picture_counts_so_that_its_error_is_shown(tmp_path):
    assert find_pictures(made(tmp_path, {"a.png": b"no picture", "b.JPG": b"", "c.jpg.txt": b""})) == (
        ["a.png", "b.JPG"],
        1,
    )


def test_what_systems_leave_behind_is_left_out(tmp_path):
    files = {"x.jpg": JPEG, "._x.jpg": b"\0\5\x16\7", ".DS_Store": b"\0\0\0\1Bud1", "Thumbs.db": b"\xd0\xcf\x11\xe0",
             ".hidden/y.jpg": JPEG, "__MACOSX/._x.jpg": b"\0\5\x16\7"}  # fmt: skip
    assert find_pictures(made(tmp_path, files)) == (["x.jpg"], 4)


def test_links(tmp_path):
    made(tmp_path / "pictures", {"sub/a.png": PNG})
    folder = tmp_path / "pictures"
    (folder / "to_itself.jpg").symlink_to("to_itself.jpg")
    (folder / "to_itself").symlink_to("to_itself")
    (folder / "nowhere.png").symlink_to("gone.png")
    (folder / "nowhere").symlink_to("gone")
    (folder / "loop").symlink_to(".")
    (folder / "copy").symlink_to("sub/a.png")
    found = find_pictures(folder)
    assert found.pictures == ["copy", "nowhere.png", "sub/a.png", "to_itself", "to_itself.jpg"]
    assert found.skipped == 1


def test_a_pipe_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.png")
    assert find_pictures(tmp_path) == ([], 2)


@pytest.mark.skipif(AS_ROOT, reason="root reads every file")
def test_a_file_that_cannot_be_read_counts(tmp_path):
    made(tmp_path, {"a": PNG})
    (tmp_path / "a").chmod(0)
    assert find_pictures(tmp_path).pictures == ["a"]


def test_a_name_that_is_no_text(tmp_path):
    made(tmp_path, {os.fsdecode(b"\xff.png"): PNG})
    assert find_pictures(tmp_path).pictures == [os.fsdecode(b"\xff.png")]
