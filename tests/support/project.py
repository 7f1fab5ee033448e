"""A git repository with a plugin whose last commit is slower, and an environment that runs its working tree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

from tests.support.site import environment, install_misbehaving

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


INSTALL = "-e . -r requirements.txt"
"""What pip installs of the foreign project."""

APART = ("accelbench", "__editable__", "torch", "jax", "distutils-precedence", "seen")
"""How the names of packages begin that environments of a foreign project must not see by themselves: ours, and the slow ones."""


def foreign_project(folder: Path) -> tuple[Path, dict[str, str]]:
    """Somebody's repository, and the variables under which pip installs it without a network.

    Its plugin trains a network of its own. It needs a package that paces its steps: commit ``quick`` asks for release 1 of that, the last one
    for release 2, which is slower. The code is the same in both. The last commit asks for accelbench too.
    """
    project = folder / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "foreign"\nversion = "1.0"\ndependencies = ["pace"]\n'
        '[project.entry-points.bench]\nforeign = "foreign.plugin"\n[tool.setuptools]\npackage-dir = {"" = "python"}\n'
        '[tool.setuptools.packages.find]\nwhere = ["python"]\n'
    )
    source = (Path(__file__).parent / "misbehaving.py").read_text()
    assert _PAUSE in source
    package = project / "python" / "foreign"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(
        source.replace("import time\n", "import time\n\nimport pace\n", 1).replace(
            _PAUSE, "time.sleep(pace.SECONDS * len(block))"
        )
    )
    (project / "requirements.txt").write_text("pace==1\n")
    (project / "bench").mkdir()  # a package of that name is the project's own affair
    (project / "bench" / "__init__.py").write_text("raise ImportError('the project has its own bench')\n")
    git(project, "init")
    git(project, "add", "-A")
    git(project, "commit", "-m", "quick")
    git(project, "tag", "quick")
    (project / "requirements.txt").write_text("pace==2\naccelbench\n")
    git(project, "commit", "-am", "slow")
    wheels = folder / "wheels"
    wheels.mkdir()
    for version, seconds in (("1", 0.0), ("2", SLOWER)):
        write_wheel(wheels, "pace", version, f"SECONDS = {seconds}\n")
    seen = folder / "seen"
    seen.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():  # pip takes what lies on PYTHONPATH for installed
        if not entry.name.startswith(APART):
            (seen / entry.name).symlink_to(entry)
    variables = environment(folder)
    variables["PYTHONPATH"] += f":{seen}"
    # What pip calls no isolation is switched on by a no.
    return project, variables | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_NO_BUILD_ISOLATION": "0"}


def write_wheel(folder: Path, name: str, version: str, text: str) -> None:
    """Write a distribution of one module as a wheel."""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        about = f"{name}-{version}.dist-info"
        archive.writestr(f"{name}.py", text)
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")


def harness_source(folder: Path) -> Path:
    """A checkout of accelbench as an action has it, but for its plugins: importing those takes seconds."""
    root = Path(__file__).parents[2]
    folder.mkdir()
    shutil.copytree(root / "bench", folder / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("action.yml", "accelbench_pytest.py", "accelbench_start.py", "README.md", "LICENSE"):
        shutil.copy(root / name, folder)
    text = (root / "pyproject.toml").read_text()
    own = re.search(r"^\[project\.entry-points\.bench\]\n(?:[^\[].*\n)*", text, re.MULTILINE)
    assert own is not None
    (folder / "pyproject.toml").write_text(text.replace(own[0], ""))
    return folder


def bare_python(folder: Path) -> str:
    """An interpreter without any package, not even pip."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return str(folder / "bin" / "python")
