"""Base64 to bytes. A large picture in JSON passes it twice: the event's body is base64, and so is the picture in it."""

import binascii
import functools
from collections.abc import Callable

from chalicelib.telemetry import cold_start

Text = str | bytes | memoryview
SHORT = 300_000
"""Characters that the standard library decodes in less than a millisecond, which the import of pybase64 takes."""


def exact(text: Text) -> bytes:
    """The bytes of base64 in its one usual spelling: the standard alphabet, padded, and no other character.

    Raises ValueError for every other text, which may be base64 in another spelling.
    """
    if len(text) < SHORT and not cold_start.has_answered:
        return _standard(text)
    return _decoder()(text)


def _standard(text: Text) -> bytes:
    data = binascii.a2b_base64(text, strict_mode=True)
    if len(text) != (len(data) + 2) // 3 * 4:
        raise ValueError("more padding than needed")  # which Python 3.11 passes over
    return data


@functools.cache
def _decoder() -> Callable[[Text], bytes]:
    """pybase64, which decodes with vector instructions at 15 times the speed; without it, the standard library."""
    try:
        from pybase64 import b64decode
    except ImportError:
        return _standard
    return functools.partial(b64decode, validate=True)
