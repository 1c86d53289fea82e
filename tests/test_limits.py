"""Limits of memory and time of child processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tlcore.core import limits


@pytest.fixture
def delegated(tmp_path, monkeypatch) -> Path:
    """A folder that looks like a control group which was delegated to the studio."""
    (tmp_path / "cgroup.subtree_control").write_text("cpu")
    monkeypatch.setenv("TLCORE_CGROUP", str(tmp_path))
    return tmp_path


def test_limits_come_from_the_machine_and_the_environment(monkeypatch):
    monkeypatch.setattr(limits, "usable_memory", lambda: 100 * limits.GB)
    assert limits.of_job("train").memory == 80 * limits.GB
    assert limits.of_job("quick").memory == 50 * limits.GB
    monkeypatch.setenv("TLCORE_QUICK_MEMORY_GB", "3.5")
    monkeypatch.setenv("TLCORE_QUICK_HOURS", "2")
    assert limits.of_job("quick") == limits.Limit(int(3.5 * limits.GB), 7200)
    monkeypatch.setenv("TLCORE_TRAIN_MEMORY_GB", "0")
    monkeypatch.setenv("TLCORE_TRAIN_HOURS", "0")
    assert limits.of_job("train") == limits.Limit(None, None)
    monkeypatch.setenv("TLCORE_QUICK_HOURS", "soon")
    assert limits.of_job("quick").seconds == limits.HOURS["quick"] * 3600


def test_a_small_machine_still_can_import_torch(monkeypatch):
    monkeypatch.setattr(limits, "usable_memory", lambda: limits.GB)
    assert limits.of_job("quick").memory == limits.LEAST


def test_a_model_is_tried_under_a_small_limit_that_grows_with_its_weights():
    assert limits.of_trial(0).memory == limits.TRIAL_BYTES
    assert limits.of_trial(10**9).memory == limits.TRIAL_BYTES + 12 * 10**9


def test_a_process_cannot_take_more_than_its_limit():
    code = (
        "from tlcore.core import limits\nlimits.restrict(200 * 2**20)\nassert limits.own_memory() == 200 * 2**20\n"
        "try:\n    bytearray(300 * 2**20)\nexcept MemoryError:\n    print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


def test_a_control_group_is_made_where_one_is_delegated(delegated):
    made = limits.Group.make("job-1", 5 * limits.GB)
    assert made is not None
    assert (delegated / "cgroup.subtree_control").read_text() == "+memory"
    assert (made.path / "memory.max").read_text() == str(5 * limits.GB)
    assert (made.path / "memory.oom.group").read_text() == "1"
    code = "import sys\nfrom pathlib import Path\nfrom tlcore.core import limits\nimport os\n"
    code += "limits.restrict(2**30, Path(sys.argv[1]))\nprint(os.getpid(), limits.own_memory())"
    done = subprocess.run([sys.executable, "-c", code, str(made.path)], capture_output=True, text=True, check=True)
    pid, own = done.stdout.split()
    assert (made.path / "cgroup.procs").read_text() == pid
    assert own == "None"
    assert not made.exceeded()
    (made.path / "memory.events").write_text("low 0\nhigh 0\nmax 41\noom 1\noom_kill 1\n")
    assert made.exceeded()


def test_there_is_no_control_group_where_none_can_be_made(delegated, monkeypatch):
    assert limits.Group.make("job-1", None) is None
    monkeypatch.setenv("TLCORE_CGROUP", str(delegated / "missing"))
    assert limits.Group.make("job-1", limits.GB) is None
    code = "import sys\nfrom pathlib import Path\nfrom tlcore.core import limits\n"
    code += "limits.restrict(2**30, Path(sys.argv[1]))\nprint(limits.own_memory())"
    done = subprocess.run([sys.executable, "-c", code, "/nowhere"], capture_output=True, text=True, check=True)
    assert int(done.stdout) == limits.GB


def test_what_native_code_writes_before_it_aborts_is_known():
    assert limits.allocation_failed(b"memory allocation of 2560000000 bytes failed\nstack backtrace:\n 0: ...")
    assert limits.allocation_failed(b"terminate called after throwing an instance of 'std::bad_alloc'")
    assert not limits.allocation_failed(b"Segmentation fault")
    assert limits.out_of_memory_kills() >= 0
    assert limits.usable_memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
