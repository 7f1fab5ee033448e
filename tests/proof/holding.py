"""What must hold after a fault, told by what the harness has left: its exit code, its words, its trials, its processes and its files."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

KEPT, LEFT, WRONG = "kept", "left", "wrong"
"""The kinds of trouble: a finished trial that was lost, what was left behind, and a wrong exit code or wrong words."""

GONE_SECONDS = 60.0
"""Seconds within which the processes of an ended run must have gone, on a busy machine."""

RUN_FILES = {"plan.json", "journal.jsonl", "record.json", "logs", "compiled"}
"""What a run's folder holds; ``compiled`` only until the run is complete."""

NOTICES = ("bench: waiting for", "bench: standard output could not", "bench: locks lie in", "bench: left out: ")
"""Beginnings of lines that the harness may say beside its one sentence."""

Trial = tuple[int, int, str, str]
"""A finished trial: its case, number, role and the time at which it was started."""


@dataclass(frozen=True)
class Ended:
    """A command that has ended in ``folder``, where all its files lie."""

    folder: Path
    code: int  # negative: the signal that ended it
    said: str  # on standard error
    finished: Collection[Trial] = field(default_factory=frozenset)  # trials that were finished before the fault


def troubles(ended: Ended, codes: Collection[int], killed: bool = False) -> list[tuple[str, str]]:
    """Return what does not hold, each with its kind; nothing where all is well.

    ``codes``: the exit codes that are right. ``killed``: the command had no chance to delete its temporary files.
    """
    found = [(WRONG, words) for words in _wrong(ended, codes)]
    now = finished_in(ended.folder)
    found += [
        (KEPT, f"lost the {role} {number} of case {case}") for case, number, role, began in sorted(set(ended.finished) - now)
    ]
    found += [(LEFT, f"left process {words}") for words in left_processes(ended.folder)]
    found += [(LEFT, f"left {path}") for path in left_files(ended.folder, killed)]
    return found


def _wrong(ended: Ended, codes: Collection[int]) -> Iterator[str]:
    if ended.code not in codes:
        yield f"exit code {ended.code}, expected one of {sorted(codes)}: {ended.said[-300:]!r}"
    elif ended.code == 1:
        yield "exit code 1, which stands for an error of the harness"
    if "Traceback (most recent call last)" in ended.said:
        yield f"a traceback: {ended.said[-300:]!r}"
    sentences = [line for line in ended.said.splitlines() if line.startswith("bench: ") and not line.startswith(NOTICES)]
    if ended.code == 2 and len(sentences) != 1:
        yield f"{len(sentences)} sentences for exit code 2: {ended.said[-300:]!r}"


def finished_in(folder: Path) -> set[Trial]:
    """The finished trials in all journals and records below a folder. What cannot be read holds none."""
    found: set[Trial] = set()
    for path in folder.rglob("journal.jsonl"):
        for line in path.read_bytes().splitlines():
            found |= _trials_of(line)
    for path in folder.rglob("record.json"):
        found |= _trials_of(path.read_bytes())
    return found


def _trials_of(text: bytes) -> set[Trial]:
    try:
        value = json.loads(text)
        value = value.get("entry", value.get("record", value))
        trials = value.get("trials", [value.get("trial")])
        return {(one["case"], one["number"], one["role"], one["started"]) for one in trials if one}
    except (ValueError, TypeError, KeyError, AttributeError):
        return set()


def left_processes(folder: Path) -> list[str]:
    """The processes that were started for a command in ``folder`` and have not gone in time, which are ended then.

    They are known by their variables, which name the folder.
    """
    deadline = time.monotonic() + GONE_SECONDS
    while (left := _processes(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    said = [f"{process.pid} {' '.join(_words(process))[:120]}" for process in left]
    for process in left:
        with _gone():
            os.kill(process.pid, signal.SIGKILL)
    return said


def _processes(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with _gone():
            inside = any(str(folder) in value for value in process.environ().values())
            if inside and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _words(process: psutil.Process) -> list[str]:
    with _gone():
        return list(process.cmdline())
    return []


def _gone() -> suppress:
    return suppress(psutil.Error, OSError)


def left_files(folder: Path, killed: bool = False) -> list[str]:
    """What lies below ``folder`` and should not, by its relative path: temporary files, and unfinished ones beside finished ones."""
    found = [] if killed else [path for path in (folder / "tmp").glob("*") if path.name != "orphans"]
    runs = [path.parent for path in folder.rglob("plan.json")]
    if not killed:
        found += [path for run in runs for path in run.iterdir() if path.name not in RUN_FILES]
        found += (folder / "cache").rglob("*.part")
    return sorted(str(path.relative_to(folder)) for path in found)
