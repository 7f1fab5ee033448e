"""Proving one case against the golden file, and making golden files."""

from __future__ import annotations

from bench.errors import UsageError
from bench.record.schema import Check
from bench.verify.equivalence import Subject, verify
from bench.verify.golden import make_golden, steps_and_images, write_golden
from bench.verify.sharp import sharp_verification
from bench.worker.channel import Channel
from bench.worker.jobs import MakeGolden, Verify
from bench.worker.plugins import find_backend, find_workload, settings_of


def verify_case(job: Verify, channel: Channel) -> list[Check]:
    """Run every check of ``bench.verify.equivalence``."""
    channel.stage("import")
    backend = find_backend(job.backend, job.case.backend)
    workload = find_workload(job.workload, job.case.workload, job.case.size)
    device = next(device for device in backend.probe().devices if device.id == job.place.device)
    channel.stage("verify")
    subject = Subject(backend, device.id, workload, settings_of(job), device.trains)
    checks = verify(subject, channel.busy)
    return checks + sharp_verification(checks, subject, device.precisions, channel.busy)


def make_golden_file(job: MakeGolden, channel: Channel) -> str:
    """Write the golden file beside the workload; its path."""
    workload = find_workload(job.workload, job.name, job.size)
    if workload.golden is None:
        raise UsageError(f"workload {job.name}-{job.size} names no golden file; give its Workload a path as golden=")
    channel.stage("oracle")
    draws = 6 if steps_and_images(workload)[0] == 5 else 3  # an hour of float64 convolutions would teach no more
    with channel.busy():
        write_golden(make_golden(workload, draws, lambda text: channel.beat(0, 0, text)), workload.golden)
    return str(workload.golden)
