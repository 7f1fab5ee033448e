"""The machine's identity: what a record says of it, and the fingerprint that decides whether figures may be pooled."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from typing import Any

from bench.machine.gpu import describe_gpus
from bench.machine.health import findings
from bench.machine.host import facts, hashed, usable_cores, usable_memory
from bench.record.schema import Machine


def describe_machine(keep_host_name: bool = False, user: str = "", salt: str = "") -> Machine:
    """Return what a record says of this machine; ``user``: the variables that the user had set, as ``host.ambient`` has them; ``salt``:
    that of the host's hashed name.

    Finding the processor's name takes about a second: do it once per run.
    """
    import cpuinfo
    import psutil

    cpu = cpuinfo.get_cpu_info()
    name = str(cpu.get("brand_raw") or platform.processor() or platform.machine())
    gpus = describe_gpus()
    memory = int(psutil.virtual_memory().total)
    system = facts(user)
    identity = {
        "cpu": name,
        "family": [cpu.get("family"), cpu.get("model"), cpu.get("stepping")],
        "flags": sorted(cpu.get("flags", [])),
        "cores": usable_cores(),
        "gib": round(memory / 2**30),
        "gpus": [[gpu.get("name"), gpu.get("driver"), gpu.get("power_limit_watts")] for gpu in gpus],
        "system": [platform.system(), system.get("governor"), system.get("huge_pages"), system.get("cgroup_quota")],
    }
    hardware = identity | {"gpus": [[gpu.get("name"), gpu.get("power_limit_watts")] for gpu in gpus]}
    host = platform.node()
    return Machine(
        fingerprint=_digest(identity),
        host=host if keep_host_name else hashed(host, salt),
        system=f"{platform.system()} {platform.release()}",
        cpu=name,
        architecture=platform.machine(),
        cores=usable_cores(),
        cores_online=os.cpu_count() or 1,
        memory=memory,
        memory_usable=usable_memory(),
        facts=system | {"hardware": _digest(hardware)},  # the fingerprint but for the driver
        findings=findings(),
        gpus=gpus,
    )


def _digest(identity: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
