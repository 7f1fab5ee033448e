"""The acceptance run for GPUs: its commands are those that there are, and its table has a row for everything."""

from __future__ import annotations

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
from tests.support.records import FAILED, Script, infer, preprocess, record, single_stream, train

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
    lines, empty, unproven = gpu.table(tmp_path, target)
    assert unproven == ["offline inference, images/s", "offline inference in fp32, images/s"]
    assert empty == ["single-stream inference, images/s"]
    rows = {line.split(" | ")[0].strip("| "): line for line in lines}
    assert "0.8 of PyTorch's" in rows["training by JAX, images/s"]
    assert "unproven" in rows["offline inference, images/s"]
    assert "unproven" not in rows["training, images/s"], "a proven figure counts before an unproven one that is larger"
    assert "150" not in rows["training, images/s"]
    assert any(name.startswith("ceiling of arithmetic") for name in rows)
    archived(tmp_path, "infer", record("20261127-110000-bbbbbb", [Script(single_stream(), 50.0)]))
    assert gpu.table(tmp_path, target)[1] == []


def test_without_an_archive_every_row_is_empty(tmp_path):
    lines, empty, _ = gpu.table(tmp_path, gpu.GPU)
    assert len(empty) == len(gpu.table_lines(gpu.GPU)) + 1
    assert all(" none " in line for line in lines[3:])


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
