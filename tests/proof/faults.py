"""Proof that no fault from outside loses a finished trial or leaves a process: some hundreds of them are injected into real runs.

    python tests/proof/faults.py [FAULTS] [--seed SEED] [--kind KIND ...] [--share PERCENT]

Each fault is a run of the tests' own plugin, or the reading of what such a run has left, in a folder of its own. A worker is struck or
held at a stage (``tests/support/strike``), and meanwhile something happens to it, to its parent, to the disk or to the files. What must
hold afterwards is told by ``tests/proof/holding.py``. Exit code 1 where anything did not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import psutil
from tabulate import tabulate

from tests.proof.holding import KEPT, LEFT, WRONG, Ended, Trial, finished_in, troubles
from tests.support.site import environment, install, install_misbehaving
from tests.support.waiting import PATIENCE, wait_for

STRIKE = Path(__file__).parents[1] / "support" / "strike"
DOTS = ("--workload", "dots", "--size", "small", "--backend", "misbehaving", "--precision", "float64", "--phase", "train")
RUN = ("run", *DOTS, "--seconds", "0.05", "--quiet", "--no-ceilings", "--images", "64", "--trials", "1", "-o", "results")
STAGES = ("start", "data", "build", "first_step", "warmup", "steady", "check")
SOME, FINE = {0, 4, 6}, {0}
"""Exit codes of a run of which trials may have failed, and of one that nothing has touched."""

GROUPS = Path("/sys/fs/cgroup/memory")


class MissedError(Exception):
    """No process came to where it was to be struck: nothing is proven."""


class NotHere(Exception):
    """This machine cannot make the fault; the words say why."""


@dataclass
class Place:
    """A folder for one fault, in which a whole run lies that can be damaged, and a cache."""

    folder: Path
    site: Path
    rng: random.Random
    found: list[tuple[str, str]] = field(default_factory=list)
    ordered: bool = False

    @property
    def run(self) -> Path:
        """The folder of the run."""
        return next((self.folder / "results").iterdir())

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a command here, in which ``tests/support/strike`` is found."""
        given = environment(self.folder, self.site)
        return given | {"PYTHONPATH": os.pathsep.join([str(self.site), str(STRIKE), given["PYTHONPATH"]])}

    def order(self, **fault: object) -> None:
        """Say what shall strike the next command. Raises MissedError where what was ordered before has struck nothing."""
        self.refuse_missed()
        self.ordered = bool(fault)
        (self.folder / "struck").unlink(missing_ok=True)
        (self.folder / "fault.json").write_text(json.dumps(fault))

    def refuse_missed(self) -> None:
        """Raises MissedError where what was ordered has struck nothing."""
        if self.ordered and not (self.folder / "struck").exists():
            raise MissedError

    def start(
        self, words: Sequence[str], before: Sequence[str] = (), name: str = "said", **how: object
    ) -> subprocess.Popen[bytes]:
        """Start the command line; what it says on standard error goes to the file of that name."""
        (self.folder / "tmp").mkdir(exist_ok=True)
        given = {"cwd": self.folder, "env": self.variables, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        with (self.folder / name).open("wb") as said:
            return subprocess.Popen([*before, sys.executable, "-m", "bench", *words], **(given | {"stderr": said} | how))

    def end(
        self, process: subprocess.Popen[bytes], codes: set[int], finished: set[Trial] | None = None, killed: bool = False
    ) -> int:
        """Wait for the end, and keep what does not hold."""
        code = process.wait(PATIENCE)
        said = (self.folder / "said").read_text(errors="replace")
        self.found += troubles(Ended(self.folder, code, said, finished or set()), codes, killed)
        return code

    def command(self, words: Sequence[str], codes: set[int], finished: set[Trial] | None = None) -> int:
        """Carry out a command to its end, and keep what does not hold."""
        return self.end(self.start(words), codes, finished)

    def held(self, process: subprocess.Popen[bytes]) -> psutil.Process | None:
        """The worker that is held where ``fault.json`` says; None where the command ends without such a stage."""
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError, psutil.Error):
                return psutil.Process(int((self.folder / "held").read_text()))
            time.sleep(0.01)
        return None

    def release(self) -> None:
        """Let the worker that is held go on."""
        (self.folder / "held").unlink(missing_ok=True)

    def fresh(self) -> None:
        """Forget the run that lies here: the next command is the first."""
        shutil.rmtree(self.folder / "results")

    def interrupted(self) -> None:
        """Make the run one that was interrupted before its last trial."""
        (self.run / "record.json").unlink()
        journal = self.run / "journal.jsonl"
        journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))

    def resume(self, finished: set[Trial]) -> None:
        """What is left of an interrupted run can be finished, and its temporary files go then. A run without a plan has nothing to resume."""
        self.order()
        for path in (self.folder / "tmp").glob("*"):
            os.utime(path, (0, 0))  # older than what a run that lives may just have made
        plans = list((self.folder / "results").glob("*/plan.json"))
        words = ["run", "--resume", str(plans[0].parent), "--quiet"] if plans else RUN
        self.command(words, {0, 6}, finished)


Fault = Callable[[Place, int], None]


# ---- the kinds ----------------------------------------------------------------------------------------------------------


def _at(place: Place, number: int, what: str = "hold") -> None:
    """A stage, and which of the processes that enter it: of seven faults each has another stage."""
    stage = STAGES[number % len(STAGES)]
    place.order(stage=stage, number=place.rng.randrange(6 if stage == "start" else 2), what=what)


def worker_ended(place: Place, number: int) -> None:
    """A worker ends in one of many ways, at each stage, in the pilot or in a trial."""
    place.fresh()
    ways = (
        "segfault",
        "abort",
        "kill",
        "bus",
        "terminate",
        "exit 0",
        "exit 1",
        "exit 7",
        "interrupt",
        "leave",
        "no memory",
        "recursion",
    )
    _at(place, number, ways[number % len(ways)])
    place.command(RUN, SOME | {2})


def worker_stopped(place: Place, number: int) -> None:
    """A worker is stopped as a debugger stops it; it goes on, or Ctrl-C ends the run."""
    place.fresh()
    _at(place, number)
    process = place.start(RUN)
    worker = place.held(process)
    codes = FINE | SOME
    if worker is not None:
        worker.suspend()
        place.release()
        if number % 2:
            process.send_signal(signal.SIGINT)
            codes = {130}
        else:
            worker.resume()
    place.end(process, codes)


def parent_killed(place: Place, number: int) -> None:
    """The parent gets SIGKILL at each stage. All that it started goes, and the run can be finished."""
    place.fresh()
    _at(place, number)
    process = place.start(RUN)
    if place.held(process) is None:
        place.end(process, SOME)
        return
    finished = finished_in(place.folder)
    process.kill()
    place.end(process, {-signal.SIGKILL}, finished, killed=True)
    place.release()
    place.resume(finished)


def signals(place: Place, number: int) -> None:
    """HUP, INT and TERM, once and twice, at each stage, and ignored at entry as nohup has it."""
    place.fresh()
    _at(place, number)
    one = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)[number % 3]
    ignored = number % 4 == 3
    shell = ("sh", "-c", f'trap "" {one.name.removeprefix("SIG")}; exec "$0" "$@"') if ignored else ()
    process = place.start(RUN, shell)
    worker = place.held(process)
    if worker is None:
        place.end(process, SOME)
        return
    finished = finished_in(place.folder)
    for _ in range(1 + number % 2):
        with suppress(ProcessLookupError):
            process.send_signal(one)
    if ignored:
        place.release()
    # Of a second signal while the first is being handled, the system's own action is as good an end.
    place.end(process, SOME if ignored else {128 + one, -one}, finished)
    place.release()


def streams(place: Place, number: int) -> None:
    """The readers of standard output and standard error go, the disk beneath them is full, or they are closed."""
    place.fresh()
    words = [word for word in RUN if word != "--quiet"]
    if number % 3 == 0:
        process = place.start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE if number % 2 else subprocess.DEVNULL)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.read(place.rng.choice((1, 1, 40))) if number % 4 else None
                stream.close()
        place.end(process, SOME)
    elif number % 3 == 1:
        with Path("/dev/full").open("wb") as full:
            place.end(place.start(words, stdout=full, stderr=full if number % 2 else subprocess.DEVNULL), SOME)
    else:
        closed = place.rng.choice((">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"))
        place.end(place.start(words, ("sh", "-c", f'exec "$0" "$@" {closed}')), SOME)


def out_of_memory(place: Place, number: int) -> None:
    """A worker has no memory left in its cgroup."""
    group = GROUPS / f"accelbench-fault-{os.getpid()}-{number}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str((48 + 8 * (number % 5)) << 20))
    except OSError as error:
        with suppress(OSError):
            group.rmdir()
        raise NotHere(f"no cgroup of version 1 with a limit of memory can be made: {error.strerror}") from None
    try:
        place.fresh()
        _at(place, 1 + number % (len(STAGES) - 1), "hold, then allocate")
        process = place.start(RUN)
        worker = place.held(process)
        if worker is not None:
            (group / "cgroup.procs").write_text(str(worker.pid))
            place.release()
        place.end(process, SOME | {2})
    finally:
        wait_for(lambda: _removed(group))


def _removed(group: Path) -> bool:
    """Whether a cgroup is gone; it stays as long as a process in it is not quite dead."""
    with suppress(OSError):
        group.rmdir()
    return not group.exists()


@contextmanager
def _small_disk(folder: Path, kibibytes: int) -> Iterator[None]:
    """A file system in memory of that size in place of a folder, with what the folder holds."""
    kept = folder.with_name(f"{folder.name}-kept")
    folder.mkdir(exist_ok=True)
    shutil.copytree(folder, kept)
    words = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotHere(f"no small disk can be mounted (that takes root): {done.stderr.strip()[:80]}")
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
        shutil.rmtree(kept)


def _on_a_disk(
    place: Place,
    number: int,
    kibibytes: int,
    spoil: Callable[[Path], None],
    mend: Callable[[Path], None],
    killed: bool = False,
) -> None:
    """The folder of results, cache or temporary files lies on a disk of that size, which is spoilt while a worker is held at some stage."""
    place.fresh()
    disk = place.folder / ("results", "cache", "tmp")[number % 3]
    with _small_disk(disk, kibibytes):
        _at(place, number)
        process = place.start(RUN)
        worker = place.held(process)
        finished = finished_in(place.folder)
        spoil(disk)
        if worker is not None:
            place.release()
        process.wait(PATIENCE)
        mend(disk)
        place.end(process, SOME | {2}, finished, killed)


def full_disk(place: Place, number: int) -> None:
    """The disk of results, cache or temporary files is full, from the start or from some stage on."""
    free = place.rng.choice((0, 0, 1, 2, 4, 6, 8))

    def fill(disk: Path) -> None:
        with (disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(1024))
        with suppress(OSError):
            os.truncate(disk / "ballast", max(0, (disk / "ballast").stat().st_size - (free << 10)))

    _on_a_disk(place, number, 400, fill, lambda disk: (disk / "ballast").unlink(missing_ok=True))


def read_only(place: Place, number: int) -> None:
    """The folder of results, cache or temporary files can no longer be written to, from some stage on."""

    def mounted(disk: Path, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=False, capture_output=True)

    # What could not be deleted there stays, as after a kill.
    _on_a_disk(place, number, 4000, partial(mounted, how="ro"), partial(mounted, how="rw"), killed=True)


def slow_disk(place: Place, number: int) -> None:
    """Each fsync takes long."""
    place.fresh()
    place.order(slow=0.02 * (1 + number % 5))
    place.command(RUN, SOME)


def clock(place: Place, number: int) -> None:
    """The clock of the command and its workers is stepped by an hour, forth or back."""
    if shutil.which("faketime") is None:
        raise NotHere("faketime is not installed (Debian: apt-get install faketime)")
    place.interrupted() if number % 2 else place.fresh()
    finished = finished_in(place.folder)
    words = ["run", "--resume", str(place.run), "--quiet"] if number % 2 else RUN
    offset = f"{'+' if number % 4 < 2 else '-'}{60 + number % 7}m"
    place.end(place.start(words, ("faketime", "-f", offset)), SOME | {2}, finished)


def _damaged(content: bytes, rng: random.Random) -> bytes:
    """Torn, truncated, with a flipped bit, overwritten with zeros, or with other bytes in between."""
    at = rng.randrange(len(content) or 1)
    match rng.randrange(5):
        case 0:
            return content[:at]
        case 1 if content:
            return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]
        case 2:
            return content[:at] + bytes(len(content) - at)
        case 3:
            return content[:at] + rng.randbytes(40) + content[at:]
        case _:
            return content[:at] + content[at + rng.randrange(1, 60) :]


def journal(place: Place, number: int) -> None:
    """The journal of an interrupted run is damaged. Each line that is whole is kept."""
    place.interrupted()
    file = place.run / "journal.jsonl"
    whole = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(_damaged(file.read_bytes(), place.rng) if number else b"")
    lines = [line for line in file.read_bytes().splitlines(keepends=True) if line in whole]
    content = file.read_bytes()
    file.write_bytes(b"".join(lines))
    finished = finished_in(place.folder)
    file.write_bytes(content)
    place.command(["run", "--resume", str(place.run), "--quiet"], SOME | {2}, finished)


def plan(place: Place, number: int) -> None:
    """The plan of an interrupted run is damaged."""
    place.interrupted()
    finished = finished_in(place.folder)
    file = place.run / "plan.json"
    file.write_bytes(_damaged(file.read_bytes(), place.rng))
    place.command(["run", "--resume", str(place.run), "--quiet"], SOME | {2}, finished)


def record(place: Place, number: int) -> None:
    """The record is damaged, and commands read it."""
    file = place.run / "record.json"
    file.write_bytes(_damaged(file.read_bytes(), place.rng))
    commands = (["report"], ["compare", "results", "results"], ["results", "list"], ["history"], ["reproduce", "--dry-run"])
    words = list(commands[number % len(commands)])
    words += [str(file)] if words[0] in {"report", "reproduce"} else ["results"] if words[0] != "compare" else []
    place.command(words, {0, 2, 3, 4})


def cache(place: Place, number: int) -> None:
    """A file of the cache is damaged or gone: decoded images, what is remembered of the machine, or a log."""
    place.fresh()
    for subject in ("choices", "ceilings", "noise"):
        (place.folder / "cache" / subject).mkdir(exist_ok=True)
        for name in _fingerprints(place):
            (place.folder / "cache" / subject / f"{name}.json").write_text('{"a case": {"options": {}, "note": ""}}')
    files = sorted(path for path in (place.folder / "cache").rglob("*") if path.is_file() and path.suffix != ".lock")
    file = files[number % len(files)]
    if number % 7 == 6:
        file.unlink()
    else:
        file.write_bytes(_damaged(file.read_bytes(), place.rng))
    place.command(RUN, FINE)


def _fingerprints(place: Place) -> list[str]:
    """The machine's, as the first run has found it."""
    return [place.site.with_name("fingerprint").read_text()]


def two_at_once(place: Place, number: int) -> None:
    """A second run, or a resume, beside a live one: it is refused, or waits, and the first ends as if alone."""
    place.interrupted()
    resumed = ["run", "--resume", str(place.run), "--quiet"]
    place.order(stage=STAGES[1 + number % (len(STAGES) - 1)], number=0, what="hold")
    process = place.start(resumed)
    worker = place.held(process)
    finished = finished_in(place.folder)
    if worker is None:
        place.end(process, SOME, finished)
        return
    other, said = resumed if number % 2 else [*RUN, "-o", "others"], place.folder / "other"
    waits = number % 3 == 0
    second = place.start([*other, "--wait"] if waits else other, name=said.name)
    wait_for(lambda: second.poll() is not None or (waits and "waiting for another run" in said.read_text()))
    place.release()
    code = second.wait(PATIENCE)
    place.end(process, SOME, finished)
    place.found += troubles(Ended(place.folder, code, said.read_text(), finished), SOME if waits else {2})


def log_lines(place: Place, number: int) -> None:
    """A worker prints hundreds of lines a millisecond, bytes that are no text, or one endless line."""
    place.fresh()
    _at(place, number, ("lines", "binary", "one long line", "no output")[number % 4])
    place.command(RUN, SOME)


def words_of_a_plugin(place: Place, number: int) -> None:
    """Forged results, floods, deep JSON and odd exceptions: each is that trial's failure and no more."""
    place.fresh()
    ways = ("forge", "forge a failure", "deep", "half a line", "no newline", "long words", "odd words", "no words", "close")
    _at(place, number, ways[number % len(ways)])
    place.command(RUN, SOME | {2})


ODD_VALUES = (
    "None", "5", "-1", "2.5", "''", "'\\ud800'", "'x' * 10**6", "b'bytes'", "()", "[]", "{}", "{1: 2}", "object()", "lambda: 1", "float('nan')",
    "10**30", "[[[]]]", "type('T', (), {'__str__': None})()", "type('T', (), {'__repr__': lambda self: 1 / 0})()", "iter(())", "print",
)  # fmt: skip
ODD_PLACES = (
    "Backend.name", "Backend.options", "Backend.lowering", "Backend.environment", "probe()", "Device.id", "Device.kind", "Device.name",
    "Device.precisions", "Device.physical", "Device.memory", "versions", "bench_backends()", "bench_workloads()", "bench_reporters()",
)  # fmt: skip


def wrong_types(place: Place, number: int) -> None:
    """A second plugin has a value of a wrong type in one place; it is named, and the other plugins work."""
    where, value = ODD_PLACES[number % len(ODD_PLACES)], place.rng.choice(ODD_VALUES)
    site = place.folder / "odd-site"
    install(site, "odd", {"odd": "odd_plugin"}, {"odd_plugin": _odd_plugin(where, value)})
    given = place.variables
    given["PYTHONPATH"] = os.pathsep.join([str(site), given["PYTHONPATH"]])
    words = (
        ["list"],
        ["run", "--backend", "odd", "--workload", "dots", "--size", "small", "--dry-run"],
    )[number % 2]
    place.end(place.start(words, env=given), {0, 2, 4})


def _odd_plugin(where: str, value: str) -> str:
    """The text of a plugin that is right but for one place."""

    def at(name: str, right: str) -> str:
        return value if name == where else right

    return f"""
from bench.contract import Device, Probe, hookimpl

class Backend:
    name = {at("Backend.name", "'odd'")}
    options = {at("Backend.options", "()")}
    lowering = {at("Backend.lowering", "None")}
    environment = {at("Backend.environment", "{}")}

    def probe(self):
        device = Device({at("Device.id", "'odd:0'")}, {at("Device.kind", "'cpu'")}, {at("Device.name", "'odd'")},
                        {at("Device.precisions", "('float64',)")}, {at("Device.physical", "'host'")}, {at("Device.memory", "0")})
        return {at("probe()", f"Probe((device,), {at('versions', '{}')})")}

    def trainer(self, workload, weights, device, settings):
        raise RuntimeError("no")

    predictor = trainer

@hookimpl
def bench_backends():
    return {at("bench_backends()", "[Backend()]")}

@hookimpl
def bench_workloads():
    return {at("bench_workloads()", "[]")}

@hookimpl
def bench_reporters():
    return {at("bench_reporters()", "[]")}
"""


KINDS: dict[str, Fault] = {
    "worker ended": worker_ended,
    "worker stopped": worker_stopped,
    "parent killed": parent_killed,
    "signals": signals,
    "streams": streams,
    "out of memory": out_of_memory,
    "full disk": full_disk,
    "read-only folder": read_only,
    "slow disk": slow_disk,
    "clock": clock,
    "journal": journal,
    "plan": plan,
    "record": record,
    "cache": cache,
    "two at once": two_at_once,
    "log lines": log_lines,
    "words of a plugin": words_of_a_plugin,
    "wrong types": wrong_types,
}


# ---- the campaign -------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What became of the faults of a kind."""

    made: int = 0
    missed: int = 0  # faults that no process came to
    not_here: str = ""
    kinds: Counter[str] = field(default_factory=Counter)  # faults with trouble, by the trouble's kind


class Campaign:
    """A base that every fault begins with: the plugin, a whole run of two trials, and its cache."""

    def __init__(self, folder: Path) -> None:
        """Install the plugin and make the run."""
        self.folder = folder
        self.site = folder / "site"
        install_misbehaving(self.site)
        base = folder / "base"
        base.mkdir()
        place = Place(base, self.site, random.Random(0))
        place.command([*RUN[:-4], "--trials", "2", "-o", "results"], FINE)
        if place.found:
            raise SystemExit(f"the run without a fault went wrong: {place.found}")
        fingerprint = json.loads((place.run / "plan.json").read_bytes())["machines"][""]["fingerprint"]
        (folder / "fingerprint").write_text(fingerprint)
        (base / "held").unlink(missing_ok=True)

    def inject(self, kind: str, number: int, seed: int) -> list[tuple[str, str]]:
        """Make one fault and return what did not hold. Raises NotHere where this machine cannot make it, and MissedError where no
        process has met it."""
        folder = Path(tempfile.mkdtemp(prefix="fault-", dir=self.folder))
        for name in ("results", "cache"):
            shutil.copytree(self.folder / "base" / name, folder / name)
        place = Place(folder, self.site, random.Random(f"{seed} {kind} {number}"))
        try:
            KINDS[kind](place, number)
            place.refuse_missed()
            return place.found
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def chosen(faults: int, kinds: Sequence[str], share: float) -> list[tuple[str, int]]:
    """The faults of a campaign: as many of each kind, and of these every so many that their share is right."""
    each = -(-faults // len(KINDS))
    step = 100 / share
    return [
        (kind, number) for kind in kinds for number in sorted({int(step * turn) for turn in range(each)}) if number < each
    ]


def main(words: list[str]) -> int:
    """Inject, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("faults", nargs="?", type=int, default=360, help="of all kinds together; each kind gets as many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="this kind alone; can be given again")
    parser.add_argument("--share", type=float, default=100.0, metavar="PERCENT", help="make so many of the faults")
    options = parser.parse_args(words)
    tallies = {kind: Tally() for kind in options.kind or KINDS}
    with ExitStack() as stack:
        campaign = Campaign(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        for kind, number in chosen(options.faults, list(tallies), options.share):
            tally = tallies[kind]
            try:
                found = campaign.inject(kind, number, options.seed)
            except NotHere as error:
                tally.not_here = str(error)
                continue
            except MissedError:
                tally.missed += 1
                continue
            tally.made += 1
            tally.kinds.update({trouble for trouble, _ in found})
            for trouble, what in found:
                print(f"{kind} {number}: {trouble}: {what}", file=sys.stderr, flush=True)
    rows = [
        (kind, one.made, one.missed, one.made - one.kinds[KEPT], one.kinds[LEFT], one.kinds[WRONG])
        for kind, one in tallies.items()
    ]
    print(tabulate(rows, ["kind", "faults", "missed", "kept", "left", "wrong"], tablefmt="github"))
    for kind, one in tallies.items():
        if one.not_here:
            print(f"{kind}: not made here: {one.not_here}")
    return int(any(one.kinds for one in tallies.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
