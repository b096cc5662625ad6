"""The share of the processor that a memory size buys, by each of the means there are."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chalicelib import config
from localaws.errors import CgroupMissing
from localaws.host.lambda_host import LambdaHost
from localaws.processor import cgroup
from localaws.processor.cgroup import CgroupProcessor
from localaws.processor.duty_cycle import DutyCycle
from localaws.processor.share import MEMORY_MB_PER_VCPU, PERIOD_US, quota_us, vcpus_of
from tests.support.toys import run, toy

pytestmark = pytest.mark.alone
SPIN = "import time\nwhile True: time.process_time()"


class Recorder:
    """A processor that limits nothing and remembers what it was asked."""

    name = "recorder"

    def __init__(self):
        self.asked = []

    def admit(self, pid, vcpus):
        self.asked.append(("admit", pid, round(vcpus, 3)))
        return self

    def resize(self, vcpus):
        self.asked.append(("resize", round(vcpus, 3)))

    def stopped_ms(self):
        return 0.0

    def release(self):
        self.asked.append(("release",))


@pytest.fixture(params=["cgroup", "duty cycle"])
def processor(request):
    if request.param == "duty cycle":
        return DutyCycle()
    try:
        return cgroup.find()
    except CgroupMissing as error:
        pytest.skip(str(error))


@pytest.fixture
def spinning():
    """The ids of two processes that each take all the processor that they can get."""
    commands = [[sys.executable, "-c", SPIN]] * 2
    processes = [subprocess.Popen(command, start_new_session=True) for command in commands]
    yield [process.pid for process in processes]
    for process in processes:
        process.kill()
        process.wait()


def used_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def used_both_s(pids, for_s=2.0):
    """Side by side, so that whatever else this machine does hits both alike."""
    before = [used_s(pid) for pid in pids]
    time.sleep(for_s)
    return [used_s(pid) - used for pid, used in zip(pids, before, strict=True)]


@pytest.mark.parametrize(("memory_mb", "vcpus"), [(1769, 1.0), (3538, 2.0), (512, 0.2894), (10240, 5.7886)])
def test_memory_buys_processor_in_proportion(memory_mb, vcpus):
    assert vcpus_of(memory_mb) == pytest.approx(vcpus, abs=1e-4)


def test_a_vcpu_costs_as_much_memory_as_the_app_assumes():
    assert MEMORY_MB_PER_VCPU == config.MEMORY_MB_PER_VCPU


def test_the_quota_is_what_each_period_has():
    assert (quota_us(1.0), quota_us(0.5), quota_us(2.0)) == (PERIOD_US, PERIOD_US // 2, 2 * PERIOD_US)
    assert quota_us(0.001) == 1000


class TestShares:
    def test_a_process_gets_its_share_until_that_is_changed(self, processor, spinning):
        limited = spinning[0]
        share = processor.admit(limited, 0.1)
        try:
            little, much = used_both_s(spinning)
            stopped_ms = share.stopped_ms()
            share.resize(1.0)
            as_much, again = used_both_s(spinning)
        finally:
            os.killpg(limited, signal.SIGKILL)
            share.release()
        assert 0 < little < 0.6 * much
        assert stopped_ms > 500
        assert as_much > 0.6 * again

    def test_a_process_that_ended_is_no_error(self, processor):
        with subprocess.Popen(["true"], start_new_session=True) as process:
            process.wait()
        share = processor.admit(process.pid, 0.5)
        share.resize(1.0)
        share.release()
        share.release()

    def test_it_says_what_it_is(self, processor):
        assert "20 ms" in processor.name


class TestFunctions:
    @pytest.mark.parametrize(("memory_mb", "in_init", "later"), [(354, 1.0, 0.2), (3538, 2.0, 2.0)])
    def test_init_has_at_least_a_whole_vcpu_and_requests_their_share(self, runtime_packages, memory_mb, in_init, later):
        recorder = Recorder()
        with LambdaHost(max_instances=1, processor=recorder) as host:
            run(host, toy(memory_mb=memory_mb))
            run(host, toy(memory_mb=memory_mb))
            pid = host.instances()[0].pid
            assert recorder.asked == [("admit", pid, in_init), ("resize", later)]
        assert recorder.asked[2:] == [("release",)]

    def test_an_instance_that_fails_in_init_is_released_each_time(self, runtime_packages):
        recorder = Recorder()
        with LambdaHost(max_instances=1, processor=recorder) as host:
            assert run(host, toy("raise SystemExit(1)")).function_error == "Unhandled"
        kinds = [kind for kind, *_ in recorder.asked]
        assert kinds == ["admit", "resize", "release"] * 2

    def test_waiting_behind_other_programs_is_told_and_the_share_is_not(self, runtime_packages, spinning):
        with LambdaHost(max_instances=1) as host:
            run(host, toy())
            burn = "[n for n in range(10**7) if not n]"
            result = run(host, toy(timeout_s=60), "eval", burn)
        assert 0 <= result.crowded_ms <= result.duration_ms

    def test_the_group_goes_with_the_instance(self, runtime_packages):
        try:
            processor = cgroup.find()
        except CgroupMissing as error:
            pytest.skip(str(error))
        with LambdaHost(max_instances=1, processor=processor) as host:
            run(host, toy(memory_mb=512))
            group = processor.parent / f"localaws-{host.instances()[0].pid}"
            assert group.is_dir()
            host.stop_idle_instances()
            assert not group.exists()
            assert run(host, toy(memory_mb=512)).init_ms is not None


class TestCgroupVersions:
    """Folders in the place of the kernel's: what is written where."""

    @pytest.fixture
    def proc(self, tmp_path):
        def make(own, mount):
            (tmp_path / "cgroup").write_text(own)
            (tmp_path / "mounts").write_text(mount)
            return tmp_path

        return make

    def test_version_2_beside_the_own_group(self, proc, tmp_path):
        top = tmp_path / "fs"
        (top / "user" / "session").mkdir(parents=True)
        (top / "cgroup.controllers").write_text("cpuset cpu io\n")
        found = cgroup.find(proc("0::/user/session\n", f"cgroup2 {top} cgroup2 rw 0 0\n"))
        assert found.name == "CFS quota of a cgroup (v2), period 20 ms"
        found.admit(1, 0.5)
        assert (top / "user" / "localaws-1" / "cpu.max").read_text() == "10000 20000"
        assert (top / "user" / "localaws-1" / "cgroup.procs").read_text() == "1"

    def test_version_1_below_the_own_group_or_at_a_containers_mount(self, proc, tmp_path):
        top = tmp_path / "cpu,cpuacct"
        top.mkdir()
        mount = f"tmpfs /nowhere tmpfs rw 0 0\ncgroup {top} cgroup rw,cpu,cpuacct 0 0\n"
        found = cgroup.find(proc("4:cpu,cpuacct:/docker/abc\n0::/\n", mount))
        found.admit(1, 2.0)
        assert (top / "localaws-1" / "cpu.cfs_quota_us").read_text() == "40000"
        assert (top / "localaws-1" / "cpu.cfs_period_us").read_text() == "20000"

    def test_no_controller(self, proc, tmp_path):
        (tmp_path / "cgroup.controllers").write_text("memory pids\n")
        with pytest.raises(CgroupMissing, match="no cgroup with a processor quota is mounted"):
            cgroup.find(proc("0::/\n", f"cgroup2 {tmp_path} cgroup2 rw 0 0\n"))

    def test_a_place_where_none_can_be_made(self, tmp_path):
        with pytest.raises(CgroupMissing, match="can be made below"):
            CgroupProcessor(tmp_path / "not there", 2)
