"""A plugin's reporter that fails is one sentence that names it, whatever it does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.cli import main
from bench.entry_points import PluginRef
from bench.errors import PluginError, UsageError
from bench.record.files import NAME, write_record
from bench.run.discovery import Discovery, FoundReporter, discover
from bench.run.rendering import render_with
from bench.text.formats import FORMATS
from bench.worker.plugins import load_plugin
from tests.support import records as fake
from tests.support.site import install, move_in
from tests.support.waiting import hurry_while_alive

PLUGIN = PluginRef("misbehaving", "misbehaving_plugin")


def reporter(name):
    return FoundReporter(PLUGIN, name, sys.executable, "1")


@pytest.fixture(autouse=True)
def here(tmp_path, site, monkeypatch):
    move_in(monkeypatch, tmp_path, site)


def test_the_text_comes_as_it_was_returned_and_without_what_was_printed():
    assert render_with(reporter("lines"), "{}") == "ü\r\n"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "raise",
            "reporter 'raise' of plugin 'misbehaving' (misbehaving_plugin) raised RuntimeError: the kernel launch failed",
        ),
        ("exit", "plugin 'misbehaving' (misbehaving_plugin): the worker exited with code 7 and no answer"),
        ("number", "reporter 'number' of plugin 'misbehaving' (misbehaving_plugin) returned int; expected str"),
        ("half", "reporter 'half' of plugin 'misbehaving' (misbehaving_plugin) returned text that UTF-8 cannot hold"),
    ],
)
def test_a_failure_names_the_plugin_and_its_log(name, words):
    with pytest.raises(PluginError) as failure:
        render_with(reporter(name), "{}")
    assert str(failure.value).startswith(words)
    log = Path(str(failure.value).rsplit("see ", 1)[1])
    assert "chatter" in log.read_text()
    assert ("Traceback" in log.read_text()) == (name != "exit")


def test_one_that_hangs_is_ended_and_the_command_says_so_in_one_sentence(tmp_path, site, monkeypatch, capsys):
    write_record(fake.record(), tmp_path / NAME)
    hurry_while_alive(monkeypatch, site / "hanging")
    with pytest.raises(SystemExit) as left:
        main(["report", NAME, "--format", "hang", "--stall-timeout", "500", "-o", "text"])
    assert left.value.code == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    sentence = err.splitlines()[-1]  # on a slow machine lines before it say which plugin is waited for
    assert "plugin 'misbehaving' (misbehaving_plugin): no sign of life for 500 s in stage" in sentence
    assert not Path("text").exists()


def test_an_unknown_format_names_all_there_are():
    found = Discovery([], [], [reporter("lines")], {"broken": "it crashed"})
    assert found.reporter("lines") == reporter("lines")
    with pytest.raises(
        UsageError, match=r"unknown format 'line'; there are: terminal, .*, lines; did you mean 'lines'"
    ) as one:
        found.reporter("line")
    assert all(name in str(one.value) for name in (*FORMATS, "it crashed"))
    with pytest.raises(PluginError, match="it crashed"):
        found.reporter("broken")


NAMED = """
from bench.contract import hookimpl
class Reporter:
    name = {name!r}
    def render(self, report):
        return ""
@hookimpl
def bench_reporters():
    return [Reporter()]
"""


def test_a_built_in_formats_name_is_refused(site):
    install(site, "taker", {"taker": "taker_plugin"}, {"taker_plugin": NAMED.format(name="json")})
    with pytest.raises(
        PluginError, match=r"plugin 'taker' \(taker_plugin\): a reporter cannot be called 'json', a built-in"
    ):
        load_plugin(PluginRef("taker", "taker_plugin"))


def test_two_reporters_of_one_name_are_refused(site):
    install(site, "twin", {"twin": "twin_plugin"}, {"twin_plugin": NAMED.format(name="lines")})
    with pytest.raises(PluginError, match=r"two plugins offer a reporter called 'lines': 'misbehaving' .* and 'twin'"):
        discover(probe=())
