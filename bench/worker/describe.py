"""What a plugin offers, and what the machine is."""

from __future__ import annotations

from typing import Any

from bench.contract import Backend, Probe, Workload
from bench.machine.identity import describe_machine
from bench.record.schema import Machine
from bench.worker.answers import BackendInfo, DeviceInfo, PluginInfo, WorkloadInfo
from bench.worker.channel import Channel
from bench.worker.jobs import Describe, Identify
from bench.worker.plugins import load_plugin


def describe(job: Describe, channel: Channel) -> PluginInfo:
    """Import the plugin and probe the backends asked for."""
    loaded = load_plugin(job.plugin)
    return PluginInfo(
        backends=[_backend(backend, job.probe is None or backend.name in job.probe) for backend in loaded.backends],
        workloads=[_workload(workload) for workload in loaded.workloads],
        reporters=list(loaded.reporters),
        version=loaded.version,
    )


def _backend(backend: Backend, probe: bool) -> BackendInfo:
    environment = {str(k): str(v) for k, v in getattr(backend, "environment", {}).items()}
    if not probe:
        return BackendInfo(name=backend.name, environment=environment, probed=False)
    try:
        found = backend.probe()
    except Exception as error:  # the contract forbids it, but one plugin must not hide the others
        found = Probe(reason=f"probe() raised {type(error).__name__}: {error}")
    return BackendInfo(
        name=backend.name,
        environment=environment,
        probed=True,
        devices=[_device(device) for device in found.devices],
        versions={str(name): str(version) for name, version in found.versions.items()},
        reason=found.reason,
    )


def _device(device: Any) -> DeviceInfo:
    return DeviceInfo(
        id=device.id,
        kind=device.kind,
        name=device.name,
        precisions=device.precisions,
        physical=device.physical,
        memory=device.memory_bytes,
        trains=device.trains,
    )


def _workload(workload: Workload) -> WorkloadInfo:
    return WorkloadInfo(
        name=workload.name,
        size=workload.size,
        summary=workload.summary,
        batch_size=workload.batch_size,
        epochs=workload.epochs,
    )


def identify(job: Identify, channel: Channel) -> Machine:
    """Describe the machine."""
    return describe_machine(job.keep_host_name)
