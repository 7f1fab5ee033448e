"""The variables that every worker starts with.

They matter more than any statistics: with glibc's defaults a training step's big blocks are mapped and unmapped anew each
time, and cold pages arrive at a few GB/s. Raised thresholds keep them; ``hugetlb=1`` asks for transparent huge pages.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from bench.machine.host import FRAMEWORK_PREFIXES, framework_variables, is_secret

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")

ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(2**40),
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def worker_environment(threads: int, backend: Mapping[str, str]) -> dict[str, str]:
    """What the harness sets, and the record keeps: threads, allocator, then the backend's own wishes."""
    chosen = dict.fromkeys(THREAD_VARIABLES, str(threads))
    if sys.platform == "linux":
        chosen |= ALLOCATOR
    return chosen | {"PYTHONHASHSEED": "0"} | dict(backend)


def overridden(chosen: Mapping[str, str], user: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the user's variables that frameworks read and that do not reach a worker, with the user's value and the worker's."""
    mine = framework_variables(user)
    return {name: (mine[name], value) for name, value in chosen.items() if mine.get(name, value) != value}


_PLAIN = {
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TMP", "TEMP", "COLUMNS", "NO_COLOR", "TERM",
    "VIRTUAL_ENV", "MPLCONFIGDIR", "CC", "CXX", "CPATH", "LIBRARY_PATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH",
    "MASTER_ADDR", "MASTER_PORT", "RANK", "LOCAL_RANK", "WORLD_SIZE",
}  # fmt: skip
_PREFIXES = (
    *FRAMEWORK_PREFIXES, "BENCH_", "PYTHON", "CONDA", "XDG_", "LC_", "DYLD_", "NV_", "TORCH", "TRITON_", "TF_", "KERAS_", "LIBTPU_", "NEURON_",
    "ROCM_", "HSA_", "AMD_", "GPU_", "ONEAPI_", "SYCL_", "ZE_", "ZES_", "UR_", "OCL_", "OPENCL_", "OPENVINO_", "OV_", "ORT_", "IPEX_",
    "HABANA_", "PT_HPU_", "BLIS_", "VECLIB_", "NUMBA_", "TBB_", "TCMALLOC_", "GLOO_", "UCX_", "FI_",
)  # fmt: skip
"""How the names of variables begin that Python, frameworks, compilers and drivers read. No proxies: workers need no network."""

_NEVER = ("PYTHONSTARTUP", "PYTHONINSPECT")
"""Variables that would change what Python runs in a worker."""

PASS = "BENCH_PASS_ENV"
"""The variable that names, with commas between them, what else workers get; ``--pass-env`` adds to it."""


def inherited_environment(launcher: bool = False) -> dict[str, str]:
    """Return the user's variables that a worker gets: those that Python and frameworks read, and those that ``--pass-env`` names.

    Tokens and passwords for other services stay behind. ``launcher``: what starts the worker is a command such as ssh, which needs all of them.
    """
    kept = os.environ if launcher else {name: value for name, value in os.environ.items() if _is_handed_on(name)}
    return {name: value for name, value in kept.items() if name not in _NEVER}


def installers_environment() -> dict[str, str]:
    """Return the user's variables that git and pip get, which run code of the project that they check out and install.

    Those whose names say that they open something stay behind, but for git's and pip's own (``GIT_…``, ``PIP_…``) and what ``--pass-env`` names.
    """
    handed_on = os.environ.get(PASS, "").split(",")
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("GIT_", "PIP_")) or name in handed_on or not is_secret(name)
    }


def dropped_variables() -> list[str]:
    """Return the names of the user's variables that no worker on this machine gets."""
    return sorted(os.environ.keys() - inherited_environment().keys())


def _is_handed_on(name: str) -> bool:
    if name in os.environ.get(PASS, "").split(","):
        return True
    return (name in _PLAIN or name.startswith(_PREFIXES)) and not is_secret(name)
