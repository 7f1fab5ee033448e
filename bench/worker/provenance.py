"""The code that a worker really ran: versions, folders and commits."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import bench
from bench.entry_points import PluginRef
from bench.machine.host import hashed


def package_facts(plugin: PluginRef | None, salt: str = "") -> dict[str, str]:
    """The code that really ran: version, hashed folder and commit of the harness, and the same of the plugin."""
    facts = {
        "bench": bench.__version__,
        "folder": package_folder("bench", salt),
        "commit": commit_of(Path(bench.__file__).parent),
    }
    if plugin is None:
        return facts
    package = plugin.module.split(".")[0]
    facts["plugin folder"] = package_folder(package, salt)
    facts["plugin commit"] = "" if (folder := _folder(package)) is None else commit_of(folder)
    if plugin.distribution:
        facts["plugin"] = f"{plugin.distribution} {version_of(plugin.distribution)}".rstrip()
    return facts


def version_of(distribution: str) -> str:
    """Return the version of an installed distribution; empty where there is none of that name."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except (PackageNotFoundError, ValueError):
        return ""


def package_folder(package: str, salt: str = "") -> str:
    """Where a top-level package or module is imported from, hashed; empty where it cannot be found."""
    folder = _folder(package)
    return "" if folder is None else hashed(str(folder), salt)


def found_instead(plugin: PluginRef) -> str:
    """Return a sentence where Python finds another package under the name of the plugin's; empty where it finds the plugin's own.

    ``backends`` and ``workloads`` are names that other projects have too, and the first on the path is imported.
    """
    package = plugin.module.split(".")[0]
    found, own = _folder(package), _own_folder(plugin.distribution, package)
    if found is None or own is None or found == own:
        return ""
    return (
        f"; Python finds '{package}' at {found}, before {plugin.distribution}'s at {own}: take the former's folder off PYTHONPATH, "
        "or give it another name"
    )


def _own_folder(distribution: str, package: str) -> Path | None:
    """Where a distribution has a package or module; None where its metadata does not tell, as for other editable installs."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import distribution as installed

    roots = [Path(bench.__file__).parents[1]] if distribution == "accelbench" else []
    with suppress(PackageNotFoundError, ValueError):
        roots.append(Path(str(installed(distribution).locate_file(""))))
    places = (place for root in roots for place in (root / package, root / f"{package}.py") if place.exists())
    return next((place.resolve() for place in places), None)


def _folder(package: str) -> Path | None:
    found = find_spec(package)
    if found is None:
        return None
    places = list(found.submodule_search_locations or [])
    place = places[0] if places else found.origin
    return None if place is None else Path(place).resolve()


def commit_of(folder: Path) -> str:
    """The commit checked out above ``folder``, read from git's files; empty where there is none."""
    for parent in folder.parents:
        git = parent / ".git"
        if git.is_file():  # a worktree keeps its head apart from the repository's refs
            git = parent / git.read_text().removeprefix("gitdir:").strip()
        if (git / "HEAD").is_file():
            return _head(git)
    return ""


def _head(git: Path) -> str:
    content = (git / "HEAD").read_text().strip()
    if not content.startswith("ref: "):
        return content
    name = content.removeprefix("ref: ")
    shared = git / (git / "commondir").read_text().strip() if (git / "commondir").is_file() else git
    for place in (git / name, shared / name):
        if place.is_file():
            return place.read_text().strip()
    packed = shared / "packed-refs"
    lines = packed.read_text().splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), "")
