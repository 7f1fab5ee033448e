"""Installing throw-away plugins for the processes under test."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib import metadata
from pathlib import Path

import pytest

from bench.cli import main
from bench.machine.environment import THREAD_VARIABLES
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


def install(site: Path, distribution: str, entry_points: Mapping[str, str], modules: Mapping[str, str]) -> None:
    """Write a distribution's metadata and modules into ``site``, as pip --target would."""
    site.mkdir(parents=True, exist_ok=True)
    for name, text in modules.items():
        (site / f"{name}.py").write_text(text)
    metadata = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    lines = [f"{name} = {module}" for name, module in entry_points.items()]
    (metadata / "entry_points.txt").write_text("[bench]\n" + "\n".join(lines) + "\n")


def install_misbehaving(site: Path) -> None:
    """The test plugin with its backend ``misbehaving`` and workload ``dots``, the only one that processes find with ``site`` in front.

    Each command describes every plugin in a process of its own, and importing frameworks takes seconds.
    """
    text = Path(__file__).with_name("misbehaving.py").read_text()
    install(site, "misbehaving", {"misbehaving": "misbehaving_plugin"}, {"misbehaving_plugin": text})
    without_own_plugins(site)


def without_own_plugins(site: Path) -> None:
    """Hide the plugins that come with accelbench: of two packages of one name, Python's metadata takes the first on the path."""
    own = metadata.distribution("accelbench")
    folder = site / f"accelbench-{own.version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: accelbench\nVersion: {own.version}\n")
    kept = [f"{point.name} = {point.value}" for point in own.entry_points if point.group == "pytest11"]
    (folder / "entry_points.txt").write_text("[pytest11]\n" + "\n".join(kept) + "\n")


def with_own_plugins(site: Path) -> Path:
    """Let processes with ``site`` in front find the plugins that come with accelbench too, and return it."""
    (hiding,) = site.glob("accelbench-*.dist-info")
    shutil.rmtree(hiding)
    return site


def environment(folder: Path, site: Path | None = None) -> dict[str, str]:
    """An environment with caches and temporary files of its own, in which no trial fails by the clock (``tests/support/startup``)."""
    paths = [*([str(site)] if site else []), str(Path(__file__).with_name("startup"))]
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}  # the suite's own limits
    own = {
        "BENCH_CACHE": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join(paths),
        "TMPDIR": str(folder / "tmp"),
        "BENCH_LOCKS": str(folder / "locks"),
    }
    return inherited | own | {"COLUMNS": "160", "NO_COLOR": "1"}


def move_in(monkeypatch: pytest.MonkeyPatch, folder: Path, site: Path | None = None) -> None:
    """Make this process one that the command line runs in: its folder, its packages, its environment."""
    for name, value in environment(folder, site).items():
        monkeypatch.setenv(name, value)
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", None)  # it is made out anew from the environment
    if site is not None:
        monkeypatch.syspath_prepend(site)
    monkeypatch.chdir(folder)


def bench(arguments: Sequence[str], folder: Path, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process, standing in ``folder``; the workers that it starts are processes as ever.

    Raises what a process of the command line's own would end with a traceback for.
    """
    said, complained = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(complained):
        move_in(patch, folder, site)
        patch.setattr(sys, "argv", ["bench", *arguments])
        try:
            main()
        except SystemExit as left:
            code = left.code
    assert code is None or isinstance(code, int)
    texts = [stream.buffer.getvalue().decode() for stream in (said, complained)]
    return subprocess.CompletedProcess(arguments, code or 0, *texts)


def bench_process(arguments: Sequence[str], folder: Path, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line as a real process in ``folder``, for tests of what is a process's own."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=folder,
        env=environment(folder, site),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def start_bench(arguments: Sequence[str], folder: Path, site: Path | None = None) -> subprocess.Popen[str]:
    """Start the command line and leave it running; its output goes to ``folder/output``."""
    with (folder / "output").open("w") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "bench", *arguments],
            cwd=folder,
            env=environment(folder, site),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
        )
