"""What a plugin offers, and what the machine is."""

from __future__ import annotations

import os

import bench
from bench.contract import Probe, Workload
from bench.entry_points import PluginRef, find_plugins
from bench.errors import PluginError
from bench.record.schema import Machine, like
from bench.spec import walk
from bench.worker.answers import BackendInfo, DeviceInfo, PluginInfo, Surveyed, WorkloadInfo
from bench.worker.channel import Channel
from bench.worker.checked import CheckedBackend
from bench.worker.jobs import PROTOCOL, Describe, Identify, Survey
from bench.worker.offered import say, workload_fault
from bench.worker.plugins import load_plugin
from bench.worker.provenance import package_folder, version_of


def describe(job: Describe, channel: Channel) -> PluginInfo:
    """Import the plugin and probe the backends asked for."""
    channel.stage("import and probe")
    loaded = load_plugin(job.plugin)
    return PluginInfo(
        backends=[_backend(backend, job.probe is None or backend.name in job.probe) for backend in loaded.backends],
        workloads=[_workload(workload, job.plugin) for workload in loaded.workloads],
        reporters=[reporter.name for reporter in loaded.reporters],
        version=version_of(job.plugin.distribution),
    )


def _backend(backend: CheckedBackend, probe: bool) -> BackendInfo:
    environment = dict(getattr(backend, "environment", {}))
    options, layers = tuple(getattr(backend, "options", ())), getattr(backend, "layers", None)
    known = None if layers is None else tuple(layer.__name__ for layer in layers)
    if not probe:
        return BackendInfo(name=backend.name, environment=environment, probed=False, options=options, layers=known)
    os.environ.update(environment)  # probing must find, and leave alone, what measuring would
    fault = ""
    try:
        found = backend.probe()
    except PluginError as error:  # one backend must not hide the others
        found, fault = Probe(), str(error)
    return BackendInfo(
        name=backend.name,
        environment=environment,
        probed=True,
        devices=[like(DeviceInfo, device, memory=device.memory_bytes) for device in found.devices],
        versions=dict(found.versions),
        reason=found.reason or fault,
        broken=bool(fault),
        options=options,
        alternatives=hasattr(backend, "alternatives"),
        layers=known,
    )


def _workload(workload: Workload, ref: PluginRef) -> WorkloadInfo:
    try:
        fault = workload_fault(workload)
    except Exception as error:  # what a plugin gives may raise wherever it is looked at
        fault = say(error)
    if fault:
        whose = f"plugin '{ref.name}' ({ref.module}), workload '{workload.name} {workload.size}'"
        return WorkloadInfo(
            name=workload.name, size=workload.size, summary="", batch_size=0, epochs=0, broken=f"{whose}: {fault}"
        )
    recipe = workload.recipe
    targets = {"targets": dict(recipe.targets), "synthetic_targets": dict(recipe.synthetic_targets)}
    layers: dict[str, str] = {}
    for node in walk(workload.network):
        layers.setdefault(type(node.layer).__name__, node.path)
    return like(WorkloadInfo, workload, broken="", layers=layers, **targets)


def survey(job: Survey, channel: Channel) -> Surveyed:
    """The plugins' names and folders."""
    plugins = find_plugins()
    packages = dict.fromkeys(["bench", *(plugin.module.split(".")[0] for plugin in plugins)])
    return Surveyed(
        protocol=PROTOCOL,
        version=bench.__version__,
        plugins=plugins,
        folders={name: package_folder(name) for name in packages},
    )


def identify(job: Identify, channel: Channel) -> Machine:
    """Describe the machine."""
    from bench.machine.identity import describe_machine

    return describe_machine(job.keep_host_name, job.user, job.salt)
