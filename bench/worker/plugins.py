"""Loading a plugin: importing its module, asking its hooks, and saying precisely what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from bench import spec
from bench.contract import Backend, Hooks, Predictor, Reporter, Settings, Workload
from bench.entry_points import GROUP, PluginRef
from bench.errors import PluginError
from bench.spec.vocabulary import PROPOSE
from bench.text.formats import FORMATS
from bench.worker.checked import CheckedBackend, name_of
from bench.worker.jobs import OnCase
from bench.worker.offered import backend_fault, kind, say, shown, word_fault
from bench.worker.provenance import found_instead

Offer = TypeVar("Offer", CheckedBackend, Reporter)


@dataclass(frozen=True)
class Loaded:
    """What one plugin offers."""

    backends: Sequence[CheckedBackend]
    workloads: Sequence[Workload]
    reporters: Sequence[Reporter]


def load_plugin(ref: PluginRef) -> Loaded:
    """Import a plugin and ask its hooks. Raises PluginError naming the plugin, the hook and what went wrong.

    Where another package of the plugin's name comes first on Python's path, the error names its folder.
    """
    try:
        return _loaded(ref)
    except PluginError as error:
        instead = found_instead(ref)
        if instead:
            raise PluginError(f"{error}{instead}") from error
        raise


def _loaded(ref: PluginRef) -> Loaded:
    try:
        module = import_module(ref.module)
    except Exception as error:  # a stranger's module may raise anything
        raise PluginError(
            f"plugin '{ref.name}' ({ref.module}) cannot be imported: {_unknown_layer(error) or say(error)}"
        ) from error
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(Hooks)
    try:
        manager.register(module, ref.name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"plugin '{ref.name}' ({ref.module}) does not fit its hooks: {say(error)}") from error
    backends = [_checked(backend, ref) for backend in _ask(manager, ref, "bench_backends", ("name",))]
    workloads = _ask(manager, ref, "bench_workloads", ("name", "size", "network", "data"))
    if others := [item for item in workloads if not isinstance(item, Workload)]:
        raise PluginError(f"plugin '{ref.name}' ({ref.module}): bench_workloads gave {kind(others[0])}, expected a Workload")
    reporters = _ask(manager, ref, "bench_reporters", ("name", "render"))
    if taken := [reporter.name for reporter in reporters if reporter.name in FORMATS]:
        raise PluginError(f"plugin '{ref.name}' ({ref.module}): a reporter cannot be called '{taken[0]}', a built-in format")
    if not (backends or workloads or reporters):
        raise PluginError(
            f"plugin '{ref.name}' ({ref.module}) offers nothing; expected a hook marked with @hookimpl that returns a list"
        )
    named = {"workload": [word for item in workloads for word in (item.name, item.size)]}
    for what, names in (named | {"reporter": [reporter.name for reporter in reporters]}).items():
        if fault := next((fault for name in names if (fault := word_fault("name", name))), ""):
            raise PluginError(f"plugin '{ref.name}' ({ref.module}): of a {what} the {fault}")
    return Loaded(backends, workloads, reporters)


def _unknown_layer(error: Exception) -> str:
    """A sentence for a name that a plugin takes from ``bench.spec`` and that is not there; empty for other errors."""
    wanted = ""
    if isinstance(error, ImportError) and error.name == spec.__name__:
        wanted = "".join(re.findall(r"cannot import name '(\w+)'", str(error))[:1])
    elif isinstance(error, AttributeError) and error.obj is spec:
        wanted = str(error.name)
    return f"bench.spec has no '{wanted}'; there are: {', '.join(spec.__all__)}; {PROPOSE}" if wanted else ""


def _ask(manager: Any, ref: PluginRef, hook: str, attributes: Sequence[str]) -> list[Any]:
    try:
        answers = getattr(manager.hook, hook)()
        wrong = next((answer for answer in answers if not isinstance(answer, Iterable) or isinstance(answer, str)), None)
        offered = [] if wrong is not None else [item for answer in answers for item in answer]
    except Exception as error:
        raise PluginError(
            f"plugin '{ref.name}' ({ref.module}) raised in {hook}: {_unknown_layer(error) or say(error)}"
        ) from error
    if wrong is not None:
        raise PluginError(f"plugin '{ref.name}' ({ref.module}): {hook} gave {kind(wrong)}, expected a list")
    for item in offered:
        missing = [name for name in attributes if not hasattr(item, name)]
        if missing:
            raise PluginError(f"plugin '{ref.name}' ({ref.module}): {hook} gave {kind(item)} without {', '.join(missing)}")
    return offered


def _checked(backend: Backend, ref: PluginRef) -> CheckedBackend:
    if fault := backend_fault(backend):
        raise PluginError(f"plugin '{ref.name}' ({ref.module}), backend {shown(backend.name):.60}: {fault}")
    return CheckedBackend(backend, ref)


def find_backend(ref: PluginRef | None, name: str) -> CheckedBackend:
    """The backend called ``name`` of a plugin, which checks the answers of the plugin's own."""
    assert ref is not None, f"nothing offers the backend {name}"
    return _called(name, load_plugin(ref).backends, ref, "backend")


def find_reporter(ref: PluginRef, name: str) -> Reporter:
    """The reporter called ``name`` of a plugin."""
    return _called(name, load_plugin(ref).reporters, ref, "reporter")


def _called(name: str, offered: Sequence[Offer], ref: PluginRef, what: str) -> Offer:
    for offer in offered:
        if offer.name == name:
            return offer
    raise PluginError(f"plugin '{ref.name}' offers no {what} '{name}'")


def find_workload(ref: PluginRef, name: str, size: str) -> Workload:
    """The workload called ``name`` at ``size`` of a plugin."""
    for workload in load_plugin(ref).workloads:
        if (workload.name, workload.size) == (name, size):
            return workload
    raise PluginError(f"plugin '{ref.name}' offers no workload '{name}' of size '{size}'")


def settings_of(job: OnCase) -> Settings:
    """The settings of a job's case, as its rank gets them."""
    case = job.case
    cache = None if job.cache is None else Path(job.cache)
    return Settings(case.precision, case.batch_size, job.cores, cache, case.options)


MOST_IN_FLIGHT = 1024
"""Batches that a predictor may ask for: each is held in memory until its answer has come."""


def depth_of(predictor: Predictor) -> int:
    """Return how many batches to keep in flight: as many as the predictor says it can use, or 2. Raises PluginError."""
    found = getattr(predictor, "in_flight", 2)
    if type(found) is not int or not 1 <= found <= MOST_IN_FLIGHT:
        raise PluginError(
            f"{name_of(predictor)}: in_flight is {shown(found)}, expected a whole number of 1 to {MOST_IN_FLIGHT:,}"
        )
    return found
