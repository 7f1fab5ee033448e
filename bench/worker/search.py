"""What can be chosen only by trying: a backend's alternatives for one case, timed in one process.

On the host's processor every way is built first and then timed in turns. On an accelerator each way is built, timed and given up
before the next: three ways of a training may not fit its memory together.

Where the batch size is open too, ways that come close at the size that is fastest in the usual way are timed at the sizes beside it,
so that a way and its size are chosen together.

What is chosen here is measured afterwards, in fresh processes; the times taken here are not kept.
"""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from statistics import median
from typing import Any

from bench.contract import Settings
from bench.errors import PluginError
from bench.verify.equivalence import Subject
from bench.worker.answers import Choice
from bench.worker.channel import Channel, out_of_memory
from bench.worker.feed import Feed, load_calibrated
from bench.worker.jobs import Search
from bench.worker.measure_inference import Rig
from bench.worker.measure_training import pipelined_steps
from bench.worker.offered import kind, shown
from bench.worker.plugins import depth_of
from bench.worker.timing import seconds_per_step
from bench.worker.workbench import Workbench, set_up

SECONDS, ROUNDS = 2.5, 4
MOST_WAYS, LONGEST_WORD = 16, 60
CLEARLY_FASTER = 1.03
"""An alternative must be so much faster than the usual way to be chosen, for times are noisy."""

CLOSE = 1.1
"""A way that is so much slower than the fastest, or less, may be the fastest at another batch size."""

Options = Mapping[str, str]


@dataclass
class _Contender:
    options: Options
    run: Callable[[int], object]  # so many steps
    seconds: list[float] = field(default_factory=list)  # per step
    failed: bool = False

    @property
    def step(self) -> float:
        """Typical seconds per step."""
        return median(self.seconds)


class _Crowded(Exception):
    """The ways do not fit the device's memory all at once."""


def search(job: Search, channel: Channel) -> Choice:
    """The options that make the case fastest, without those of the usual way, and a note of what was tried, or nothing."""
    bench = set_up(job, channel)
    ways = _offered(bench)
    if len(ways) < 2:
        return Choice({}, "")
    check_ways(ways)
    channel.stage("search")
    failures: dict[str, str] = {}
    fit: list[_Contender] | None = None
    if bench.on_host:
        with suppress(_Crowded):
            fit = _in_turns(bench, ways, failures)
    # Outside the except clause: while an exception is handled, it keeps alive what had been built.
    if fit is None:
        failures.clear()
        fit = _one_by_one(bench, ways, failures)
    left_out = "; ".join(f"{way} left out: {reason}" for way, reason in failures.items())
    if not fit:
        return Choice({}, f"search: {left_out}")
    best = min(fit, key=lambda contender: contender.step)
    if fit[0].options == ways[0] and best.step * CLEARLY_FASTER > fit[0].step:
        best = fit[0]
    size, usual = job.case.batch_size, ways[0]
    tried = ", ".join(f"{say_way(way.options)} {size / way.step:.4g}/s" for way in fit)
    close = [way for way in fit if way.options != usual and way.step <= CLOSE * min(one.step for one in fit)]
    beside = _at_other_sizes(bench, fit, [way.options for way in close]) if len(job.candidates) > 1 else []
    tried += "".join(f", at batch {other} {say_way(options)} {rate:.4g}/s" for options, other, rate in beside)
    chosen = max([(best.options, size, size / best.step * CLEARLY_FASTER), *beside], key=_rate)
    note = "; ".join(part for part in (f"search over {tried}", left_out) if part)
    open_size = chosen[1] if len(job.candidates) > 1 else 0
    return Choice({} if chosen[0] == usual else dict(chosen[0]), note, open_size)


def _rate(found: tuple[Options, int, float]) -> float:
    return found[2]


def _at_other_sizes(
    bench: Workbench, built: Sequence[_Contender], close: Sequence[Options]
) -> list[tuple[Options, int, float]]:
    """Ways that came close, at the candidates beside the case's batch size: options, size, images per second.

    Each has to be built for each size, after all that is ``built`` has been given up. A size that does not fit the memory, or that
    fails, is passed over.
    """
    job = bench.job
    sizes = sorted({*job.candidates, job.case.batch_size})
    place = sizes.index(job.case.batch_size)
    for contender in built:
        contender.run = _gone
    found = []
    for size in [*sizes[max(place - 1, 0) : place], *sizes[place + 1 : place + 2]]:
        for options in close:
            gc.collect()
            other = _built(bench, options, {}, crowded=False, batch_size=size)
            if other is not None:
                _time(bench, other, SECONDS / ROUNDS, {})
                other.run = _gone
                found += [] if other.failed else [(options, size, size / other.step)]
    return found


def _offered(bench: Workbench) -> Sequence[Options]:
    """What the backend's ``alternatives`` give, one more than are allowed at most. Raises PluginError for what is no list."""
    ask = getattr(bench.backend, "alternatives", None)
    if ask is None:
        return []
    ways = ask(bench.workload, bench.job.case.phase, bench.settings)
    if not isinstance(ways, Iterable) or isinstance(ways, str | Mapping):
        raise PluginError(f"alternatives() gave {kind(ways)}, expected a list of mappings")
    return list(islice(ways, MOST_WAYS + 1))


def check_ways(ways: Sequence[Any]) -> None:
    """Raises PluginError for what is no answer to ``alternatives``."""
    if len(ways) > MOST_WAYS:
        raise PluginError(f"alternatives() gave {len(ways):,} ways; expected {MOST_WAYS} at most")
    for way in ways:
        words = [*way.keys(), *way.values()] if isinstance(way, Mapping) else [None]
        if not all(isinstance(word, str) and word.isprintable() and len(word) <= LONGEST_WORD for word in words):
            raise PluginError(f"alternatives() gave {shown(way)}; expected mappings of short text to short text")


def _in_turns(bench: Workbench, ways: Sequence[Options], failures: dict[str, str]) -> list[_Contender]:
    """Every way built, then timed in rounds, so that the machine's drift hits all alike. Raises _Crowded."""
    contenders = [found for options in ways if (found := _built(bench, options, failures, crowded=True)) is not None]
    for number in range(ROUNDS):
        for contender in contenders[:: 1 if number % 2 else -1]:
            if not contender.failed:
                _time(bench, contender, SECONDS / ROUNDS / len(contenders), failures)
    return [contender for contender in contenders if not contender.failed]


def _one_by_one(bench: Workbench, ways: Sequence[Options], failures: dict[str, str]) -> list[_Contender]:
    """Each way built, timed and given up before the next is built."""
    fit = []
    for options in ways:
        gc.collect()
        contender = _built(bench, options, failures, crowded=False)
        if contender is not None:
            _time(bench, contender, SECONDS / len(ways), failures)
            contender.run = _gone
            fit += [] if contender.failed else [contender]
    return fit


def _gone(steps: int) -> None:
    raise AssertionError("this way has been given up")


def _time(bench: Workbench, contender: _Contender, seconds: float, failures: dict[str, str]) -> None:
    try:
        contender.seconds.append(seconds_per_step(contender.run, seconds))
    except Exception as error:  # one way out of several: the others go on
        contender.failed = True
        _leave_out(bench, contender.options, error, failures)
    bench.alive()


def _leave_out(bench: Workbench, options: Options, error: Exception, failures: dict[str, str]) -> None:
    """Into the worker's log in full, and into the note in short."""
    traceback.print_exception(error)
    failures[say_way(options)] = type(error).__name__  # a record tells no more: messages may hold paths
    bench.channel.beat(0, 0, f"{say_way(options)} is left out: {type(error).__name__}")


def _built(
    bench: Workbench, options: Options, failures: dict[str, str], crowded: bool, batch_size: int = 0
) -> _Contender | None:
    """Return a way that is ready to run, with another batch size than the case's where one is given.

    None where it cannot be built here, which is no reason to fail. Raises _Crowded where memory runs out beside others that are built already.
    """
    size = batch_size or bench.settings.batch_size
    settings = replace(bench.settings, options={**bench.settings.options, **options}, batch_size=size)
    try:
        run = (_training if bench.job.case.how.builds == "trainer" else _inference)(bench, settings)
        run(2)
    except Exception as error:
        if crowded and out_of_memory(error):
            raise _Crowded from None
        _leave_out(bench, options, error, failures)
        return None
    bench.channel.beat(0, 0, f"{say_way(options)} is built")
    return _Contender(options, run)


def _training(bench: Workbench, settings: Settings) -> Callable[[int], object]:
    trainer = _subject(bench, settings).trainer()
    feed = Feed(bench.folder, settings.batch_size, bench.job.seed)
    return lambda steps: pipelined_steps(trainer, feed, steps)


def _inference(bench: Workbench, settings: Settings) -> Callable[[int], object]:
    """As it is measured: one query at a time, or several batches in flight."""
    predictor = _subject(bench, settings).predictor(load_calibrated(bench.folder))
    feed = Feed(bench.folder, settings.batch_size, bench.job.seed)
    return Rig(predictor, feed, 1 if bench.job.case.how.per_query else depth_of(predictor)).run


def _subject(bench: Workbench, settings: Settings) -> Subject:
    assert bench.backend is not None
    return Subject(bench.backend, bench.job.place.device, bench.workload, settings)


def say_way(options: Options) -> str:
    """Return a way in words, as in ``step=graph``."""
    return " ".join(f"{name}={value}" for name, value in options.items())
