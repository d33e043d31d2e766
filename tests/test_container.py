"""The limits of a container, read from folders laid out as the kernel lays them out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gansr import container, memory
from tests.conftest import ROOT


def files(folder: Path, **contents: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name.replace("__", ".")).write_text(content + "\n")


def membership(tmp_path: Path, rows: str) -> Path:
    path = tmp_path / "membership"
    path.write_text(rows + "\n")
    return path


def test_version_2_gives_the_smallest_limit_on_the_way_up(tmp_path):
    mount, member = tmp_path / "cgroup", membership(tmp_path, "0::/pod/app")
    files(mount / "pod", memory__max="3000", memory__current="1000", cpu__max="150000 100000")
    files(mount / "pod/app", memory__max="max", memory__current="900", cpu__max="max 100000")
    assert container.memory_left(mount, member) == 2000
    assert container.processors(mount, member) == 2


def test_cached_files_do_not_count_as_taken(tmp_path):
    mount, member = tmp_path / "cgroup", membership(tmp_path, "0::/")
    files(mount, memory__max="3000", memory__current="2500", memory__stat="anon 100\ninactive_file 1500")
    assert container.memory_left(mount, member) == 2000


def test_version_1_has_a_folder_for_each_controller(tmp_path):
    mount = tmp_path / "cgroup"
    member = membership(tmp_path, "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/")
    files(
        mount / "memory",  # the container sees its own folder as the mounted one
        memory__limit_in_bytes="5000",
        memory__usage_in_bytes="2000",
        memory__stat="total_inactive_file 500",
    )
    files(mount / "cpu,cpuacct", cpu__cfs_quota_us="400000", cpu__cfs_period_us="100000")
    assert container.memory_left(mount, member) == 3500
    assert container.processors(mount, member) == 4


@pytest.mark.parametrize(
    ("limit", "quota"), [("9223372036854771712", "-1"), ("max", "max 100000"), ("", ""), ("many", "few 1")]
)
def test_without_a_limit_there_is_none(tmp_path, limit, quota):
    mount, member = tmp_path / "cgroup", membership(tmp_path, "0::/\n4:memory:/\n3:cpu:/")
    files(mount, memory__max=limit, memory__current="1", cpu__max=quota)
    files(mount / "memory", memory__limit_in_bytes=limit)
    files(mount / "cpu", cpu__cfs_quota_us=quota, cpu__cfs_period_us="100000")
    assert container.memory_left(mount, member) is None
    assert container.processors(mount, member) is None


def test_where_there_are_no_cgroups_there_is_no_limit(tmp_path):
    assert container.memory_left(tmp_path / "none", tmp_path / "neither") is None
    assert container.processors(tmp_path / "none", tmp_path / "neither") is None


def test_less_than_a_processor_is_one_and_nothing_left_is_none_left(tmp_path):
    mount, member = tmp_path / "cgroup", membership(tmp_path, "0::/")
    files(mount, memory__max="3000", memory__current="9000", cpu__max="20000 100000")
    assert (container.memory_left(mount, member), container.processors(mount, member)) == (0, 1)


def test_a_job_may_take_what_the_container_leaves_of_the_host_s_memory(monkeypatch):
    monkeypatch.setattr(memory.container, "memory_left", lambda: 12345)
    assert memory.free_on(torch.device("cpu")) == 12345
    monkeypatch.setattr(memory.container, "memory_left", lambda: None)
    assert (memory.free_on(torch.device("cpu")) or 0) > 12345


LIMITED = """
import sys, types
limits = types.ModuleType("gansr.container")
limits.processors, limits.memory_left = (lambda: 1), (lambda: None)
sys.modules["gansr.container"] = limits
import os
os.cpu_count = lambda: 64
import gansr, torch
print(torch.get_num_threads())
"""


@pytest.mark.parametrize(("given", "threads"), [({}, 1), ({"OMP_NUM_THREADS": "2"}, 2)])
def test_torch_computes_in_as_many_threads_as_the_container_has_processors(given, threads):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment | given,
        check=True,
    )
    assert int(done.stdout) == threads
