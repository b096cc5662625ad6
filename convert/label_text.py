"""Labels in a text file: one on each line, with an index before each, in a CSV file, or in a TensorFlow label map."""

import csv
import io
import re
from collections.abc import Sequence
from typing import NamedTuple

from convert.errors import ConvertError

TEXT, _TABLE = "a text file", "a CSV file"
_INDEX = re.compile("[0-9]{1,6}")
_COUNTED = re.compile(r"([0-9]{1,6})(?:\s*[:,;=|]\s*|[.)]\s+|\s+-\s+|\s+)(\S.*)")
_BLANK = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\ufeff"
"""Everything that `str.strip` takes off, and byte order marks."""
_LABEL_COLUMNS = ("label", "name", "class", "category")
"""How the name of a column of labels ends, and in which order such columns are preferred."""
_INDEX_COLUMNS = ("", "index", "idx", "id", "number", "no", "classid", "labelid", "classindex", "labelindex")
"""pandas leaves the name of the index empty."""
_STRING = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
_ITEM = re.compile(rf"item\s*:?\s*\{{((?:[^{{}}\"']|{_STRING})*)\}}[\s,;]*")
_FIELD = re.compile(rf"\b(id|name|display_name)\s*:\s*([0-9]+|{_STRING})")


class Listed(NamedTuple):
    """The labels of a file in the order of their indices, neither checked nor compared with a model."""

    form: str
    """What the file was read as: "a text file", "a JSON list", ..."""
    names: tuple[str, ...]
    unit: str = "line"
    """What the file counts: lines, items or indices."""
    first: int = 1
    """The number of the first of them."""
    counts_from_1: bool = False
    """Whether the file states an index before each label, and the first is 1."""
    notes: tuple[str, ...] = ()

    def places(self, indices: Sequence[int]) -> str:
        """Where labels stand in the file: "line 3", "lines 3 and 5"."""
        *some, last = (f"{self.first + index:,}" for index in indices)
        plural = "indices" if self.unit == "index" else f"{self.unit}s"
        return f"{plural} {', '.join(some)} and {last}" if some else f"{self.unit} {last}"


def clean(label: str) -> str:
    """A label without blanks, and without byte order marks, at its ends."""
    return label.strip(_BLANK)


def is_index(text: str) -> bool:
    """Whether a text is a whole number of at most six digits."""
    return bool(_INDEX.fullmatch(text))


def by_index(form: str, pairs: Sequence[tuple[int, str]], *, may_count_from_1: bool = False) -> Listed:
    """The labels in the order of their indices; raises ConvertError if these are not 0 to n - 1, each once."""
    indices, first = {index for index, _ in pairs}, 0
    if may_count_from_1 and indices == set(range(1, len(pairs) + 1)):
        first = 1
    missing = sorted(set(range(first, first + len(pairs))) - indices)
    if missing:
        raise ConvertError(
            f"read as {form} of {len(pairs):,} labels, without the index {missing[0]}: "
            f"expected the indices 0 to {len(pairs) - 1}, each once"
        )
    names = tuple(clean(label) for _, label in sorted(pairs, key=lambda pair: pair[0]))
    return Listed(form, names, "index", first, counts_from_1=bool(first))


def labels_in_text(text: str) -> Listed:
    """The labels in a text that is no JSON; raises ConvertError for a table or a label map that has none."""
    if _ITEM.match(clean(text)):
        return _label_map(clean(text))
    return _table(text.rstrip()) or _lines(text.rstrip())


def _lines(text: str) -> Listed:
    """One label on each line, which ends with LF, CRLF or CR; a blank one is an empty label."""
    names = tuple(clean(line) for line in io.StringIO(text, newline=None))
    if len(names) > 1 and _column(names[0]) in (*_LABEL_COLUMNS, "classname", "labelname"):
        note = f"the first line, {names[0]!r}, was taken for the heading of the column"
        return Listed(_TABLE, names[1:], first=2, notes=(note,))
    numbered = [match.groups() for name in names if (match := _COUNTED.fullmatch(name))]
    if len(numbered) < len(names) or not numbered:
        return Listed(TEXT, names)
    found = _counted([number for number, _ in numbered], [label for _, label in numbered])
    note = "every line begins with a number that is no index: it was kept as a part of the label"
    return found or Listed(TEXT, names, notes=(note,))


def _counted(numbers: list[str], labels: list[str]) -> Listed | None:
    """The labels without the numbers before them; None if these do not count in order, from 0 or from 1.

    A number that tells the labels apart is part of them: "1 star", "2 stars", ... and "0,5", "1,5".
    """
    first = int(numbers[0])
    if first > 1 or [int(number) for number in numbers] != list(range(first, first + len(numbers))):
        return None
    if _repeats(labels):
        return None
    note = f"the indices {first} to {first + len(labels) - 1} before the labels were taken off"
    return Listed(TEXT, tuple(map(clean, labels)), counts_from_1=first == 1, notes=(note,))


def _table(text: str) -> Listed | None:
    """The labels of a CSV file, found by what its columns hold; None if the text is none."""
    for delimiter in ",;\t":
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True))
        except csv.Error:
            continue
        if rows and len({len(row) for row in rows}) == 1:
            cells = [[clean(cell) for cell in row] for row in rows]
            if found := _headed(cells) or _bare(cells, text):
                return found
    return None


def _headed(rows: list[list[str]]) -> Listed | None:
    """The labels of a table whose first row names the columns, ordered by the index if there is one."""
    header, body = rows[0], rows[1:]
    if len(header) < 2 or not body:
        return None
    named = [_column(cell) for cell in header]
    index = next((k for k in range(len(header)) if not is_index(header[k]) and _counts([r[k] for r in body])), None)
    if index is None:
        if not any(map(_is_label_column, named)):
            return None
        if not all(name in _INDEX_COLUMNS or _is_label_column(name) for name in named):
            return None
        numbers = (k for k, name in enumerate(named) if name in _INDEX_COLUMNS)
        index = next((k for k in numbers if all(is_index(row[k]) for row in body)), None)
    others = [k for k in range(len(header)) if k != index]
    wanted = [k for word in _LABEL_COLUMNS for k in others if _is_label_column(named[k]) and named[k].endswith(word)]
    if not wanted and len(others) > 1:
        raise ConvertError(
            f'read as a CSV file with the columns {", ".join(header)}: call the one that holds the labels "label"'
        )
    label = (wanted or others)[0]
    if index is None:
        return Listed(_TABLE, tuple(row[label] for row in body), first=2)
    return by_index(_TABLE, [(int(row[index]), row[label]) for row in body], may_count_from_1=True)


def _bare(rows: list[list[str]], text: str) -> Listed | None:
    """The labels of a table without a header: "0,cat", "cat,0", or one quoted label on each line."""
    if len(rows[0]) == 1:
        quoted = all(line.lstrip().startswith('"') for line in text.splitlines())
        return Listed(_TABLE, tuple(row[0] for row in rows)) if quoted else None
    if len(rows[0]) != 2:
        return None
    first, second = ([row[k] for row in rows] for k in range(2))
    if all(map(is_index, first)) and (found := _counted(first, second)):
        return found
    if _counts(second) and not _repeats(first) and len(rows) > 1:
        return by_index(_TABLE, [(int(row[1]), row[0]) for row in rows], may_count_from_1=True)
    return None


def _counts(cells: list[str]) -> bool:
    """Whether cells hold 0 to n - 1, or 1 to n, in any order."""
    if not all(map(is_index, cells)):
        return False
    return sorted(map(int, cells)) in (list(range(len(cells))), list(range(1, len(cells) + 1)))


def _column(cell: str) -> str:
    """The name of a column without case, blanks and plural: "Class Names" is "classname"."""
    name = re.sub(r"[\s_-]", "", cell).casefold()
    return {"classes": "class", "labels": "label"}.get(name, re.sub("names$", "name", name))


def _is_label_column(name: str) -> bool:
    return name not in _INDEX_COLUMNS and name.endswith(_LABEL_COLUMNS)


def _repeats(labels: Sequence[str]) -> bool:
    """Whether each label stands there twice on average, a plural's "s" aside: "star", "stars", "stars"."""
    return 1 < len(labels) >= 2 * len({label.casefold().rstrip("s") for label in labels})


def _label_map(text: str) -> Listed:
    """The labels of TensorFlow's `StringIntLabelMap` as text; its index 0 is reserved for the background."""
    items = _ITEM.findall(text)
    if _ITEM.sub("", text):
        raise ConvertError("read as a TensorFlow label map, which is damaged: expected item { id: 1 name: 'cat' } ...")
    pairs = []
    for item in items:
        fields: dict[str, str] = dict(_FIELD.findall(item))
        label = _unescaped(fields.get("display_name") or fields.get("name"))
        if label is None or not is_index(fields.get("id", "")):
            raise ConvertError(f"an item of the TensorFlow label map lacks id or name: {' '.join(item.split())[:60]}")
        pairs.append((int(fields["id"]), label))
    return by_index("a TensorFlow label map", pairs, may_count_from_1=True)


def _unescaped(text: str | None) -> str | None:
    """A quoted text of a protocol buffer, whose bytes beyond ASCII may be octal; None if it is none."""
    try:
        return text and text[1:-1].encode().decode("unicode_escape").encode("latin-1").decode()
    except UnicodeError:
        return None
