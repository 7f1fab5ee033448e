"""Both sides of a check in environments that pip makes, each by its own requirements, with this accelbench added to either."""

from __future__ import annotations

import secrets
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import Distribution, distributions
from pathlib import Path
from urllib.parse import unquote, urlparse

import msgspec

from bench import __version__
from bench.check.commands import run
from bench.check.environments import interpreter_of, new_environment, packages_of
from bench.check.refs import check_out, commit_of, forget_missing, repository
from bench.check.sides import Side
from bench.check.wheel import NAME, is_packed, pack
from bench.errors import InstallError, UsageError
from bench.run.folders import cache_folder, made
from bench.run.scratch import owned, sweep_unowned

PREFIX = "install-"
"""What the folders with a check's two environments begin with, and no others beside them: one without an owner is deleted."""


def pip_words(given: Sequence[str]) -> list[str]:
    """Words for ``pip install`` from those of ``--install``, each split as a shell does. Raises UsageError."""
    words = []
    for text in given:
        try:
            words += shlex.split(text)
        except ValueError as error:
            raise UsageError(f"--install {text:.200} cannot be split into words: {str(error).lower()}") from None
    if not words:
        raise UsageError("--install is empty; expected words for pip install, such as '-e .' or '-r requirements.txt'")
    return words


@contextmanager
def installed(ref: str, folder: Path, words: Sequence[str], say: Callable[[str], None]) -> Iterator[tuple[Side, Side]]:
    """Yield the base and the candidate: ``pip install`` with ``words``, in a checkout of ``ref`` and in the working tree.

    ``folder``: where in the repository pip runs, on either side. Each side gets a new environment, which sees nothing of any other, and then the
    accelbench that runs here. It replaces another one that the project asked for, and moves no version that pip chose for the project.
    Accelbench's own checkouts keep their own. Both are deleted at the end. Raises UsageError, and InstallError for what pip refuses.
    """
    top = repository(folder)
    commit = commit_of(top, ref)
    inside = folder.resolve().relative_to(top)
    refs = made(cache_folder() / "refs", "cache", "BENCH_CACHE")
    sweep_unowned(refs.glob(f"{PREFIX}*"))  # of checks that were killed
    place = refs / f"{PREFIX}{top.name}-{commit[:12]}-{secrets.token_hex(6)}"
    tree = place / top.name
    with ExitStack() as stack:
        place.mkdir()
        stack.callback(_delete, place, top)
        stack.enter_context(owned(place))
        say(f"making an environment for {ref} ({commit[:12]}) …")
        check_out(top, commit, tree, ref, say)
        wheel = pack(place / "wheels")
        base, candidate = place / "base", place / "candidate"
        _fill(base, tree, inside, words, wheel, ref, say)
        say("making an environment for the working tree …")
        _fill(candidate, top, inside, words, wheel, "the working tree", say)
        yield _side(ref, base, tree), _side("the working tree", candidate, top)


def _delete(place: Path, top: Path) -> None:
    """Delete both environments, and have git forget the worktree beside them."""
    shutil.rmtree(place, ignore_errors=True)
    with suppress(UsageError):  # the next check tries again
        forget_missing(top, place.parent)


def _side(name: str, environment: Path, checkout: Path) -> Side:
    """Return a side with what is installed in its environment."""
    return Side(name, str(interpreter_of(environment)), checkout, alone=True, packages=_versions(environment))


def _versions(environment: Path) -> dict[str, str]:
    """Return the version of each package in an environment, by its name."""
    found = {str(one.metadata["Name"]).lower(): str(one.version) for one in _distributions(environment)}
    return {
        name: version for name, version in found.items() if "none" not in {name, version.lower()}
    }  # half-removed ones have neither


def _distributions(environment: Path) -> list[Distribution]:
    return list(distributions(path=[str(packages_of(environment))]))


def _fill(
    place: Path,
    checkout: Path,
    inside: Path,
    words: Sequence[str],
    wheel: Path,
    what: str,
    say: Callable[[str], None],
) -> None:
    """Make an environment of one side at ``place``; pip runs in the folder ``inside`` the checkout."""
    project = checkout / inside
    if not project.is_dir():
        raise UsageError(f"there is no folder {inside} at {what}, where pip should install the project")
    pip = new_environment(place)
    install = [*pip, "install", "--quiet"]
    say(f"  pip install {shlex.join(words)}")
    given = [*install, "--find-links", str(wheel.parent), *words]
    run(given, f"cannot install {what}", project, InstallError)
    own = next((one for one in _distributions(place) if str(one.metadata["Name"]).lower() == NAME), None)
    if own is None or not (is_packed(own, wheel) or _is_from(own.read_text("direct_url.json"), checkout)):
        say(f"  adding accelbench {__version__}")
        if own is not None:
            run([*pip, "uninstall", "--quiet", "--yes", NAME], f"cannot replace the accelbench of {what}")
        pins = place / "pins.txt"
        pins.write_text("".join(f"{name}=={version}\n" for name, version in _versions(place).items() if name != NAME))
        trouble = f"cannot add accelbench {__version__} to {what}, whose packages must stay as they are"
        run([*install, "--constraint", str(pins), str(wheel)], trouble, project, InstallError)


def _is_from(direct_url: str | None, checkout: Path) -> bool:
    """Whether a distribution was installed from a folder of the checkout, by what pip wrote down of its origin."""
    if direct_url is None:
        return False
    url = urlparse(str(msgspec.json.decode(direct_url.encode()).get("url", "")))
    return url.scheme == "file" and Path(unquote(url.path)).resolve().is_relative_to(checkout.resolve())
