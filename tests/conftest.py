"""Where real images are, what JAX is told before it is imported, which tests start processes, and what the suite says at its end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from backends.jax_xla import JaxBackend
from tests.support.browser import NO_CHROMIUM, lacks_browser
from tests.support.site import install_misbehaving

# JAX would take three quarters of a GPU's memory at its first look at it, and PyTorch's tests run in the same process.
os.environ.update(JaxBackend.environment)

# A shell that starts the suite in the background has it ignore Ctrl-C, and every process that a test interrupts with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

DATA = Path(os.environ.get("BENCH_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real dermoscopy images."""
    if not DATA.is_dir():
        pytest.skip(f"no real images at {DATA}; set BENCH_TEST_DATA")
    return DATA


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed packages that holds the test plugin."""
    folder = tmp_path / "site"
    install_misbehaving(folder)
    return folder


START_PROCESSES = {"site", "chromium"}
"""Fixtures for processes: plugins that are installed for them alone, and a browser."""


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with such a fixture have the mark; others that start processes are given it by hand."""
    for item in items:
        if START_PROCESSES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.process)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """A test that has neither mark and starts a process fails, with all its fixtures: ``make test-fast`` would be fast no longer."""
    with pytest.MonkeyPatch.context() as patch:
        if not any(map(item.get_closest_marker, ("process", "slow"))):
            patch.setattr(subprocess.Popen, "__init__", refuse_to_start)
        return (yield)


def refuse_to_start(process: object, words: object, *given: object, **named: object) -> None:
    """In place of what starts a process."""
    pytest.fail(f"this test starts a process, {words}, and is not marked so: give it @pytest.mark.process")


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around all others: what it writes comes last
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """One line on all tests that need a browser, where there is none, in place of one for each in the list of skipped tests."""
    skipped = terminalreporter.stats.get("skipped", [])
    lacking = [report for report in skipped if lacks_browser(report)]
    skipped[:] = [report for report in skipped if not lacks_browser(report)]
    yield
    skipped += lacking
    if lacking:
        number = "1 test of pages was" if len(lacking) == 1 else f"{len(lacking)} tests of pages were"
        terminalreporter.write_line(f"{number} skipped: {NO_CHROMIUM} (Debian: apt-get install chromium)", yellow=True)


# Timing is never asserted, neither of a test nor of the making of its examples; every run is the same.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
