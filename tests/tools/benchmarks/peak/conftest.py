"""A small deployment whose times are constants."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.peak.durations import Durations
from benchmarks.peak.setup import Load, Setup


@pytest.fixture
def constant():
    """INIT 300 ms, first 200 ms, warm 100 ms."""
    return Durations(np.array([0.3]), np.array([0.2]), np.array([0.1]))


@pytest.fixture
def setup(constant):
    """6,000 requests in a minute, 100 a second, behind a function URL; fields by name differ."""
    base = Setup(Load(6000), constant, 1769, "x86_64", front_name="url")

    def made(**given):
        load = {name: given.pop(name) for name in ("per_minute", "minutes", "even") if name in given}
        return replace(base, load=replace(base.load, **load), **given)

    return made
