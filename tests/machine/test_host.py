"""Cores, quotas and what is private."""

from __future__ import annotations

import os

import pytest

from bench.machine import host
from bench.machine.environment import (
    PASS,
    dropped_variables,
    inherited_environment,
    installers_environment,
    overridden,
    worker_environment,
)
from bench.machine.host import FRAMEWORK_PREFIXES, ambient


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    """A version 2 hierarchy of our own, three levels deep."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.setattr(host, "cgroup_folders", lambda root=None: [inner, inner.parent, tmp_path])
    return tmp_path


def test_the_tightest_quota_on_the_way_up_counts(cgroup):
    assert host.cgroup_quota() is None
    (cgroup / "a" / "cpu.max").write_text("150000 100000\n")
    (cgroup / "a" / "b" / "cpu.max").write_text("max 100000\n")
    assert host.cgroup_quota() == 1.5
    (cgroup / "cpu.max").write_text("50000 100000\n")
    assert host.cgroup_quota() == 0.5


def test_version_one_quotas_count_too(cgroup):
    (cgroup / "cpu.cfs_quota_us").write_text("-1\n")
    (cgroup / "cpu.cfs_period_us").write_text("100000\n")
    assert host.cgroup_quota() is None
    (cgroup / "cpu.cfs_quota_us").write_text("300000\n")
    assert host.cgroup_quota() == 3


def test_usable_cores_never_exceed_affinity_and_quota_and_never_reach_zero(cgroup):
    assert host.usable_cores() == len(os.sched_getaffinity(0))
    (cgroup / "cpu.max").write_text("10000 100000\n")
    assert host.usable_cores() == 1


@pytest.mark.parametrize(
    ("line", "place", "files", "quota"),
    [
        ("0::/", "", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/docker/abc", "", {"cpu.max": "150000 100000"}, 1.5),  # the path is the host's, the mount the container's own
        ("4:cpu,cpuacct:/docker/abc", "cpu", {"cpu.cfs_quota_us": "300000", "cpu.cfs_period_us": "100000"}, 3.0),
        ("4:cpu,cpuacct:/", "cpu,cpuacct", {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"}, 0.5),
        ("4:cpu,cpuacct:/", "cpu", {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, None),
        ("0::/", "", {"cpu.max": "max 100000"}, None),
    ],
)
def test_a_containers_quota_is_found(tmp_path, line, place, files, quota):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"9:memory:/elsewhere\n1:name=systemd:/\n{line}\n")
    folder = tmp_path / "sys/fs/cgroup" / place
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")
    assert host.cgroup_quota(tmp_path) == quota


def test_a_cpuset_smaller_than_the_machine_counts(monkeypatch):
    monkeypatch.setattr(host, "cgroup_quota", lambda: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1, 5, 6})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert host.usable_cores() == 3
    monkeypatch.setattr(host, "cgroup_quota", lambda: 1.5)
    assert host.usable_cores() == 2


@pytest.mark.parametrize(
    ("line", "place", "text", "kills"),
    [
        ("0::/a", "sys/fs/cgroup/a/memory.events", "low 0\nmax 9\noom 4\noom_kill 3\n", 3),
        ("0::/docker/abc", "sys/fs/cgroup/memory.events", "oom 0\noom_kill 0\n", 0),
        ("5:memory:/a", "sys/fs/cgroup/memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", 2),
        ("5:memory:/a", "sys/fs/cgroup/memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n", 7),  # Linux 4.12
        ("0::/", "sys/fs/cgroup/cpu.max", "max 100000\n", 7),
    ],
)
def test_kills_for_memory_are_counted_in_either_version(tmp_path, line, place, text, kills):
    files = {
        "proc/self/cgroup": f"4:cpu,cpuacct:/elsewhere\n{line}\n",
        "proc/vmstat": "pgfault 9\noom_kill 7\n",
        place: text,
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert host.out_of_memory_kills(tmp_path) == kills


def test_ambient_variables_with_paths_are_hashed():
    user = {
        "LD_PRELOAD": "/home/someone/libfast.so",
        "OMP_PROC_BIND": "close",
        "XLA_FLAGS": "--xla_a=1 --xla_b=2",
        "HOME": "/root",
    }
    ambient = host.ambient(user)
    assert ambient.split() == [
        "LD_PRELOAD=" + host.hashed(user["LD_PRELOAD"]),
        "OMP_PROC_BIND=close",
        "XLA_FLAGS=--xla_a=1,--xla_b=2",
    ]
    assert host.facts(ambient)["ambient"] == ambient


def test_variables_that_workers_get_with_another_value_are_found():
    user = {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "3",
        "MALLOC_ARENA_MAX": "4",
        "PYTHONHASHSEED": "random",
        "XLA_FLAGS": "x",
    }
    chosen = worker_environment(3, {"MALLOC_ARENA_MAX": "1"})
    assert overridden(chosen, user) == {"OMP_NUM_THREADS": ("1", "3"), "MALLOC_ARENA_MAX": ("4", "1")}


def test_a_backends_own_variables_win():
    environment = worker_environment(3, {"OMP_NUM_THREADS": "1", "XLA_FLAGS": "x"})
    assert environment["OMP_NUM_THREADS"] == "1"
    assert environment["MKL_NUM_THREADS"] == "3"
    assert environment["XLA_FLAGS"] == "x"


@pytest.mark.parametrize(
    ("line", "folder", "limit", "used"),
    [
        ("0::/job/inner", "job", "memory.max", "memory.current"),
        ("4:memory:/job/inner", "memory/job", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ],
    ids=["version 2", "version 1"],
)
def test_memory_is_what_a_cgroup_on_the_way_up_still_allows(tmp_path, line, folder, limit, used):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"9:cpu:/elsewhere\n{line}\n")
    place = tmp_path / "sys/fs/cgroup" / folder
    (place / "inner").mkdir(parents=True)
    unlimited = host.available_memory(tmp_path)
    (place / limit).write_text("3000\n")
    (place / used).write_text("1000\n")
    assert host.available_memory(tmp_path) == 2000
    (place / used).write_text("5000\n")
    assert host.available_memory(tmp_path) == 0
    (place / limit).write_text("max\n")
    assert host.available_memory(tmp_path) > unlimited / 2


VARIABLES = {
    "PATH": "/bin", "LD_LIBRARY_PATH": "/opt/rocm", "CUDA_VISIBLE_DEVICES": "1", "XLA_FLAGS": "--x", "LC_ALL": "C", "PYTHONPATH": "/p",
    "AWS_SECRET_ACCESS_KEY": "s", "GITHUB_TOKEN": "s", "NVIDIA_API_KEY": "s", "TF_TOKEN_app": "s", "PYTHONSTARTUP": "/x", "http_proxy": "s",
    "CONDA_PREFIX": "/c", "SSH_AUTH_SOCK": "/s",
}  # fmt: skip


def test_workers_get_what_frameworks_read_and_no_secret(monkeypatch):
    monkeypatch.setattr(os, "environ", dict(VARIABLES))
    kept = {"PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "XLA_FLAGS", "LC_ALL", "PYTHONPATH", "CONDA_PREFIX"}
    assert inherited_environment().keys() == kept
    assert dropped_variables() == sorted(VARIABLES.keys() - kept)
    os.environ[PASS] = "GITHUB_TOKEN,PYTHONSTARTUP"
    assert inherited_environment().keys() == kept | {"GITHUB_TOKEN", PASS}
    assert inherited_environment(launcher=True).keys() == os.environ.keys() - {"PYTHONSTARTUP"}, "as ssh needs them"
    assert ambient(VARIABLES).split()[0].startswith("CUDA_VISIBLE_DEVICES")
    assert "NVIDIA" not in ambient(VARIABLES), "no secret in a record"


def test_git_and_pip_get_their_own_secrets_and_no_others(monkeypatch):
    theirs = {"GIT_ASKPASS": "/a", "PIP_INDEX_URL": "s", "PIP_API_TOKEN": "s", "LANG": "C", "CC": "gcc", "https_proxy": "p"}
    monkeypatch.setattr(os, "environ", theirs | {"GITHUB_TOKEN": "s", "SSH_AUTH_SOCK": "/s", "AWS_SECRET_ACCESS_KEY": "s"})
    assert installers_environment() == theirs
    os.environ[PASS] = "SSH_AUTH_SOCK"
    assert installers_environment().keys() == theirs.keys() | {"SSH_AUTH_SOCK", PASS}


@pytest.mark.parametrize("name", ["NVIDIA_PAT", "GPU_PASSPHRASE", "CONDA_PASS", "TORCH_HUB_PWD", "HIP_PRIVATE_KEY"])
def test_names_that_say_that_they_open_something_stay_behind(name, monkeypatch):
    monkeypatch.setattr(os, "environ", {name: "s"})
    assert dropped_variables() == [name]


@pytest.mark.parametrize(
    "name",
    [
        "JAX_REMOVE_CUSTOM_PARTITIONING_PTR_FROM_CACHE_KEY",
        "KERAS_BACKEND",
        "CPATH",
        "CUDA_PATH",
        "MIOPEN_BYPASS",
        "XLA_PATTERN",
        "BENCH_PASS_ENV",
    ],
)
def test_names_that_only_resemble_those_reach_workers(name, monkeypatch):
    monkeypatch.setattr(os, "environ", {name: "1"})
    assert dropped_variables() == []


def test_every_variable_that_a_record_names_reaches_workers(monkeypatch):
    monkeypatch.setattr(os, "environ", {f"{prefix}X": "1" for prefix in FRAMEWORK_PREFIXES})
    assert dropped_variables() == []
