import platform
import sys

import pytest

from layers.errors import TargetError
from layers.targets import AMAZON_LINUX_2, AMAZON_LINUX_2023, local_target, target, target_of, target_to_build


@pytest.mark.parametrize("python", ["3.12", "3.13", "3.14"])
@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_lambdas_pythons_are_built_for(python: str, arch: str) -> None:
    wanted = target_to_build(python, arch)
    assert (wanted.python, wanted.arch, wanted.system) == (python, arch, AMAZON_LINUX_2023)
    assert target_of(f"runtime-{wanted.name}.zip") == wanted


def test_python_311_is_refused_with_the_reason() -> None:
    with pytest.raises(
        TargetError, match=r"Amazon Linux 2 \(glibc 2\.26\).*Pillow 13.*build for one of 3\.12"
    ) as caught:
        target_to_build("3.11", "x86_64")
    assert "\n" not in str(caught.value)
    assert target("3.11").system is AMAZON_LINUX_2  # but it can be checked against


@pytest.mark.parametrize(("python", "arch"), [("3.10", "x86_64"), ("3", "arm64"), ("", "x86_64"), ("3.13", "riscv64")])
def test_what_lambda_has_not_is_refused(python: str, arch: str) -> None:
    with pytest.raises(TargetError, match="no layer is made for "):
        target(python, arch)


def test_the_wheels_name_of_arm64_is_understood() -> None:
    assert target("3.13", "aarch64").arch == "arm64"


def test_wheels_may_ask_for_no_newer_glibc_than_the_system_has() -> None:
    tags = target("3.13", "arm64").platform_tags
    assert tags[0] == "manylinux_2_34_aarch64"
    assert {"manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"} <= set(tags)
    assert "manylinux_2_27_x86_64" not in target("3.11", "x86_64").platform_tags


@pytest.mark.skipif(sys.platform != "linux", reason="--local is for Linux")
def test_a_local_layer_is_named_so_that_nobody_takes_it_for_lambdas() -> None:
    wanted = local_target()
    assert wanted.local
    assert wanted.name == f"local-py{sys.version_info[0]}{sys.version_info[1]}-{wanted.arch}"
    assert target_of(f"runtime-{wanted.name}.zip") == wanted
    assert wanted.is_this_machine
    assert wanted.processor.wheel == platform.machine()


@pytest.mark.parametrize(
    "name", ["model-x.zip", "runtime-py313.zip", "deployment.zip", "runtime-py313-x86_64.zip.part"]
)
def test_other_files_state_no_target(name: str) -> None:
    assert target_of(name) is None
