"""Running git and pip: what they say where they fail, and a word now and then where they take long."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from bench.errors import UsageError
from bench.machine.environment import installers_environment

SILENCE_SECONDS = 10.0
"""How long a command may run before the user hears of it again."""


def run(
    command: Sequence[str],
    trouble: str,
    say: Callable[[str], None] | None = None,
    folder: Path | None = None,
    error: type[UsageError] = UsageError,
) -> str:
    """Return the standard output of a command that runs in ``folder`` (None: here); ``say`` hears every ten seconds that it still runs.

    Raises ``error`` with ``trouble`` and the command's last words. Those are git's and pip's English ones: remedies are found by them.
    """
    code, output, errors = ended(command, trouble, say, folder, error)
    if code != 0:
        raise error(f"{trouble}{_telling(errors or output)}")
    return output.strip()


def ended(
    command: Sequence[str],
    trouble: str,
    say: Callable[[str], None] | None = None,
    folder: Path | None = None,
    error: type[UsageError] = UsageError,
) -> tuple[int, str, str]:
    """Return a command's exit code, standard output and standard error, as ``run`` runs it.

    Raises ``error`` where there is no such command.
    """
    own, begun = installers_environment() | {"LC_ALL": "C.UTF-8"}, time.monotonic()
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
    with process:
        try:
            while True:
                try:
                    output, errors = process.communicate(timeout=SILENCE_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    if say is not None:
                        say(f"  still at it after {time.monotonic() - begun:.0f} s")
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output, errors


def _telling(output: str) -> str:
    """The first line that names an error, or the last one."""
    lines = output.strip().splitlines()
    # Pip's own first line on a failed build only says that there was one.
    named = [line for line in lines if re.match(r"\s*(\w*Error|fatal):(?! subprocess-exited)", line, re.IGNORECASE)]
    return f": {(named or lines[-1:])[0].strip()}" if lines else ""
