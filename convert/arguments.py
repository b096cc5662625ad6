"""Kinds of arguments of the command lines here and in benchmarks. Each raises argparse.ArgumentTypeError."""

import argparse
import re


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
