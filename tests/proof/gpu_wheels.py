"""Wheels of what this project needs and a GPU machine without a network lacks, in parts small enough to be carried there.

    python tests/proof/gpu_wheels.py OUT                            a machine that has torch and jax, with all they need
    python tests/proof/gpu_wheels.py OUT --present image.txt        a machine with these packages: 'pip list --format=freeze' there
    python tests/proof/gpu_wheels.py OUT --without vl-convert-python

What is needed is read from pyproject.toml; pip finds out what that needs in turn, for the other machine's Python. There:

    python3 -m pip install --no-index --no-deps OUT/*/*.whl
    python3 -m pip install --no-index --no-deps --no-build-isolation -e .
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

try:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name
except ImportError:
    sys.exit("gpu_wheels.py needs the package packaging: run it by 'make gpu-wheels'")

ROOT = Path(__file__).parents[2]
EXTRAS = ("torch", "jax", "data", "pytest")
TESTS = ("hypothesis", "pytest-timeout")  # of the extra dev: what the conformance kit's tests run with
THERE = ("torch", "jax", "jaxlib")  # such a machine has these in builds of its own
PLATFORMS = ("2_28", "2_27", "2_17")
PART_BYTES = 45 * 2**20


def main() -> None:
    """Resolve, leave out what is there, download, share out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--python", default="3.12", metavar="X.Y", help="Of the other machine. Default: 3.12.")
    parser.add_argument("--present", type=Path, help="Packages of the other machine, one a line, with or without ==VERSION.")
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="Leave this one out (repeatable).")
    given = parser.parse_args()
    if not re.fullmatch(r"3\.\d{1,2}", given.python):
        parser.error(f"--python {given.python:.20} is no version of Python; expected one as 3.12")
    image = None if given.present is None else there(given.present, parser)
    needed = [one for one in requirements(tomllib.loads((ROOT / "pyproject.toml").read_text())) if one.name not in THERE]
    found = resolved(needed, given.python)
    present = closure(found, THERE) if image is None else image
    left_out = {canonicalize_name(name) for name in given.without}
    lacking = {name: version for name, version in missing(found, needed, present).items() if name not in left_out}
    with tempfile.TemporaryDirectory() as folder:
        download(lacking, given.python, Path(folder))
        for part, files in enumerate(parts(sorted(Path(folder).iterdir())), 1):
            place = given.out / f"part-{part}"
            place.mkdir(parents=True, exist_ok=True)
            for file in files:
                (place / file.name).write_bytes(file.read_bytes())
            size = sum(file.stat().st_size for file in files) / 2**20
            print(f"{place}: {size:.1f} MiB: {', '.join(file.name.split('-')[0] for file in files)}")
    print(f"for Python {given.python} on Linux, x86-64; --python X.Y makes those of another")


def there(file: Path, parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return the packages that a list names. Exits with one sentence where it names none."""
    try:
        found = listed(file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"cannot read --present {file}: {getattr(error, 'strerror', None) or 'it is no text'}")
    if not found:
        parser.error(
            f"--present {file} names no package; expected lines as 'numpy==2.5.2', as 'pip list --format=freeze' prints them"
        )
    return found


def requirements(project: Mapping[str, Any]) -> list[Requirement]:
    """What pyproject names: dependencies, extras, and what the kit's tests run with."""
    extras = project["project"]["optional-dependencies"]
    dev = [one for one in map(Requirement, extras["dev"]) if one.name in TESTS]
    return [*map(Requirement, project["project"]["dependencies"] + [one for name in EXTRAS for one in extras[name]]), *dev]


def pip_for(python: str) -> list[str]:
    """Options that make pip choose wheels of another Python on Linux, x86-64."""
    platforms = [word for number in PLATFORMS for word in ("--platform", f"manylinux_{number}_x86_64")]
    return ["--only-binary=:all:", "--python-version", python, "--implementation", "cp", *platforms]


def resolved(needed: Sequence[Requirement], python: str) -> dict[str, Mapping[str, Any]]:
    """Metadata of everything that pip would install, by canonical name; nothing large is downloaded for that."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        pip("install", "--dry-run", "--ignore-installed", "--report", str(report), "--target", folder, *pip_for(python),
            *map(str, needed))  # fmt: skip
        installs = json.loads(report.read_text())["install"]
    return {canonicalize_name(one["metadata"]["name"]): one["metadata"] for one in installs}


def closure(found: Mapping[str, Mapping[str, Any]], roots: Iterable[str]) -> dict[str, str]:
    """Names of ``roots`` and of all that they need, without versions."""
    names: dict[str, str] = {}
    waiting = [canonicalize_name(root) for root in roots]
    while waiting:
        name = waiting.pop()
        if name not in names:
            names[name] = ""
            waiting += [canonicalize_name(one.name) for one in wanted_by(found.get(name, {}))]
    return names


def listed(text: str) -> dict[str, str]:
    """Names and versions of a list as pip prints it; a version may be missing."""
    found = {}
    for line in text.split("\n"):
        name, _, version = line.strip().partition("==")
        if re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
            found[canonicalize_name(name)] = version
    return found


def missing(
    found: Mapping[str, Mapping[str, Any]], needed: Sequence[Requirement], present: Mapping[str, str]
) -> dict[str, str]:
    """Names and versions of what must be carried: not there, or there in a version that somebody here cannot use.

    What a package that is there needs is there too, and not looked at.
    """
    lacking: dict[str, str] = {}
    waiting = list(needed)
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        have = present.get(name)
        there = have is not None and (not have or one.specifier.contains(have, prereleases=True))
        if there or name in lacking or name not in found:
            continue
        lacking[name] = str(found[name]["version"])
        waiting += wanted_by(found[name])
    return lacking


def wanted_by(metadata: Mapping[str, Any]) -> list[Requirement]:
    """What a package needs without extras."""
    needs = map(Requirement, metadata.get("requires_dist", ()))
    return [one for one in needs if one.marker is None or one.marker.evaluate({"extra": ""})]


def download(wheels: Mapping[str, str], python: str, folder: Path) -> None:
    """Fetch exactly these."""
    if wheels:
        names = [f"{name}=={version}" for name, version in wheels.items()]
        pip("download", "--no-deps", "--dest", str(folder), *pip_for(python), *names)


def parts(files: Collection[Path]) -> list[list[Path]]:
    """Share files out: each goes, the largest first, into the first part in which there is room."""
    shared: list[tuple[int, list[Path]]] = []
    for file in sorted(files, key=lambda file: -file.stat().st_size):
        size = file.stat().st_size
        for place, (taken, kept) in enumerate(shared):
            if taken + size <= PART_BYTES:
                shared[place] = taken + size, [*kept, file]
                break
        else:
            shared.append((size, [file]))
    return [kept for _, kept in shared]


def pip(*words: str) -> None:
    """Run this interpreter's pip. Exits with its message where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, "--quiet", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        sys.exit(f"pip {words[0]} failed: {last}; is there a wheel of everything for that --python?")


if __name__ == "__main__":
    main()
