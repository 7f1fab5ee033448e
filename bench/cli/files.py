"""Options of a command in a TOML file: ``bench run --plan``, and ``[tool.accelbench.check]`` in a project's pyproject.toml.

A key is an option's long name without its dashes. What may be repeated on the command line is a list, a flag is true or false. An option
on the command line wins over the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from bench.errors import UsageError

LARGEST_FILE = 1_000_000
"""Bytes of a file of options."""

_NEVER_KEPT = {"plan", "write-plan", "dry-run", "resume", "help", "pass-env"}
"""Options that say what to do with a file of options, or with a run that has one, and what the user alone may hand out."""


def read_options(path: Path, tables: Sequence[str], command: click.Command) -> dict[str, Any]:
    """Return the values in a table, named by the tables around it and itself, by parameter; none where it is not there.

    Raises UsageError for a file that cannot be read, and for what is no option of the command.
    """
    import tomllib

    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_FILE + 1)
        if len(text) > LARGEST_FILE:
            raise UsageError(f"{path} is no file of options: it is larger than {LARGEST_FILE:,} bytes")
        found: Any = tomllib.loads(text.decode())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is no TOML file: {error}") from None
    for table in tables:
        found = found.get(table, {})
        if not isinstance(found, dict):
            raise UsageError(f"{path}: {table} is no table; expected [{'.'.join(tables)}]")
    return {str(option.name): value for option, value in _checked(found, command, f"{path}: [{'.'.join(tables)}]")}


def _checked(found: dict[str, Any], command: click.Command, where: str) -> Iterator[tuple[click.Option, Any]]:
    known = dict(_kept(command))
    for key, value in found.items():
        if key not in known:
            from bench.run.discovery import unknown

            raise UsageError(f"{where}: {unknown('option', key, list(known))}")
        option = known[key]
        words = value if isinstance(value, list) and option.multiple else [value]
        if any(isinstance(word, list | dict) for word in words):
            raise UsageError(f"{where}: {key} is {value!r:.60}; expected {'values' if option.multiple else 'one value'}")
        if any(isinstance(word, bool) != option.is_flag for word in words):
            raise UsageError(f"{where}: {key} is {value!r:.60}; expected {'true or false' if option.is_flag else 'no flag'}")
        if "" in words:
            raise UsageError(f"{where}: {key} is empty; expected a value")
        yield option, [str(word) for word in words] if option.multiple else value


def _kept(command: click.Command) -> Iterator[tuple[str, click.Option]]:
    for option in command.params:
        if isinstance(option, click.Option):
            name = max(option.opts, key=len).lstrip("-")
            if name not in _NEVER_KEPT:
                yield name, option


def given_words(context: click.Context) -> dict[str, Any]:
    """The options that the command line or a file gives, by their long names."""
    found = {}
    for name, option in _kept(context.command):
        if context.get_parameter_source(str(option.name)) in {ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP}:
            value = context.params[str(option.name)]
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def written(context: click.Context, table: str) -> str:
    """These options as a TOML table."""
    import json

    # JSON's strings, numbers, lists and true and false are TOML's too, but for one character that TOML wants escaped.
    words = {name: json.dumps(value, ensure_ascii=False, default=str) for name, value in given_words(context).items()}
    lines = [f"{name} = {word}".replace("\x7f", "\\u007f") for name, word in words.items()]
    return "\n".join([f"[{table}]", *lines]) + "\n"


def from_file(context: click.Context) -> list[str]:
    """The long names of the options that come from a file alone."""
    return [
        name
        for name, option in _kept(context.command)
        if context.get_parameter_source(str(option.name)) is ParameterSource.DEFAULT_MAP
    ]


def take_plan(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Of ``--plan``: make the file's values the command's defaults."""
    if path is not None:
        context.default_map = read_options(path, ("run",), context.command)
    return path


class ProjectCommand(click.Command):
    """A command whose options a project's pyproject.toml may give, in ``[tool.accelbench.NAME]``."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As any command's, with the project's options for defaults."""
        project = _project()
        if project is not None:
            extra.setdefault("default_map", read_options(project, ("tool", "accelbench", str(self.name)), self))
        return super().make_context(info_name, args, parent, **extra)


def _project() -> Path | None:
    """The pyproject.toml of the present folder, or of the nearest one above it."""
    try:
        here = Path.cwd()
    except OSError:
        return None
    return next((file for folder in (here, *here.parents) if (file := folder / "pyproject.toml").is_file()), None)
