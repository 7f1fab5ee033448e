"""The facts that decide whether two measurements may be compared."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bench.record.quality import goal
from bench.record.schema import Case, DeviceFacts, Machine, Record
from bench.record.variables import worker_variables


@dataclass(frozen=True)
class Facts:
    """What was measured, where and with what: facts of one case of one record. Only what ``--vary`` names may ever differ."""

    workload: str
    device: str
    machine: str
    driver: str
    framework: str
    settings: str  # the worker's environment, and what the user had set

    def differing(self, other: Facts) -> dict[str, tuple[str, str]]:
        """Names of the facts that differ, with both values."""
        return {name: (value, theirs) for name, value in vars(self).items() if (theirs := getattr(other, name)) != value}


CaseKey = tuple[str, ...]


def case_key(case: Case, vary: Collection[str] = (), cores_there: int | None = None) -> CaseKey:
    """Return the key that two cases must share to be held against each other.

    ``cores_there``: across machines, how many cores the case's machine has. A case on all of them is then held against one on all of
    the other's.
    """
    options = ",".join(f"{name}={value}" for name, value in sorted(case.options.items()))
    cores = "all" if case.cores == cores_there else str(case.cores)
    place = () if "device" in vary else (case.backend, "+".join(case.devices), cores)
    batch = str(case.batch_size) if case.how.batch else ""
    what = (case.workload, case.size, case.phase, case.scenario, goal(case), case.precision, batch)
    return (*what, str(len(case.places)), options, *place)


def facts_of(record: Record, case: Case) -> Facts:
    """The facts of one case."""
    machine = record.machine
    digest = next((w.digest for w in record.workloads if (w.name, w.size) == (case.workload, case.size)), "")
    device = next((d for d in record.devices if d.backend == case.backend and d.id in case.devices), None)
    chosen, user = worker_variables(record, case)
    return Facts(
        workload=f"{case.workload} {case.size} {digest[:12]}",
        device=_device(device, machine),
        machine=hardware(machine),
        driver=", ".join(sorted({gpu.get("driver", "") for gpu in machine.gpus})),
        framework=_framework(device, machine),
        settings=" ".join([*(f"{name}={value}" for name, value in sorted(chosen.items())), *user]),
    )


def hardware(machine: Machine) -> str:
    """Return a description of the machine for people; it covers less than the fingerprint, and no driver."""
    gpus = [f"{gpu.get('name', '')} {gpu.get('power_limit_watts', '')} W" for gpu in machine.gpus]
    facts = [f"{name} {machine.facts[name]}" for name in ("governor", "huge_pages", "cgroup_quota") if name in machine.facts]
    parts = [machine.cpu, machine.architecture, f"{machine.cores} cores", f"{round(machine.memory / 2**30)} GiB"]
    return ", ".join([*parts, machine.system.split(" ")[0], *facts, *gpus])


def _device(device: DeviceFacts | None, machine: Machine) -> str:
    return machine.cpu if device is None else f"{device.name} ({device.backend})"


def _framework(device: DeviceFacts | None, machine: Machine) -> str:
    versions = {} if device is None else device.versions
    python = f"python {machine.facts.get('python', '')}"
    return ", ".join([*(f"{name} {version}" for name, version in sorted(versions.items())), python])
