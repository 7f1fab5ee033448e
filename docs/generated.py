"""Pages of the documentation that are made from the code whenever it is built: commands, the record's schema, and cheats."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import click
import msgspec
from mkdocs.structure.files import File, Files

from bench.cli import COMMANDS
from bench.record import schema

_WIDTH = 100


def on_files(files: Files, config: Any) -> Files:
    """MkDocs calls this with the files it found."""
    files.append(File.generated(config, "commands.md", content=commands()))
    files.append(File.generated(config, "record.md", content=record()))
    files.append(File.generated(config, "cheats.md", content=cheats()))
    return files


def commands() -> str:
    """Every command's help, as ``--help`` prints it."""
    from importlib import import_module

    parts = ["# Commands\n\nMade from the code: what `--help` prints. Exit codes: 0 well, 1 an internal error, 2 wrong use or bad input, "
             "3 inconclusive, 4 not comparable or nothing measured, 5 regressed, 6 some cases failed."]  # fmt: skip
    for name, (module, _) in COMMANDS.items():
        parts += _help(import_module(module).command, f"bench {name}", "##")
    return "\n\n".join(parts) + "\n"


def _help(command: click.Command, path: str, level: str) -> list[str]:
    context = click.Context(command, info_name=path, terminal_width=_WIDTH, max_content_width=_WIDTH)
    parts = [f"{level} {path}", f"```text\n{command.get_help(context).strip()}\n```"]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            parts += _help(found, f"{path} {name}", level + "#")
    return parts


def cheats() -> str:
    """Every cheat of the conformance kit, and what catches it."""
    from bench.testing.zoo import CHEATS

    rows = [f"| {name} | {cheat.precision} | {', '.join(cheat.caught_by)} |" for name, cheat in CHEATS.items()]
    return "\n".join([
        "# Cheats",
        "",
        "Backends of `bench.testing.zoo` that are broken or cheat, the precision they show in, and the checks that must fail for each. "
        "The tests run every one. *Then* means: honest on the golden batches, and so from there on. Made from the code.",
        "",
        "| backend | precision | caught by |",
        "| --- | --- | --- |",
        *rows,
        "",
    ])  # fmt: skip


def record() -> str:
    """The record's fields with what the code says of them, and its JSON schema."""
    described = msgspec.json.schema(schema.Record)
    parts = [
        "# The record",
        "A run leaves one file, `record.json`: `{\"format\": \"accelbench record\", \"version\": "
        f"{schema.VERSION}, \"sha256\": …, \"record\": …}}`, where the digest is of the record's bytes as they stand. Times are seconds, sizes "
        "bytes, dates ISO 8601 in UTC. Figures are recomputed from samples and never stored. Made from the code.",
    ]  # fmt: skip
    for name, definition in sorted(described["$defs"].items()):
        rows = [
            f"| `{field}` | {_type(facts)} | {'yes' if field in definition.get('required', ()) else 'no'} |"
            for field, facts in definition["properties"].items()
        ]
        parts += [
            f"## {name}",
            definition.get("description", ""),
            "| field | type | required |\n| --- | --- | --- |\n" + "\n".join(rows),
        ]
    parts += ["## JSON schema", f"```json\n{json.dumps(described, indent=1)}\n```"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _type(facts: dict[str, Any]) -> str:
    if "$ref" in facts:
        name = facts["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in facts:
        return " or ".join(_type(one) for one in facts["anyOf"])
    if "enum" in facts:
        return "one of " + ", ".join(f"`{value}`" if value else '`""`' for value in facts["enum"])
    if facts.get("type") == "array":
        return f"list of {_type(facts['items'])}" if "items" in facts else "list"
    if facts.get("type") == "object" and isinstance(facts.get("additionalProperties"), dict):
        return f"object of {_type(facts['additionalProperties'])}"
    return str(facts.get("type", "anything"))
