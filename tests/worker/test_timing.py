"""The timed loops against scripted durations: a fake device and a fake clock, no hardware and no waiting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.worker.jobs import Blocks
from bench.worker.timing import (
    BLOCKS_IN_FLIGHT,
    FEWEST_PILOT_BLOCKS,
    FEWEST_SAMPLES,
    SAMPLE_SECONDS,
    block_lengths,
    choose_blocks,
    run_pipelined,
    seconds_per_step,
    steadiness,
    time_one_by_one,
    time_pipelined,
    trace,
)


class FakeDevice:
    """Work takes scripted seconds, inside ``launch`` (synchronous) or in a queue of its own (asynchronous)."""

    def __init__(self, durations, asynchronous):
        self.durations, self.asynchronous = iter(durations), asynchronous
        self.now = self.free = 0.0
        self.in_flight = self.most_in_flight = 0

    def clock(self):
        return self.now

    def launch(self):
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        duration = next(self.durations)
        if self.asynchronous:
            self.free = max(self.free, self.now) + duration
            return self.free
        self.now += duration
        return self.now

    def wait(self, done):
        self.in_flight -= 1
        self.now = max(self.now, done)
        return done


class EvenSteps:
    """Steps of one length under a clock that only they move."""

    def __init__(self, step):
        self.step, self.now = step, 0.0

    def run(self, steps):
        self.now += steps * self.step

    def clock(self):
        return self.now


@pytest.mark.parametrize("asynchronous", [False, True])
@given(st.lists(st.floats(0.1, 10), min_size=3, max_size=30), st.integers(1, 4))
def test_a_sample_is_one_blocks_time_on_either_kind_of_device(asynchronous, durations, depth):
    device = FakeDevice([*durations, *[1.0] * depth], asynchronous)
    timed = time_pipelined(device.launch, device.wait, len(durations), clock=device.clock, depth=depth)
    # A synchronous device does later blocks while block i is "in flight", so its samples come so many blocks later.
    first = 1 if asynchronous else depth
    expected = [*durations, *[1.0] * depth][first : first + len(durations)]
    assert timed.samples == pytest.approx(expected)
    assert device.most_in_flight == depth
    assert device.in_flight == 0
    assert len(timed.results) == len(durations) + depth


def test_queries_are_timed_one_by_one():
    device = FakeDevice([3.0, 1.0, 2.0], asynchronous=True)
    timed = time_one_by_one(lambda: device.wait(device.launch()), 3, clock=device.clock)
    assert timed.samples == pytest.approx([3.0, 1.0, 2.0])


@given(st.floats(1e-6, 100), st.floats(0.1, 20))
def test_seconds_per_step_needs_no_more_than_twice_the_budget_after_the_first_step(step, budget):
    steady = EvenSteps(step)
    assert seconds_per_step(steady.run, budget, clock=steady.clock) == pytest.approx(step)
    assert steady.now <= max(step, 2 * budget) * 1.001


@given(st.floats(1e-6, 100), st.floats(0.1, 20))
def test_a_pilots_course_is_of_blocks_that_together_take_its_budget(step, budget):
    steady = EvenSteps(step)
    found = trace(steady.run, budget, clock=steady.clock)
    assert found.step_seconds == pytest.approx([step] * len(found.steps))
    assert steady.now >= budget * (1 - 1e-9)
    assert steady.now <= max(step, 2 * budget + step) * 1.001
    assert len(found.steps) >= FEWEST_PILOT_BLOCKS or steady.now >= 2 * budget * (1 - 1e-9)


def test_what_samples_say_of_the_steady_state():
    blocks = Blocks(steps=1, warmup=1, samples=8)
    assert steadiness([9.0, *[1.0] * 8], blocks) == "assumed"
    assert steadiness([9.0, *[1.2] * 4, *[1.0] * 4], blocks) == "moving"
    assert steadiness([9.0, *[1.0] * 4, *[1.2] * 4], Blocks(steps=1, warmup=1, samples=8, detected=True)) == "detected"


@given(st.floats(1e-6, 1000), st.floats(0.01, 60), st.integers(0, 10_000))
def test_detected_warm_up_lasts_as_many_steps_as_the_pilot_needed(step, seconds, warm):
    blocks = choose_blocks(step, seconds, warm)
    assert blocks.detected
    assert blocks.warmup * blocks.steps >= warm
    assert (blocks.warmup - 1) * blocks.steps <= warm


@given(st.floats(1e-6, 1000), st.floats(0.01, 60))
def test_blocks_are_long_enough_and_there_are_enough_of_them(step, seconds):
    blocks = choose_blocks(step, seconds)
    wanted = min(SAMPLE_SECONDS, seconds / FEWEST_SAMPLES)
    assert blocks.steps * step >= wanted * 2 / 3 * (1 - 1e-9)  # a whole number of steps, nearest
    assert blocks.samples >= FEWEST_SAMPLES
    assert blocks.samples * blocks.steps * step >= seconds * (1 - 1e-9)
    assert blocks.warmup >= 2


@given(st.integers(1, 50))
def test_blocks_of_a_run_share_its_steps(steps):
    lengths = block_lengths(steps)
    assert sum(lengths) == steps
    assert len(lengths) == min(steps, BLOCKS_IN_FLIGHT)
    assert max(lengths) - min(lengths) <= 1


@given(st.integers(1, 9))
def test_two_launches_are_in_flight(count):
    flying, most, launched = 0, 0, 0

    def launch():
        nonlocal flying, most, launched
        flying, launched = flying + 1, launched + 1
        most = max(most, flying)
        return launched

    def wait(number):
        nonlocal flying
        flying -= 1
        return number

    assert run_pipelined(launch, wait, count) == list(range(1, count + 1))
    assert most == min(count, 2)
