"""One trial: one case measured once, stage by stage, in this process."""

from __future__ import annotations

from bench.worker.answers import Measured
from bench.worker.channel import Channel
from bench.worker.handlers import handler
from bench.worker.jobs import Measure
from bench.worker.measured import package_facts, telemetry
from bench.worker.workbench import set_up


def measure(job: Measure, channel: Channel) -> Measured:
    """Measure ``job.case`` by its scenario's module; without ``job.blocks``, a pilot that suggests them."""
    bench = set_up(job, channel)
    before = telemetry()
    measured: Measured = handler(job.case.how.worker)(bench)
    measured.stages = bench.stages
    looks = (("before", before), ("during", bench.conditions.telemetry), ("after", bench.telemetry))
    measured.telemetry = {name: facts for name, facts in looks if facts}
    measured.disturbances, measured.clock_limits = bench.conditions.disturbances, bench.conditions.clock_limits
    measured.energy = bench.energy
    measured.package = package_facts(job.backend)
    return measured
