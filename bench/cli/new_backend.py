"""``bench new-backend``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from bench.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40
_TEMPLATES = Path(__file__).with_name("new_package")


@click.command(name="new-backend")
@click.argument("name", metavar="NAME")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="A new folder.  [default: accelbench-NAME]"
)
def command(name: str, output: Path | None) -> None:
    """Write a package with a backend of your own, which runs on a simulated device until yours takes its place.

    NAME is what --backend will take: small letters, digits and hyphens. The package holds its pyproject.toml, one module, one test
    and a README. It installs with pip, and passes the conformance kit.
    """
    for file in write_package(name, output or Path(f"accelbench-{name}")):
        click.echo(f"wrote {file}")


def write_package(name: str, folder: Path) -> list[Path]:
    """Write the package of a backend ``name`` into a new folder; its files. Raises UsageError for a name or a folder that cannot be."""
    from bench.entry_points import find_plugins

    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise UsageError(
            f"'{name:.60}' cannot be a backend's name; expected small letters, digits and single hyphens, as in my-device, "
            f"{_LONGEST} characters at most"
        )
    for plugin in find_plugins():
        if plugin.name == name:
            raise UsageError(
                f"a plugin is called '{name}' already, of {plugin.distribution or plugin.module}; choose another name"
            )
    if folder.exists():
        raise UsageError(f"{folder} is there already; name a new folder with --output")
    words = {
        "name": name,
        "title": "".join(part.capitalize() for part in name.split("-")),
        "module": f"accelbench_{name.replace('-', '_')}",
        "distribution": f"accelbench-{name}",
    }
    places = {
        "pyproject": "pyproject.toml",
        "backend": f"{words['module']}.py",
        "test": f"tests/test_{words['module']}.py",
        "readme": "README.md",
    }
    (folder / "tests").mkdir(parents=True)
    for template, place in places.items():
        (folder / place).write_text(
            _filled((_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8"), words), encoding="utf-8"
        )
    return [folder / place for place in places.values()]


def _filled(text: str, words: dict[str, str]) -> str:
    from string import Template

    return Template(text).substitute(words)
