"""A block in the middle of a training, replayed by the oracle: every loss, every tensor's move and the running statistics.

The weights around two single steps tell SGD's velocity. With u = (weights before - weights after) / rate and the gradient g of the second
step, decay included where it belongs to it, the velocity after that step is v = u, and with Nesterov's momentum, whose step is
u = g + momentum * v, it is v = (u - g) / momentum. So the oracle can go on from there as the trainer did, and a later step of a block is
held against as much as the first one. AdamW divides by the root of a second moment, which two steps do not tell of all elements (where the
gradient has just come close to 0, nothing is left of it); its blocks are not replayed, and signs of updates
are judged (``bench.verify.updates``).

Of every tensor, the distance between the found and the expected move is taken relative to what the gradients of the block added to it.
(Momentum carries on by itself, and would hide them.) Honest rounding decides what is allowed: a floor for each precision, what rounded
weights leave of the move, and, where that is not enough, draws of the rounding model. A tensor is judged where that is less than
``MOST_ALLOWED``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from bench.contract import Workload
from bench.oracle.arithmetic import Arithmetic, Array, exact, rounded
from bench.oracle.model import Oracle, decayed_tensors, gradients
from bench.oracle.rules import Memory, optimizer_update
from bench.record.schema import Check
from bench.spec import SGD, Weights, trainable
from bench.verify.compare import not_judged
from bench.verify.envelope import FLOAT64_TOLERANCE, LOSS_FLOOR, NEGLIGIBLE, SAFETY, STATISTICS_FLOOR, strayed_statistics
from bench.verify.parallel import in_parallel
from bench.verify.walk import Walk

LOSSES, MOVES, STATISTICS = "later losses", "updates of a block", "running statistics of a block"

DRAWS, MOST_DRAWS = 2, 8
"""Of the rounding model: what is outside the first few draws is held against more before it is judged. Two at a time, since two run at once
on any machine with two cores."""

MOST_OF_LOSS = 0.25
"""Where honest rounding may move a loss by more, a loss that was made up would pass."""

MOVE_FLOOR = {"float64": 1e-7, "fp32": 1e-4, "tf32": 2e-3, "bf16": 1e-2}
"""Of a tensor's move, relative: honest rounding of operands alone comes to less (2**-25, 2**-12 and 2**-9 for the lower three), and a
backward pass in the next lower precision to more, so that no draws are needed for most trials."""

MOVE_SAFETY = 4.0
"""Times the largest draw. A move's distance sums over all elements of a tensor, so it differs less from draw to draw than one loss.
Where a tensor has fewer than ``MANY`` elements, the factor is twice that."""

MOST_ALLOWED = 0.5
"""Of a tensor's move: half of a batch whose halves have opposed labels moves it by more, and a tensor left out by 1."""

MANY = 64

WEIGHT_UNITS = 8.0
"""Units of rounding, a half in the last place of each weight, that a move may be off by for each step of the walk."""

UNITS = {"float64": 2.0**-53}
FP32_UNIT = 2.0**-24

FEW_JUDGED = 0.9
"""Of the tensors that move: where fewer can be judged, the precision is too coarse to tell, and a sharper one is asked."""


@dataclass(frozen=True)
class Course:
    """What the oracle makes of the block."""

    losses: list[float]
    weights: Weights  # after it


class Replay:
    """The oracle's courses of one walk: the exact one, and draws of a precision's rounding."""

    def __init__(self, workload: Workload, walk: Walk, precision: str) -> None:
        self.workload, self.walk, self.precision = workload, walk, precision
        schedule = workload.optimizer.schedule
        self.rates = [schedule.at(walk.first + step) for step in range(2 + len(walk.block))]

    @cached_property
    def memory(self) -> Memory:
        """The optimizer's memory before the block."""
        return self._memory(exact)

    @cached_property
    def expected(self) -> Course:
        """The exact course."""
        return self._course(exact, self.memory)

    @cached_property
    def carried(self) -> dict[str, Array]:
        """Each tensor's move where every gradient of the block is 0: momentum going on by itself."""
        update = optimizer_update(self.workload.optimizer, frozenset(), self.memory)
        start = {name: np.asarray(self.walk.weights[2][name], np.float64) for name in self.memory}
        moved = dict(start)
        for rate in self.rates[2:]:
            moved = {name: update(name, value, np.zeros_like(value), rate) for name, value in moved.items()}
        return {name: moved[name] - start[name] for name in moved}

    def draw(self, number: int) -> Course:
        """The course of one honest implementation of the precision, whose second single step was rounded too."""
        arithmetic = rounded(self.precision, number)
        return self._course(arithmetic, self._memory(arithmetic))

    def _memory(self, arithmetic: Arithmetic) -> Memory:
        workload, walk, spec = self.workload, self.walk, self.workload.optimizer
        assert isinstance(spec, SGD)
        before, after = walk.weights[1:3]
        moves = {
            name: (np.asarray(before[name], np.float64) - after[name]) / self.rates[1] for name in before if trainable(name)
        }
        if not (spec.momentum and spec.nesterov):
            return moves
        gradient = (
            walk.gradient(workload, 1)
            if arithmetic is exact
            else gradients(workload.network, workload.loss, before, *walk.singles[1], arithmetic)
        )
        for name in decayed_tensors(workload.network, spec):
            gradient[name] = gradient[name] + spec.weight_decay * before[name]
        return {name: (move - gradient[name]) / spec.momentum for name, move in moves.items()}

    def _course(self, arithmetic: Arithmetic, memory: Memory) -> Course:
        workload, steps = self.workload, self.walk.first + 2
        parts = workload.network, workload.loss, workload.optimizer, self.walk.weights[2], arithmetic
        run = Oracle(*parts, memory=memory, steps=steps)
        return Course([run.step(*batch) for batch in self.walk.block], run.weights)


def check_replay(workload: Workload, walk: Walk, precision: str) -> list[Check]:
    """Losses, moves and running statistics of a walk's block, against the oracle's."""
    names = LOSSES, MOVES, STATISTICS
    finite = all(np.isfinite(value).all() for weights in walk.weights for value in weights.values())
    if not finite or not np.isfinite(walk.losses).all():
        return [Check(name=name, passed=False, detail="weights or losses of a block hold NaN or infinity") for name in names]
    replay = Replay(workload, walk, precision)
    if min(replay.rates) <= 0:
        return [not_judged(name, "the schedule's rate has come to 0") for name in names]
    if not isinstance(workload.optimizer, SGD):
        return []  # two steps do not tell what AdamW remembers
    judges: tuple[_Losses | _Moves | _Statistics, ...] = (
        _Losses(replay, precision),
        _Moves(replay, precision),
        _Statistics(replay, precision),
    )
    draws = 0
    while precision != "float64" and draws < MOST_DRAWS and not all(judge.passed() for judge in judges):
        numbers = range(draws, draws + DRAWS)
        passes: list[Callable[[], Course]] = [partial(replay.draw, number) for number in numbers]
        for course in in_parallel(passes, workload.network, len(walk.block[0][0])):
            for judge in judges:
                judge.widen(course)
        draws += DRAWS
    return [judge.check(name) for judge, name in zip(judges, names, strict=True)]


class _Losses:
    """Each loss of the block."""

    def __init__(self, replay: Replay, precision: str) -> None:
        self.found, self.truth = np.asarray(replay.walk.losses, np.float64), np.asarray(replay.expected.losses)
        floor = FLOAT64_TOLERANCE if precision == "float64" else LOSS_FLOOR[precision]
        noise = 10 if precision == "float64" else 1  # memory told from rounded weights is less exact than the weights
        self.allowed = floor * noise * np.maximum(1.0, np.abs(self.truth))

    def passed(self) -> bool:
        return bool((np.abs(self.found - self.truth) <= self.allowed).all())

    def widen(self, course: Course) -> None:
        spread = SAFETY * np.abs(np.asarray(course.losses) - self.truth)
        self.allowed = np.maximum(self.allowed, np.maximum.accumulate(spread))

    def check(self, name: str) -> Check:
        distance = np.abs(self.found - self.truth)
        at = int(np.argmax(distance / self.allowed))
        if self.passed() and (self.allowed > MOST_OF_LOSS * np.abs(self.truth)).all():
            return not_judged(name, f"honest losses may stray by {self.allowed.min():.2g}")
        found, allowed = float(distance[at]), float(self.allowed[at])
        detail = (
            ""
            if self.passed()
            else f"step {at + 1} of a block: loss {self.found[at]:.9g}, the oracle says {self.truth[at]:.9g}"
        )
        return Check(name=name, passed=not detail, found=found, allowed=allowed, detail=detail)


class _Moves:
    """Each trained tensor's move over the block, relative to what its gradients added."""

    def __init__(self, replay: Replay, precision: str) -> None:
        start, end = replay.walk.weights[2:]
        self.truth, carried = replay.expected.weights, replay.carried
        self.added: dict[str, float] = {}
        self.distance: dict[str, float] = {}
        self.allowed: dict[str, float] = {}
        unit = UNITS.get(precision, FP32_UNIT)
        sizes = {name: _norm(self.truth[name] - start[name] - carried[name]) for name in carried}
        largest = max(size / np.sqrt(carried[name].size) for name, size in sizes.items())
        for name, size in sizes.items():
            if size <= NEGLIGIBLE * largest * np.sqrt(carried[name].size):
                continue  # its gradient is 0 but for rounding, as of a bias in front of BatchNorm
            self.added[name] = size
            self.distance[name] = _norm(np.asarray(end[name], np.float64) - self.truth[name]) / size
            noise = WEIGHT_UNITS * unit * len(replay.rates) * _norm(start[name]) / size
            self.allowed[name] = max(MOVE_FLOOR[precision], noise)

    def passed(self) -> bool:
        return all(self.distance[name] <= self.allowed[name] for name in self.judged())

    def judged(self) -> list[str]:
        """Names of the tensors of which rounding leaves enough."""
        return [name for name, allowed in self.allowed.items() if allowed <= MOST_ALLOWED]

    def widen(self, course: Course) -> None:
        for name, size in self.added.items():
            truth = self.truth[name]
            safety = MOVE_SAFETY * (2 if truth.size < MANY else 1)
            self.allowed[name] = max(self.allowed[name], safety * _norm(course.weights[name] - truth) / size)

    def check(self, name: str) -> Check:
        judged = self.judged()
        if not judged:
            return not_judged(name, "rounding leaves too little of every tensor's move")
        worst = max(judged, key=lambda tensor: self.distance[tensor] / self.allowed[tensor])
        wrong = [tensor for tensor in judged if not self.distance[tensor] <= self.allowed[tensor]]
        details = []
        if wrong:
            details.append(
                f"{len(wrong)} of {len(judged)} tensors move otherwise than by their gradients, first '{wrong[0]}'"
            )
        if len(judged) < len(self.added):
            details.append(
                f"{len(self.added) - len(judged)} of {len(self.added)} tensors are not judged: rounding hides their moves"
            )
        return Check(
            name=name,
            passed=not wrong,
            judged=bool(wrong) or len(judged) >= FEW_JUDGED * len(self.added),
            found=self.distance[worst],
            allowed=self.allowed[worst],
            detail="; ".join(details),
        )


class _Statistics:
    """Running means and variances after the block."""

    def __init__(self, replay: Replay, precision: str) -> None:
        self.truth, self.start = replay.expected.weights, replay.walk.weights[2]
        self.strayed = strayed_statistics(self.truth, replay.walk.weights[3])
        floor = FLOAT64_TOLERANCE * 10 if precision == "float64" else STATISTICS_FLOOR[precision]
        self.allowed = dict.fromkeys(self.strayed, floor)

    def passed(self) -> bool:
        return all(distance <= self.allowed[name] for name, distance in self.strayed.items())

    def widen(self, course: Course) -> None:
        for name, distance in strayed_statistics(self.truth, course.weights).items():
            self.allowed[name] = max(self.allowed[name], SAFETY * distance)

    def check(self, name: str) -> Check:
        if not self.strayed:
            return Check(name=name, passed=True, detail="the network has none")
        worst = max(self.strayed, key=lambda tensor: self.strayed[tensor] / self.allowed[tensor])
        wrong = [tensor for tensor, distance in self.strayed.items() if not distance <= self.allowed[tensor]]
        detail = f"{len(wrong)} of {len(self.strayed)} stray, first '{wrong[0]}'" if wrong else ""
        return Check(name=name, passed=not wrong, found=self.strayed[worst], allowed=self.allowed[worst], detail=detail)


def _norm(value: NDArray[np.floating]) -> float:
    return float(np.linalg.norm(np.asarray(value, np.float64)))
