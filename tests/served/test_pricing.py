import pytest

from chalicelib.pricing import cost_usd


class TestCost:
    @pytest.mark.parametrize(
        ("duration_ms", "memory_mb", "architecture", "want"),
        [
            (1000, 1024, "x86_64", 0.0000166667 + 2e-7),
            (1000, 1024, "aarch64", 0.0000133334 + 2e-7),
            (1000, 1024, "arm64", 0.0000133334 + 2e-7),
            (0.2, 1024, "x86_64", 0.0000000166667 + 2e-7),  # billed by whole milliseconds
            (16.5, 1769, "x86_64", 0.017 * 1769 / 1024 * 0.0000166667 + 2e-7),
            (1000, 1024, "riscv64", 0.0000166667 + 2e-7),
        ],
    )
    def test_duration_times_memory_and_the_fee(self, duration_ms, memory_mb, architecture, want):
        assert cost_usd(duration_ms, memory_mb, architecture) == pytest.approx(want, rel=1e-9)
