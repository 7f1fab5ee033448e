"""Realistic records without a measurement: scripted rates, lognormal noise between and within processes, seeded."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from bench.record.schema import (
    VERSION,
    Case,
    Ceiling,
    Check,
    DataFacts,
    DeviceFacts,
    Machine,
    Place,
    Rank,
    Record,
    Skip,
    Trial,
    WorkloadFacts,
)

AUGMENT = 37e-6  # seconds an image
CREATED = "2026-01-05T10:00:00Z"
PASSED = (
    Check(name="first losses", passed=True, found=2.1e-6, allowed=1e-4),
    Check(name="every weight moved", passed=True),
)
FAILED = (Check(name="first losses", passed=False, found=0.31, allowed=1e-4, detail="step 2 diverges"),)

SMALL = WorkloadFacts(
    name="melanoma", size="small", digest="5f2c" * 16, height=64, width=64, classes=("other", "melanoma"), batch_size=32,
    epochs=24, parameters=11_177_538, forward_flops=297_795_584, training_flops=880_000_000, forward_elements=1_000_000,
    training_elements=3_000_000, views=4,
)  # fmt: skip
TINY = WorkloadFacts(
    name="melanoma", size="tiny", digest="77aa" * 16, height=28, width=28, classes=("other", "melanoma"), batch_size=64,
    epochs=24, parameters=78_000, forward_flops=19_000_000, training_flops=56_000_000,
)  # fmt: skip
CPU = DeviceFacts(
    backend="cpu", id="cpu", kind="cpu", name="", physical="host", precisions=("float64", "fp32", "bf16"),
    versions={"torch": "2.13.0"},
)  # fmt: skip
GPU = DeviceFacts(
    backend="cuda", id="cuda:0", kind="gpu", name="NVIDIA H200", physical="gpu:0", precisions=("float64", "fp32", "bf16"),
    memory=150_000_000_000, versions={"torch": "2.13.0", "cuda": "13.0"},
)  # fmt: skip
SYNTHETIC = DataFacts(
    description="2,048 synthetic lesions", fingerprint="d" * 16, synthetic=True, count=2048, labelled=True, megapixels=0.27
)


@dataclass(frozen=True)
class Script:
    """A case and what its trials shall show."""

    case: Case
    rate: float  # images per second; megapixels per second for preprocess
    trials: int = 5
    samples: int = 50
    warmup: int = 5
    between: float = 0.01  # standard deviation of ln time between processes
    within: float = 0.02
    checks: Sequence[Check] = PASSED
    status: Any = "ok"
    reason: str = ""
    cold: float | None = 20.0
    change: dict[str, Any] = field(default_factory=dict)  # fields of every trial to be replaced


def machine(name: str = "a", **changes: Any) -> Machine:
    facts: dict[str, Any] = {
        "fingerprint": f"{name:f<16}", "host": f"host-{name}", "system": "Linux 6.1",
        "cpu": "Intel(R) Xeon(R) Platinum 8468 CPU @ 2.10GHz", "architecture": "x86_64", "cores": 2, "cores_online": 2,
        "memory": 16 * 2**30, "facts": {"governor": "performance", "python": "3.11.7"},
        "gpus": [{"name": "NVIDIA H200", "driver": "580.65"}],
    }  # fmt: skip
    facts |= changes
    facts["cores_online"] = changes.get("cores_online", max(facts["cores"], facts["cores_online"]))
    return Machine(**facts)


def train(backend: str = "cpu", device: str = "cpu", facts: WorkloadFacts = SMALL, **changes: Any) -> Case:
    fields: dict[str, Any] = {
        "backend": backend, "places": (Place(device, changes.pop("cores", 2)),), "workload": facts.name, "size": facts.size, "phase": "train",
        "precision": "fp32", "batch_size": facts.batch_size,
    }  # fmt: skip
    return Case(**(fields | changes))


def infer(backend: str = "cpu", device: str = "cpu", facts: WorkloadFacts = SMALL, **changes: Any) -> Case:
    return train(backend, device, facts, **({"phase": "infer", "scenario": "offline", "batch_size": 256} | changes))


def single_stream(backend: str = "cpu", device: str = "cpu", facts: WorkloadFacts = SMALL, **changes: Any) -> Case:
    return infer(backend, device, facts, **({"scenario": "single-stream", "batch_size": 1} | changes))


def preprocess(cores: int = 2, facts: WorkloadFacts = SMALL, **changes: Any) -> Case:
    fields: dict[str, Any] = {
        "backend": "host", "places": (Place("cpu", cores),), "workload": facts.name, "size": facts.size, "phase": "preprocess",
        "batch_size": 1,
    }  # fmt: skip
    return Case(**(fields | changes))


def scripts() -> list[Script]:
    """Two cores against an H200: the GPU is so fast that decoding binds."""
    return [
        Script(preprocess(1), 21.0, cold=None),
        Script(preprocess(2), 41.0, cold=None),
        Script(train(), 75.0),
        Script(train(precision="bf16"), 140.0),
        Script(infer(), 280.0),
        Script(infer(precision="bf16"), 520.0),
        Script(single_stream(), 130.0, samples=1000, warmup=50, within=0.1),
        Script(train("cuda", "cuda:0"), 6_000.0),
        Script(train("cuda", "cuda:0", precision="bf16", batch_size=256), 21_000.0),
        Script(infer("cuda", "cuda:0"), 24_000.0),
        Script(infer("cuda", "cuda:0", precision="bf16"), 80_000.0),
        Script(single_stream("cuda", "cuda:0"), 900.0, samples=1000, warmup=50, within=0.1),
    ]


def record(
    name: str = "r0", wanted: Sequence[Script] | None = None, on: Machine | None = None, seed: int = 0, **changes: Any
) -> Record:
    """A sealed record of these scripts. Equal arguments give equal records."""
    wanted = scripts() if wanted is None else wanted
    rng = np.random.default_rng(seed if name == "r0" else [seed, zlib.crc32(name.encode("utf-8", "surrogatepass"))])
    trials: list[Trial] = []
    for index, script in enumerate(wanted):
        if script.cold is not None:
            trials.append(_trial(index, 0, "pilot", len(trials), replace(script, warmup=0, samples=5), rng))
        trials += [_trial(index, number, "trial", len(trials) + number, script, rng) for number in range(script.trials)]
    fields: dict[str, Any] = {
        "version": VERSION, "id": name, "created": CREATED, "finished": "2026-01-06T10:20:00Z",
        "command": ["bench", "run", "--seed", "7"], "seed": 7, "bench": {"version": "0.1.0", "commit": "abc123"},
        "machines": {"": on or machine()}, "environment": {"OMP_NUM_THREADS": "2"}, "devices": [CPU, GPU],
        "workloads": [SMALL, TINY], "data": [SYNTHETIC], "cases": [script.case for script in wanted], "trials": trials,
        "ceilings": [
            _ceiling("host", "fp32", 110e9, "cpu"), _ceiling("host", "bf16", 240e9, "cpu"),
            _ceiling("gpu:0", "fp32", 48e12, "cuda"), _ceiling("gpu:0", "bf16", 690e12, "cuda"),
            *(_ceiling("gpu:0", precision, 4e12, "cuda", kind="memory") for precision in ("fp32", "bf16")),
            *(_ceiling("gpu:0", precision, 21e9, "cuda", kind="copy", shape="input 256x256") for precision in ("fp32", "bf16")),
        ],
        "skips": [Skip(what="backend jax", reason="JAX is not importable; pip install 'accelbench[jax]'")],
    }  # fmt: skip
    fields |= changes
    if fields["created"] != CREATED:
        fields |= _later(fields["created"], trials) | changes
    return Record(**fields)


def _later(created: str, trials: Sequence[Trial]) -> dict[str, Any]:
    """When trials were started and all was finished, for a record of another date; nothing where it is none."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return {}
    started = (moment + timedelta(seconds=62)).isoformat()
    moved = [msgspec.structs.replace(trial, started=started) for trial in trials]
    return {"finished": (moment + timedelta(days=1)).isoformat(), "trials": moved}


def _ceiling(physical: str, precision: str, rate: float, backend: str, **changes: Any) -> Ceiling:
    fields: dict[str, Any] = {
        "physical": physical, "precision": precision, "kind": "arithmetic", "rate": rate, "backend": backend,
        "shape": "Dense 8192, batch 4096", "measured": "2026-01-05",
    }  # fmt: skip
    return Ceiling(**(fields | changes))


def _trial(index: int, number: int, role: Any, order: int, script: Script, rng: np.random.Generator) -> Trial:
    case = script.case
    preprocessing, single = case.phase == "preprocess", case.scenario == "single-stream"
    pixels = 270_000 * 40
    items = pixels / 1e6 if preprocessing else 1 if single else case.batch_size * 20
    middle = math.log(items / script.rate) + script.between * float(rng.standard_normal())
    samples = np.exp(middle + script.within * rng.standard_normal(script.samples))
    samples[: script.warmup] *= 1.5
    compile_cached = script.cold is not None and role == "trial"
    fields: dict[str, Any] = {
        "case": index, "number": number, "role": role, "order": order, "status": script.status,
        "started": "2026-01-05T10:01:02Z", "wall": 31.0, "reason": script.reason,
        "stages": {
            "import": 2.1, "data": 0.4, "build": 0.3, "first_step": 0.2, "warmup": 1.0, "steady": float(samples.sum()),
            **({} if script.cold is None else {"compile": 0.5 if compile_cached else script.cold}),
            **({"augment": AUGMENT * case.batch_size} if case.phase == "train" and role == "trial" else {}),
        },
        "compile": "" if script.cold is None else "cached" if compile_cached else "cold",
        "images_per_sample": 40 if preprocessing else int(items), "steps_per_sample": 1 if single else 20,
        "samples": samples.tolist(), "warmup": script.warmup, "steady": "detected",
        "pixels_per_sample": [pixels] * script.samples if preprocessing else [],
        "losses": (0.7 - 0.01 * rng.random(8)).tolist() if case.phase == "train" else [],
        "checks": list(script.checks),
        "host_memory": 1_300_000_000, "device_memory": 2_000_000_000 if "cuda" in case.backend else 0,
        "package": {"version": "0.1.0", "commit": "abc123"},
        "telemetry": {"before": {"load": 0.1}, "after": {"load": 1.9}},
    }  # fmt: skip
    fields["wall"] = max(31.0, math.fsum(fields["stages"].values()) + 5.0)
    fields |= script.change
    rank = {name: fields.pop(name) for name in Rank.__struct_fields__ if name in fields}
    return Trial(**fields, ranks=[Rank(**rank)])


def changed(trial: Trial, **changes: Any) -> Trial:
    """The trial with other fields, of its only rank too."""
    own = {name: changes.pop(name) for name in Rank.__struct_fields__ if name in changes}
    return msgspec.structs.replace(trial, ranks=[msgspec.structs.replace(rank, **own) for rank in trial.ranks], **changes)
