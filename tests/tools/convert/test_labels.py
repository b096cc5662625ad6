"""Labels: read from any usual file, refused if they are damaged, fitted to the model's outputs."""

import csv
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.inference.registry import parse_labels
from convert.errors import ConvertError
from convert.label_text import _repeats
from convert.labels import Labels, labelled, read_labels
from tests.tools.convert.conftest import CLASSES, Run

PETS = ("cat", "dog", "bird, small")


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "classes.bin"  # the content decides, not the name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def fit(folder: Path, content: str | bytes, outputs: int) -> tuple[Labels, str]:
    labels, notes = labelled(None, outputs, write(folder, content), None)
    return labels, " | ".join(notes)


FORMS: dict[str, str | bytes] = {
    "text": "cat\ndog\nbird, small\n",
    "text without a last line end": "cat\ndog\nbird, small",
    "text with blank lines at the end": "cat\ndog\nbird, small\n\n \n\n",
    "CRLF": "cat\r\ndog\r\nbird, small\r\n",
    "CR": "cat\rdog\rbird, small\r",
    "a byte order mark": "\ufeffcat\ndog\nbird, small\n",
    "UTF-16 of Notepad": "\ufeffcat\r\ndog\r\nbird, small\r\n".encode("utf-16-le"),
    "UTF-16, big end first": "\ufeffcat\ndog\nbird, small\n".encode("utf-16-be"),
    "an index and a blank": "0 cat\n1 dog\n2 bird, small\n",
    "an index and two blanks": "0  cat\n1  dog\n2  bird, small\n",
    "an index and a colon": "0: cat\n1: dog\n2: bird, small\n",
    "an index and a comma": "0,cat\n1,dog\n2,bird, small\n",
    "an index and a semicolon": "0;cat\n1;dog\n2;bird, small\n",
    "an index and a tab": "0\tcat\n1\tdog\n2\tbird, small\n",
    "an index and a dot": "0. cat\n1. dog\n2. bird, small\n",
    "an index and a dash": "0 - cat\n1 - dog\n2 - bird, small\n",
    "an index with leading zeros": "000 cat\n001 dog\n002 bird, small\n",
    "counted from 1": "1 cat\n2 dog\n3 bird, small\n",
    "JSON list": '["cat", "dog", "bird, small"]',
    "JSON list after a byte order mark": '\ufeff["cat", "dog", "bird, small"]',
    "JSON list of objects": '[{"name": "cat"}, {"name": "dog"}, {"name": "bird, small"}]',
    "JSON list of objects with labels": '[{"label": "cat"}, {"label": "dog"}, {"label": "bird, small"}]',
    "JSON list of objects with another field": '[{"Tier": "cat"}, {"Tier": "dog"}, {"Tier": "bird, small"}]',
    "JSON list of objects with indices": json.dumps(
        [
            {"id": 2, "name": "bird, small", "x": "?"},
            {"id": 0, "name": "cat", "x": "?"},
            {"id": 1, "name": "dog", "x": 1},
        ]
    ),
    "Keras's class_indices": '{"dog": 1, "cat": 0, "bird, small": 2}',
    "index to label": '{"0": "cat", "2": "bird, small", "1": "dog"}',
    "label to index as text": '{"dog": "1", "cat": "0", "bird, small": "2"}',
    "Keras's class index": '{"0": ["n02", "cat"], "1": ["n03", "dog"], "2": ["n04", "bird, small"]}',
    "Teachable Machine's metadata": '{"tfjsVersion": "1.3", "labels": ["cat", "dog", "bird, small"], "imageSize": 224}',
    "Hugging Face's config": json.dumps(
        {
            "architectures": ["ViT"],
            "hidden_size": 768,
            "id2label": {"0": "cat", "1": "dog", "2": "bird, small"},
            "label2id": {"cat": 0, "dog": 1, "bird, small": 2},
        }
    ),
    "a printed list": "['cat', 'dog', 'bird, small']",
    "a printed class_indices": "{'cat': 0, 'dog': 1, 'bird, small': 2}",
    "a printed dictionary of indices": "{0: 'cat', 1: 'dog', 2: 'bird, small'}",
    "CSV": 'index,label\n0,cat\n1,dog\n2,"bird, small"\n',
    "CSV in another order": 'id,name\n2,"bird, small"\n0,cat\n1,dog\n',
    "CSV of pandas": ',class\n0,cat\n1,dog\n2,"bird, small"\n',
    "CSV of traffic signs": 'ClassId,SignName\r\n0,cat\r\n1,dog\r\n2,"bird, small"\r\n',
    "CSV with semicolons": "id;name\n0;cat\n1;dog\n2;bird, small\n",
    "CSV with a third column": 'name,id,picture\ncat,0,a.png\ndog,1,b.png\n"bird, small",2,c.png\n',
    "CSV in another language": 'Nummer,Tier\n0,cat\n1,dog\n2,"bird, small"\n',
    "CSV without an index": 'label,id\ncat,n01\ndog,n02\n"bird, small",n03\n',
    "CSV without a header": '0,cat\n1,dog\n2,"bird, small"\n',
    "CSV with the index last": 'cat,0\ndog,1\n"bird, small",2\n',
    "CSV of one column": 'label\ncat\ndog\n"bird, small"\n'.replace('"', ""),
    "quoted lines": '"cat"\n"dog"\n"bird, small"\n',
    "a label map": "item {\n  id: 1\n  name: 'cat'\n}\nitem { id: 2 name: \"dog\" }\nitem{ name:'bird, small' id:3 }\n",
    "a label map with display names": "item { name: '/m/1' id: 1 display_name: 'cat' } item { name: '/m/2' id: 2 "
    "display_name: 'dog' } item { name: '/m/3' id: 3 display_name: 'bird, small' }",
}


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_every_form_is_read(content: str | bytes, tmp_path: Path) -> None:
    assert fit(tmp_path, content, 3)[0] == Labels(PETS, 0, binary=False)


AS_THEY_ARE = {
    "digits": tuple("0123456789"),
    "numbers that do not count": ("7 up", "2 door"),
    "one number of many": ("7 up", "cola", "tea"),
    "numbers with a gap": ("0 cat", "1 dog", "3 bird"),
    "numbers in another order": ("1 cat", "0 dog", "2 bird"),
    "numbers that tell the labels apart": ("1 star", "2 stars", "3 stars"),
    "decimal commas": ("0,5", "1,5", "2,5"),
    "times": ("0:30", "1:30", "2:30"),
    "ages": ("0-2", "3-5", "6-9"),
    "synonyms": ("tench, Tinca tinca", "goldfish, Carassius auratus"),
    "a bracket": ("[unknown]", "cat"),
    "upper and lower case": ("Cardigan", "cardigan"),
    "classes that have numbers": ("class 0", "class 1"),
    "a tab": ("n01\ttench", "n02\tgoldfish"),
}


@pytest.mark.parametrize("labels", AS_THEY_ARE.values(), ids=AS_THEY_ARE)
def test_labels_that_look_like_something_else_stay(labels: tuple[str, ...], tmp_path: Path) -> None:
    assert fit(tmp_path, "\n".join(labels), len(labels))[0].names == labels


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "a blank line": ("cat\n\ndog\n", "text file of 3 labels ('cat', '', 'dog'): no label stands at line 2: delete it"),
    "blank lines first": ("\n\ncat\n", "no label stands at lines 1 and 2"),
    "a doubled line": ("cat\ndog\nbird\ndog\n", "'dog' stands at lines 2 and 4: delete what was doubled"),
    "a doubled label after a heading": ("label\ncat\ndog\ncat\n", "'cat' stands at lines 2 and 4"),
    "a doubled label after an index": ("0 cat\n1 dog\n2 cat\n", "'cat' stands at lines 1 and 3"),
    "a doubled item": ('["cat", "cat", "dog"]', "JSON list of 3 labels ('cat', 'cat', 'dog'): 'cat' stands at items 1"),
    "a doubled value": ('{"0": "cat", "1": "cat", "2": "a"}', "JSON dictionary of 3 labels ('cat', 'cat', 'a'): 'cat'"),
    "an index for two": ('{"cat": 0, "dog": 0}', "JSON dictionary of 2 labels, without the index 1"),
    "a key twice": ('{"cat": 0, "cat": 1}', 'the JSON has "cat" twice'),
    "a blank value": ('{"0": "cat", "1": " "}', "no label stands at index 1"),
    "a gap": ('{"0": "cat", "2": "dog"}', "without the index 1: expected the indices 0 to 1, each once"),
    "a dictionary from 1": ('{"1": "cat", "2": "dog"}', "without the index 0"),
    "a gap in CSV": ("id,name\n0,cat\n2,dog\n", "CSV file of 2 labels, without the index 1"),
    "columns without a name": (
        "a,id,b\ncat,0,x\ndog,1,y\n",
        "the columns a, id, b: call the one that holds the labels",
    ),
    "a nested dictionary": ('{"0": {"cat": 1}}', "the dictionary holds"),
    "a list of lists": ('[["cat"], ["dog"]]', "expected a list of labels in quotes"),
    "a list of numbers": ("[0, 1, 2]", "the list holds 0: expected a list of labels in quotes"),
    "two fields": ('[{"a": "cat", "b": "x"}, {"a": "dog", "b": "y"}]', "the list holds"),
    "NaN": ('{"cat": NaN}', "NaN is not JSON"),
    "fractions": ('{"cat": 0.0, "dog": 1.0}', "the dictionary holds"),
    "true and false": ('{"cat": false, "dog": true}', "the dictionary holds"),
    "damaged JSON": ('["cat", "dog"', "begins like JSON and cannot be read as JSON"),
    "JSON Lines": ('{"id": 0, "name": "cat"}\n{"id": 1, "name": "dog"}', "begins like JSON and cannot be read"),
    "JSON nested deeply": ("[" * 100_000, "nested too deeply"),
    "a line break": ('["cat\\ndog", "bird"]', "the label of item 1 is longer than 1,000 characters, or holds a line"),
    "half a character": ('["\\ud83d", "bird"]', "another control character: '\\ud83d'"),
    "too long": ("x" * 1001, "longer than 1,000 characters"),
    "too many": ("\n".join(map(str, range(100_001))), "at most 100,000 are served"),
    "too large": (b"x" * (10 * 2**20 + 1), "more than 10,485,760 bytes"),
    "empty": ("", "there are no labels in it"),
    "only blanks": (" \n\n", "there are no labels in it"),
    "an empty list": ('{"labels": []}', "there are no labels in it"),
    "Latin-1": ("café".encode("latin-1"), "is not UTF-8 (byte 3): save it as UTF-8"),
    "half of UTF-16": ("\ufeffcat".encode("utf-16-le")[:-1], "is not UTF-8"),
    "UTF-16 without a mark": ("cat\ndog".encode("utf-16-le"), "not a file of labels but binary"),
    "a web page": ("\n<!DOCTYPE html>\n<html>", "a web page"),
    "a Git LFS pointer": ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
    "a label map without a name": ("item { id: 1 }", "lacks id or name: id: 1"),
    "a label map cut off": ("item { id: 1 name: 'cat' }\nitem { id: 2", "label map, which is damaged"),
    "a label map with a gap": ("item { id: 1 name: 'cat' } item { id: 3 name: 'dog' }", "without the index 0"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_a_bad_file_gets_one_clear_line(content: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConvertError) as caught:
        fit(tmp_path, content, 3)
    text = str(caught.value)
    assert message in text and "classes.bin" in text
    assert "\n" not in text and len(text) < 500


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.txt"):
        with pytest.raises(ConvertError, match="cannot read the labels"):
            read_labels(path)


class TestFit:
    def test_the_message_says_what_was_read(self, tmp_path: Path) -> None:
        with pytest.raises(ConvertError) as caught:
            fit(tmp_path, '{"0": "a", "1": "b", "2": "c", "3": "d"}', 5)
        assert "was read as a JSON dictionary of 4 labels ('a', 'b', 'c', ...), for a model of 5 outputs" in str(
            caught.value
        )

    def test_two_labels_of_one_output_are_two_classes(self, tmp_path: Path) -> None:
        assert fit(tmp_path, "cats\ndogs\n", 1)[0] == Labels(("cats", "dogs"), 0, binary=True)

    def test_one_label_of_one_output_is_its_score(self, tmp_path: Path) -> None:
        assert fit(tmp_path, "defect\n", 1)[0] == Labels(("defect",), 0, binary=False)

    def test_three_labels_of_one_output(self, tmp_path: Path) -> None:
        with pytest.raises(ConvertError, match=r"for a model of 1 output: give --labels FILE with two labels, or one"):
            fit(tmp_path, "a\nb\nc\n", 1)

    @pytest.mark.parametrize(("outputs", "count", "binary"), [(1, 2, True), (2, 2, False), (3, 3, False)])
    def test_without_labels_the_classes_are_numbered(self, outputs: int, count: int, binary: bool) -> None:
        labels, notes = labelled(None, outputs, None, None)
        assert labels == Labels(tuple(f"class {i}" for i in range(count)), 0, binary)
        assert len(notes) == 1 and "no labels given" in notes[0]

    def test_the_file_goes_before_the_metadata(self, tmp_path: Path) -> None:
        assert labelled(("a", "b"), 2, write(tmp_path, "c\nd\n"), None)[0].names == ("c", "d")
        assert labelled(("a", "b"), 2, None, None) == (Labels(("a", "b"), 0), ())

    @pytest.mark.parametrize("labels", [("a", "b"), ("a", "", "b"), ("a", "b", "a")])
    def test_metadata_that_do_not_fit_can_be_replaced(self, labels: tuple[str, ...]) -> None:
        with pytest.raises(ConvertError, match=r"the model's metadata.* give --labels FILE"):
            labelled(labels, 3, None, None)

    @pytest.mark.parametrize(("outputs", "offset", "said"), [(3, 0, "index 0 in answers"), (4, 1, "never predicted")])
    def test_a_count_from_1_is_said(self, outputs: int, offset: int, said: str, tmp_path: Path) -> None:
        for content in ("1 cat\n2 dog\n3 hen\n", "id,name\n1,cat\n2,dog\n3,hen\n"):
            labels, notes = fit(tmp_path, content, outputs)
            assert labels == Labels(("cat", "dog", "hen"), offset) and said in notes

    def test_a_count_from_0_does_not_fit_a_background(self, tmp_path: Path) -> None:
        with pytest.raises(ConvertError, match=r"3 labels .* 4 outputs"):
            fit(tmp_path, "0 cat\n1 dog\n2 hen\n", 4)

    @pytest.mark.parametrize(
        ("content", "note"),
        [
            ("0 cat\n1 dog\n", "the indices 0 to 1 before the labels were taken off"),
            ("7 up\n2 door\n", "begins with a number that is no index: it was kept"),
            ('["cat", "dog"]', "was read as a JSON list of 2 labels ('cat', 'dog')"),
            ("label\ncat\ndog\n", "the first line, 'label', was taken for the heading"),
        ],
    )
    def test_what_was_done_is_noted(self, content: str, note: str, tmp_path: Path) -> None:
        assert note in fit(tmp_path, content, 2)[1]


def thousand(*twins: tuple[int, int], count: int = 1000) -> str:
    labels = [f"label {i}" for i in range(count)]
    for first, second in twins:
        labels[second] = labels[first]
    return "\n".join(labels)


class TestImageNet:
    @pytest.mark.parametrize(("file", "outputs", "offset"), [("", 1000, 0), ("", 1001, 1), ("_1001", 1001, 0)])
    def test_published_lists_fit(self, file: str, outputs: int, offset: int, mobilenet: Path) -> None:
        labels, notes = labelled(None, outputs, mobilenet / f"labels{file}.txt", None)
        assert (labels.offset, labels.names.count("crane"), notes) == (offset, 2, ())

    def test_the_first_synonyms_fit_as_keras_publishes_them(self, mobilenet: Path, tmp_path: Path) -> None:
        names = [line.partition(",")[0] for line in (mobilenet / "labels.txt").read_text().splitlines()]
        assert names.count("maillot") == 2
        index = json.dumps({str(i): [f"n{i:08}", name] for i, name in enumerate(names)})
        assert fit(tmp_path, index, 1000)[0].names == tuple(names)

    @pytest.mark.parametrize("background", [0, 1])
    def test_what_several_lists_double_is_known(self, background: int, tmp_path: Path) -> None:
        twins = [(a + background, b + background) for a, b in ((134, 517), (638, 639), (836, 837), (657, 744))]
        assert len(fit(tmp_path, thousand(*twins, count=1000 + background), 1000 + background)[0].names) >= 1000

    @pytest.mark.parametrize(
        ("twin", "count"), [((134, 518), 1000), ((0, 1), 1000), ((134, 517), 1001), ((134, 517), 999)]
    )
    def test_any_other_double_is_an_accident(self, twin: tuple[int, int], count: int, tmp_path: Path) -> None:
        with pytest.raises(ConvertError, match="stands at lines"):
            fit(tmp_path, thousand(twin, count=count), count)

    def test_a_list_of_wordnet_has_doubles(self, tmp_path: Path) -> None:
        assert len(fit(tmp_path, thousand((5, 9), (7, 7000), count=11_821), 11_821)[0].names) == 11_821


class TestProposal:
    @pytest.fixture
    def pictures(self, tmp_path: Path) -> Path:
        folder = tmp_path / "my pictures"
        for name in ("b", "a b", "a", "B", ".hidden"):
            (folder / name).mkdir(parents=True)
        (folder / "readme.txt").write_text("x")
        return folder

    def test_the_folders_are_proposed_and_not_used(self, pictures: Path) -> None:
        labels, notes = labelled(None, 4, None, pictures)
        assert labels.names == ("class 0", "class 1", "class 2", "class 3")
        assert "--validation has 4 folders ('B', 'a', 'a b', ...)" in notes[1]

    def test_the_command_writes_them_in_keras_s_order(self, pictures: Path, tmp_path: Path) -> None:
        command = labelled(None, 4, None, pictures)[1][1].split("`")[1]
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
        assert (tmp_path / "labels.txt").read_text().splitlines() == ["B", "a", "a b", "b"]
        assert labelled(None, 4, tmp_path / "labels.txt", pictures)[1] == ()

    def test_two_folders_for_one_output(self, tmp_path: Path) -> None:
        for name in ("cats", "dogs"):
            (tmp_path / name).mkdir()
        labels, notes = labelled(None, 1, None, tmp_path)
        assert labels.binary and "--validation has 2 folders ('cats', 'dogs')" in notes[1]

    def test_another_number_of_folders_is_not_proposed(self, pictures: Path, tmp_path: Path) -> None:
        for folder, outputs in ((pictures, 3), (pictures, 5), (tmp_path / "none", 4)):
            assert len(labelled(None, outputs, None, folder)[1]) == 1

    def test_a_name_that_is_no_label_is_not_proposed(self, pictures: Path) -> None:
        (pictures / "b").rename(pictures / "b\nc")
        assert len(labelled(None, 4, None, pictures)[1]) == 1


class TestCommandLine:
    def test_the_bundle_holds_plain_labels_and_the_screen_says_what_was_read(
        self, run: Callable[..., Run], keras_file: Path, tmp_path: Path
    ) -> None:
        names = ["[red]", "café", "a, b", *(f"colour {i}" for i in range(3, CLASSES))]
        given = write(tmp_path, json.dumps({name: i for i, name in reversed(list(enumerate(names)))}))
        result = run(keras_file, "--labels", given, "--out", tmp_path, "--quantize", "float32")
        assert result.code == 0, result.err
        assert (tmp_path / "narrow" / "labels.txt").read_bytes() == "".join(f"{name}\n" for name in names).encode()
        note = f"note: {given} was read as a JSON dictionary of 12 labels ('[red]', 'café', 'a, b', ...)"
        assert note in result.err.splitlines()

    def test_a_file_that_does_not_fit_is_shown(self, run: Callable[..., Run], keras_file: Path, tmp_path: Path) -> None:
        result = run(keras_file, "--labels", write(tmp_path, "cat\ndog\n"), "--out", tmp_path / "models")
        assert result.code == 2 and not (tmp_path / "models").exists()
        assert "was read as a text file of 2 labels ('cat', 'dog'), for a model of 12 outputs" in result.err


def table(rows: list[tuple[object, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_MINIMAL).writerows(rows)
    return text.getvalue()


def label_map(labels: list[str], first: int) -> str:
    quoted = [label.replace("\\", r"\\").replace('"', r"\"") for label in labels]
    return "".join(f'item {{\n  id: {i}\n  name: "{label}"\n}}\n' for i, label in enumerate(quoted, first))


WRITERS: dict[str, Callable[[list[str]], str]] = {
    "list": json.dumps,
    "list in UTF-8": lambda labels: json.dumps(labels, ensure_ascii=False),
    "objects": lambda labels: json.dumps([{"name": label} for label in labels]),
    "label to index": lambda labels: json.dumps({label: i for i, label in enumerate(labels)}),
    "index to label": lambda labels: json.dumps(dict(enumerate(labels))),
    "index to pair": lambda labels: json.dumps({i: ["n0", label] for i, label in enumerate(labels)}),
    "metadata": lambda labels: json.dumps({"labels": labels}),
    "printed": lambda labels: repr({i: label for i, label in enumerate(labels)}),  # noqa: C416
    "CSV": lambda labels: table([("index", "label"), *enumerate(labels)]),
    "label map": lambda labels: label_map(labels, 1),
    "label map from 0": lambda labels: label_map(labels, 0),
}
ANY = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff")
LABELS = st.lists(
    st.text(ANY, min_size=1, max_size=12).map(str.strip).filter(bool), min_size=1, max_size=9, unique=True
)
WORDS = st.lists(st.from_regex(r"[a-zäöüж][a-zäöüж0-9 '()/-]{0,8}[a-zäöüж]", fullmatch=True), min_size=1, unique=True)


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
@given(labels=LABELS)
def test_any_labels_read_back_the_same(
    writer: Callable[[list[str]], str], labels: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    names = fit(folder, writer(labels), len(labels))[0].names
    assert names == tuple(labels) == parse_labels("".join(f"{name}\n" for name in names).encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line", ["{label}", "{i} {label}", "{i}: {label}", "{i},{label}", "{i}\t{label}"])
@given(labels=WORDS)
def test_any_words_read_back_the_same(
    line: str, encoding: str, labels: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assume(not _repeats(labels) or line == "{label}")
    text = "\r\n".join(line.format(i=i, label=label) for i, label in enumerate(labels))
    assert fit(tmp_path_factory.getbasetemp(), text.encode(encoding), len(labels))[0].names == tuple(labels)


@given(data=st.binary(max_size=80) | st.text("[]{}\",:0123a \nitem'\\\t;", max_size=60).map(str.encode))
def test_any_file_is_read_or_refused(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write(tmp_path_factory.getbasetemp(), data)
    try:
        names = read_labels(path).names
    except ConvertError as error:
        assert "\n" not in str(error)
    else:
        assert names == parse_labels("".join(f"{name}\n" for name in names).encode())
