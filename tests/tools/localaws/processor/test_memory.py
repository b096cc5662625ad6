"""The limit of an instance's memory, by each version of cgroups, or by looking."""

import subprocess
import sys

import pytest

from localaws.processor import memory
from localaws.processor.memory import CgroupMemory, WatchedMemory

MB = 2**20
LIMIT = {1: "memory.limit_in_bytes", 2: "memory.max"}
EVENTS = {1: "memory.oom_control", 2: "memory.events"}
SWAP = {1: "memory.swappiness", 2: "memory.swap.max"}


@pytest.fixture(params=[1, 2])
def version(request):
    return request.param


@pytest.fixture
def group(tmp_path, version):
    """A folder in the place of the kernel's, with a count from a group of the same name."""
    folder = tmp_path / "localaws-1"
    folder.mkdir()
    (folder / EVENTS[version]).write_text("under_oom 0\noom_kill 2\n")
    return folder


class TestCgroups:
    def test_the_limit_has_no_swap_and_holds_the_process(self, tmp_path, group, version):
        CgroupMemory(tmp_path, version).admit(1, 128)
        files = {name: (group / name).read_text() for name in (LIMIT[version], SWAP[version], "cgroup.procs")}
        assert files == {LIMIT[version]: str(128 * MB), SWAP[version]: "0", "cgroup.procs": "1"}

    def test_the_kernels_kill_is_seen(self, tmp_path, group, version):
        limit = CgroupMemory(tmp_path, version).admit(1, 128)
        assert limit.exceeded(0) is False
        (group / EVENTS[version]).write_text("under_oom 0\noom_kill 3\n")
        assert limit.exceeded(0) is True

    def test_what_is_in_tmp_is_added_and_taken_away(self, tmp_path, group, version):
        limit = CgroupMemory(tmp_path, version).admit(1, 128)
        for tmp_mb in (100, 3, 0):
            assert limit.exceeded(tmp_mb * MB) is False
            assert (group / LIMIT[version]).read_text() == str((128 + tmp_mb) * MB)

    def test_both_limits_share_a_group_of_version_2(self, tmp_path, group):
        (group / EVENTS[2]).write_text("oom_kill 0\n")
        first, second = (CgroupMemory(tmp_path, 2).admit(1, 128) for _ in range(2))
        for file in group.iterdir():  # the kernel's own vanish with the folder
            file.unlink()
        first.release()
        second.release()
        assert not group.exists()

    def test_none_can_be_made(self, tmp_path):
        (tmp_path / "cgroup").write_text("4:memory:/\n0::/\n")
        (tmp_path / "mounts").write_text(f"cgroup {tmp_path} cgroup rw,memory 0 0\n")
        assert isinstance(memory.find(tmp_path), WatchedMemory)  # its folders have none of the kernel's files
        assert isinstance(memory.find(tmp_path / "no proc"), WatchedMemory)

    def test_a_process_above_it_is_ended_by_the_kernel(self):
        found = memory.find()
        if isinstance(found, WatchedMemory):
            pytest.skip("no cgroup with a memory limit can be made here")
        allocate = "input(); block = bytearray(b'x') * (100 * 2**20)"
        with subprocess.Popen([sys.executable, "-c", allocate], stdin=subprocess.PIPE) as process:
            limit = found.admit(process.pid, 64)
            process.communicate(b"\n")
        assert process.returncode == -9
        assert limit.exceeded(0)
        limit.release()
        limit.release()


def test_a_watched_process_is_above_its_limit_once_it_was():
    allocate = "block = bytearray(b'x') * (100 * 2**20); del block; print(flush=True); input()"
    command = [sys.executable, "-c", allocate]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert WatchedMemory().admit(process.pid, 64).exceeded(0)
        assert not WatchedMemory().admit(process.pid, 512).exceeded(0)
        process.communicate(b"\n")
    assert not WatchedMemory().admit(process.pid, 1).exceeded(0)
