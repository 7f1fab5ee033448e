"""Running git and pip: what they say where they fail, and a word now and then where they take long."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.errors import UsageError
from bench.machine.environment import installers_environment
from bench.text.waiting import told


def run(
    command: Sequence[str],
    trouble: str,
    folder: Path | None = None,
    error: type[UsageError] = UsageError,
) -> str:
    """Return the standard output of a command that runs in ``folder`` (None: here). The user hears of one that takes long.

    Raises ``error`` with ``trouble`` and the command's last words. Those are git's and pip's English ones: remedies are found by them.
    """
    code, output, errors = ended(command, trouble, folder, error)
    if code != 0:
        raise error(f"{trouble}{_telling(errors or output)}")
    return output.strip()


def ended(
    command: Sequence[str],
    trouble: str,
    folder: Path | None = None,
    error: type[UsageError] = UsageError,
) -> tuple[int, str, str]:
    """Return a command's exit code, standard output and standard error, as ``run`` runs it.

    Raises ``error`` where there is no such command.
    """
    own = installers_environment() | {"LC_ALL": "C.UTF-8"}
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            command,
            stdout=pipe,
            stderr=pipe,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            env=own,
            cwd=folder,
            start_new_session=True,  # pip starts processes of its own, which end with it
        )
    except FileNotFoundError:
        raise error(f"{trouble}: {command[0]} is not installed") from None
    with process, told(lambda: f"bench: waiting for {_named(command)}"):
        try:
            output, errors = process.communicate()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()  # after Ctrl-C leaving the block does not
            raise
    return process.returncode, output, errors


def _named(command: Sequence[str]) -> str:
    """Return what a command is called by: ``git worktree add``, ``pip install``, without options and paths."""
    words = [word for word in command[1:] if re.fullmatch(r"[a-z]+", word)][:2]
    name = Path(command[0]).name
    return " ".join([name, *words] if name == "git" else words or [name])


def _telling(output: str) -> str:
    """The first line that names an error, or the last one."""
    lines = output.strip().splitlines()
    # Pip's own first line on a failed build only says that there was one.
    named = [line for line in lines if re.match(r"\s*(\w*Error|fatal):(?! subprocess-exited)", line, re.IGNORECASE)]
    return f": {(named or lines[-1:])[0].strip()}" if lines else ""
