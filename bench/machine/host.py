"""The host: cores given to this process, memory, and the facts that go into a record."""

from __future__ import annotations

import hashlib
import math
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path("/")
SYSTEM_CPU = Path("/sys/devices/system/cpu")


def hashed(text: str, salt: str = "") -> str:
    """Return a short, one-way name for something private. Without a salt whoever guesses the text can tell that it is the right one."""
    return hashlib.sha256(f"accelbench:{salt}{':' if salt else ''}{text}".encode()).hexdigest()[:12]


def usable_cores() -> int:
    """Cores this process may really use: its affinity, cut down by the cgroup's CPU quota (rounded up)."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota()
    return affinity if quota is None else max(1, min(affinity, math.ceil(quota)))


def cgroup_quota(root: Path = ROOT) -> float | None:
    """CPUs that the cgroup (version 2 or 1) allows, the tightest on the way up; None without a limit."""
    quotas = []
    for folder in cgroup_folders(root):
        words = file_text(folder / "cpu.max").split()
        if len(words) == 2 and words[0] != "max":
            quotas.append(int(words[0]) / int(words[1]))
        legacy = file_text(folder / "cpu.cfs_quota_us"), file_text(folder / "cpu.cfs_period_us")
        if all(legacy) and int(legacy[0]) > 0:
            quotas.append(int(legacy[0]) / int(legacy[1]))
    return min(quotas, default=None)


def out_of_memory_kills(root: Path = ROOT) -> int:
    """How often the kernel has killed a process of this cgroup (version 2 or 1) for memory; where no cgroup counts, of the machine."""
    places = [folder / name for folder in cgroup_folders(root, "memory") for name in ("memory.events", "memory.oom_control")]
    told = (counters(place).get("oom_kill") for place in (*places, root / "proc/vmstat"))
    return next((kills for kills in told if kills is not None), 0)


def cgroup_folders(root: Path = ROOT, controller: str = "cpu") -> list[Path]:
    """This process's cgroup and its parents, in the version 2 hierarchy and in version 1's of that controller."""
    tree = root / "sys/fs/cgroup"
    folders = []
    for line in file_text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = _hierarchy(tree, controllers, controller)
        folder = top / path.lstrip("/")
        folders += [folder, *[parent for parent in folder.parents if top in (parent, *parent.parents)]]
    return folders or [tree]


def _hierarchy(tree: Path, controllers: str, controller: str) -> Path:
    """Where a hierarchy is mounted: version 1's under the name of one controller, or of all that share it, as ``cpu,cpuacct``."""
    if not controllers:
        return tree
    return next((place for place in (tree / controller, tree / controllers) if place.is_dir()), tree / controller)


def usable_memory(root: Path = ROOT) -> int:
    """Bytes of memory that this process and its children may use: the machine's, or the limit of a cgroup (version 2 or 1)."""
    import psutil

    limits = [int(psutil.virtual_memory().total)]
    for folder in cgroup_folders(root, "memory"):
        for limit in ("memory.max", "memory.limit_in_bytes"):
            word = file_text(folder / limit)
            if word.isdecimal():
                limits.append(int(word))
    return min(limits)


def available_memory(root: Path = ROOT) -> int:
    """Bytes of memory that can still be used: the machine's, or what a cgroup (version 2 or 1) still allows."""
    import psutil

    left = [int(psutil.virtual_memory().available)]
    for folder in cgroup_folders(root, "memory"):
        for limit, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            words = file_text(folder / limit), file_text(folder / used)
            if all(word.isdecimal() for word in words):
                left.append(max(0, int(words[0]) - int(words[1])))
    return min(left)


def facts(user: str) -> dict[str, str]:
    """Everything about the system that can move a figure, as text; unreadable things are left out.

    ``user``: what ``ambient`` makes of the environment of the process that the user started.
    """
    found = {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "governor": file_text(SYSTEM_CPU / "cpu0/cpufreq/scaling_governor"),
        "frequency_driver": file_text(SYSTEM_CPU / "cpu0/cpufreq/scaling_driver"),
        "smt": file_text(SYSTEM_CPU / "smt/active"),
        "huge_pages": file_text(Path("/sys/kernel/mm/transparent_hugepage/enabled")),
        "cgroup_quota": "" if (quota := cgroup_quota()) is None else f"{quota:g}",
        "load": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "ambient": user,
        "virtual": "yes" if "hypervisor" in file_text(Path("/proc/cpuinfo")) else "no",
    }
    return {name: value for name, value in found.items() if value.strip()}


FRAMEWORK_PREFIXES = (
    "OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "ONEDNN_", "DNNL_", "XLA_", "JAX_", "TORCH_", "PYTORCH_", "CUDA_", "CUBLAS_",
    "CUDNN_", "NVIDIA_", "HIP_", "ROCR_", "MIOPEN_", "MALLOC_", "GLIBC_", "LD_", "NUMEXPR_", "TPU_", "NCCL_",
)  # fmt: skip


_SECRET = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH|COOKIE|(?:^|_)(?:PASS|PWD)$"
    r"|(?:^|_)(?:PAT|(?:API_?|ACCESS_?|PRIVATE_?)?KEY)(?:_|$)",
    re.IGNORECASE,
)
_CACHE_KEY = re.compile(r"CACHE_KEY", re.IGNORECASE)
"""What a compiler's cache finds its programs by, as in JAX_REMOVE_CUSTOM_PARTITIONING_PTR_FROM_CACHE_KEY; it opens nothing."""


def is_secret(name: str) -> bool:
    """Return whether a variable's name says that it opens something, as ``NVIDIA_API_KEY`` does."""
    return _SECRET.search(_CACHE_KEY.sub("", name)) is not None


def framework_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return those of the variables that frameworks and the allocator read."""
    return {name: value for name, value in variables.items() if name.startswith(FRAMEWORK_PREFIXES) and not is_secret(name)}


def ambient(variables: Mapping[str, str]) -> str:
    """Return NAME=VALUE of each variable that frameworks read, one word each; values that hold a path are hashed."""
    told = framework_variables(variables).items()
    return " ".join(sorted(f"{name}={hashed(value) if '/' in value else ','.join(value.split())}" for name, value in told))


def cpu_folders(root: Path = ROOT) -> list[Path]:
    """The folder of each processor in Linux's /sys."""
    folder = root / "sys/devices/system/cpu"
    return sorted(path for path in folder.glob("cpu[0-9]*") if path.name[3:].isdigit())


def counters(path: Path) -> dict[str, int]:
    """Return the counters of a file with a name and a whole number in each line, as cgroups have them."""
    words = [line.split() for line in file_text(path).splitlines()]
    return {word[0]: int(word[1]) for word in words if len(word) == 2 and word[1].isdecimal()}


def cpu_ticks(root: Path = ROOT) -> list[int]:
    """Return all processors' user, nice, system, idle, iowait, irq, softirq and steal ticks since boot; empty where not told."""
    words = file_text(root / "proc/stat").partition("\n")[0].split()
    return [int(word) for word in words[1:9]] if words[:1] == ["cpu"] else []


def file_text(path: Path) -> str:
    """The stripped text of a file; empty where it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
