"""Programs against one another on the same cores: each in a process of its own, all alive at once, one at work at a time.

Each round gives every program a turn, in an order drawn anew; a group of fresh processes plays some rounds, for processes of one
program differ too. A ratio's interval is Student's t over the groups' mean log-ratios.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from statistics import mean, median, stdev
from typing import Any

from scipy.special import stdtrit

from bench.machine.environment import worker_environment
from bench.machine.host import usable_cores

Work = Callable[[], int]
"""One step of a program: how many images it handled."""

GROUPS, ROUNDS, TURN_SECONDS = 3, 8, 0.6
WARMUP_ROUNDS = 2  # beside the others: memory that one gives back, another gets


@dataclass(frozen=True)
class Program:
    """``make(**arguments)`` runs in the program's own process and returns its work; it must be importable by name."""

    name: str
    make: Callable[..., Work]
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ratio:
    """How many times as fast, with its 95 % interval."""

    low: float
    middle: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Outcome:
    """``seconds[name][group][round]`` per image."""

    seconds: dict[str, list[list[float]]]

    def rate(self, name: str) -> float:
        """Images per second, the median over all turns."""
        return 1 / median(turn for group in self.seconds[name] for turn in group)

    def ratio(self, name: str, other: str) -> Ratio:
        """How many times as fast as ``other``."""
        pairs = zip(self.seconds[name], self.seconds[other], strict=True)
        logs = [mean(math.log(b / a) for a, b in zip(own, theirs, strict=True)) for own, theirs in pairs]
        half = 0.0 if len(logs) < 2 else float(stdtrit(len(logs) - 1, 0.975)) * stdev(logs) / math.sqrt(len(logs))
        return Ratio(*(math.exp(mean(logs) + sign * half) for sign in (-1, 0, 1)))

    def fastest(self, names: Sequence[str]) -> str:
        """The quickest of these."""
        return max(names, key=self.rate)


def contest(programs: Sequence[Program], groups: int = GROUPS, rounds: int = ROUNDS, turn: float = TURN_SECONDS) -> Outcome:
    """Play; a program that cannot be built or run ends the contest with its error."""
    seconds: dict[str, list[list[float]]] = {program.name: [] for program in programs}
    for group in range(groups):
        order = random.Random(group)
        players = {program.name: _Player(program, turn) for program in programs}
        try:
            for _ in range(WARMUP_ROUNDS):
                for player in players.values():
                    player.play()
            for name in players:
                seconds[name].append([])
            for _ in range(rounds):
                for name in order.sample(list(players), len(players)):
                    seconds[name][-1].append(players[name].play())
        finally:
            for player in players.values():
                player.end()
    return Outcome(seconds)


class _Player:
    def __init__(self, program: Program, turn: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._name = program.name
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_live, args=(theirs, program.make, program.arguments, turn), daemon=True)
        self._process.start()
        theirs.close()
        self.play()  # one after the other: what builds beside another would choose its algorithms badly

    def play(self) -> float:
        """Seconds per image of one turn."""
        try:
            self._pipe.send("go")
            return float(self._pipe.recv())
        except (EOFError, BrokenPipeError):
            raise SystemExit(f"{self._name} has died; its error is above") from None

    def end(self) -> None:
        """No more turns."""
        self._process.kill()
        self._process.join()


def _live(pipe: Connection, make: Callable[..., Work], arguments: dict[str, Any], turn: float) -> None:
    work = make(**arguments)
    started = time.perf_counter()
    while time.perf_counter() - started < turn:
        work()
    count = _per_turn(work, turn)
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        images, started = 0, time.perf_counter()
        for _ in range(count):
            images += work()
        pipe.send((time.perf_counter() - started) / images)


def _per_turn(work: Work, turn: float) -> int:
    steps, started = 0, time.perf_counter()
    while time.perf_counter() - started < turn:
        work()
        steps += 1
    return steps


def as_worker() -> None:
    """Start this script again in a worker's environment, unless it has it: the allocator's settings are read at the start."""
    wanted = worker_environment(usable_cores(), {}) | {"MALLOC_ARENA_MAX": "1"}
    if not wanted.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | wanted)
