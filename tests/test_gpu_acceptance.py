"""The acceptance run for GPUs: its commands are those that there are, and its table has a row for everything."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import click
import pytest
from packaging.requirements import Requirement

from bench.cli import bench
from bench.record.files import write_record
from bench.record.schema import Record
from tests.proof import gpu, gpu_wheels
from tests.proof.gpu_table import table
from tests.support.records import FAILED, Script, infer, preprocess, record, single_stream, train
from tests.support.site import environment
from tests.support.waiting import PATIENCE, wait_for

ROOT = Path(__file__).parents[1]
TARGETS = [gpu.GPU, gpu.HOST]
COMMANDS = [(step.name, words) for target in TARGETS for step in gpu.steps(target) for words in step.commands]


@pytest.mark.parametrize(("step", "words"), COMMANDS)
def test_each_command_of_a_step_is_one_that_there_is(step, words):
    if words[0] != "-m":
        assert (ROOT / words[0]).is_file()
        return
    if words[1] == "bench":
        command = bench.get_command(click.Context(bench), words[2])
        assert command is not None
        command.make_context(words[2], list(words[3:]), parent=click.Context(bench))
    else:
        assert words[1] == "pytest"


def test_steps_have_names_of_their_own_and_stand_in_the_documentation():
    for target in TARGETS:
        names = [step.name for step in gpu.steps(target)]
        assert len(set(names)) == len(names)
    page = (ROOT / "docs" / "gpu-acceptance.md").read_text()
    assert gpu.listing(gpu.steps(gpu.GPU)) in page
    assert all(step.minutes * 60 < gpu.LIMIT_SECONDS for step in gpu.steps(gpu.GPU))


def archived(out: Path, name: str, made: Record) -> None:
    """The archive that a step leaves behind."""
    run = out / "work" / name / "runs" / made.id
    run.mkdir(parents=True)
    write_record(made, run / "record.json")
    with tarfile.open(out / f"{name}.tar.gz", "w:gz") as packed:
        packed.add(out / "work" / name, name)


@pytest.mark.process
def test_the_table_has_each_figure_and_names_what_is_missing(tmp_path):
    target = replace(gpu.HOST, size="small")
    scripts = [
        Script(train(), 100.0),
        Script(train(options={"norms": "compiled"}), 150.0, checks=FAILED),
        Script(train(backend="jax", device="jax:cpu:0"), 90.0),
        Script(infer(), 400.0, checks=FAILED),
        Script(preprocess(), 500.0),
    ]
    archived(tmp_path, "train", record("20261127-100000-aaaaaa", scripts))
    lines, empty, marked = table(tmp_path, gpu.rows(target))
    assert marked == ["offline inference, images/s", "offline inference in fp32, images/s"]
    assert empty == ["single-stream inference, images/s"]
    rows = {line.split(" | ")[0].strip("| "): line for line in lines}
    assert "unproven" in rows["offline inference, images/s"]
    assert "unproven" not in rows["training, images/s"], "a proven figure counts before an unproven one that is larger"
    assert "150" not in rows["training, images/s"]
    assert any(name.startswith("ceiling of arithmetic") for name in rows)
    archived(tmp_path, "infer", record("20261127-110000-bbbbbb", [Script(single_stream(), 50.0)]))
    assert table(tmp_path, gpu.rows(target))[1] == []


def test_without_an_archive_every_row_is_empty(tmp_path):
    lines, empty, _ = table(tmp_path, gpu.rows(gpu.GPU))
    assert len(empty) == len(gpu.rows(gpu.GPU)) + 1
    assert all(" none " in line for line in lines[3:])


def test_a_step_that_is_repeated_replaces_no_archive(tmp_path):
    place, out = tmp_path / "work" / "step", tmp_path / "out"
    (place / "runs" / "one" / "compiled").mkdir(parents=True)
    (place / "runs" / "one" / "record.json").write_text("{}")
    out.mkdir()
    assert [gpu.pack(place, out).name for _ in range(3)] == ["step.tar.gz", "step-2.tar.gz", "step-3.tar.gz"]
    with tarfile.open(out / "step.tar.gz") as packed:
        names = packed.getnames()
    assert "step/runs/one/record.json" in names
    assert not any("compiled" in name for name in names)


@pytest.mark.process
@pytest.mark.parametrize("content", [b"no archive", b"", b"\x1f\x8b\x08\x00"])
def test_what_is_no_archive_is_left_out_of_the_table(tmp_path, capsys, content):
    archived(tmp_path, "train", record("20261127-100000-aaaaaa", [Script(train(), 100.0)]))
    (tmp_path / "broken.tar.gz").write_bytes(content)
    (tmp_path / "folder.tar.gz").mkdir()
    lines, _, _ = table(tmp_path, gpu.rows(replace(gpu.HOST, size="small")))
    assert any(line.startswith("| training, images/s |") and " none " not in line for line in lines)
    said = capsys.readouterr().err
    assert "broken.tar.gz is left out" in said
    assert "folder.tar.gz is left out" in said


def test_an_archive_that_reaches_outside_writes_nothing_there(tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    with tarfile.open(out / "evil.tar.gz", "w:gz") as packed:
        packed.add(__file__, "../../../evil/runs/x/record.json")
    table(out, gpu.rows(gpu.GPU))
    assert "evil.tar.gz is left out" in capsys.readouterr().err
    assert not list(tmp_path.glob("**/evil"))


def accepted(*words: str, **more) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "tests" / "proof" / "gpu.py"), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{file}"], "cannot write to"),
        (["{nowhere}", "--table"], "is no folder"),
        (["{nowhere}", "--step", "cuda-tarin"], "unknown step 'cuda-tarin'; there are: cuda-train,"),
        ([], "say where the archives go"),
    ],
)
def test_what_cannot_be_accepted_is_said(tmp_path, words, said):
    (tmp_path / "file").touch()
    words = [word.format(file=tmp_path / "file", nowhere=tmp_path / "nowhere") for word in words]
    process = accepted(*words)
    text = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 2
    assert said in " ".join(text.split())
    assert "Traceback" not in text


@pytest.mark.process
def test_a_step_that_is_stopped_is_packed_with_what_it_sealed(tmp_path):
    own = environment(tmp_path)
    process = accepted(str(tmp_path / "out"), "--rehearse", "--step", "host", env=own)
    wait_for(lambda: list((tmp_path / "tmp").glob("accelbench-step-*/host/runs/*/journal.jsonl")))
    process.send_signal(signal.SIGTERM)
    text = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 143, text
    assert "stopped; what was measured is in" in text
    assert "Traceback" not in text
    with tarfile.open(tmp_path / "out" / "rehearsal" / "host.tar.gz") as packed:
        names = packed.getnames()
    assert any(name.endswith("/record.json") for name in names)
    assert not list((tmp_path / "tmp").glob("accelbench-step-*"))


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), (b"\xff\xfe\x00", "it is no text"), (b"\n---\n", "names no package")]
)
def test_a_list_of_packages_that_is_none_is_refused(tmp_path, capsys, content, said):
    file = tmp_path / "image.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SystemExit) as left:
        gpu_wheels.there(file, argparse.ArgumentParser())
    assert left.value.code == 2
    assert said in capsys.readouterr().err


FOUND = {
    name: {"name": name, "version": version, "requires_dist": needs}
    for name, version, needs in [
        ("torch", "2.13.0", ["sympy", "numpy; extra == 'opt'"]),
        ("sympy", "1.14", []),
        ("msgspec", "0.22", []),
        ("pandas", "3.0", ["numpy>=2", "tzdata"]),
        ("numpy", "2.5", []),
        ("tzdata", "2026.6", []),
        ("rich", "15", ["pygments>=2; python_version >= '3.8'"]),
        ("pygments", "2.19", []),
    ]
}


@pytest.mark.parametrize(
    ("present", "lacking"),
    [
        ("msgspec\npandas==3.0\nnumpy==2.5\n", {"rich": "15", "pygments": "2.19"}),
        ("msgspec\npandas==1.0\nnumpy==2.5\nrich\n", {"pandas": "3.0", "tzdata": "2026.6"}),
        ("Package Version\n-------\nnumpy==2.5\nrich==15\npandas==3.0\n", {"msgspec": "0.22"}),
        ("", {"msgspec": "0.22", "pandas": "3.0", "numpy": "2.5", "tzdata": "2026.6", "rich": "15", "pygments": "2.19"}),
    ],
    ids=["what is there needs no more", "too old", "a list with other lines", "nothing there"],
)
def test_what_is_missing_or_too_old_is_carried(present, lacking):
    needed = [Requirement(word) for word in ("msgspec>=0.18", "pandas>=2.1", "rich>=13")]
    assert gpu_wheels.missing(FOUND, needed, gpu_wheels.listed(present)) == lacking


def test_torch_brings_what_it_needs():
    assert set(gpu_wheels.closure(FOUND, ["torch", "jax"])) == {"torch", "jax", "sympy"}


def test_names_are_read_from_pyproject():
    project = {
        "project": {
            "dependencies": ["msgspec>=0.18"],
            "optional-dependencies": {
                "torch": ["torch>=2.4"], "jax": ["jax"], "data": ["Pillow"], "pytest": ["pytest"], "dev": ["ruff", "hypothesis>=6"],
            },
        }
    }  # fmt: skip
    names = [one.name for one in gpu_wheels.requirements(project)]
    assert names == ["msgspec", "torch", "jax", "Pillow", "pytest", "hypothesis"]


def test_parts_are_small_enough_to_carry(tmp_path):
    sizes = [58, 24, 20, 10, 9, 1]
    for number, size in enumerate(sizes):
        with (tmp_path / f"{number}.whl").open("wb") as file:
            file.truncate(size * 2**20)
    shared = gpu_wheels.parts(sorted(tmp_path.iterdir()))
    assert [[int(file.stem) for file in part] for part in shared] == [[0], [1, 2, 5], [3, 4]]
