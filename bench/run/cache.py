"""What the cache holds, by kind, and how it is cleared: only what is ours goes, since BENCH_CACHE may name any folder."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BusyError
from bench.files import held
from bench.run.folders import lock_folder
from bench.run.lock import SETTING

KINDS: Mapping[str, tuple[str, str]] = {
    "images": (r".+-.+-[0-9a-f]{16}(\.part|\.lock)?", "decoded images; decoded again when they are needed"),
    "files": (r"jpeg-\d+", "synthetic image files; written again when they are needed"),
    "figures": (
        r"ceilings|choices|noise",
        "ceilings, searches and noise of this machine; measured again when they are needed",
    ),
    "refs": (r"refs", "environments of bench check --against-ref; made again when they are needed"),
    "logs": (r"logs", "the last log of each kind of worker"),
    "key": (
        r"salt\.key(\..*part)?",
        "the random key from which the salts of host names are made; cleared by its name only, since later records get other salts",
    ),
}
"""Each kind: how its entries are called, and what is in them."""

KEPT = "key"
"""The kind that is deleted only where it is named: nothing can make the same again."""


@dataclass(frozen=True)
class Entry:
    """A file or folder of the cache."""

    path: Path
    kind: str  # of KINDS; empty for what is none of ours
    bytes: int  # on the disk


def entries(folder: Path) -> Iterator[Entry]:
    """Yield what lies in the cache folder, by name; nothing where there is none."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        yield Entry(path, _kind(path), _size(path))


def _kind(path: Path) -> str:
    """The kind of an entry. A folder of images shows it by what it holds, since other software might call one so too."""
    kind = next((kind for kind, (pattern, _) in KINDS.items() if re.fullmatch(pattern, path.name)), "")
    whole = kind != "images" or path.suffix in {".part", ".lock"} or (path / "facts.json").is_file()
    return kind if whole and not path.is_symlink() else ""


def _size(path: Path) -> int:
    """Bytes that a file or all files of a folder take on the disk; a link counts as itself."""
    total = 0
    with suppress(OSError):
        total += path.lstat().st_blocks * 512
        if path.is_dir() and not path.is_symlink():
            total += sum(_size(inside) for inside in path.iterdir())
    return total


def clear(folder: Path, kinds: Collection[str]) -> list[Entry]:
    """Delete the entries of these kinds and return them. Raises BusyError while a run measures, whose images must not vanish."""
    with ExitStack() as stack:
        for lock in sorted(lock_folder().glob("*.lock")):
            if not stack.enter_context(held(lock, SETTING, wait=False)):
                raise BusyError(
                    f"a run is measuring on {lock.stem}, which needs what is in the cache; clear it when that has ended"
                )
        gone = [entry for entry in entries(folder) if entry.kind in kinds]
        for entry in gone:
            if entry.kind == "refs":
                _remove_worktrees(entry.path)
            if entry.path.is_dir():
                shutil.rmtree(entry.path)
            else:
                entry.path.unlink()
    return gone


def _remove_worktrees(refs: Path) -> None:
    """Have git remove the worktrees there, which it keeps entered in their repositories. Where that fails they stay so; it harms nothing."""
    for link in refs.glob("*/*/.git"):
        with suppress(OSError, UnicodeDecodeError):
            entered = Path(link.read_text().removeprefix("gitdir:").strip())  # REPOSITORY/.git/worktrees/NAME
            command = ["git", f"--git-dir={entered.parents[1]}", "worktree", "remove", "--force", str(link.parent)]
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
