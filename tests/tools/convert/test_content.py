"""The model at a path is found by what it holds: under any name, in a folder, in a zip; several are refused."""

import json
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from convert.errors import ConvertError
from convert.opening import unpacked
from convert.opening.content import content_of
from convert.opening.opened import opened
from convert.options import Options
from convert.sources import sha256_of
from tests.tools.convert import small
from tests.tools.convert.conftest import Run
from tests.tools.convert.small import CLASSES, SIDE_PX, logits, picture, saved_model, scores, tflite
from tests.tools.convert.test_command_line import listing, served

Cli = Callable[..., Run]
LABELS = "0 cat\n1 dog\n2 hen\n3 owl\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same network in each form."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "a.tflite").write_bytes(tflite(scores, picture(1, SIDE_PX, SIDE_PX, 3)))
    saved_model(folder / "saved", scores, picture(None, SIDE_PX, SIDE_PX, 3))
    keras.utils.set_random_seed(2)
    inputs = keras.Input((SIDE_PX, SIDE_PX, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3, activation="relu")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(x))
    model.save(folder / "a.keras")
    model.save(folder / "a.h5")
    return {path.suffix.removeprefix(".") or "saved_model": path for path in folder.iterdir()}


def zipped(path: Path, target: Path, inside: str = "", **more: str) -> Path:
    """A zip of a file or of a folder's files, below `inside`, with more files at its root."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, inside + str(file.relative_to(path.parent if path.is_file() else path)))
        for name, text in more.items():
            archive.writestr(name.replace("_txt", ".txt"), text)
    return target


class TestFiles:
    @pytest.mark.parametrize("name", ["MODEL.H5", "model", "model.bin", "model.tflite", "a.b.keras", "weights.pb"])
    @pytest.mark.parametrize("kind", ["tflite", "keras", "h5"])
    def test_the_name_does_not_count(self, kind: str, name: str, models: dict[str, Path], tmp_path: Path) -> None:
        shutil.copy(models[kind], tmp_path / name)
        with content_of(tmp_path / name) as content:
            assert (content.kind, content.path) == ({"h5": "hdf5"}.get(kind, kind), tmp_path / name)

    @pytest.mark.parametrize("kind", ["tflite", "keras", "h5"])
    def test_it_is_opened_whatever_it_is_called(self, kind: str, models: dict[str, Path], tmp_path: Path) -> None:
        path = shutil.copy(models[kind], tmp_path / "My Model (1).BIN")
        with opened(Options(str(path))) as source:
            assert (source.outputs, source.input_shape) == (CLASSES, (SIDE_PX, SIDE_PX, 3))
            assert source.name == "My-Model-1"
            assert source.origin["sha256"] == sha256(path.read_bytes()).hexdigest()
            assert source.origin["file"] == "My Model (1).BIN"

    def test_a_pipe_is_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ConvertError, match="neither a file nor a folder"), content_of(tmp_path / "pipe"):
            pass

    def test_the_graph_of_a_saved_model_stands_for_its_folder(self, models: dict[str, Path]) -> None:
        with content_of(models["saved_model"] / "saved_model.pb") as content:
            assert (content.kind, content.path) == ("saved_model", models["saved_model"])


class TestFolders:
    @pytest.mark.parametrize("kind", ["tflite", "keras", "h5", "saved_model"])
    def test_the_only_model_below_it_is_taken(self, kind: str, models: dict[str, Path], tmp_path: Path) -> None:
        target = tmp_path / "given" / "deep" / models[kind].name
        target.parent.mkdir(parents=True)
        (shutil.copytree if models[kind].is_dir() else shutil.copy)(models[kind], target)
        (tmp_path / "given" / "README.md").write_text("about it")
        with content_of(tmp_path / "given") as content:
            assert (content.path, content.inside) == (target, f"deep/{target.name}")

    def test_labels_beside_it_are_used(self, run: Cli, models: dict[str, Path], tmp_path: Path) -> None:
        folder = tmp_path / "converted_keras"
        folder.mkdir()
        shutil.copy(models["h5"], folder / "keras_model.h5")
        (folder / "labels.txt").write_text(LABELS)
        result = run(folder, "--out", tmp_path / "out")
        assert result.code == 0, result.err
        classifier = served(tmp_path / "out" / "converted_keras")
        assert classifier.labels == ("cat", "dog", "hen", "owl")
        assert classifier.card.source["sha256"] == sha256_of(folder)
        assert (classifier.card.source["file"], classifier.card.source["inside"]) == (
            "converted_keras",
            "keras_model.h5",
        )
        assert "the labels are those of labels.txt beside the model" in result.err

    def test_the_users_labels_come_first(self, run: Cli, models: dict[str, Path], tmp_path: Path) -> None:
        folder = tmp_path / "m"
        folder.mkdir()
        shutil.copy(models["tflite"], folder)
        (folder / "labels.txt").write_text(LABELS)
        (tmp_path / "mine.txt").write_text("a\nb\nc\nd\n")
        assert run(folder, "--labels", tmp_path / "mine.txt", "--out", tmp_path).code == 0
        assert served(tmp_path / "m").labels == ("a", "b", "c", "d")

    @pytest.mark.parametrize(("text", "note"), [("a\nb\n", "has 2 labels, the model 4 outputs"), ("", "was not used")])
    def test_labels_that_do_not_fit_are_left(
        self, text: str, note: str, run: Cli, models: dict[str, Path], tmp_path: Path
    ) -> None:
        folder = tmp_path / "m"
        folder.mkdir()
        shutil.copy(models["tflite"], folder)
        (folder / "labels.txt").write_text(text)
        result = run(folder, "--out", tmp_path / "out")
        assert result.code == 0, result.err
        assert note in result.err
        assert served(tmp_path / "out" / "m").labels[0] == "class 0"

    def test_several_models_are_listed(self, models: dict[str, Path]) -> None:
        with pytest.raises(ConvertError, match=r"holds 4 models .*: give one of them"), content_of(models["h5"].parent):
            pass

    def test_a_foreign_model_in_it_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(range(64)))
        (tmp_path / "README.md").write_text("about")
        with pytest.raises(ConvertError, match=r"model\.gguf is a language model"), content_of(tmp_path):
            pass

    def test_an_unpacked_keras_file_is_packed_again(self, models: dict[str, Path], tmp_path: Path) -> None:
        with zipfile.ZipFile(models["keras"]) as archive:
            archive.extractall(tmp_path / "model")
        with pytest.raises(ConvertError, match=r"zip -r \.\./model\.keras \."), content_of(tmp_path / "model"):
            pass

    def test_a_folder_of_pictures_is_no_model(self, pictures: Path) -> None:
        with pytest.raises(ConvertError, match=r"holds no model \(00\.jpg, "), content_of(pictures):
            pass

    def test_a_disk_is_not_searched(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("convert.opening.content.MOST_FILES", 3)
        for i in range(5):
            (tmp_path / f"{i}.txt").write_text("x")
        with pytest.raises(ConvertError, match="holds more than 3 files"), content_of(tmp_path):
            pass


class TestZips:
    @pytest.mark.parametrize("inside", ["", "export/1/"])
    @pytest.mark.parametrize("kind", ["tflite", "keras", "h5", "saved_model"])
    def test_each_model_is_read_from_a_zip(
        self, kind: str, inside: str, models: dict[str, Path], tmp_path: Path
    ) -> None:
        path = zipped(models[kind], tmp_path / "mine.ZIP", inside)
        with opened(Options(str(path))) as source:
            assert source.outputs == CLASSES
            assert (source.name, source.origin["file"]) == ("mine", "mine.ZIP")
            assert source.origin["sha256"] == sha256(path.read_bytes()).hexdigest()

    def test_a_download_of_teachable_machine(self, run: Cli, models: dict[str, Path], tmp_path: Path) -> None:
        path = zipped(models["tflite"], tmp_path / "converted_tflite.zip", labels_txt=LABELS)
        assert run(path, "--out", tmp_path / "out").code == 0
        assert served(tmp_path / "out" / "converted_tflite").labels == ("cat", "dog", "hen", "owl")

    def test_what_macos_adds_does_not_count(self, models: dict[str, Path], tmp_path: Path) -> None:
        path = zipped(models["h5"], tmp_path / "a.zip")
        with zipfile.ZipFile(path, "a") as archive:
            archive.write(models["h5"], "__MACOSX/._a.h5")
        with content_of(path) as content:
            assert content.inside == "a.h5"

    def test_the_folder_is_deleted_at_the_end(self, models: dict[str, Path], tmp_path: Path) -> None:
        with content_of(zipped(models["h5"], tmp_path / "a.zip")) as content:
            assert content.path.exists()
        assert not content.path.exists()

    @pytest.mark.parametrize("name", ["../a.h5", "/tmp/a.h5", "a/../../a.h5", "C:\\a.h5", "..\\a.h5"])
    def test_no_path_leads_out_of_it(self, name: str, models: dict[str, Path], tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(name, models["h5"].read_bytes())
        with pytest.raises(ConvertError, match="a link or a path out of the archive"), content_of(tmp_path / "a.zip"):
            pass

    def test_no_link_is_made(self, tmp_path: Path) -> None:
        member = zipfile.ZipInfo("model.h5")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(member, "/etc/passwd")
        with pytest.raises(ConvertError, match="a link or a path"), content_of(tmp_path / "a.zip"):
            pass

    def test_a_bomb_is_not_unpacked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(unpacked, "MOST_BYTES", 1000)
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("model.h5", bytes(1001))
        with pytest.raises(ConvertError, match="unpacks to"), content_of(tmp_path / "a.zip"):
            pass

    def test_a_zip_of_thousands_of_files_is_not_unpacked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(unpacked, "MOST_FILES", 3)
        path = zipped(tmp_path, tmp_path / "a.zip", **{f"{i}_txt": "x" for i in range(5)})
        with pytest.raises(ConvertError, match="expected the zip of one model"), content_of(path):
            pass

    def test_a_damaged_member_is_found(self, models: dict[str, Path], tmp_path: Path) -> None:
        data = bytearray(zipped(models["h5"], tmp_path / "a.zip").read_bytes())
        data[200:260] = bytes(60)
        (tmp_path / "a.zip").write_bytes(data)
        with pytest.raises(ConvertError, match="damaged or cut off"), content_of(tmp_path / "a.zip"):
            pass

    def test_several_models_in_a_task_file_are_listed(self, models: dict[str, Path], tmp_path: Path) -> None:
        path = tmp_path / "hand_landmarker.task"
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("hand_detector.tflite", "hand_landmarks_detector.tflite"):
                archive.write(models["tflite"], name)
        with pytest.raises(ConvertError, match="unpack it and give one of them"), content_of(path):
            pass

    def test_a_wrong_zip_leaves_nothing(self, run: Cli, tmp_path: Path) -> None:
        result = run(zipped(tmp_path, tmp_path / "a.zip", notes_txt="x"), "--out", tmp_path / "models")
        assert (result.code, listing(tmp_path / "models")) == (2, [])
        assert "holds no model (notes.txt)" in result.err


def test_a_tensorflow_js_model_is_found_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"format": "layers-model", "modelTopology": {}}))
    (tmp_path / "weights.bin").write_bytes(np.arange(99, dtype=np.float32).tobytes())
    with content_of(tmp_path) as content:
        assert (content.kind, content.path) == ("tfjs", tmp_path / "model.json")


def test_what_is_served_is_the_model_in_the_zip(run: Cli, models: dict[str, Path], tmp_path: Path) -> None:
    given: tuple[Any, ...] = ("--preprocess", "unit", "--quantize", "float32", "--out", tmp_path)
    assert run(zipped(models["saved_model"], tmp_path / "a.zip", "x/"), *given).code == 0
    shown = small.pixels()
    expected = scores(shown.astype(np.float32) / 255).numpy()
    np.testing.assert_allclose(np.stack([served(tmp_path / "a").scores(one) for one in shown]), expected, atol=1e-4)
    assert np.argmax(logits(shown.astype(np.float32) / 255), 1).tolist() == expected.argmax(1).tolist()
