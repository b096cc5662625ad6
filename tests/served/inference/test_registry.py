import json
import os
import sys
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib import strict_json
from chalicelib.config import EMBEDDED_MODELS
from chalicelib.errors import ModelError
from chalicelib.inference.card import ModelCard
from chalicelib.inference.registry import (
    CARD_FILE,
    LABELS_FILE,
    MODEL_FILE,
    find_bundles,
    load_bundle,
    load_card,
    parse_labels,
)
from tests.support.bundles import COLORS, DAMAGES, card_fields, write_bundle
from tests.support.rights import as_nobody, open_folder


class TestFindBundles:
    def test_of_two_with_one_name_the_first_directory_counts(self, tmp_path):
        for folder, name in (("a", "one"), ("b", "one"), ("b", "two")):
            write_bundle(tmp_path / folder, name=name)
        found = find_bundles([tmp_path / "a", tmp_path / "nowhere", tmp_path / "b"])
        assert found == {"one": tmp_path / "a" / "one", "two": tmp_path / "b" / "two"}

    def test_names_are_sorted_within_a_directory(self, tmp_path):
        for name in ("c", "a", "b"):
            write_bundle(tmp_path, name=name)
        assert list(find_bundles([tmp_path])) == ["a", "b", "c"]

    def test_only_folders_with_a_card_count_and_hidden_ones_do_not(self, tmp_path):
        write_bundle(tmp_path, name=".half-written")
        (tmp_path / "empty").mkdir()
        (tmp_path / "file").write_text("")
        assert find_bundles([tmp_path]) == {}

    @pytest.mark.parametrize("place", ["nowhere", "file"])
    def test_a_place_that_is_no_directory_holds_none(self, tmp_path, place):
        (tmp_path / "file").write_text("")
        assert find_bundles([tmp_path / place]) == {}


class TestAnythingInTheFolders:
    """What a folder holds apart from bundles harms no bundle."""

    @pytest.fixture
    def place(self):
        with open_folder() as folder:
            write_bundle(folder, name="good")
            yield folder

    @pytest.mark.parametrize(
        "make",
        [
            lambda path: path.symlink_to("nowhere"),
            lambda path: path.symlink_to(path),
            lambda path: path.symlink_to(path.parent),
            lambda path: os.mkfifo(path),
            lambda path: path.write_bytes(b"x"),
            lambda path: (path / "model.json").mkdir(parents=True),
            lambda path: path.mkdir() or os.mkfifo(path / "model.json"),
            lambda path: path.mkdir() or (path / "model.json").symlink_to(path / "model.json"),
            lambda path: path.mkdir() or (path / "model.json").symlink_to("/dev/zero"),
        ],
        ids=["dangling", "loop", "up", "pipe", "file", "card a folder", "card a pipe", "card a loop", "card a device"],
    )
    def test_what_is_no_bundle(self, place, make):
        make(place / "a")
        assert list(find_bundles([place])) == ["good"]

    def test_a_folder_without_rights_is_listed_last_and_says_why(self, place):
        write_bundle(place, name="a").chmod(0)
        with as_nobody():
            found = find_bundles([place])
            assert list(found) == ["good", "a"]
            with pytest.raises(ModelError, match=r"^model.json is unreadable \(Permission denied\): check the rights"):
                load_card(found["a"])

    @pytest.mark.parametrize("file", [CARD_FILE, LABELS_FILE, "model.tflite"])
    def test_a_file_without_rights(self, place, file):
        (write_bundle(place, name="a") / file).chmod(0)
        with as_nobody():
            assert list(find_bundles([place])) == ["a", "good"]
            with pytest.raises(ModelError, match=rf"^model 'a': {file} is unreadable \(Permission denied\)"):
                load_bundle(place / "a")

    @pytest.mark.parametrize("rights", [0, 0o444], ids=["none", "not to enter"])
    def test_a_whole_directory_without_rights(self, place, rights):
        write_bundle(place / "other", name="b")
        (place / "other").chmod(rights)
        with as_nobody():
            found = find_bundles([place / "other", place])
            assert list(found) == (["good", "b", "other"] if rights else ["good", "other"])
            for name in list(found)[1:]:
                with pytest.raises(ModelError, match="Permission denied"):
                    load_card(found[name])

    def test_what_cannot_be_read_is_not_replaced_by_another_of_its_name(self, place):
        write_bundle(place / "first", name="good").chmod(0)
        with as_nobody():
            assert find_bundles([place / "first", place]) == {"good": place / "first" / "good"}

    def test_a_name_that_is_not_utf_8(self, place):
        (place / "good").rename(os.fsdecode(os.fsencode(place) + b"/caf\xe9"))
        ((name, path),) = find_bundles([place]).items()
        assert name == "caf\\udce9"
        with pytest.raises(ModelError, match="the folder's name is not UTF-8: rename it"):
            load_card(path)


WRONG = [None, True, 0, -1, 1.5, 10**400, float("nan"), float("inf"), "", "x", "\ud800", [], [1], {}, {"a": 1}]


@settings(max_examples=300)
@given(st.data())
def test_a_card_with_any_value_in_any_place_is_read_or_refused(data):
    """And one that is read can be copied and written as strict JSON, which every answer does."""
    fields = card_fields()
    target = data.draw(st.sampled_from([fields, fields["input"], fields["output"]]))
    name = data.draw(st.sampled_from([*target, "unknown"]))
    json_values = st.recursive(
        st.sampled_from(WRONG), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)
    )
    target[name] = data.draw(json_values)
    try:
        card = ModelCard.from_dict(fields)
    except ModelError as error:
        assert len(str(error)) < 5000
    else:
        strict_json.dumps(card.to_dict())
        strict_json.dumps(card.summary())


class TestLoadBundle:
    def test_the_parts(self, tmp_path):
        folder = write_bundle(tmp_path)
        bundle = load_bundle(folder)
        assert (bundle.path, bundle.card, bundle.labels) == (folder, load_card(folder), COLORS)
        assert bundle.model_path == folder / "model.tflite"

    def test_the_folder_names_the_model(self, tmp_path):
        assert load_bundle(write_bundle(tmp_path, name="other")).card.name == "other"

    @pytest.mark.parametrize("quick", [False, True])
    @pytest.mark.parametrize("name", [name for name in DAMAGES if not name.endswith("is another")])
    def test_a_damage_is_one_clear_error_that_names_the_bundle_and_no_path(self, tmp_path, name, quick):
        damage, complaint = DAMAGES[name]
        folder = write_bundle(tmp_path, name="flowers")
        damage(folder)
        with pytest.raises(ModelError) as caught:
            load_bundle(folder, quick)
        message = str(caught.value)
        assert message.startswith("model 'flowers': ")
        assert complaint in message or name == "card missing"
        assert str(tmp_path) not in message

    @pytest.mark.parametrize("library", ["zlib_ng.zlib_ng", None])
    def test_any_byte_that_changes_is_found_quickly(self, tmp_path, monkeypatch, library):
        if library:
            monkeypatch.setitem(sys.modules, library, None)
        folder = write_bundle(tmp_path)
        model = folder / MODEL_FILE
        whole = model.read_bytes()
        for at in range(len(whole)):
            model.write_bytes(whole[:at] + bytes([whole[at] ^ 1 + at % 255]) + whole[at + 1 :])
            with pytest.raises(ModelError, match="is not the file that the card describes"):
                load_bundle(folder, quick=True)
        model.write_bytes(whole)
        assert load_bundle(folder, quick=True).labels == COLORS

    @pytest.mark.parametrize("quick", [False, True])
    def test_a_card_without_crc_32_has_its_sha_256_compared(self, tmp_path, quick):
        folder = write_bundle(tmp_path, crc32="")
        assert load_bundle(folder, quick).labels == COLORS
        model = folder / MODEL_FILE
        model.write_bytes(model.read_bytes()[::-1])
        with pytest.raises(ModelError, match="is not the file that the card describes"):
            load_bundle(folder, quick)

    def test_a_forged_crc_32_is_found_where_a_bundle_is_made_or_fetched(self, tmp_path):
        folder = write_bundle(tmp_path, crc32=f"{zlib.crc32(b'another'):08x}", size_bytes=7)
        (folder / MODEL_FILE).write_bytes(b"another")
        load_bundle(folder, quick=True)
        with pytest.raises(ModelError, match="is not the file that the card describes"):
            load_bundle(folder)

    @pytest.mark.parametrize("quick", [False, True])
    def test_the_embedded_bundle_is_whole(self, quick):
        bundle = load_bundle(EMBEDDED_MODELS / "digits", quick)
        assert bundle.card.crc32
        assert bundle.labels == tuple("0123456789")
        assert bundle.model_path.stat().st_size == bundle.card.size_bytes <= 400 * 1024


class TestLabels:
    @pytest.mark.parametrize(
        "data",
        [
            b"red\ngreen\nblue",
            b"red\ngreen\nblue\n\n",
            b"red\r\ngreen\r\nblue\r\n",
            b"red\rgreen\rblue\r",
            b"\xef\xbb\xbfred\ngreen\nblue\n",
            b" red \n\tgreen\nblue  \n",
        ],
        ids=["no end", "blank lines at the end", "CRLF", "CR", "BOM", "white space"],
    )
    def test_every_spelling_of_the_same_labels(self, tmp_path, data):
        folder = write_bundle(tmp_path)
        (folder / LABELS_FILE).write_bytes(data)
        assert parse_labels(data) == load_bundle(folder).labels == COLORS

    def test_a_label_may_hold_anything_but_a_line_end(self):
        assert parse_labels("tench, Tinca tinca\n猫\n".encode()) == ("tench, Tinca tinca", "猫")

    def test_a_blank_line_in_the_middle_keeps_its_index(self):
        assert parse_labels(b"red\n\nblue\n") == ("red", "", "blue")

    def test_unicode_separators_do_not_break_a_label(self):
        assert parse_labels("caf\u2028e\x85\nblue\n".encode()) == ("caf\u2028e\x85".strip(), "blue")


def test_the_cards_name_gives_way_to_the_folders(tmp_path):
    folder = write_bundle(tmp_path, name="renamed")
    assert json.loads((folder / CARD_FILE).read_text())["name"] == "channels_float"
    assert load_card(folder).name == "renamed"
