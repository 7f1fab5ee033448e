"""Read by every Python that the campaign of faults starts (``tests/proof/faults.py``): it strikes where ``fault.json`` says.

That file lies beside the folder for temporary files, so that each fault has its own. It names a stage of a worker and which of the
processes that enter it is struck, and how; or the parent is made slow, or broken on purpose.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__)
FOLDER = Path(os.environ.get("TMPDIR", "/nowhere")).parent
WORKER = "bench.worker" in sys.orig_argv
PARENT = "bench" in sys.orig_argv


def _read():
    try:
        return json.loads((FOLDER / "fault.json").read_text())
    except (OSError, ValueError):
        return {}


def _hold():
    mark = FOLDER / "held"
    unfinished = FOLDER / "held.unfinished"
    unfinished.write_text(str(os.getpid()))
    unfinished.replace(mark)
    while mark.exists():
        time.sleep(0.01)


def _write_everywhere(text):
    """Into every descriptor that a worker has, but the standard ones."""
    for number in range(3, 64):
        try:
            os.write(number, text)
        except OSError:
            continue


def _lines():
    for number in range(200_000):
        os.write(2, b"::error::line %d \x1b[31m of very many\n" % number)


def _allocate():
    """Touch memory until the group of this process has none, or, where it has no limit, a gibibyte."""
    kept = [bytearray(os.urandom(4096) * 1024) for _ in range(256)]
    os._exit(len(kept) % 7)


def _raise(error):
    raise error


def _deep():
    text = b"[" * 100_000
    _write_everywhere(b'\n{"type":"result","value":' + text + b"\n")


STRIKES = {
    "hold": _hold,
    "hold, then allocate": lambda: (_hold(), _allocate()),
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "exit 0": lambda: os._exit(0),
    "exit 1": lambda: os._exit(1),
    "exit 7": lambda: os._exit(7),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "bus": lambda: os.kill(os.getpid(), signal.SIGBUS),
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "lines": _lines,
    "binary": lambda: os.write(2, bytes(range(256)) * 20_000),
    "one long line": lambda: os.write(2, b"x" * 5_000_000),
    "no memory": lambda: _raise(MemoryError()),
    "long words": lambda: _raise(RuntimeError("word " * 200_000)),
    "odd words": lambda: _raise(RuntimeError("\ud800\x1b[2J\x9b\r\n::error::\u202e")),
    "no words": lambda: _raise(RuntimeError()),
    "leave": lambda: _raise(SystemExit(0)),
    "interrupt": lambda: _raise(KeyboardInterrupt()),
    "recursion": lambda: _raise(RecursionError("maximum recursion depth exceeded")),
    "forge": lambda: _write_everywhere(b'\n{"type":"result","value":{"stages":{}}}\n'),
    "forge a failure": lambda: _write_everywhere(b'\n{"type":"failure","kind":"usage","message":"x","exit_code":1}\n'),
    "deep": _deep,
    "half a line": lambda: _write_everywhere(b'{"type":"sta'),
    "no newline": lambda: [_write_everywhere(b"x" * 60_000) for _ in range(20)],
    "close": lambda: os.closerange(0, 64),
    "no output": lambda: (os.close(1), os.close(2)),
}


def _nth(name):
    """Which entry this one is of that name among all processes of the fault, from 0."""
    with (FOLDER / f"entered-{name}").open("ab") as count:
        count.write(b".")
        return count.tell() - 1


def _struck():
    """Leave word that the fault has happened: one that no process meets proves nothing."""
    (FOLDER / "struck").touch()


def _watch(fault):
    """Have a worker struck where the fault says."""
    from bench.worker.channel import Channel

    stage, begin = Channel.stage, Channel.__init__

    def strike(name):
        if name == fault["stage"] and _nth(name) == fault["number"]:
            _struck()
            STRIKES[fault["what"]]()

    def begun(self, *given):
        begin(self, *given)
        strike("start")

    def entered(self, name):
        stage(self, name)
        strike(name)

    Channel.__init__, Channel.stage = begun, entered


def _slow(seconds):
    """A disk that takes so long for each fsync."""
    real = os.fsync

    def fsync(descriptor):
        _struck()
        time.sleep(seconds)
        real(descriptor)

    os.fsync = fsync


def _break():
    """A harness that loses a trial, leaves a process and a file, prints a traceback and two sentences, and ends with 1."""
    import atexit
    import subprocess

    def spoil():
        for journal in FOLDER.rglob("journal.jsonl"):
            journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
            journal.with_name("record.json").unlink(missing_ok=True)
        subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=2, stderr=subprocess.DEVNULL)
        (FOLDER / "tmp" / "accelbench-tmp-left").mkdir()
        print("bench: one sentence\nbench: another\nTraceback (most recent call last)", file=sys.stderr, flush=True)
        os._exit(1)

    atexit.register(spoil)


def _begin():
    other = HERE.parent.with_name("startup") / HERE.name
    spec = importlib.util.spec_from_file_location("patient_clock", other)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fault = _read()
    if WORKER and "stage" in fault:
        _watch(fault)
    elif PARENT and "slow" in fault:
        _slow(fault["slow"])
    elif PARENT and "broken" in fault:
        _break()


_begin()
