"""A git repository with a plugin whose last commit is slower, and an environment that runs its working tree."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.support.site import install_misbehaving

ENVIRONMENT_CHECK = [
    "--workload", "dots", "--size", "small", "--backend", "misbehaving", "--precision", "float64", "--quiet",
    "--seconds", "0.1", "--pairs", "6",
]  # fmt: skip
"""Options of a check that takes seconds."""

SLOWER = 0.002
"""Seconds that a slow way sleeps in every step, ten times as long as a step takes: no busy machine hides that."""

_PAUSE = "time.sleep(self.pause * len(block))"
_SLOW = f"time.sleep({SLOWER} * len(block))"


def make_environment(folder: Path, slower: float = 0.0) -> str:
    """A virtual environment that sees this one's packages; with a plugin of its own that sleeps in every step."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = site_packages(folder)
    seen = [sysconfig.get_path("purelib"), str(Path(__file__).parents[2])]
    install_misbehaving(packages)
    plugin = packages / "misbehaving_plugin.py"
    text = plugin.read_text()
    assert _PAUSE in text
    plugin.write_text(text.replace(_PAUSE, f"time.sleep({slower} * len(block))"))
    (packages / "seen.pth").write_text("\n".join(seen) + "\n")
    return str(folder / "bin" / "python")


def site_packages(environment: Path) -> Path:
    """Where an environment's packages lie."""
    return environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def git(folder: Path, *words: str) -> None:
    """Run git in ``folder``. Raises CalledProcessError."""
    settings = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *settings, *words], cwd=folder, check=True, capture_output=True)


def git_project(folder: Path) -> tuple[Path, str]:
    """The repository, whose commit ``quick`` was faster than its last one, and an interpreter that runs the last one."""
    project = folder / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "misbehaving"\nversion = "1.0"\n[project.entry-points.bench]\nmisbehaving = "misbehaving_plugin"\n'
        '[tool.setuptools]\npy-modules = ["misbehaving_plugin"]\n'
    )
    source = (Path(__file__).parent / "misbehaving.py").read_text()
    plugin = project / "misbehaving_plugin.py"
    plugin.write_text(source)
    git(project, "init")
    git(project, "add", "-A")
    git(project, "commit", "-m", "quick")
    git(project, "tag", "quick")
    plugin.write_text(source.replace(_PAUSE, _SLOW))
    git(project, "commit", "-am", "slow")
    own = make_environment(folder / "own")
    packages = site_packages(folder / "own")
    (packages / "misbehaving_plugin.py").unlink()
    (packages / "project.pth").write_text(f"{project}\n")
    return project, own
