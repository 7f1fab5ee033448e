"""Options in files: what the command line can say is written and read again, and a file's mistakes are one sentence."""

from __future__ import annotations

import json
import tomllib

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cli import COMMANDS, main
from bench.cli.check import command as check
from bench.cli.files import ProjectCommand, read_options, written
from bench.cli.run import command as run
from bench.errors import UsageError
from tests.support.site import bench

RUN = ["--backend", "misbehaving", "--workload", "dots", "--precision", "float64", "--phase", "train", "--seconds", "0.05"]


def test_a_dry_run_writes_a_plan_that_says_the_same(tmp_path, site):
    words = [*RUN, "--option", "pause=0", "--label", 'note=a "quoted" ü', "--no-ceilings", "--trials", "2"]
    first = bench(["run", *words, "--dry-run", "--write-plan", "plan.toml"], tmp_path, site)
    assert first.returncode == 0, first.stderr
    assert first.stdout.endswith("to run this: bench run --plan plan.toml\n")
    plan = tomllib.loads((tmp_path / "plan.toml").read_text())["run"]
    assert plan["backend"] == ["misbehaving"]
    assert plan["label"] == ['note=a "quoted" ü']
    assert (plan["no-ceilings"], plan["trials"], plan["seconds"]) == (True, 2, 0.05)
    again = bench(["run", "--plan", "plan.toml", "--dry-run", "--write-plan", "again.toml"], tmp_path, site)
    assert (tmp_path / "again.toml").read_text() == (tmp_path / "plan.toml").read_text()
    assert again.stdout.replace("again", "plan") == first.stdout
    wins = bench(["run", "--plan", "plan.toml", "--trials", "7", "--dry-run"], tmp_path, site)
    assert "1 cases, 7 trials each" in wins.stdout
    assert bench(["run", *words, "--write-plan", "plan.toml"], tmp_path, site).returncode == 2


@given(
    st.dictionaries(st.sampled_from(["label", "option", "backend"]), st.lists(st.text(min_size=1), min_size=1, max_size=3))
)
def test_any_words_survive(tmp_path_factory, words):
    place = tmp_path_factory.getbasetemp() / "words.toml"
    arguments = [part for name, values in words.items() for value in values for part in (f"--{name}", value)]
    clean = all("\x00" not in part and part.encode("utf-8", "ignore").decode() == part for part in arguments)
    with click.Context(run, info_name="run") as context:
        run.parse_args(context, arguments)
    if clean:
        place.write_text(written(context, "run"), encoding="utf-8", newline="\n")
        found = read_options(place, ("run",), run)
        assert {option.opts[-1].lstrip("-"): found[option.name] for option in run.params if option.name in found} == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[run]\nbackends = 'cpu'", "[run]: unknown option 'backends'; there are: backend, "),
        ("[run]\ntrials = [3]", "[run]: trials is [3]; expected one value"),
        ("[run]\nquick = 1", "[run]: quick is 1; expected true or false"),
        ("[run]\ntrials = true", "[run]: trials is True; expected no flag"),
        ("[run]\nbackend = [['cpu']]", "[run]: backend is [['cpu']]; expected values"),
        ("[run]\nresume = 'x'", "[run]: unknown option 'resume'"),
        ("[run]\npublish = ''", "[run]: publish is empty; expected a value"),
        ("[run]\nbackend = ['cpu', '']", "[run]: backend is empty; expected a value"),
        ("run = 3", "run is no table; expected [run]"),
        ("[run", "is no TOML file"),
    ],
)
def test_a_files_mistakes_are_one_sentence(tmp_path, text, words):
    place = tmp_path / "plan.toml"
    place.write_text(text)
    with pytest.raises(UsageError) as refused:
        read_options(place, ("run",), run)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("plan", "words"), [("nowhere.toml", "cannot read nowhere.toml"), (".", "cannot read .: Is a directory")]
)
def test_a_plan_that_is_not_there(tmp_path, monkeypatch, capsys, plan, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["run", "--plan", plan])
    assert left.value.code == 2
    assert words in capsys.readouterr().err


def test_a_project_gives_a_check_its_options_and_the_command_line_wins(tmp_path, monkeypatch, capsys):
    (tmp_path / "pyproject.toml").write_text(
        '[tool.accelbench.check]\nagainst-ref = "main"\nbudget = "soon"\nbackend = ["cpu"]\n'
    )
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    for words, found in (
        ([], "soon"),
        (["--against-ref", "v1", "--budget", "later"], "later"),
        (["--baseline", "x"], "--budget"),
    ):
        with pytest.raises(SystemExit) as left:
            main(["check", *words])
        error = capsys.readouterr().err
        assert left.value.code == 2
        assert "bench: from pyproject.toml: " in error
        assert found in error.splitlines()[-1]


def test_a_project_without_the_table_changes_nothing(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.black]\nline-length = 9\n")
    monkeypatch.chdir(tmp_path)
    context = check.make_context("check", ["--against", "x"])
    assert context.default_map == {}
    assert isinstance(check, ProjectCommand)


def test_every_option_of_a_run_can_be_in_a_file(tmp_path):
    place = tmp_path / "plan.toml"
    values = {}
    for option in run.params:
        name = max(option.opts, key=len).lstrip("-")
        if name not in {"plan", "write-plan", "dry-run", "resume", "pass-env"}:
            values[name] = True if option.is_flag else ["1"] if option.multiple else "1"
    place.write_text("[run]\n" + "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items()))
    assert len(read_options(place, ("run",), run)) == len(values)
    assert "run" in COMMANDS
