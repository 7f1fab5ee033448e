"""What the suite says of the tests that it could not run."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.conftest import pytest_terminal_summary
from tests.support.browser import NO_CHROMIUM


def skipped(reason: str) -> pytest.TestReport:
    where = ("browser.py", 40, f"Skipped: {reason}")
    return pytest.TestReport("tests/a.py::b", ("tests/a.py", 1, "b"), {}, "skipped", where, "setup")


def failed_as_expected() -> pytest.TestReport:
    return pytest.TestReport("tests/a.py::c", ("tests/a.py", 9, "c"), {}, "skipped", None, "call")


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, []),
        (1, ["1 test of pages was skipped: no Chromium is installed (Debian: apt-get install chromium)"]),
        (31, ["31 tests of pages were skipped: no Chromium is installed (Debian: apt-get install chromium)"]),
    ],
)
def test_tests_without_a_browser_are_one_line_that_says_how_to_get_one(count: int, said: list[str]):
    others = [skipped("no real images"), failed_as_expected()]
    reports = [*others, *[skipped(NO_CHROMIUM)] * count]
    lines: list[str] = []
    terminal = SimpleNamespace(stats={"skipped": list(reports)}, write_line=lambda line, **colour: lines.append(line))
    summary = pytest_terminal_summary(terminal)
    next(summary)
    assert terminal.stats["skipped"] == others, "what pytest lists"
    assert lines == []
    next(summary, None)
    assert terminal.stats["skipped"] == reports, "what pytest counts"
    assert lines == said


def test_where_nothing_was_skipped_nothing_is_said():
    summary = pytest_terminal_summary(SimpleNamespace(stats={}, write_line=None))
    assert [*summary] == [None]
