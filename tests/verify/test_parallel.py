"""Passes that run at once give what they give one after the other."""

from __future__ import annotations

import threading

import pytest

from bench.spec import Dense, Flatten, Network, sequential
from bench.verify import parallel
from bench.verify.parallel import MOST_AT_ONCE, WORTH_A_THREAD, in_parallel

NETWORK = Network(8, 8, 2, sequential(flat=Flatten(), head=Dense(192, 2)))


@pytest.fixture
def elements(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parallel, "training_elements", lambda network: WORTH_A_THREAD)
    monkeypatch.setattr(parallel, "usable_cores", lambda: 64)
    monkeypatch.setattr(parallel, "available_memory", lambda: 10**15)


@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_results_come_in_their_order(elements, count):
    assert in_parallel([lambda number=number: number for number in range(count)], NETWORK, 4) == list(range(count))


def at_once(passes: int, together: int = 1) -> int:
    """How many of so many passes were under way at the same time; each waits until ``together`` of them are."""
    lock, under_way, most = threading.Lock(), 0, 0
    everybody = threading.Barrier(together)

    def one() -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        everybody.wait()
        with lock:
            under_way -= 1

    in_parallel([one] * passes, NETWORK, 4)
    return most


def test_as_many_run_at_once_as_there_are_cores_for(elements, monkeypatch):
    assert at_once(MOST_AT_ONCE, together=MOST_AT_ONCE) == MOST_AT_ONCE
    monkeypatch.setattr(parallel, "usable_cores", lambda: 3)
    assert at_once(6, together=3) == 3
    monkeypatch.setattr(parallel, "usable_cores", lambda: 1)
    assert at_once(3) == 1


def test_little_memory_and_little_work_take_turns(elements, monkeypatch):
    monkeypatch.setattr(parallel, "available_memory", lambda: 0)
    assert at_once(3) == 1
    monkeypatch.setattr(parallel, "available_memory", lambda: 10**15)
    monkeypatch.setattr(parallel, "training_elements", lambda network: WORTH_A_THREAD // 100)
    assert at_once(3) == 1


def test_an_error_of_one_is_an_error_of_all(elements):
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_parallel([broken, lambda: None], NETWORK, 4)
