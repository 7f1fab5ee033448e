"""Environments that pip makes for the two sides of a check, and what both sides must not share.

A whole check of a foreign project in such environments is tested with the action that asks for it (tests/test_action.py).
"""

from __future__ import annotations

import json
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from bench.check import refs, sides
from bench.check.installed import _is_from, pip_words
from bench.check.sides import Side, differing_packages, refuse_shared_code
from bench.check.wheel import is_packed, pack
from bench.errors import NotComparableError
from bench.worker.answers import Surveyed
from bench.worker.jobs import PROTOCOL
from tests.support.project import ENVIRONMENT_CHECK
from tests.support.site import bench


@pytest.mark.parametrize(
    ("given", "words"),
    [(["-e '.[a]'\n-r 'my list.txt'"], ["-e", ".[a]", "-r", "my list.txt"]), (["-e .", "-c x"], ["-e", ".", "-c", "x"])],
)
def test_words_for_pip_are_split_as_a_shell_does(given, words):
    assert pip_words(given) == words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--against-ref", "x", "--install", "-e '."], "--install -e '. cannot be split into words: no closing quotation"),
        (["--against-ref", "x", "--install", " "], "--install is empty"),
        (["--against", "x", "--install", "-e ."], "--install goes with --against-ref"),
        (["--baseline", "x", "--install", "-e ."], "--install goes with --against-ref"),
    ],
)
def test_wrong_words_are_one_sentence(tmp_path, site, arguments, words):
    done = bench(["check", *ENVIRONMENT_CHECK, *arguments], tmp_path, site)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--install -e '. cannot be split into words"),
        (["--against", "x"], "--against x: there is no such interpreter"),  # where they play no part
        (["--install", "-e ."], "is not in a git repository"),  # the command line's win
    ],
)
def test_a_project_says_what_pip_installs(tmp_path, site, monkeypatch, arguments, words):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "pyproject.toml").write_text('[tool.accelbench.check]\nagainst-ref = "main"\ninstall = ["-e \'."]\n')
    done = bench(["check", *ENVIRONMENT_CHECK, *arguments], tmp_path, site)
    assert done.returncode == 2
    assert words in done.stderr


def test_the_harness_is_packed_as_it_runs(tmp_path):
    wheel = pack(tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        about = next(name for name in names if name.endswith("METADATA")).removesuffix("METADATA")
        record = archive.read(f"{about}RECORD").decode()
        assert b"Requires-Dist: numpy" in archive.read(f"{about}METADATA")
        assert b"cpu = backends.cpu" in archive.read(f"{about}entry_points.txt")
    assert {"bench/__init__.py", "backends/cpu.py", "workloads/golden/melanoma-tiny.json", "accelbench_pytest.py"} <= names
    assert {"bench/py.typed", "bench/report/page/page.js", "accelbench_start.py"} <= names
    assert not [name for name in names if name.endswith(".pyc") or name.startswith("tests")]
    assert {line.split(",")[0] for line in record.splitlines()} == names
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    (folder,) = unpacked.glob("*.dist-info")
    assert is_packed(Distribution.at(folder), wheel)
    (folder / "RECORD").write_text(record.replace("bench/__init__.py,sha256=", "bench/__init__.py,sha256=x"))
    assert not is_packed(Distribution.at(folder), wheel)


def test_a_checkout_of_the_harness_keeps_its_own(tmp_path):
    def origin(place: Path) -> str:
        return json.dumps({"url": place.as_uri(), "dir_info": {"editable": True}})

    assert _is_from(origin(tmp_path), tmp_path)
    assert _is_from(origin(tmp_path / "a folder"), tmp_path)
    assert not _is_from(origin(tmp_path), tmp_path / "inside")
    assert not _is_from(json.dumps({"url": "https://example.org/accelbench.git", "vcs_info": {}}), tmp_path)
    assert not _is_from(None, tmp_path)


def surveyed(monkeypatch, folders):
    answers = {name: Surveyed(protocol=PROTOCOL, version="1", plugins=[], folders=own) for name, own in folders.items()}
    monkeypatch.setattr(sides, "survey", lambda python, stall: answers[python])


@pytest.mark.parametrize(
    ("there", "here", "alone", "shared"),
    [
        ({"bench": "a", "mine": "b"}, {"bench": "a", "mine": "c"}, False, False),
        ({"bench": "a", "mine": "b"}, {"bench": "a", "mine": "b"}, False, True),
        ({"bench": "a", "mine": "b"}, {"bench": "x", "mine": "c"}, True, False),
        ({"bench": "a", "mine": "b"}, {"bench": "x", "mine": "b"}, True, True),  # as with PYTHONPATH
        ({"bench": "a", "gone": ""}, {"bench": "x", "gone": ""}, True, False),
    ],
)
def test_sides_that_share_code_are_refused(monkeypatch, tmp_path, there, here, alone, shared):
    surveyed(monkeypatch, {"base": there, "candidate": here})
    base, candidate = Side("v1", "base", tmp_path, alone), Side("this", "candidate", None, alone)
    if shared:
        with pytest.raises(NotComparableError, match=r"made for v1 does not run the code checked out in .*PYTHONPATH"):
            refuse_shared_code(base, candidate, 1.0)
    else:
        refuse_shared_code(base, candidate, 1.0)


def test_packages_that_differ_are_named():
    base, candidate = ({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "3"})
    text = differing_packages(Side("x", "", packages=base), Side("y", "", packages=candidate))
    assert text == "Packages that differ: b 1 → 2, c 1 → none, d none → 3."
    assert differing_packages(Side("x", ""), Side("y", "")) == ""


def test_needs_that_are_not_met_here_are_no_comparison(monkeypatch, tmp_path):
    (tmp_path / "foreign-1.0.dist-info").mkdir()
    (tmp_path / "foreign-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: Foreign\nVersion: 1.0\n")

    others = "torch 2.0 requires triton, which is not installed.\n"  # nobody asked for that here
    own = "foreign 1.0 has requirement numpy<1, but you have numpy 2.1.\n"
    for said, refused in ((others, False), (own + others, True)):
        monkeypatch.setattr(refs, "ended", lambda command, trouble, said=said: (1, said, ""))
        if refused:
            with pytest.raises(
                NotComparableError, match=r"not those that v1 needs: foreign 1\.0 has requirement .*2\.1; .*--install"
            ):
                refs._refuse_unmet(["pip"], tmp_path, "v1")
        else:
            refs._refuse_unmet(["pip"], tmp_path, "v1")


def test_the_project_is_the_nearest_one(tmp_path):
    inside = tmp_path / "packages" / "one"
    (inside / "source").mkdir(parents=True)
    assert refs.project(inside / "source", tmp_path) == tmp_path
    (inside / "pyproject.toml").touch()
    assert refs.project(inside / "source", tmp_path) == inside
