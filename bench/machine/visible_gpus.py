"""Which GPU of NVML's is meant by ``gpu:0``, the first GPU that a framework can see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Gpu(NamedTuple):
    """What tells one GPU of a machine from another, in NVML's list."""

    name: str
    uuid: str  # "GPU-…"
    divided: bool = False  # into MIG instances


def nvml_index(physical: str, gpus: Sequence[Gpu], variables: Mapping[str, str]) -> int | None:
    """Return the place in ``gpus``, NVML's list, of a device that a plugin calls ``gpu:N``: kind and visible index.

    CUDA_VISIBLE_DEVICES names the visible GPUs by index or by (the beginning of) their UUID. Returns None where the GPU cannot be
    told for sure: devices of another kind, MIG instances, names that fit no GPU or several, and indices on a machine with GPUs of
    several models, where CUDA counts the fastest first unless CUDA_DEVICE_ORDER is PCI_BUS_ID.
    """
    kind, _, number = physical.partition(":")
    if kind != "gpu" or not number.isdecimal() or any(gpu.divided for gpu in gpus):
        return None
    same_order = variables.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" or len({gpu.name for gpu in gpus}) == 1
    words = variables.get("CUDA_VISIBLE_DEVICES")
    if words is None:
        return int(number) if same_order and int(number) < len(gpus) else None
    visible: list[int] = []
    for word in words.split(","):
        place = _place(word.strip(), gpus, same_order)
        if place is None or place in visible:  # CUDA sees nothing from a wrong name on, and refuses one that comes twice
            break
        visible.append(place)
    return visible[int(number)] if int(number) < len(visible) else None


def _place(word: str, gpus: Sequence[Gpu], same_order: bool) -> int | None:
    if word.isdecimal():
        return int(word) if same_order and int(word) < len(gpus) else None
    fits = [place for place, gpu in enumerate(gpus) if word.startswith("GPU-") and gpu.uuid.startswith(word)]
    return fits[0] if len(fits) == 1 else None
