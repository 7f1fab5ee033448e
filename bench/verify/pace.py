"""Whether blocks that are checked are as quick as those that were timed, on a machine that others may use too."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from statistics import median

from bench.record.schema import Check
from bench.verify.batches import Batch

BLOCKS = 3

TRIES, DISTURBED_SECONDS, PATIENCE_SECONDS = 40, 3.0, 20.0
"""Another process may disturb some blocks: what looks too slow is tried again so often, and for at least as long as such a
disturbance may last, but not beyond patience, before it is judged, since one undisturbed block is enough."""

DISTURBED_PATIENCE_SECONDS = 60.0
"""Patience while other processes are seen to use the machine: what takes turns with them may be slow for as long as they work."""

SHORTER = 8
PROVEN_STEPS = 3
"""Blocks of up to so many steps are replayed by the oracle (``bench.verify.witness``): what long blocks are held against must be no longer,
or what cheats in long blocks would be held against itself."""

SLOWER_SIDE_BY_SIDE = 1.3
"""How much longer a witness block may take than an ordinary one beside it, one after the other, so that a busy machine hits both. A backend that tells the two apart and does less on ordinary batches shows here."""

SLOWER_IN_ALL, BEYOND_CHANCE, HINT = 1.1, 3.0, 1.0
"""How much longer all witness blocks together may take than all ordinary ones beside them, and how far beyond chance that must lie
(see ``beyond_chance``) to be held against a backend. What lies beyond ``HINT`` is looked at longer before it is judged: a backend
that does less on one ordinary batch in five is as slow as others in the typical pair."""

FEWEST_FOR_SUMS = 12
"""Pairs, however long they take, where the sums differ by more than they may: n pairs that are all alike lie sqrt(n) beyond chance."""

LONGEST = 2.0
"""Of the typical block: what a block takes beyond that is the machine's."""

PAIRS, PAIRS_SECONDS = 64, 0.5
"""Pairs of an ordinary and a witness block are made until there are so many or so many seconds have gone by, and ``BLOCKS`` at
least: the shorter the blocks, the more of them can be left out unnoticed."""

SLOWER_THAN_TIMED = 1.35
"""How much longer the quickest witness block may take than the median timed one, and a step in a block of one length than in one of another:
room for a noisy machine, none for a backend that does half of its work while it is timed, which gains 1.4 and more."""

BUSY = "; if other work disturbs this machine, bench doctor names it"


Run = Callable[[int], float]
"""Makes a block of so many steps, and returns the seconds it took."""


@dataclass(frozen=True)
class TimedRun:
    """What was timed."""

    batch_size: int
    steps: int  # optimizer steps, or batches, per sample
    seconds: float  # the median sample
    done: int = 0  # optimizer steps that the trainer has made so far
    ordinary: Callable[[], Batch] | None = None  # the next batch of those that were timed
    beat: Callable[[], None] = lambda: None  # called after each block: checking may take a while
    busy: Callable[[], AbstractContextManager[None]] = nullcontext  # entered while the oracle computes
    disturbed: Callable[[], bool] = lambda: False  # whether others have used this machine since it was last asked
    brief: bool = False  # whether few images are enough, since another trial of the case is checked on many
    pairs: int = BLOCKS  # of ordinary and witness blocks, whatever time they take


def tried_again(timed: TimedRun, quickest: float, run: Run) -> float:
    """Return the seconds of the quickest block: ``quickest``, or where that is too much for what was timed, what patience finds."""
    patience = _Patience(timed.disturbed)
    while quickest > SLOWER_THAN_TIMED * timed.seconds and patience.left():
        quickest = min(quickest, run(timed.steps))
    return quickest


class _Patience:
    """Whether what looks slow is to be tried once more."""

    def __init__(self, disturbed: Callable[[], bool]) -> None:
        self._tries = 0
        self._started = time.perf_counter()
        self._disturbed = disturbed
        disturbed()  # from now on

    def left(self) -> bool:
        """Return whether to try once more; called before each try but the first few."""
        self._tries += 1
        spent = time.perf_counter() - self._started
        if spent <= PATIENCE_SECONDS and (self._tries <= TRIES or spent <= DISTURBED_SECONDS):
            return True
        return spent <= DISTURBED_PATIENCE_SECONDS and self._disturbed()


def _step_bounds(quickest: float, timed: TimedRun) -> tuple[float, float]:
    """Seconds per step that a short block may take, given what the ``quickest`` long one took.

    A timed block may hold work of the host's, such as the making of its batches, which the blocks here do not time: the lower
    bound is therefore the long blocks', not the timed ones'.
    """
    return quickest / timed.steps / SLOWER_THAN_TIMED, SLOWER_THAN_TIMED * timed.seconds / timed.steps


def _short_step(run: Run, timed: TimedRun, quickest: float) -> tuple[float, tuple[float, float]]:
    """Seconds per step of short blocks, and the bounds they must keep; what a block costs beside its steps does not count.

    Where a step of a short block seems to take too little, the long blocks may just have been disturbed: they are tried again too.
    """
    few = min(-(-timed.steps // SHORTER), PROVEN_STEPS)
    blocks: list[float] = []
    singles: list[float] = []
    step, bounds = math.inf, _step_bounds(quickest, timed)
    patience = _Patience(timed.disturbed)
    while len(blocks) < BLOCKS or (not bounds[0] <= step <= bounds[1] and patience.left()):
        blocks.append(run(few))
        if few > 1:
            singles.append(run(1))
        step = (min(blocks) - min(singles)) / (few - 1) if few > 1 else min(blocks)
        if len(blocks) >= BLOCKS and step < bounds[0]:
            quickest = min(quickest, run(timed.steps))
            bounds = _step_bounds(quickest, timed)
    return step, bounds


def as_slow(witness: float, timed: float) -> Check:
    """Return whether the quickest checked block was about as quick as the timed ones, seconds each."""
    ratio = witness / timed
    slower = ratio > SLOWER_THAN_TIMED
    return Check(
        name="checked blocks as quick as timed ones",
        clock=True,
        passed=not slower,
        found=ratio,
        allowed=SLOWER_THAN_TIMED,
        detail=f"a checked block took {witness:.3g} s, timed ones {timed:.3g} s{BUSY}" if slower else "",
    )


def every_step(run: Run, timed: TimedRun, quickest: float) -> Check:
    """Neither may a step of a short block take longer, as where a long one leaves steps out, nor next to nothing, as where any
    block does one step's work. ``quickest``: seconds of the quickest long block so far."""
    short, bounds = _short_step(run, timed, quickest)
    usual = timed.seconds / timed.steps
    passed = bounds[0] <= short <= bounds[1]
    detail = "" if passed else f"a step takes {short:.3g} s in a short block, {usual:.3g} s in a timed one{BUSY}"
    found = short / usual
    return Check(
        name="every step of a block takes its time",
        clock=True,
        passed=passed,
        found=found,
        allowed=SLOWER_THAN_TIMED,
        detail=detail,
    )


@dataclass(frozen=True)
class _SideBySide:
    """Seconds of witness blocks and of the ordinary blocks beside them."""

    ones: list[float]
    others: list[float]

    @property
    def ratio(self) -> float:
        """How much longer a witness block takes, by the quickest of each kind or by the typical pair, whichever says less."""
        typical = median(one / other for one, other in zip(self.ones, self.others, strict=True))
        return min(min(self.ones) / min(self.others), typical)

    @property
    def in_all(self) -> float:
        """How much longer all of them take together, but for what a busy machine makes of some."""
        ones, others = self._usual()
        return sum(ones) / sum(others)

    def _usual(self) -> tuple[list[float], list[float]]:
        """The same seconds, of each block no more than ``LONGEST`` times the typical one: both kinds are cut alike, and a few long
        blocks hide nothing."""
        most = LONGEST * max(median(self.ones), median(self.others))
        return [min(one, most) for one in self.ones], [min(other, most) for other in self.others]

    def slower(self, chance: float) -> bool:
        """Whether witness blocks take longer than they may; in all, where it lies so far beyond chance."""
        if self.ratio > SLOWER_SIDE_BY_SIDE:
            return True
        return self.in_all > SLOWER_IN_ALL and beyond_chance(*self._usual()) > chance


def beyond_chance(ones: Sequence[float], others: Sequence[float]) -> float:
    """How far the sum of the pairs' differences lies beyond what a fair coin for each pair's sign would give, in standard deviations.

    A coin gives more than z with a probability of exp(-z**2 / 2) at most, however the differences are distributed (Hoeffding,
    J. Am. Stat. Assoc. 58:13, 1963): the few long blocks of a busy machine make up most of both sums, and prove nothing.
    """
    differences = [one - other for one, other in zip(ones, others, strict=True)]
    return sum(differences) / (math.sqrt(sum(difference**2 for difference in differences)) or 1.0)


def beside_ordinary(timed: TimedRun, witness: Callable[[], float], ordinary: Callable[[], float]) -> Check:
    """Blocks of both kinds one after the other, the order reversed every time.

    On a machine that is busy nearly all the time a single quick block is luck, where it is idle nearly all the time a single
    slow one is; so it is enough that the quickest of each kind, or that most pairs, are alike. A backend that does less on some
    ordinary batches only shows in the sums.
    """
    found = _SideBySide([], [])
    patience = _Patience(timed.disturbed)
    while _more_pairs(timed, found) or (found.slower(HINT) and patience.left()):
        kinds = (witness, found.ones), (ordinary, found.others)
        for run, seconds in kinds[:: -1 if len(found.ones) % 2 else 1]:
            seconds.append(run())
    slower = found.slower(BEYOND_CHANCE)
    sums = slower and found.ratio <= SLOWER_SIDE_BY_SIDE
    ratio = found.in_all if sums else found.ratio
    detail = f"a checked block takes {ratio:.3g} times as long as an ordinary one beside it, of {min(found.others):.3g} s"
    if sums:
        made = len(found.ones)
        detail = f"{made} checked blocks take {ratio:.3g} times as long as the ordinary ones beside them: some get less work"
    return Check(
        name="ordinary batches take as long",
        clock=True,
        passed=not slower,
        found=ratio,
        allowed=SLOWER_IN_ALL if sums else SLOWER_SIDE_BY_SIDE,
        detail=detail + BUSY if slower else "",
    )


def _more_pairs(timed: TimedRun, found: _SideBySide) -> bool:
    """Whether there are too few pairs yet to tell anything."""
    made, seconds = len(found.ones), sum(found.ones) + sum(found.others)
    if BLOCKS <= made < FEWEST_FOR_SUMS and found.in_all > SLOWER_IN_ALL:
        return True
    return made < max(BLOCKS, timed.pairs) or (made < PAIRS and seconds < PAIRS_SECONDS)
