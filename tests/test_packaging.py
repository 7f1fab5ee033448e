"""The wheel holds everything: built, installed elsewhere without -e, and run there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the wheel's content, as pip --target installs it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(ROOT)]
    # Setuptools leaves a build folder where it builds; a copy keeps the working tree clean.
    copy = folder / "source"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(copy)], check=True)
    build[-1] = str(copy)
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("accelbench-*.whl")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--target",
        str(folder / "site"),
    ]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    return folder


def run(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(installed / "site"), "BENCH_CACHE": str(installed / "cache")}
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(
        command, env=environment, cwd=installed, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_the_wheel_is_what_runs(installed):
    done = run(
        installed,
        "-c",
        "import accelbench_pytest, accelbench_start, bench, backends, workloads\n"
        "for module in (accelbench_pytest, accelbench_start, bench, backends, workloads): print(module.__file__)",
    )
    assert len(done.stdout.split()) == 5, done.stderr
    assert all(path.startswith(str(installed)) for path in done.stdout.split()), done.stdout


def test_the_wheel_holds_golden_files_and_licence(installed):
    golden = {path.name for path in (installed / "site" / "workloads" / "golden").iterdir()}
    assert {
        "dermamnist-tiny.json",
        "melanoma-shallow-tiny.json",
        "melanoma-tiny.json",
        "melanoma-small.json",
        "melanoma-standard.json",
    } <= golden
    assert list((installed / "site").glob("accelbench-*.dist-info/**/LICENSE"))
    assert not (installed / "site" / "tests").exists()


def test_the_wheel_verifies(installed):
    done = run(
        installed, "-m", "bench", "verify", "--backend", "cpu", "--workload", "melanoma-shallow", "--precision", "fp32"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pass  cpu cpu melanoma-shallow-tiny fp32" in done.stdout
