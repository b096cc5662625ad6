"""Forms are timed in turns, and the note says so if 8 bits do not pay."""

import pytest

from convert import timing
from tests.support import paths


def test_a_larger_network_takes_longer(float_tflite: bytes, tiny: bytes) -> None:
    found = timing.medians_ms({"large": float_tflite, "tiny": tiny})
    assert list(found) == ["large", "tiny"]
    assert found["large"] > found["tiny"]


@pytest.fixture
def tiny() -> bytes:
    return (paths.DATA / "tiny/channels_float.tflite").read_bytes()


@pytest.mark.parametrize(
    ("mode", "bundle_ms", "said"),
    [("dynamic", 9.8, True), ("int8", 12.0, True), ("dynamic", 9.6, False), ("float16", 12.0, False)],
)
def test_the_note_depends_on_mode_and_share(mode: timing.Found, bundle_ms: float, said: bool) -> None:
    note = timing.not_paying(mode, bundle_ms, 10.0)
    assert (note is not None) == said
    if note:
        assert f"{bundle_ms} ms in {mode} and 10.0 ms in float32" in note
        assert "docs/costs.md" in note


@pytest.mark.parametrize(
    ("machine", "features", "wanted"),
    [
        ("x86_64", ["avx2", "avx512f"], "X, which has more than the AVX2 of Lambda's x86_64 (avx512f)"),
        ("x86_64", ["avx2"], "X, which has no more than Lambda's x86_64: AVX2"),
        ("aarch64", ["asimddp"], "X"),
    ],
)
def test_the_processor_is_named_with_what_lambda_does_not_have(machine: str, features: list[str], wanted: str) -> None:
    assert timing.described("X", machine, features) == wanted
