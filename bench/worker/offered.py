"""What a plugin offers, held against the contract. Each function returns the first fault in words, or an empty string.

The worker asks before it uses an answer, and the conformance kit asks too. Nothing here loads NumPy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from bench.contract import PRECISIONS, Backend, Device, Probe, Recipe, Workload
from bench.errors import SpecError
from bench.spec import SGD, AdamW, CrossEntropy, walk
from bench.spec.vocabulary import VOCABULARY
from bench.text.words import MOST_SAID, said_by

TRAINER, PREDICTOR = ("stage", "run", "wait", "weights"), ("stage", "run", "wait")
READER = ("open", "files", "decode")

MOST_BYTES = 2**63 - 1
"""What a record can hold of a number of bytes."""


def backend_fault(backend: Backend) -> str:
    """Of a backend's attributes; its methods are not called."""
    if isinstance(backend, type):
        return f"it is the class {backend.__name__}, expected an object: {backend.__name__}()"
    name = getattr(backend, "name", None)
    if fault := word_fault("name", name):
        return fault
    missing = [method for method in ("probe", "trainer", "predictor") if not callable(getattr(backend, method, None))]
    if missing:
        return f"method {missing[0]} is missing"
    environment = getattr(backend, "environment", {})
    if not _is_text_to_text(environment):
        return f"environment is {shown(environment)}, expected a mapping from text to text"
    if refused := [name for name, value in environment.items() if not name or "=" in name or "\0" in name + value]:
        return f"environment holds {shown(refused[0])}, a variable that no process can have"
    options = getattr(backend, "options", ())
    if isinstance(options, str) or not isinstance(options, Sequence) or not _all_text([*options]):
        return f"options are {shown(options)}, expected a list of names"
    layers = getattr(backend, "layers", None)
    if layers is not None and not (isinstance(layers, Collection) and all(layer in VOCABULARY for layer in layers)):
        return f"layers are {shown(layers)}, expected classes of bench.spec, as (Conv2d, Dense)"
    if not callable(alternatives := getattr(backend, "alternatives", len)):
        return f"alternatives is {shown(alternatives)}, expected a method"
    return ""


def probe_fault(found: object) -> str:
    """Of what ``probe()`` gave."""
    if not isinstance(found, Probe):
        return f"probe() gave {kind(found)}, expected a Probe"
    if not isinstance(found.devices, Sequence) or not all(isinstance(device, Device) for device in found.devices):
        return f"probe() gave a Probe with devices {shown(found.devices)}, expected a tuple of Device"
    if fault := text_fault("reason", found.reason):
        return f"probe() gave a Probe whose {fault}"
    if not found.devices and not found.reason:
        return "probe() found no device and gives no reason; say what is missing and what to install"
    if not _is_text_to_text(found.versions):
        return f"probe(): versions are {shown(found.versions)}, expected a mapping from text to text"
    if fault := next((fault for fault in map(_device_fault, found.devices) if fault), ""):
        return f"probe(): {fault}"
    ids = [device.id for device in found.devices]
    return f"probe(): two devices share an id among {shown(ids)}" if len(set(ids)) != len(ids) else ""


def _device_fault(device: Device) -> str:
    if not _all_text([device.id, device.kind, device.name, device.physical]):
        return f"device {shown(device)}: id, kind, name and physical must be text"
    if not device.id or not device.kind or not device.physical:
        return f"device {shown(device)}: id, kind and physical must not be empty"
    if not isinstance(device.precisions, tuple) or not isinstance(device.trains, bool) or not isinstance(device.joins, bool):
        return f"device {device.id}: precisions must be a tuple, trains and joins each a bool"
    unknown = [precision for precision in device.precisions if precision not in PRECISIONS]
    if unknown or not device.precisions or len(set(device.precisions)) != len(device.precisions):
        return f"device {device.id}: precisions are {shown(device.precisions)}, expected some of {PRECISIONS}, each once"
    memory = device.memory_bytes
    if memory is not None and (type(memory) is not int or not 0 < memory <= MOST_BYTES):
        return f"device {device.id}: memory_bytes is {shown(memory)}, expected a positive int or None"
    return ""


def workload_fault(workload: Workload) -> str:
    """Of one size of a workload: its network, layer by layer, and what stands beside it."""
    try:
        classes = [*walk(workload.network)][-1].output_shape[0]
    except SpecError as error:
        return str(error)
    if fault := text_fault("summary", workload.summary):
        return fault
    names = workload.classes
    if not isinstance(names, tuple) or not _all_text(names) or len(names) != classes:
        return f"classes are {shown(names)}, expected a tuple of {classes} names, one for each class of the network"
    weights = workload.loss.class_weights if isinstance(workload.loss, CrossEntropy) else None
    if not isinstance(workload.loss, CrossEntropy) or (weights is not None and len(weights) != classes):
        return (
            f"loss is {shown(workload.loss)}, expected a CrossEntropy, with as many class weights as classes if it has any"
        )
    if not isinstance(workload.optimizer, SGD | AdamW):
        return f"optimizer is {shown(workload.optimizer)}, expected an SGD or an AdamW"
    if not isinstance(workload.recipe, Recipe):
        return f"recipe is {shown(workload.recipe)}, expected a Recipe"
    for name in ("targets", "synthetic_targets"):
        if not _is_text_to_number(targets := getattr(workload.recipe, name)):
            return f"recipe.{name} is {shown(targets)}, expected a mapping from text to numbers"
    for name, least in (("batch_size", 1), ("epochs", 1), ("seed", 0)):
        value = getattr(workload, name)
        if type(value) is not int or not least <= value <= MOST_BYTES:
            return f"{name} is {shown(value)}, expected a whole number of {least} or more"
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
    memory = getattr(made, "device_memory", None)
    if fault := text_fault("lowering", getattr(made, "lowering", "")):
        return fault
    if memory is not None and not callable(memory):
        return f"device_memory is {shown(memory)}, expected a method"
    peak = 0 if memory is None else memory()
    if type(peak) is not int or not 0 <= peak <= MOST_BYTES:
        return f"device_memory() gave {shown(peak)}, expected a number of bytes"
    return ""


def word_fault(what: str, value: object) -> str:
    """Of a name: one printable word that tables have room for."""
    if isinstance(value, str) and 0 < len(value) <= 60 and value.isprintable() and not any(map(str.isspace, value)):
        return ""
    return f"{what} is {shown(value)}, expected a word"


def text_fault(what: str, value: object) -> str:
    """Of a text of a bearable length."""
    if type(value) is not str:
        return f"{what} is {shown(value)}, expected text"
    return "" if len(value) <= MOST_SAID else f"{what} has {len(value):,} characters, expected {MOST_SAID:,} at most"


def shown(value: object) -> str:
    """The beginning of a value as Python writes it, or its type where that fails: writing it is the plugin's code."""
    try:
        return f"{value!r:.80}"
    except Exception:
        return kind(value)


def kind(value: object) -> str:
    """A value's type in words, as ``a list``; values that say it all stand as they are."""
    if value is None or value is ...:
        return repr(value)
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _all_text(values: Sequence[object]) -> bool:
    return all(type(value) is str and len(value) <= MOST_SAID for value in values)


def _is_text_to_text(value: object) -> bool:
    return isinstance(value, Mapping) and _all_text([*value.keys(), *value.values()])


def _is_text_to_number(value: object) -> bool:
    return (
        isinstance(value, Mapping) and _all_text([*value]) and all(type(number) in (int, float) for number in value.values())
    )


def say(error: BaseException) -> str:
    """An exception's type and words, on one line."""
    words = " ".join(said_by(error).split())
    return f"{type(error).__name__}: {words[:300]}" if words else type(error).__name__
