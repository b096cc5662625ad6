"""Kinds of arguments that several command lines take."""

import argparse


def count(text: str) -> int:
    """A number of repetitions, pictures or threads, at least 1; raises argparse.ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of at least 1")
    return int(text)
