"""Several workers under one selector, which waits for all of them: the parent has no other loop that waits.

Three policies: *one* worker; *in turns*, for two arms that are compared; *at once*, for the ranks of a trial. Workers that have
nothing to do with one another, as when plugins are described, run *side by side*.
"""

from __future__ import annotations

import contextlib
import selectors
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType

from bench.run.process import FAREWELL_SECONDS, Launch, Listener, Outcome, State, Worker, ignore
from bench.worker.channel import Beat, Stage

TICK = 1.0
"""Seconds after which the parent looks whether a silent worker still lives, and no sooner: it must burn no core."""

Hearing = Callable[[int], Listener]
"""Who listens to the worker at a place."""


class Crew:
    """Workers that have been started; leaving the context ends them."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._places: dict[Worker, int] = {}

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def start(self, place: int, launch: Launch) -> Worker:
        """Start a worker at a place among them all."""
        worker = Worker(launch)
        self._stack.callback(worker.end, 0.0)
        self._places[worker] = place
        return worker

    def end(self, worker: Worker, patience: float = FAREWELL_SECONDS) -> tuple[int, Outcome]:
        """Return its place, and how it ended."""
        return self._places.pop(worker), worker.end(patience)

    def heard(self, listen: Hearing, tick: float, some: Collection[Worker] | None = None) -> Iterator[tuple[Worker, State]]:
        """Wait until one of the workers, or of ``some``, speaks, at most ``tick`` seconds. Yields those that no longer work, and
        what they do instead."""
        attended = [worker for worker in self._places if some is None or worker in some]
        with selectors.DefaultSelector() as selector:
            for descriptor in [descriptor for worker in attended for descriptor in worker.filenos]:
                selector.register(descriptor, selectors.EVENT_READ)
            selector.select(tick)
        for worker in attended:
            state = worker.hear(listen(self._places[worker]))
            if state != "working":
                yield worker, state

    def until_quiet(self, worker: Worker, listen: Hearing = lambda place: ignore) -> State:
        """Hear one worker until it waits for its turn or is done; the others are silent."""
        worker.attended()
        while True:
            for _, state in self.heard(listen, TICK, (worker,)):
                return state


def run_worker(launch: Launch, listen: Listener = ignore) -> Outcome:
    """Run one job in a fresh interpreter, in an empty folder, as the head of its own process group.

    However it ends, the whole group is ended with it. Interrupting the parent ends the group too.
    """
    return run_at_once([launch], listen)[0]


def run_at_once(launches: Sequence[Launch], listen: Listener = ignore) -> list[Outcome]:
    """Run the ranks of one trial, all at the same time. The first that fails ends the others.

    Outcomes in the order of ``launches``. Where there are several, the reason of one that failed names its rank, and those that
    were ended for it say so.
    """
    outcomes: dict[int, Outcome] = {}
    broken: Outcome | None = None
    with Crew() as crew:
        going = [crew.start(place, launch) for place, launch in enumerate(launches)]
        while going:
            for worker, state in crew.heard(lambda place: listen, TICK):
                if state == "ready":  # whoever is alone needs no turn
                    worker.give_turn()
                    continue
                going.remove(worker)
                place, outcome = crew.end(worker)
                if outcome.status != "ok" and len(launches) > 1:
                    outcome = replace(outcome, reason=f"rank {place}: {outcome.reason}")
                outcomes[place] = outcome
                broken = broken or (outcome if outcome.status != "ok" else None)
            if broken is not None:
                for worker in going:
                    place, outcome = crew.end(worker, patience=0.0)
                    outcomes[place] = replace(
                        outcome, status="killed", value=b"", reason=f"ended after {broken.reason}", dragged=True
                    )
                going = []
    return [outcomes[place] for place in range(len(launches))]


def run_in_turns(launches: Sequence[Launch], listen: Listener = ignore) -> list[Outcome]:
    """Workers that are alive at once and work one at a time: first each until it is ready, then turn by turn, the order reversed
    every round, so that whatever the machine does meanwhile hits all alike. A worker is told whether another one has worked since its
    last turn. Outcomes in the order of ``launches``."""
    with Crew() as crew:
        workers: list[Worker] = []
        going: list[Worker] = []
        last: Worker | None = None
        for place, launch in enumerate(launches):
            workers.append(crew.start(place, launch))
            if crew.until_quiet(workers[-1], lambda place: listen) == "ready":
                going.append(workers[-1])
        while going:
            for worker in list(going):
                worker.give_turn(again=worker is last)
                last = worker
                if crew.until_quiet(worker, lambda place: listen) != "ready":
                    crew.end(worker)
                    going.remove(worker)
            going.reverse()
        return [worker.end() for worker in workers]


def run_side_by_side(
    launches: Sequence[Launch],
    listen: Callable[[int, Stage | Beat], None],
    most: int | None = None,
    tick: float = TICK,
) -> Generator[tuple[int, Outcome] | None, None, None]:
    """Run workers that do not depend on one another, ``most`` of them at most at the same time.

    Yields the place in ``launches`` and the outcome of each as it ends, and None whenever a worker has spoken, and once in ``tick``
    seconds at least. Closing the iterator ends the workers.
    """
    waiting = deque(enumerate(launches))
    going = 0
    with Crew() as crew:
        while waiting or going:
            while waiting and going < (most or len(launches)):
                crew.start(*waiting.popleft())
                going += 1
            for worker, _ in crew.heard(lambda place: partial(listen, place), tick):
                going -= 1
                yield crew.end(worker)
            yield None
