"""The append-only memory of a run: one JSON line per finished thing, on disk before the next one starts."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from bench.errors import RecordError, UsageError
from bench.record.damage import DAMAGE
from bench.record.files import write_durably
from bench.record.schema import Ceiling, Forecast, Skip, Trial
from bench.run.limits import WIDEST
from bench.run.plan import Plan
from bench.text.words import clean
from bench.worker.jobs import Blocks

PLAN, JOURNAL = "plan.json", "journal.jsonl"
UNREADABLE = "journal.damaged"


MOST_TRIES = 3
"""How often a trial is made at most while the machine is disturbed."""


_PLAIN = re.compile(r"(\w[\w.+ -]*)?")
"""Words of a plan that become part of a path: never a folder above, never one elsewhere. Empty where a case has no backend."""


def checked(plan: Plan) -> Plan:
    """The plan, if it can be carried out. Raises ValueError saying what is wrong with it."""
    if not plan.cases or plan.trials < 1:
        raise ValueError(f"{len(plan.cases)} cases of {plan.trials} trials")
    if not (0 <= plan.begins <= plan.trials and 0 <= plan.within <= WIDEST):
        raise ValueError(f"rounds {plan.begins} to {plan.trials}, within {plan.within} %")
    if "" not in plan.machines:
        raise ValueError("no machine of this host's")
    if datetime.fromisoformat(plan.created) > datetime.now(UTC) + timedelta(days=1):
        raise ValueError(f"created at {plan.created}, which is to come")
    for planned in plan.cases:
        for word in (planned.case.backend, planned.case.precision):
            if not _PLAIN.fullmatch(word):
                raise ValueError(f"'{clean(word, 60)}', which would name a file, is no plain word")
        for name, value in planned.case.environment.items():
            if not name or "=" in name or "\0" in name + value:
                raise ValueError(f"a variable {name!r} that no process can have")
        if not Path(planned.interpreter).is_file():
            raise ValueError(f"interpreter {planned.interpreter} is not there")
        elsewhere = next((place.host for place in planned.case.places if place.host), "")
        if elsewhere:
            raise ValueError(f"a case on host '{clean(elsewhere, 60)}', and this release measures on this host alone")
    return plan


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What a pilot, or a search alone, decided for the trials of its case."""

    blocks: Blocks | None = None  # None where the case has no pilot
    batch_size: int = 0
    options: dict[str, str] = {}
    chosen: str = ""


class Pilot(msgspec.Struct, frozen=True, kw_only=True, tag="pilot"):
    """A pilot's trial and what it decided; without blocks the case cannot be measured."""

    trial: Trial
    blocks: Blocks | None
    batch_size: int = 0
    options: dict[str, str] = {}
    chosen: str = ""


class Chosen(msgspec.Struct, frozen=True, kw_only=True, tag="chosen"):
    """What a search chose for a case that has no pilot."""

    case: int
    options: dict[str, str]
    chosen: str


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="trial"):
    """A finished trial, however it ended, and how it was settled: the pilot's own line may be lost to a damaged disk."""

    trial: Trial
    settled: Settled | None = None


class Ceilings(msgspec.Struct, frozen=True, kw_only=True, tag="ceilings"):
    """Ceilings of one device and precision."""

    key: str
    ceilings: list[Ceiling]


class Skipped(msgspec.Struct, frozen=True, kw_only=True, tag="skip"):
    """Something that turned out not to be possible."""

    skip: Skip
    case: int = -1  # the case that is skipped, if it is one


class Forecasted(msgspec.Struct, frozen=True, kw_only=True, tag="forecast"):
    """A training that was predicted and done."""

    forecast: Forecast


Entry = Pilot | Chosen | Done | Ceilings | Skipped | Forecasted


class _Line(msgspec.Struct, frozen=True):
    """A line of the journal. Lines of older releases are an entry alone."""

    sum: str  # CRC-32 of the entry's JSON, in hexadecimal: it tells a line that the disk has changed
    entry: msgspec.Raw


def line_of(entry: Entry) -> bytes:
    """Return an entry as its line in the journal."""
    body = msgspec.json.encode(entry)
    return msgspec.json.encode(_Line(_sum(body), msgspec.Raw(body))) + b"\n"


def entry_of(line: bytes) -> Entry:
    """Return the entry that a line holds. Raises one of ``DAMAGE`` where it is not as it was written."""
    body: bytes | msgspec.Raw = line
    if not line.startswith(b'{"type":'):
        found = msgspec.json.decode(line, type=_Line)
        body = found.entry
        if _sum(body) != found.sum:
            raise ValueError("it does not match its own checksum")
    entry: Entry = msgspec.json.decode(body, type=Entry)
    return entry


def _sum(body: bytes | msgspec.Raw) -> str:
    return f"{zlib.crc32(body):08x}"


def read_plan(folder: Path) -> Plan:
    """Return the plan of the run in ``folder``. Raises RecordError where there is none that can be carried out."""
    try:
        return checked(msgspec.json.decode((folder / PLAN).read_bytes(), type=Plan))
    except OSError as error:
        raise RecordError(f"{folder} holds no run to resume ({error.strerror}); expected a {PLAN} in it") from None
    except DAMAGE as error:
        raise RecordError(f"{folder / PLAN} is damaged, or of another release: {error}; start a new run") from None


class Journal:
    """A run's folder while it is being measured."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[Entry] = []
        self.damaged: Mapping[int, str] = {}  # lines that could not be read, by their number, and why

    @classmethod
    def create(cls, folder: Path, plan: Plan, entries: Sequence[Entry] = ()) -> Journal:
        """Make the folder and write the plan, after ``entries`` of a run that this one extends: with a plan, they are all there."""
        if folder.parts and folder.parts[0].endswith(":"):
            raise UsageError(
                f"a run is measured into a local folder, not {folder.parts[0]}//…; --publish puts its record there"
            )
        try:
            (folder / "logs").mkdir(parents=True)
            if entries:
                write_durably(b"".join(map(line_of, entries)), folder / JOURNAL)
            kept = msgspec.structs.replace(plan, salt="")  # it must not travel with the folder
            write_durably(msgspec.json.format(msgspec.json.encode(kept), indent=1), folder / PLAN)
        except OSError as error:
            raise UsageError(
                f"cannot write the run's folder {folder}: {error.strerror}; choose another with --output"
            ) from None
        journal = cls(folder)
        journal.entries += entries
        return journal

    @classmethod
    def open(cls, folder: Path) -> tuple[Journal, Plan]:
        """Return an interrupted run, to be gone on with by whoever holds its locks; a torn last line is cut off.

        A line that cannot be read costs itself alone: it stays where it is, and ``damaged`` names it. Raises RecordError where there is
        no run, or where a line that can be read does not follow from the plan and those before it.
        """
        plan = read_plan(folder)
        try:
            content = (folder / JOURNAL).read_bytes() if (folder / JOURNAL).exists() else b""
        except OSError as error:
            raise RecordError(f"cannot read {folder / JOURNAL}: {error.strerror}") from None
        journal, damaged = cls(folder), {}
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.split(b"\n")[:-1], 1):
            try:
                entry = entry_of(line)
            except DAMAGE as error:
                damaged[number] = str(error)
                continue
            try:
                journal._check(entry, plan)
            except ValueError as error:
                raise RecordError(f"{folder / JOURNAL} line {number} is damaged: {error}; start a new run") from None
            journal.entries.append(entry)
        journal.damaged = damaged
        last = content[len(whole) :]
        if last and (not last.startswith(b"{") or b"\0" in last):  # more than a line that was being written when power went
            damaged[whole.count(b"\n") + 1] = f"{len(last):,} bytes without an end, kept in {UNREADABLE}"
            (folder / UNREADABLE).write_bytes(last)
        if last:
            os.truncate(folder / JOURNAL, len(whole))
        return journal, plan

    def _check(self, entry: Entry, plan: Plan) -> None:
        """Raises ValueError where an entry does not follow from the plan and those before it."""
        if isinstance(entry, Ceilings) or (isinstance(entry, Skipped) and entry.case == -1):
            return
        of = entry.trial if isinstance(entry, Pilot | Done) else entry.forecast if isinstance(entry, Forecasted) else entry
        case = of.case
        if not 0 <= case < len(plan.cases):
            raise ValueError(f"a line of case {case}, but the plan has {len(plan.cases)}")
        match entry:
            case Done() if self.has_trial(case, entry.trial.number):
                raise ValueError(f"trial {entry.trial.number} of case {case} is there twice")
            case Done() if not 0 <= entry.trial.number < plan.most_trials:
                raise ValueError(f"trial {entry.trial.number} of case {case}, but the plan has {plan.most_trials} of each")
            case Pilot() | Chosen() if self.pilot(case) or self.chosen(case):
                raise ValueError(f"the pilot of case {case} is there twice")
            case Pilot() | Chosen() if self.settled(case) not in (None, settled_by(entry)):
                raise ValueError(f"the pilot of case {case} is not the one that its trials before it had")
        if isinstance(entry, Pilot | Done):
            trial, places = entry.trial, len(plan.cases[case].case.places)
            if (trial.role == "pilot") != isinstance(entry, Pilot):
                raise ValueError(f"a {trial.role} of case {case} that stands for another kind")
            if self.trials and trial.order <= self.trials[-1].order:
                raise ValueError(
                    f"a {trial.role} of case {case} at place {trial.order}, after place {self.trials[-1].order}"
                )
            if trial.status == "ok" and len(trial.ranks) != places:
                raise ValueError(f"a {trial.role} of case {case} with {len(trial.ranks)} ranks for {places} places")

    def add(self, entry: Entry) -> None:
        """Write one entry and wait for the disk. Raises UsageError where the disk refuses; what is there stays whole."""
        path = self.folder / JOURNAL
        if isinstance(entry, Done):
            entry = msgspec.structs.replace(entry, settled=self.settled(entry.trial.case))
        line = line_of(entry)
        before = path.stat().st_size if path.exists() else 0
        try:
            _append(path, line)
        except OSError as error:
            if path.exists():
                os.truncate(path, before)
            raise UsageError(
                f"cannot write to {path}: {error.strerror}; everything before is kept: make room, then "
                f"bench run --resume {self.folder}"
            ) from None
        self.entries.append(entry)

    @property
    def trials(self) -> list[Trial]:
        """Every trial so far, pilots included."""
        return [entry.trial for entry in self.entries if isinstance(entry, Pilot | Done)]

    def pilot(self, case: int) -> Pilot | None:
        """What the pilot of a case decided, if it has run."""
        return next((e for e in self.entries if isinstance(e, Pilot) and e.trial.case == case), None)

    def chosen(self, case: int) -> Chosen | None:
        """What was chosen for a case without a pilot, if it has been."""
        return next((e for e in self.entries if isinstance(e, Chosen) and e.case == case), None)

    def settled(self, case: int) -> Settled | None:
        """What was decided for the trials of a case: by its pilot or search, or, where that line is lost, as they say themselves."""
        decided = self.pilot(case) or self.chosen(case)
        if decided is not None:
            return settled_by(decided)
        return next((e.settled for e in self.entries if isinstance(e, Done) and e.trial.case == case), None)

    @property
    def next_order(self) -> int:
        """The place of the next trial among all of the run; lines that are lost leave theirs empty."""
        return 1 + max((trial.order for trial in self.trials), default=-1)

    def skipped(self, case: int) -> bool:
        """Whether a case turned out not to be possible."""
        return any(isinstance(entry, Skipped) and entry.case == case for entry in self.entries)

    def has_trial(self, case: int, number: int) -> bool:
        """Whether that trial has run, and need not be made again because the machine was disturbed."""
        made = [e.trial for e in self.entries if isinstance(e, Done) and (e.trial.case, e.trial.number) == (case, number)]
        return len(made) >= MOST_TRIES or any(trial.status != "disturbed" for trial in made)

    def ceilings(self, key: str) -> list[Ceiling] | None:
        """What was measured or found in the cache for a device and precision."""
        return next((e.ceilings for e in self.entries if isinstance(e, Ceilings) and e.key == key), None)


def settled_by(entry: Pilot | Chosen) -> Settled:
    """Return what a pilot or a search decided."""
    if isinstance(entry, Chosen):
        return Settled(options=entry.options, chosen=entry.chosen)
    return Settled(blocks=entry.blocks, batch_size=entry.batch_size, options=entry.options, chosen=entry.chosen)


def _append(path: Path, line: bytes) -> None:
    with path.open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
