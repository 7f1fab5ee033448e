"""Trainings that run at the same time, for people to watch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

from bench.machine.host import usable_cores
from bench.run.crew import run_side_by_side
from bench.run.interruption import interruptible
from bench.run.lock import locked
from bench.run.plan import Wishes
from bench.run.scratch import scratch
from bench.run.trainings import Entrant, Training, entered, prepared_for, trained_by
from bench.worker.channel import Beat, Stage


@dataclass(frozen=True)
class Moment:
    """What one entrant has just done; nothing but the time where ``entrant`` is None."""

    entrant: int | None = None
    epochs: float = 0.0  # finished so far
    text: str = ""  # the stage it is in, or what its last evaluation found
    arrived: Training | None = None


@dataclass(frozen=True)
class Race:
    """Who takes part, and what happens."""

    entrants: tuple[Entrant, ...]
    cores: int  # of the host for each
    moments: Iterator[Moment]  # until all have arrived; one at least every ``tick`` seconds


def race(wishes: Wishes, interpreters: Mapping[str, str], wait: bool, tick: float, say: Callable[[str], None]) -> Race:
    """One training on every device at once, all with the same images, weights and batches.

    Trainings that share this host's processors share them evenly and disturb one another, so their times are no measurement.
    Raises UsageError and NotComparableError before anything starts.
    """
    entrants, workload = entered(wishes, interpreters)
    cores = max((wishes.threads or usable_cores()) // len(entrants), 1)

    def moments() -> Iterator[Moment]:
        with ExitStack() as stack:
            stack.enter_context(locked([entrant.device.physical for entrant in entrants], wait))
            stack.enter_context(interruptible())
            say("preparing images …")
            prepared = prepared_for(workload, wishes)
            cache = str(stack.enter_context(scratch()))
            launches = [
                entrant.launch(replace(wishes, threads=cores), workload, prepared, wishes.seed, cache)
                for entrant in entrants
            ]
            finished = [0.0] * len(entrants)
            news: list[Moment] = []

            def listen(place: int, event: Stage | Beat) -> None:
                if isinstance(event, Beat):
                    finished[place] = event.done
                news.append(Moment(place, finished[place], event.text if isinstance(event, Beat) else event.name))

            for ended in stack.enter_context(closing(run_side_by_side(launches, listen, tick=tick))):
                if ended is not None:
                    place, outcome = ended
                    training = trained_by(entrants[place], wishes.seed, outcome)
                    news.append(Moment(place, entrants[place].epochs, training.trouble, training))
                yield from news or [Moment()]
                news.clear()

    return Race(tuple(entrants), cores, moments())
