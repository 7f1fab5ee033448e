"""Planning: what is measured, what is skipped and why, and in which order."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from itertools import islice

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.entry_points import PluginRef
from bench.errors import NotComparableError, UsageError
from bench.machine.host import framework_variables
from bench.run import plan, session
from bench.run.discovery import Discovery, FoundBackend, FoundWorkload
from bench.run.plan import Wishes, choose_backends, plan_cases
from bench.run.privacy import private_command
from bench.run.rounds import round_orders
from bench.worker.answers import BackendInfo, DeviceInfo, WorkloadInfo


def device(name, precisions=("float64", "fp32"), kind="cpu", trains=True):
    return DeviceInfo(id=name, kind=kind, name="", precisions=precisions, physical="host", memory=None, trains=trains)


def backend(name, *devices, reason=""):
    info = BackendInfo(name=name, environment={}, probed=True, devices=list(devices), reason=reason)
    return FoundBackend(PluginRef(name, name), info, "python", "1")


WORKLOAD = FoundWorkload(
    PluginRef("w", "w"), WorkloadInfo(name="w", size="s", summary="", batch_size=32, epochs=3), "python", "1"
)
CPU = backend("cpu", device("cpu", ("float64", "fp32", "bf16")))
GPU = backend("gpu", device("gpu:0", ("fp32", "tf32", "bf16"), "gpu"), device("gpu:1", ("fp32",), "gpu"))
CHIP = backend("chip", device("chip", ("fp32",), trains=False))
NONE = backend("none", reason="no driver")
FOUND = Discovery([CPU, GPU, CHIP, NONE], [WORKLOAD], [], {"broken": "it crashed"})


def test_by_default_everything_available_is_measured_and_the_rest_is_named():
    chosen, skips = choose_backends(Wishes(), FOUND)
    assert [b.info.name for b in chosen] == ["cpu", "gpu", "chip"]
    assert {(skip.what, skip.reason) for skip in skips} == {("plugin broken", "it crashed"), ("backend none", "no driver")}


def test_a_backend_asked_for_by_name_must_have_a_device():
    with pytest.raises(NotComparableError, match="no driver"):
        choose_backends(Wishes(backends=("none",)), FOUND)


def test_a_device_chooses_its_backend():
    chosen, _ = choose_backends(Wishes(devices=("gpu:1",)), FOUND)
    assert [b.info.name for b in chosen] == ["gpu"]
    with pytest.raises(UsageError, match=r"gpu:2.*there are: cpu, gpu:0, gpu:1, chip"):
        choose_backends(Wishes(devices=("gpu:2",)), FOUND)


def test_cases_of_one_device():
    cases, skips = plan_cases(Wishes(phases=("train", "infer")), [CPU], [WORKLOAD])
    labels = [planned.case.label for planned in cases]
    assert labels == [
        "cpu cpu w-s train fp32 batch 32",
        "cpu cpu w-s infer single-stream fp32 batch 1",
        "cpu cpu w-s infer offline fp32 batch 8",
        "cpu cpu w-s train bf16 batch 32",
        "cpu cpu w-s infer offline bf16 batch 8",
    ]
    assert not skips
    offline = [planned for planned in cases if planned.case.scenario == "offline"]
    assert all(len(planned.candidates) > 1 for planned in offline)


def test_what_a_device_cannot_do_is_a_skip():
    cases, skips = plan_cases(Wishes(phases=("train", "infer"), precisions=("fp32", "tf32")), [GPU, CHIP], [WORKLOAD])
    assert not any(planned.case.phase == "train" and planned.case.backend == "chip" for planned in cases)
    assert {skip.what for skip in skips} == {"gpu:1 tf32", "chip train", "chip tf32"}


def test_a_fixed_batch_leaves_nothing_to_choose():
    cases, _ = plan_cases(Wishes(phases=("infer",), batch_sizes=(16,)), [CPU], [WORKLOAD])
    offline = [planned for planned in cases if planned.case.scenario == "offline"]
    assert all(planned.case.batch_size == 16 and not planned.candidates for planned in offline)


def test_sizes_precisions_and_batch_sizes_that_are_repeated_make_a_product():
    wishes = Wishes(phases=("train", "infer"), precisions=("fp32", "bf16"), batch_sizes=(16, 64, 16))
    cases, _ = plan_cases(wishes, [CPU], [WORKLOAD])
    assert [
        (one.case.how.name or one.case.phase, one.case.precision, one.case.batch_size) for one in cases if one.backend
    ] == [
        *(("train", "fp32", size) for size in (16, 64)),
        ("single-stream", "fp32", 1),
        *(("offline", "fp32", size) for size in (16, 64)),
        *(("train", "bf16", size) for size in (16, 64)),
        ("single-stream", "bf16", 1),
        *(("offline", "bf16", size) for size in (16, 64)),
    ]


@given(st.integers(1, 12), st.integers(1, 8), st.integers(0, 2**32))
def test_each_round_runs_every_case_once(cases, trials, seed):
    rounds = list(islice(round_orders(cases, seed), trials))
    assert all(Counter(order) == Counter(range(cases)) for order in rounds)
    assert rounds == list(islice(round_orders(cases, seed), trials))


def test_every_second_round_is_the_one_before_in_reverse():
    rounds = list(islice(round_orders(8, 0), 6))
    assert [later[::-1] for later in rounds[1::2]] == rounds[::2]
    assert len(set(map(tuple, rounds[::2]))) == 3, "each two rounds are drawn"


def test_paths_in_the_command_are_cut():
    command = ["bench", "run", "--data", "/home/ann/skin", "--data=/x/y", "--size", "tiny", "relative/path"]
    assert private_command(command) == ["bench", "run", "--data", "…", "--data=…", "--size", "tiny", "…"]


@pytest.mark.parametrize(
    ("user", "threads", "said"),
    [
        (
            {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            None,
            "bench: OMP_NUM_THREADS=1 and MKL_NUM_THREADS=1 in the environment are not used: workers run on 3 threads; say how many "
            "with --threads\n",
        ),
        ({"OMP_NUM_THREADS": "3"}, None, ""),
        ({"OMP_NUM_THREADS": "1"}, 2, ""),
        (
            {"MALLOC_ARENA_MAX": "4"},
            None,
            "bench: MALLOC_ARENA_MAX=4 in the environment is not used: workers run with MALLOC_ARENA_MAX=1\n",
        ),
        ({"XLA_FLAGS": "--xla_x=1", "CUDA_VISIBLE_DEVICES": "1", "JAX_PLATFORMS": "cpu"}, None, ""),
    ],
)
def test_variables_of_the_users_are_used_or_named(user, threads, said, monkeypatch, capsys):
    for name in framework_variables(os.environ):
        monkeypatch.delenv(name)
    for name, value in user.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(plan, "usable_cores", lambda: 3)
    found = backend("xla")
    found = replace(found, info=msgspec.structs.replace(found.info, environment={"MALLOC_ARENA_MAX": "1"}))
    plan.name_overridden(Wishes(threads=threads), [found])
    assert capsys.readouterr().err == said


def test_a_record_gets_the_users_variables_and_not_the_harnesss(monkeypatch):
    for name in framework_variables(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(session, "ask_worker", lambda job, *given, **named: job)
    assert session.identified().user == "OMP_NUM_THREADS=1"
