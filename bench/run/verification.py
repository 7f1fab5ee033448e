"""``bench verify``'s parent side: a worker per backend, device, size and precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from bench.errors import NotComparableError
from bench.record.scenarios import scenario
from bench.record.schema import Check
from bench.run.crew import run_worker
from bench.run.discovery import FoundBackend, FoundWorkload, discover, lacking
from bench.run.folders import fresh_log
from bench.run.limits import STALL_SECONDS
from bench.run.plan import Wishes, device_case, said_together, wished_for
from bench.run.process import Launch
from bench.run.session import ask_worker
from bench.text.waiting import told
from bench.worker.answers import DeviceInfo
from bench.worker.channel import Beat
from bench.worker.jobs import MakeGolden, Verify


@dataclass(frozen=True)
class Verification:
    """The checks of one backend, device, size and precision."""

    label: str
    passed: bool | None  # None: the backend lacks a layer, so that nothing was verified
    summary: str
    checks: Sequence[Check] = field(default_factory=tuple)
    trace: str = ""  # the last words of a worker that failed


def verify_all(wishes: Wishes, interpreters: Mapping[str, str]) -> Iterator[Verification]:
    """Results as they come. Raises UsageError for unknown names, NotComparableError where nothing can be verified."""
    found, chosen, skips = wished_for(wishes, interpreters)
    workloads = [found.workload(wishes.workload, size) for size in wishes.sizes]
    cases = [
        (backend, device, size, precision)
        for size in workloads
        for backend in chosen
        for device in backend.info.devices
        if not wishes.devices or device.id in wishes.devices
        for precision in device.precisions
        if not wishes.precisions or precision in wishes.precisions
    ]
    if not cases:
        wanted = f"no device has precision {', '.join(wishes.precisions)}" if wishes.precisions else "there is no device"
        raise NotComparableError(
            "; ".join(part for part in (f"nothing can be verified: {wanted}", said_together(skips)) if part)
        )
    for case in cases:
        yield _verify(*case, wishes)


def _verify(
    backend: FoundBackend,
    device: DeviceInfo,
    workload: FoundWorkload,
    precision: str,
    wishes: Wishes,
) -> Verification:
    label = f"{backend.info.name} {device.id} {workload.info.name}-{workload.info.size} {precision}"
    if lacks := lacking(backend, workload):
        return Verification(label, None, lacks)
    row = scenario("train", "") if device.trains else scenario("infer", "offline")
    case = device_case(row, wishes, backend, device, workload, precision, batch_size=0)
    job = Verify(case=case, backend=backend.plugin, workload=workload.plugin)
    with told(lambda: f"bench: verifying {label}"):
        outcome = run_worker(Launch(job, fresh_log("verify"), case.environment, backend.interpreter, wishes.stall))
    if outcome.skipped:
        return Verification(label, None, outcome.reason)
    if outcome.status != "ok":
        return Verification(label, False, outcome.trouble, trace=outcome.log_tail)
    checks = msgspec.json.decode(outcome.value, type=list[Check])
    failed = [check.name for check in checks if not check.passed]
    unjudged = sum(not check.judged for check in checks)
    summary = (
        f"{len(checks) - unjudged} checks" + (f", {unjudged} not judged," if unjudged else "")
        if not failed
        else f"failed: {', '.join(failed)}"
    )
    return Verification(label, not failed, f"{summary} in {outcome.wall:.1f} s", checks)


def make_goldens(
    workload: str, sizes: Sequence[str], say: Callable[[str], None], stall: float = STALL_SECONDS
) -> Iterator[str]:
    """Write golden files; their paths."""
    found = discover((), stall=stall)
    for size in sizes:
        chosen = found.workload(workload, size)
        job = MakeGolden(workload=chosen.plugin, name=workload, size=size)
        yield ask_worker(job, str, lambda event: say(event.text) if isinstance(event, Beat) else None, stall)
