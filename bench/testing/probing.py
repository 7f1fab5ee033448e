"""What a backend says of itself: nothing here touches a device beyond ``probe()``."""

from __future__ import annotations

from collections.abc import Mapping

from bench.contract import PRECISIONS, Backend, Device, Probe
from bench.record.schema import Check


def check_backend(backend: Backend) -> list[Check]:
    """The backend's attributes and methods, and its probe, asked twice."""
    faults = _attributes(backend)
    checks = [Check(name="backend", passed=not faults, detail=faults)]
    try:
        found, again = backend.probe(), backend.probe()
    except Exception as error:  # exactly what the contract forbids
        return [*checks, Check(name="probe", passed=False, detail=f"probe() raised {type(error).__name__}: {error}")]
    faults = _probe(found)
    if not faults and found != again:
        faults = "probe() answered differently when asked again"
    return [*checks, Check(name="probe", passed=not faults, detail=faults)]


def _attributes(backend: Backend) -> str:
    name = getattr(backend, "name", None)
    if not isinstance(name, str) or not name or any(character.isspace() for character in name):
        return f"name is {name!r}, expected a word"
    missing = [method for method in ("probe", "trainer", "predictor") if not callable(getattr(backend, method, None))]
    if missing:
        return f"method {missing[0]} is missing"
    environment = getattr(backend, "environment", {})
    if not isinstance(environment, Mapping) or not _all_text([*environment.keys(), *environment.values()]):
        return f"environment is {environment!r}, expected a mapping from text to text"
    return ""


def _probe(found: object) -> str:
    if not isinstance(found, Probe):
        return f"probe() gave a {type(found).__name__}, expected a Probe"
    if not found.devices and not found.reason:
        return "probe() found no device and gives no reason; say what is missing and what to install"
    if not isinstance(found.versions, Mapping) or not _all_text([*found.versions.keys(), *found.versions.values()]):
        return f"versions are {found.versions!r}, expected a mapping from text to text"
    if found.devices and not found.versions:
        return "versions are empty; name at least the framework's, for the record"
    ids = [device.id for device in found.devices]
    if len(set(ids)) != len(ids):
        return f"two devices share an id among {ids}"
    return next((fault for fault in map(_device, found.devices) if fault), "")


def _device(device: Device) -> str:
    if not _all_text([device.id, device.kind, device.name, device.physical]):
        return f"device {device!r}: id, kind, name and physical must be text"
    if not device.id or not device.kind or not device.physical:
        return f"device {device!r}: id, kind and physical must not be empty"
    unknown = [precision for precision in device.precisions if precision not in PRECISIONS]
    if unknown or not device.precisions or len(set(device.precisions)) != len(device.precisions):
        return f"device {device.id}: precisions are {device.precisions!r}, expected some of {PRECISIONS}, each once"
    if not isinstance(device.precisions, tuple) or not isinstance(device.trains, bool) or not isinstance(device.joins, bool):
        return f"device {device.id}: precisions must be a tuple, trains and joins each a bool"
    memory = device.memory_bytes
    if memory is not None and (not isinstance(memory, int) or memory <= 0):
        return f"device {device.id}: memory_bytes is {memory!r}, expected a positive int or None"
    return ""


def _all_text(values: list[object]) -> bool:
    return all(type(value) is str for value in values)
