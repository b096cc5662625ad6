"""Labels in a JSON file: a list, a dictionary either way round, or one of these inside of a tool's own file."""

import ast
import json
import re
from typing import Any, NoReturn

from chalicelib.errors import shown
from convert.errors import ConvertError
from convert.label_text import Listed, by_index, clean, is_index

_START = re.compile(r"\{|\[\s*([\"'\[{\]0-9-]|true|false|null|NaN|$)")
_FIELDS = ("label", "name", "display_name", "class_name", "class")
_INDEX_FIELDS = ("index", "id", "class_id", "label_id", "label")
_HOLDERS = ("labels", "id2label", "class_names", "class_indices", "classes", "names", "categories")
"""`labels`: Teachable Machine's metadata.json; `id2label`: Hugging Face's config.json."""


def is_json(text: str) -> bool:
    """Whether a text begins as a list or an object does; "[unknown]" does not."""
    return bool(_START.match(clean(text)))


def labels_in_json(text: str) -> Listed:
    """The labels in a JSON text, or in a list or dictionary as Python prints it; raises ConvertError."""
    value, language = _parsed(clean(text))
    if isinstance(value, dict):
        value = next((value[key] for key in _HOLDERS if isinstance(value.get(key), list | dict)), value)
    return _list(value, f"a {language} list") if isinstance(value, list) else _dictionary(value, language)


def _parsed(text: str) -> tuple[Any, str]:
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_object), "JSON"
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    try:
        value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        value = None
    if not isinstance(value, list | dict):
        raise ConvertError(f"begins like JSON and cannot be read as JSON ({reason}): mend it, or give one label a line")
    return value, "Python"


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in pairs:
        if key in fields:
            raise ConvertError(f"the JSON has {shown(key)} twice: each label and each index may stand there once")
        fields[key] = value
    return fields


def _list(items: list[Any], form: str) -> Listed:
    if all(isinstance(item, str) for item in items):
        return Listed(form, tuple(map(clean, items)), "item")
    if not all(isinstance(item, dict) for item in items):
        raise _other("list", next(item for item in items if not isinstance(item, str)))
    texts = [field for field in items[0] if all(isinstance(item.get(field), str) for item in items)]
    field = next((field for field in _FIELDS if field in texts), texts[0] if len(texts) == 1 else None)
    if field is None:
        raise _other("list", items[0])
    index = next((name for name in _INDEX_FIELDS if all(type(item.get(name)) is int for item in items)), None)
    if index is None:
        return Listed(form, tuple(clean(item[field]) for item in items), "item")
    return by_index(form, [(item[index], item[field]) for item in items], may_count_from_1=True)


def _dictionary(items: dict[Any, Any], language: str) -> Listed:
    form = f"a {language} dictionary"
    if all(type(value) is int for value in items.values()):
        return by_index(form, [(index, str(label)) for label, index in items.items()])
    if all(is_index(str(key)) for key in items):
        return by_index(form, [(int(index), _last(label)) for index, label in items.items()])
    if all(isinstance(value, str) and is_index(value) for value in items.values()):
        return by_index(form, [(int(index), str(label)) for label, index in items.items()])
    raise _other("dictionary", items)


def _last(value: Any) -> str:
    """A label, or the label of Keras's ["n02123045", "tabby"]."""
    last = value[-1] if isinstance(value, list | tuple) and value else value
    if not isinstance(last, str):
        raise _other("dictionary", value)
    return last


def _other(kind: str, value: Any) -> ConvertError:
    return ConvertError(
        f"the {kind} holds {shown(value)}: expected a list of labels in quotes, "
        'a dictionary {"cat": 0, "dog": 1}, or {"0": "cat", "1": "dog"}'
    )
