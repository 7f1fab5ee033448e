"""Help pages are cheap, and the group's table says what the commands say."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click
import pytest

from bench.cli import COMMANDS, bench

HEAVY = {"torch", "jax", "numpy", "pandas", "scipy", "rich", "msgspec", "backends", "workloads"}


@pytest.mark.parametrize(("name", "module", "text"), [(name, *entry) for name, entry in COMMANDS.items()])
def test_each_line_of_the_table_is_the_commands_own_first_sentence(name, module, text):
    command = import_module(module).command
    assert isinstance(command, click.Command)
    assert command.name == name
    assert " ".join((command.help or "").split("\n\n")[0].split()) == text


@pytest.mark.process
@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\nfrom bench.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        f"print(sorted({{m.split('.')[0] for m in sys.modules}} & {HEAVY!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_option_has_help():
    for name in COMMANDS:
        command = bench.get_command(click.Context(bench), name)
        assert command is not None
        missing = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
        assert not missing, f"{name}: {missing}"
