import zipfile
from pathlib import Path

import pytest

from layers.build.archive import EPOCH, written_aside, zip_folder
from layers.contents import open_contents
from layers.errors import ContentsError
from tests.support.wheelhouse import write_zip

FILES = {"python/b.py": b"b = 1\n", "python/a/__init__.py": b"", "models/x/labels.txt": b"red\n" * 200}


def test_a_zip_and_a_folder_have_the_same_contents(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "layer.zip", FILES)
    with open_contents(path) as zipped:
        zipped.extract(tmp_path / "folder")
        with open_contents(tmp_path / "folder") as unzipped:
            assert dict(zipped.sizes) == dict(unzipped.sizes) == {name: len(data) for name, data in FILES.items()}
            assert {name: unzipped.read(name) for name in unzipped.sizes} == FILES
        assert zipped.zipped_sizes["models/x/labels.txt"] < zipped.sizes["models/x/labels.txt"]


def test_a_zip_depends_on_nothing_but_names_and_bytes(tmp_path: Path) -> None:
    for folder, order in (("one", list(FILES)), ("two", list(reversed(FILES)))):
        for name in order:
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(FILES[name])
            path.chmod(0o600 if folder == "one" else 0o755)
        zip_folder(tmp_path / f"{folder}.zip", tmp_path / folder)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == sorted(FILES)
        assert {(info.date_time, oct(info.external_attr >> 16)) for info in archive.infolist()} == {(EPOCH, "0o100644")}


def test_a_write_that_breaks_off_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "layer.zip"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="disk full"), written_aside(path) as aside:
        aside.write_bytes(b"half")
        raise OSError("disk full")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("length", [0, 3, 100, -30])
def test_a_zip_that_is_cut_off_is_refused(tmp_path: Path, length: int) -> None:
    path = write_zip(tmp_path / "layer.zip", FILES)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ContentsError, match=r"layer\.zip"), open_contents(path):
        pass


def test_a_zip_with_a_flipped_byte_is_refused_when_it_is_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "layer.zip", FILES)
    data = bytearray(path.read_bytes())
    data[data.index(b"labels.txt") + 12] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ContentsError, match="damaged"), open_contents(path) as contents:
        for name in contents.sizes:
            contents.read(name)


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "python/../../evil"])
def test_a_name_that_leads_out_of_the_layer_is_refused(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "layer.zip", {name: b""})
    with pytest.raises(ContentsError, match="outside of the layer"), open_contents(path):
        pass


def test_what_is_not_there_or_no_artefact_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    for name, message in (("absent.zip", "does not exist"), ("notes.txt", "not a zip, wheel")):
        with pytest.raises(ContentsError, match=message), open_contents(tmp_path / name):
            pass
