"""What a plugin offers, held against the contract. Each function returns the first fault in words, or an empty string.

The worker asks before it uses an answer, and the conformance kit asks too. Nothing here loads NumPy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from bench.contract import PRECISIONS, Backend, Device, Probe, Recipe, Workload
from bench.errors import SpecError
from bench.spec import SGD, AdamW, CrossEntropy, walk
from bench.spec.vocabulary import VOCABULARY

TRAINER, PREDICTOR = ("stage", "run", "wait", "weights"), ("stage", "run", "wait")
READER = ("open", "files", "decode")


def backend_fault(backend: Backend) -> str:
    """Of a backend's attributes; its methods are not called."""
    if isinstance(backend, type):
        return f"it is the class {backend.__name__}, expected an object: {backend.__name__}()"
    name = getattr(backend, "name", None)
    if not isinstance(name, str) or not name or any(character.isspace() for character in name):
        return f"name is {name!r}, expected a word"
    missing = [method for method in ("probe", "trainer", "predictor") if not callable(getattr(backend, method, None))]
    if missing:
        return f"method {missing[0]} is missing"
    environment = getattr(backend, "environment", {})
    if not isinstance(environment, Mapping) or not _all_text([*environment.keys(), *environment.values()]):
        return f"environment is {environment!r}, expected a mapping from text to text"
    options = getattr(backend, "options", ())
    if isinstance(options, str) or not isinstance(options, Sequence) or not _all_text([*options]):
        return f"options are {options!r}, expected a list of names"
    layers = getattr(backend, "layers", None)
    if layers is not None and not (isinstance(layers, Collection) and all(layer in VOCABULARY for layer in layers)):
        return f"layers are {layers!r:.80}, expected classes of bench.spec, as (Conv2d, Dense)"
    return ""


def probe_fault(found: object) -> str:
    """Of what ``probe()`` gave."""
    if not isinstance(found, Probe):
        return f"probe() gave {kind(found)}, expected a Probe"
    if not isinstance(found.devices, Sequence) or not all(isinstance(device, Device) for device in found.devices):
        return f"probe() gave a Probe with devices {found.devices!r:.80}, expected a tuple of Device"
    if not isinstance(found.reason, str):
        return f"probe() gave a Probe with reason {found.reason!r:.80}, expected text"
    if not found.devices and not found.reason:
        return "probe() found no device and gives no reason; say what is missing and what to install"
    if not isinstance(found.versions, Mapping) or not _all_text([*found.versions.keys(), *found.versions.values()]):
        return f"probe(): versions are {found.versions!r}, expected a mapping from text to text"
    ids = [device.id for device in found.devices]
    if len(set(ids)) != len(ids):
        return f"probe(): two devices share an id among {ids}"
    return next((f"probe(): {fault}" for fault in map(_device_fault, found.devices) if fault), "")


def _device_fault(device: Device) -> str:
    if not _all_text([device.id, device.kind, device.name, device.physical]):
        return f"device {device!r}: id, kind, name and physical must be text"
    if not device.id or not device.kind or not device.physical:
        return f"device {device!r}: id, kind and physical must not be empty"
    if not isinstance(device.precisions, tuple) or not isinstance(device.trains, bool) or not isinstance(device.joins, bool):
        return f"device {device.id}: precisions must be a tuple, trains and joins each a bool"
    unknown = [precision for precision in device.precisions if precision not in PRECISIONS]
    if unknown or not device.precisions or len(set(device.precisions)) != len(device.precisions):
        return f"device {device.id}: precisions are {device.precisions!r}, expected some of {PRECISIONS}, each once"
    memory = device.memory_bytes
    if memory is not None and (not isinstance(memory, int) or memory <= 0):
        return f"device {device.id}: memory_bytes is {memory!r}, expected a positive int or None"
    return ""


def workload_fault(workload: Workload) -> str:
    """Of one size of a workload: its network, layer by layer, and what stands beside it."""
    try:
        classes = [*walk(workload.network)][-1].output_shape[0]
    except SpecError as error:
        return str(error)
    names = workload.classes
    if not isinstance(names, tuple) or not _all_text(names) or len(names) != classes:
        return f"classes are {names!r:.80}, expected a tuple of {classes} names, one for each class of the network"
    weights = workload.loss.class_weights if isinstance(workload.loss, CrossEntropy) else None
    if not isinstance(workload.loss, CrossEntropy) or (weights is not None and len(weights) != classes):
        return f"loss is {workload.loss!r:.80}, expected a CrossEntropy, with as many class weights as classes if it has any"
    if not isinstance(workload.optimizer, SGD | AdamW):
        return f"optimizer is {workload.optimizer!r:.80}, expected an SGD or an AdamW"
    if not isinstance(workload.recipe, Recipe):
        return f"recipe is {workload.recipe!r:.80}, expected a Recipe"
    for name, least in (("batch_size", 1), ("epochs", 1), ("seed", 0)):
        value = getattr(workload, name)
        if type(value) is not int or value < least:
            return f"{name} is {value!r:.80}, expected a whole number of {least} or more"
    missing = [
        method for method in READER if workload.data is not None and not callable(getattr(workload.data, method, None))
    ]
    return f"data is {kind(workload.data)} without {', '.join(missing)}, expected a DataReader" if missing else ""


def made_fault(method: str, made: object, expected: Sequence[str]) -> str:
    """Of the trainer or predictor that ``method`` gave."""
    missing = [name for name in expected if not callable(getattr(made, name, None))]
    if not missing:
        return ""
    lacks = "" if len(missing) == len(expected) else f" without {', '.join(missing)}"
    return f"{method}() gave {kind(made)}{lacks}, expected an object with the methods {', '.join(expected)}"


def optional_fault(made: object) -> str:
    """Of what a trainer or predictor may have besides, ``device_memory`` called."""
    lowering, memory = getattr(made, "lowering", ""), getattr(made, "device_memory", None)
    if not isinstance(lowering, str):
        return f"lowering is {lowering!r}, expected text"
    peak = 0 if memory is None else memory()
    if not isinstance(peak, int) or peak < 0:
        return f"device_memory() gave {peak!r}, expected a number of bytes"
    return ""


def kind(value: object) -> str:
    """A value's type in words, as ``a list``; values that say it all stand as they are."""
    if value is None or value is ...:
        return repr(value)
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _all_text(values: Sequence[object]) -> bool:
    return all(type(value) is str for value in values)


def say(error: BaseException) -> str:
    """An exception's type and words, on one line."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:300]}" if words else type(error).__name__
