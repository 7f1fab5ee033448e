"""The learning-rate schedule, point by point."""

from __future__ import annotations

import pytest
import torch

from bench.spec import Schedule


def test_warm_up_reaches_the_peak_on_its_last_step():
    schedule = Schedule(0.4, warmup_steps=4)
    assert [schedule.at(step) for step in range(6)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4], abs=1e-15)


def test_cosine_falls_from_peak_to_final_and_stays_there():
    schedule = Schedule(1.0, warmup_steps=2, total_steps=12, final=0.1)
    assert schedule.at(2) == 1.0
    assert schedule.at(7) == pytest.approx(0.55)
    assert schedule.at(12) == pytest.approx(0.1)
    assert schedule.at(1000) == pytest.approx(0.1)


def test_without_total_steps_the_rate_is_constant():
    assert {Schedule(0.3).at(step) for step in (0, 1, 10**6)} == {0.3}


def test_cosine_is_that_of_torch():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30, eta_min=0.02)
    ours = Schedule(0.2, total_steps=30, final=0.02)
    for step in range(30):
        assert ours.at(step) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        theirs.step()


def test_a_schedule_that_is_all_warm_up():
    schedule = Schedule(1.0, warmup_steps=5, total_steps=5)
    assert schedule.at(4) == 1.0
    assert schedule.at(5) == 1.0
    assert schedule.at(6) == 0.0
