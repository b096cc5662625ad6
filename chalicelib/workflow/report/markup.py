"""HTML that is escaped by construction: a plain string always becomes text."""

import re
from html import escape

_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Characters that HTML forbids, that change the direction of the text around them, or that UTF-8 cannot encode."""


class Markup(str):
    """Text that is HTML already; it is not escaped again."""

    __slots__ = ()


def text(content: str) -> Markup:
    """`content`, escaped for a text or an attribute's value."""
    return content if isinstance(content, Markup) else Markup(escape(_UNFIT.sub("\ufffd", content)))


def element(name: str, *children: str, **attributes: object) -> Markup:
    """An element of HTML or SVG; `class_` is the attribute class, and `stroke_width` stands for stroke-width."""
    given = {key.rstrip("_").replace("_", "-"): str(value) for key, value in attributes.items() if value is not None}
    opening = " ".join([name, *(f'{key}="{text(value)}"' for key, value in given.items())])
    return Markup(f"<{opening}>{''.join(map(text, children))}</{name}>")


def joined(parts: list[Markup]) -> Markup:
    """The parts, one after the other."""
    return Markup("".join(parts))
