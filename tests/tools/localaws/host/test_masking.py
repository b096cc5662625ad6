"""A function's process gets the mask, in a sandbox and without one."""

import ctypes
import errno
import json
from pathlib import Path

import pytest

from localaws.errors import CompilerMissing
from localaws.host.lambda_host import LambdaHost
from localaws.host.launch import Additions
from localaws.host.masking import additions
from localaws.processor import mask_build
from localaws.processor.mask import SOURCE, VARIABLE, Shown
from tests.support.toys import toy

LOOK = """
import ctypes, os
def handler(event, context):
    return [os.environ.get("SLIMCEPTION_PROCESSOR"), ctypes.CDLL(None).mask_status()]
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    try:
        return mask_build.library(SOURCE)
    except CompilerMissing as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("sandbox", [True, False])
def test_the_mask_is_loaded_into_the_function(library, runtime_packages, sandbox):
    shown = Shown("avx2", {VARIABLE: "avx2"}, library, "AVX2 shown of more", None)
    with LambdaHost(1, sandbox=sandbox, additions=additions(shown)) as host:
        level, status = json.loads(host.invoke(toy(LOOK), b"{}").payload)
    can_fault = "cpuid_fault" in Path("/proc/cpuinfo").read_text()
    assert (level, status) == ("avx2", 0 if can_fault else errno.ENODEV)
    assert not hasattr(ctypes.CDLL(None), "mask_status")  # and not into this process


def test_nothing_is_added_if_nothing_is_masked():
    assert additions(Shown("native", {}, None, "AVX2", None)) == Additions()
