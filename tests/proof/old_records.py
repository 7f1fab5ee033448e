"""Synthetic records for unchanged.py, as an earlier commit writes them: what the published records do not show.

    python tests/proof/old_records.py FOLDER

This file runs in the earlier commit's environment, with that commit's ``bench`` and ``tests.support.records``. It is written for
their state at commit 7168937. FOLDER gets a folder for each group of records, and in it a run's folder for each record.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from bench.record.files import NAME, sealed
from bench.record.schema import Case, Energy, Evaluation, Finding, Forecast, Record
from tests.support import records as fake

change = msgspec.structs.replace

DRAWN = {
    "package-0": Energy(joules=400.0, seconds=4.0, idle_watts=30.0),
    "gpu:0": Energy(joules=2000.0, seconds=4.0, idle_watts=75.0),
}


def groups() -> dict[str, list[Record]]:
    """Every group of records by the name of its folder."""
    return {
        "gpu": [fake.record()],
        "machines": machines(),
        "everything": everything(),
        "failures": [failures()],
        "bare": [bare()],
        "labels": [fake.record(f"node-{name}", seed=seed, labels={"node": name}) for seed, name in enumerate("abca")],
        "hostile": [hostile()],
        "several-gpus": [several_gpus()],
        "sweep": [sweep()],
        "history": history([100.0] * 9 + [85.0] * 5),
        "steady-history": history([100.0] * 10),
        "mixed": [fake.record("mixed-a"), fake.record("mixed-b", on=fake.machine("b", cpu="AMD EPYC 7763"), seed=5)],
        **compared(),
    }


def machines() -> list[Record]:
    """A GPU's host that counts energy, and one without a GPU that decoded in a single trial."""
    plain = [replace(script, rate=script.rate * 0.7) for script in fake.scripts() if script.case.backend != "cuda"]
    plain = [replace(script, trials=1) if script.case.phase == "preprocess" else script for script in plain]
    first = fake.record(wanted=[replace(script, change={"energy": DRAWN}) for script in fake.scripts()])
    trials = [change(trial, energy=_rising(trial.energy, trial.number)) for trial in first.trials]
    return [change(first, trials=trials), fake.record("r1", plain, on=fake.machine("b", gpus=[], cores=8), seed=3)]


def _rising(counted: dict[str, Energy], number: int) -> dict[str, Energy]:
    return {name: change(one, joules=one.joules * (1 + 0.03 * number)) for name, one in counted.items()}


def everything() -> list[Record]:
    """Something for every table and every picture: trainings to quality, from files, several batch sizes, forecasts."""
    scripts = [
        *fake.scripts(),
        *_sizes(),
        _to_quality(3),
        replace(_to_quality(2), case=_target("cuda", "cuda:0"), rate=6000.0),
    ]
    scripts += [
        fake.Script(fake.train(scenario="from-files"), 31.0),
        fake.Script(fake.train("cuda", "cuda:0", scenario="from-files"), 40.0),
        fake.Script(fake.train(facts=fake.TINY), 2000.0),
        fake.Script(fake.train("cuda", "cuda:0", facts=fake.TINY), 90_000.0, trials=2),
    ]
    first = fake.record("everything", scripts)
    close = Forecast(case=_training(first, "cpu"), epochs=5, predicted=102.0, low=95.0, high=110.0, measured=100.0)
    far = Forecast(case=_training(first, "cuda"), epochs=5, predicted=13.0, low=12.5, high=13.5, measured=10.0)
    return [change(first, forecasts=[close, far, change(close, measured=104.0)]), machines()[1]]


def _target(backend: str, device: str) -> Case:
    return fake.train(backend, device, scenario="to-quality", targets={"auc": 0.8}, epochs=24)


def _to_quality(trials: int) -> fake.Script:
    curve = [
        Evaluation(
            epoch=epoch,
            steps=100 * epoch,
            seconds=10.0 * epoch,
            loss=1 / epoch,
            measures={"auc": 0.6 + 0.05 * epoch, "accuracy": 0.8},
        )
        for epoch in range(1, 6)
    ]
    shown: dict[str, Any] = {"curve": curve, "test": {"auc": 0.82, "accuracy": 0.81}, "images_per_sample": 1}
    return fake.Script(_target("cpu", "cpu"), 75.0, trials=trials, change=shown)


def _sizes() -> list[fake.Script]:
    found = [fake.Script(fake.train("cuda", "cuda:0", batch_size=size), 3000.0 + 10 * size) for size in (64, 128)]
    found += [fake.Script(fake.train(batch_size=size), 70.0 + size / 10) for size in (64, 128)]
    return found + [fake.Script(fake.infer(batch_size=size), 250.0 + size / 10) for size in (32, 64, 128)]


def _training(record: Record, backend: str) -> int:
    return next(place for place, case in enumerate(record.cases) if (case.backend, case.phase) == (backend, "train"))


def failures() -> Record:
    """Whatever can go wrong: crashed, out of memory, refuted, unproven, alone, disturbed, still moving, not complete."""
    first = fake.scripts()
    hot = "gpu:0 was slowed down: power brake in 7 of 12 looks"
    wanted = [
        *first[:2],
        replace(first[2], checks=fake.FAILED),
        replace(first[3], checks=()),
        replace(first[4], trials=1),
        replace(first[5], change={"steady": "moving"}),
        replace(first[6], samples=40, warmup=2, change={"steady": "assumed"}),
        replace(first[7], change={"disturbances": [hot], "clock_limits": ["gpu:0 is held to 1,200 MHz by its power cap"]}),
        replace(first[8], status="out of memory", reason="the device has 80 GB and 96 GB were asked for"),
        replace(first[9], status="crashed", reason="exit code -11", change={"log_tail": "Segmentation fault"}),
        replace(first[10], cold=None),
        first[11],
        replace(
            first[7],
            case=fake.train("cuda", "cuda:0", options={"compile": "max"}),
            status="stalled",
            reason="silent for 600 s",
        ),
    ]
    finding = Finding(name="governor", severity="warning", found="the governor is powersave", remedy="set performance")
    return fake.record("failures", wanted, on=fake.machine("c", findings=[finding]), complete=False)


def bare() -> Record:
    """A single training and its inference: no decoding, no ceilings, no accelerator."""
    scripts = [script for script in fake.scripts() if script.case.backend == "cpu"]
    return fake.record("bare", scripts, ceilings=[], skips=[], devices=[fake.CPU])


def hostile() -> Record:
    """Every free text wants to be markup, a formula or a terminal's command."""
    text = "</script><script>alert(1)</script>\"'`{{7*7}}|<!--\u2028=cmd|' /C calc'!A0\x1b[31m"
    wanted = [replace(script, reason=text, change={"log_tail": text, "lowering": text}) for script in fake.scripts()]
    gpu = change(fake.GPU, name=text, versions={text: text})
    machine = fake.machine("a", cpu=text, system=text, host=text, facts={"governor": text})
    return fake.record("hostile", wanted, on=machine, devices=[fake.CPU, gpu], command=[text], labels={text: text})


def several_gpus() -> Record:
    """Two GPUs that train together, beside one."""
    second = change(fake.GPU, id="cuda:1", physical="gpu:1")
    both = fake.train("cuda", "cuda:0", devices=("cuda:0", "cuda:1"), processes=2, batch_size=64)
    wanted = [*fake.scripts(), fake.Script(both, 11_000.0)]
    gpus = [{"name": "NVIDIA H200", "driver": "580.65"}] * 2
    return fake.record("several", wanted, on=fake.machine("d", gpus=gpus, cores=32), devices=[fake.CPU, fake.GPU, second])


def sweep() -> Record:
    """Cases with options, environments and ways that pilots chose."""
    wanted = [
        *fake.scripts(),
        fake.Script(fake.infer(batch_size=8, chosen="pilot over 1, 8, 32"), 300.0),
        fake.Script(fake.train(options={"channels_last": "no"}), 60.0),
        fake.Script(fake.train(threads=1), 40.0),
        fake.Script(fake.train(environment={"OMP_NUM_THREADS": "1"}, precision="float64"), 20.0),
    ]
    return fake.record("sweep", wanted, seed=11)


def history(rates: Sequence[float]) -> list[Record]:
    """A record a day, each of its own commit."""
    return [
        fake.record(
            f"r{number:02d}",
            [fake.Script(fake.train(), rate, between=0.003), fake.Script(fake.infer(), 3 * rate, between=0.003)],
            seed=number,
            created=f"2026-01-{number + 1:02d}T10:00:00Z",
            bench={"version": "0.1.0", "commit": f"commit{number:02d}"},
        )
        for number, rate in enumerate(rates)
    ]


def compared() -> dict[str, list[Record]]:
    """Records that ``bench compare`` holds against each other: ``arm-*`` of one check, ``session-*`` of runs."""
    slower = [replace(script, rate=script.rate * 0.8) for script in fake.scripts()]
    other_torch = change(fake.CPU, versions={"torch": "2.14.0"})
    return {
        "arm-base": [_arm("base", 100.0, 1)],
        "arm-same": [_arm("candidate", 100.0, 2)],
        "arm-slower": [_arm("candidate", 85.0, 2)],
        "arm-faster": [_arm("candidate", 120.0, 2)],
        "arm-noisy": [_arm("candidate", 100.0, 2, between=0.2)],
        "arm-refuted": [_arm("candidate", 100.0, 2, checks=fake.FAILED)],
        "arm-crashed": [_arm("candidate", 100.0, 2, status="crashed", reason="exit code -11")],
        "sessions": [_session(f"s{seed}", 100.0 + seed % 3, seed) for seed in range(8)],
        "session-same": [_session("same", 101.0, 98)],
        "session-slower": [_session("slower", 80.0, 99)],
        "session-elsewhere": [change(_session("elsewhere", 60.0, 97), machine=fake.machine("b", cpu="AMD EPYC"))],
        "session-other-torch": [change(_session("torch", 100.0, 96), devices=[other_torch])],
        "session-other-driver": [
            change(_session("driver", 100.0, 95), machine=fake.machine("b", gpus=[{"name": "NVIDIA H200", "driver": "999"}]))
        ],
        "session-other-network": [change(_session("network", 100.0, 94), workloads=[change(fake.SMALL, digest="0" * 64)])],
        "session-bf16": [_session("bf16", 100.0, 93, case=fake.train(precision="bf16"))],
        "session-all": [fake.record("all", seed=12, labels={})],
        "session-all-slower": [fake.record("all-slower", slower, seed=13, labels={})],
    }


def _session(name: str, rate: float, seed: int, case: Case | None = None, **changes: Any) -> Record:
    labels = changes.pop("labels", {})
    return fake.record(name, [fake.Script(case or fake.train(), rate, trials=10, **changes)], seed=seed, labels=labels)


def _arm(arm: str, rate: float, seed: int, **changes: Any) -> Record:
    labels = {"check": "c1", "arm": arm, "level.0": "0.01"}
    return _session(f"{arm}-{rate:g}-{seed}{len(changes) or ''}", rate, seed, labels=labels, **changes)


def broken(good: bytes) -> dict[str, bytes]:
    """Files that are no whole record of this version, by the name of their folder."""
    again = json.loads(good)
    contradicting = fake.record("contradicting")
    contradicting.trials[0] = fake.record("contradicting", fake.scripts() * 2).trials[-1]
    return {
        "truncated": good[: len(good) // 2],
        "empty": b"",
        "edited": good.replace(b'"seed":7', b'"seed":8'),
        "future": good.replace(b'"version":1', b'"version":99', 1),
        "past": good.replace(b'"version":1', b'"version":0', 1),
        "half-future": good.replace(b'"version":1', b'"version":99'),
        "foreign": good.replace(b"accelbench record", b"somebody's record", 1),
        "no-record": json.dumps({name: again[name] for name in again if name != "record"}).encode(),
        "list": b"[1, 2, 3]\n",
        "not-text": good.replace(b"JAX is not", b"JAX \xff not"),
        "contradicting": sealed(contradicting),
    }


def main(folder: Path) -> None:
    """Write every record."""
    for name, records in groups().items():
        for record in records:
            _put(folder / name / record.id.replace("/", "_"), sealed(record))
    for name, content in broken(sealed(fake.record())).items():
        _put(folder / "broken" / name, content)
        _put(folder / f"half-broken-{name}" / name, content)
        _put(folder / f"half-broken-{name}" / "good", sealed(fake.record()))
    unfinished = folder / "broken" / "unfinished"
    unfinished.mkdir()
    (unfinished / "journal.jsonl").touch()


def _put(place: Path, content: bytes) -> None:
    place.mkdir(parents=True, exist_ok=True)
    (place / NAME).write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
