"""A few steps with the weights around them: what a trainer is asked to do, so that its updates can be judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.contract import Progress, Trainer, Workload
from bench.oracle.arithmetic import Array
from bench.oracle.model import gradients
from bench.spec import Weights
from bench.verify.batches import Batch
from bench.verify.unforeseen import Unforeseen, unforeseen_batch


@dataclass(frozen=True)
class Walk:
    """Two single steps and two blocks of steps, the weights around each single one and after the last block, and the blocks' losses."""

    weights: tuple[Weights, Weights, Weights, Weights]
    singles: tuple[Batch, Batch]  # labels may be k times as many as images, as in ``training_loss``
    block: Sequence[Batch]  # of both blocks together
    losses: Sequence[float]  # of the blocks' steps
    first: int  # optimizer steps made before the walk
    _known: dict[int, dict[str, Array]] = field(default_factory=dict, init=False, repr=False)

    def gradient(self, workload: Workload, single: int) -> dict[str, Array]:
        """The exact gradient of each tensor at a single step, 0 or 1; computed once, since two checks ask for it."""
        if single not in self._known:
            arguments = workload.network, workload.loss, self.weights[single]
            self._known[single] = gradients(*arguments, *self.singles[single])
        return dict(self._known[single])


@dataclass
class Walker:
    """Makes steps of a trainer on batches that nobody has seen, and knows how many it has made."""

    trainer: Trainer
    workload: Workload
    batch_size: int
    rng: np.random.Generator
    done: int
    beat: Callable[[], None]
    brief: bool = False  # few different images: see ``bench.verify.unforeseen.different_images``

    def run(self, steps: int) -> tuple[list[Unforeseen], Progress, float]:
        """A block of so many steps on unforeseen batches, and the seconds it took."""
        block = self._unforeseen(steps)
        return block, *self.feed([batch.fed for batch in block])

    def seconds(self, steps: int) -> float:
        """What such a block took."""
        return self.run(steps)[2]

    def _unforeseen(self, steps: int) -> list[Unforeseen]:
        return [unforeseen_batch(self.workload, self.batch_size, self.rng, self.brief) for _ in range(steps)]

    def feed(self, batches: Sequence[Batch]) -> tuple[Progress, float]:
        """A block of these batches, and the seconds it took."""
        started = time.perf_counter()
        progress = self.trainer.wait(self.trainer.run([self.trainer.stage(*batch) for batch in batches]))
        elapsed = time.perf_counter() - started
        self.done += len(batches)
        self.beat()
        return progress, elapsed

    def walk(self, weights: Weights, steps: int) -> Walk:
        """Two single steps, a block of so many and one of a single step more, from the present ``weights`` on.

        Both blocks are under way before the first is waited for, as when they are timed, and nobody asks for weights between them.
        """
        first, around, singles = self.done, [weights], []
        for _ in range(2):
            block, _, _ = self.run(1)
            singles.append(block[0].few)
            around.append(self.trainer.weights())
        batches = self._unforeseen(steps + 1)
        stage, run, wait = self.trainer.stage, self.trainer.run, self.trainer.wait
        launched = [run([stage(*batch.fed) for batch in part]) for part in (batches[:steps], batches[steps:])]
        losses = [float(loss) for pending in launched for loss in wait(pending).losses]
        self.done += len(batches)
        self.beat()
        around.append(self.trainer.weights())
        weights_around = around[0], around[1], around[2], around[3]
        return Walk(weights_around, (singles[0], singles[1]), [batch.few for batch in batches], losses, first)
