"""Virtual environments, and the pip that installs into them."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.check.commands import run

FIRST_PIP = 23
"""The first major release of pip whose every version installs into another environment with ``--python``."""


def new_environment(folder: Path) -> list[str]:
    """Make an empty virtual environment of this Python and return the words that run pip for it. Raises UsageError.

    A pip that is installed here serves it too, which saves seconds. Else the environment gets the one that comes with Python.
    """
    python = str(interpreter_of(folder))
    make = [sys.executable, "-m", "venv", str(folder)]
    trouble = f"cannot make a virtual environment at {folder}"
    if _pip_release() >= FIRST_PIP:
        run([*make, "--without-pip"], trouble)
        return [sys.executable, "-P", "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run(make, trouble)
    return [python, "-P", "-m", "pip", "--disable-pip-version-check"]


def _pip_release() -> int:
    """The major release of the pip installed here; 0 without one."""
    try:
        return int(version("pip").split(".")[0])
    except (PackageNotFoundError, ValueError):
        return 0


def interpreter_of(environment: Path) -> Path:
    """Where a virtual environment has its interpreter."""
    return environment / "bin" / "python"


def packages_of(environment: Path) -> Path:
    """Where a virtual environment of this Python keeps its packages."""
    return environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
