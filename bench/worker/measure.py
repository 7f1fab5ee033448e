"""One trial: one case measured once, stage by stage, in this process."""

from __future__ import annotations

from pkgutil import resolve_name

from bench.worker.answers import RankResult
from bench.worker.channel import Channel
from bench.worker.jobs import Measure
from bench.worker.provenance import package_facts
from bench.worker.workbench import set_up, telemetry


def measure(job: Measure, channel: Channel) -> RankResult:
    """Measure ``job.case`` by its scenario's module; without ``job.blocks``, a pilot that suggests them."""
    bench = set_up(job, channel)
    before = telemetry()
    measured: RankResult = resolve_name(job.case.how.worker)(bench)
    measured.stages = bench.stages
    looks = (("before", before), ("during", bench.conditions.telemetry), ("after", bench.telemetry))
    measured.telemetry = {name: facts for name, facts in looks if facts}
    measured.disturbances, measured.clock_limits = bench.conditions.disturbances, bench.conditions.clock_limits
    measured.energy = bench.energy
    measured.package = package_facts(job.backend, job.salt)
    return measured
