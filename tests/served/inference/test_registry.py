import json

import pytest

from chalicelib.config import EMBEDDED_MODELS
from chalicelib.errors import ModelError
from chalicelib.inference.registry import CARD_FILE, LABELS_FILE, find_bundles, load_bundle, load_card, parse_labels
from tests.support.bundles import COLORS, DAMAGES, write_bundle


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


class TestLoadBundle:
    def test_the_parts(self, tmp_path):
        folder = write_bundle(tmp_path)
        bundle = load_bundle(folder)
        assert (bundle.path, bundle.card, bundle.labels) == (folder, load_card(folder), COLORS)
        assert bundle.model_path == folder / "model.tflite"

    def test_the_folder_names_the_model(self, tmp_path):
        assert load_bundle(write_bundle(tmp_path, name="other")).card.name == "other"

    @pytest.mark.parametrize("name", [name for name in DAMAGES if not name.endswith("is another")])
    def test_a_damage_is_one_clear_error_that_names_the_bundle_and_no_path(self, tmp_path, name):
        damage, complaint = DAMAGES[name]
        folder = write_bundle(tmp_path, name="flowers")
        damage(folder)
        with pytest.raises(ModelError) as caught:
            load_bundle(folder)
        message = str(caught.value)
        assert message.startswith("model 'flowers': ")
        assert complaint in message or name == "card missing"
        assert str(tmp_path) not in message

    def test_the_embedded_bundle_is_whole(self):
        bundle = load_bundle(EMBEDDED_MODELS / "digits")
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
