"""Kinds of arguments of the command lines here and in benchmarks. Each raises argparse.ArgumentTypeError."""

import argparse
import math
import re

from convert.modes import KeepFloat


def count(text: str) -> int:
    """A number of pictures, repetitions or threads: ASCII digits, at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of at least 1")
    return int(text)


def share(text: str) -> float:
    """A share from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a share between 0 and 1")
    return value


def name(text: str) -> str:
    """The name of a bundle."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a name of at most 64 letters, digits, '.', '_' and '-', the first a letter or a digit"
        )
    return text


def size(text: str) -> tuple[int, int]:
    """Width and height in px: "224" for a square, or "320x240"."""
    match = re.fullmatch(r"([0-9]{1,4})(?:x([0-9]{1,4}))?", text)
    width, height = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not width or not height:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of pixels, such as 224, or WIDTHxHEIGHT")
    return width, height


def sizes(text: str) -> tuple[tuple[int, int], ...]:
    """Several of them, with commas between: "171,203,235"."""
    return tuple(size(part) for part in text.split(","))


def channels(text: str) -> tuple[float, ...]:
    """One number for all channels, or three with commas between them, red first."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) not in (1, 3) or not all(math.isfinite(value) for value in values):
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a number, or three for red, green and blue: 123.7,116.3,103.5"
        )
    return values


def keep_float(text: str) -> KeepFloat:
    """Layers that stay in float: "auto", a number of the worst, or a regular expression."""
    if text == "auto":
        return "auto"
    if text.isascii() and text.isdigit():
        return count(text)
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected auto, a number of layers, or a regular expression ({error})"
        ) from error
