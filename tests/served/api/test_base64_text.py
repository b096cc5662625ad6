"""Both decoders give the same bytes for the same texts, and the first answer of a process waits for no import."""

import base64
import binascii
import itertools
import random
import subprocess
import sys

import pytest

from chalicelib.api import base64_text
from chalicelib.telemetry import ColdStart
from tests.support.paths import ROOT

ALPHABETS = ("AQ/=", "AB=-", "Aa=\n", "Az=\0", "9= Ä")


@pytest.fixture
def decoders(monkeypatch):
    """The standard library's, and pybase64's if it is installed."""
    monkeypatch.setattr(base64_text, "_decoder", base64_text._decoder.__wrapped__)
    return [base64_text._standard, base64_text._decoder()]


def outcome(decode, text):
    try:
        return decode(text)
    except ValueError:
        return None


def reference(text: str) -> bytes | None:
    """The usual spelling alone: what encoding gives, but for the bits that no byte needs."""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    usual = base64.b64encode(data).decode()
    same_length = len(usual) == len(text) and usual.count("=") == text.count("=")
    return data if same_length else None


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_every_short_text(alphabet, decoders):
    for length in range(8):
        for letters in itertools.product(alphabet, repeat=length):
            text = "".join(letters)
            assert [outcome(decode, text) for decode in decoders] == [reference(text)] * 2, repr(text)


def test_long_texts_with_one_wrong_letter(decoders):
    rng = random.Random(1)
    for _ in range(2_000):
        text = bytearray(base64.b64encode(rng.randbytes(rng.randrange(1, 300))))
        if rng.random() < 0.7:
            text[rng.randrange(len(text))] = rng.randrange(256)
        del text[len(text) - rng.choice((0, 0, 0, 1, 2, 4)) :]
        given = bytes(text)
        for spelled in (given, memoryview(given), given.decode("latin-1")):
            assert len({outcome(decode, spelled) for decode in decoders}) == 1, given


def test_without_pybase64_the_standard_library_decodes(monkeypatch):
    monkeypatch.setitem(sys.modules, "pybase64", None)
    assert base64_text._decoder.__wrapped__() is base64_text._standard


def test_a_warm_process_uses_the_fast_decoder_for_short_texts_too(monkeypatch):
    used, cold_start = [], ColdStart()
    monkeypatch.setattr(base64_text, "cold_start", cold_start)
    monkeypatch.setattr(base64_text, "_decoder", lambda: lambda text: used.append(text) or b"fast")
    assert base64_text.exact("QUJD") == b"ABC"
    assert base64_text.exact("QUJD" * base64_text.SHORT) == b"fast"
    cold_start.claim()
    assert base64_text.exact("QUJD") == b"fast"
    assert len(used) == 2


def test_the_first_short_text_imports_nothing():
    code = (
        "import sys; from chalicelib.api.base64_text import exact; exact('QUJD'); sys.exit('pybase64' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
