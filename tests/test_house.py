"""The house as it is drawn in CONTRIBUTING: which room imports which, no circle, no long module, one home for what scenarios mean."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 400
EVERYWHERE = {"bench", "bench.errors"}
"""What any room may import: the version, and the errors."""


def modules() -> dict[str, Path]:
    files = (path for room in ("bench", "backends", "workloads") for path in (ROOT / room).rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


MODULES = modules()
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def imported(name: str) -> set[str]:
    """Modules that one imports, inside functions too, or names as ``module:function``; not those of types alone."""
    found: set[str] = set()
    typing = {
        id(node)
        for branch in ast.walk(TREES[name])
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.unparse(branch.test)
        for part in branch.body
        for node in ast.walk(part)
    }
    for node in ast.walk(TREES[name]):
        if id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{name} imports relatively"
            wholes = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= wholes if wholes <= MODULES.keys() else (wholes & MODULES.keys()) | {node.module}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[\w.]+:\w+", node.value):
            found.add(node.value.split(":")[0])
    return found & MODULES.keys() - {name}


IMPORTS = {name: imported(name) for name in MODULES}


def room_of(module: str) -> str:
    """A package below ``bench`` is a room, and so is a module beside them; a plugin package is one."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "bench" else parts[0]


def circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_imports_itself_in_a_circle_however_late():
    named = {name: others for name, others in IMPORTS.items() if name != "bench.record.scenarios"}
    assert circle(named) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []


def test_rooms_stand_in_no_circle():
    rooms: dict[str, set[str]] = {}
    for module, others in IMPORTS.items():
        if module != "bench.record.scenarios":  # which names the worker's functions, and imports none of them
            rooms.setdefault(room_of(module), set()).update(room_of(other) for other in others)
    assert circle({room: others - {room, "bench"} for room, others in rooms.items() if room != "bench"}) == []


def drawn() -> dict[str, set[str]]:
    """Rooms and what they may import, as CONTRIBUTING's table has it."""
    rows = re.findall(r"^\| `(bench\.\w+)` \|[^|]+\|([^|]*)\|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    return {room: {f"bench.{name}" for name in re.findall(r"`(\w+)`", cell)} for room, cell in rows}


@pytest.mark.parametrize(
    "room", sorted({room_of(name) for name in MODULES if MODULES[name].name == "__init__.py"} - {"bench"})
)
def test_a_room_imports_what_the_map_says(room: str):
    if room in {"backends", "workloads"}:
        allowed = {"bench.contract", "bench.spec"}
    else:
        assert room in drawn(), f"CONTRIBUTING's map has no row for {room}"
        allowed = {room_of(name) for name in MODULES} if room == "bench.cli" else drawn()[room]
    found = {room_of(other) for name, others in IMPORTS.items() if room_of(name) == room for other in others}
    if room == "bench.record":
        found.discard("bench.worker")  # the scenario table names functions of the worker; it imports none
    assert found - {room} - EVERYWHERE <= allowed
    assert room == "bench.cli" or allowed - found == set(), "the map allows what nobody needs"


def test_the_map_draws_no_room_that_is_gone():
    assert drawn().keys() <= {room_of(name) for name in MODULES}


def test_no_module_is_longer_than_a_sitting():
    assert {name for name, path in MODULES.items() if len(path.read_text().splitlines()) > LONGEST} == set()


PUBLIC_FACES = {"bench.spec", "bench.testing"}
"""Packages that plugin authors import names from. Any other package's face is its docstring."""


def test_a_packages_face_re_exports_nothing():
    faces = [name for name, path in MODULES.items() if path.name == "__init__.py" and name.startswith("bench.")]
    assert {name for name in faces if "__all__" in MODULES[name].read_text()} == PUBLIC_FACES


def questions(tree: ast.AST) -> list[str]:
    """Comparisons of a phase or a scenario with a word."""
    found = []
    for node in ast.walk(tree):
        sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        names = [
            side.attr if isinstance(side, ast.Attribute) else side.id if isinstance(side, ast.Name) else "" for side in sides
        ]
        words = [
            word
            for side in sides
            for word in ast.walk(side)
            if isinstance(word, ast.Constant) and isinstance(word.value, str)
        ]
        if {"phase", "scenario"} & set(names) and words:
            found.append(ast.unparse(node))
    return found


def test_what_a_phase_or_a_scenario_means_is_asked_of_its_table():
    assert questions(ast.parse("case.phase == 'train'")) == ["case.phase == 'train'"]
    asked = {name: found for name, tree in TREES.items() if (found := questions(tree))}
    # The contract gives backends the phase's name.
    assert asked == {"backends.cpu": ["phase == 'infer'"], "backends.cuda": ["phase == 'train'"]}
