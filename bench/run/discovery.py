"""Which backends, devices and workloads there are: every plugin described by a worker of its own, side by side."""

from __future__ import annotations

import contextlib
import difflib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from bench.entry_points import PluginRef, find_plugins
from bench.errors import NotComparableError, PluginError, SpecError, UsageError
from bench.record.damage import DAMAGE
from bench.run.crew import run_side_by_side, run_worker
from bench.run.limits import STALL_SECONDS
from bench.run.process import Launch, Outcome
from bench.run.scratch import scratch
from bench.text.formats import FORMATS
from bench.text.waiting import told
from bench.worker.answers import BackendInfo, PluginInfo, Surveyed, WorkloadInfo
from bench.worker.channel import Beat, Stage
from bench.worker.jobs import PROTOCOL, Describe, Survey

USUAL_SIZE = "small"
AT_ONCE = 2
"""Plugins described at the same time: each keeps a core busy while it imports a framework."""


Info = TypeVar("Info")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Found(Generic[Info]):
    """A backend, one size of a workload, or the name of a reporter, and the plugin it comes from."""

    plugin: PluginRef
    info: Info
    interpreter: str
    version: str


FoundBackend = Found[BackendInfo]
FoundWorkload = Found[WorkloadInfo]
FoundReporter = Found[str]


@dataclass(frozen=True)
class Discovery:
    """Everything found, and every plugin that could not be asked."""

    backends: Sequence[FoundBackend]
    workloads: Sequence[FoundWorkload]
    reporters: Sequence[FoundReporter]
    broken: Mapping[str, str]  # plugin name to reason

    def backend(self, name: str) -> FoundBackend:
        """Raises UsageError naming the near and the available ones."""
        return self._called(name, {found.info.name: found for found in self.backends}, "backend")

    def reporter(self, name: str) -> FoundReporter:
        """Raises UsageError naming the near and the available ones, built-in formats among them."""
        return self._called(name, {found.info: found for found in self.reporters}, "format", FORMATS)

    def _called(self, name: str, offers: Mapping[str, Found[Info]], what: str, more: Sequence[str] = ()) -> Found[Info]:
        if name in offers:
            return offers[name]
        if name in self.broken:
            raise PluginError(self.broken[name])
        raise UsageError(unknown(what, name, [*more, *offers]) + self._unusable())

    def _unusable(self) -> str:
        """The plugins that could not be asked: what is looked for may be theirs."""
        return f"; plugins that cannot be used: {'; '.join(self.broken.values())}" if self.broken else ""

    def usual_size(self, workload: str) -> tuple[str]:
        """``small``, or where a workload has no such size its first; unknown names are left to ``workload``."""
        sizes = [found.info.size for found in self.workloads if found.info.name == workload]
        return (USUAL_SIZE if USUAL_SIZE in sizes or not sizes else sizes[0],)

    def workload(self, name: str, size: str) -> FoundWorkload:
        """Raises UsageError naming the near and the available ones, and SpecError where its network cannot be."""
        names = list(dict.fromkeys(found.info.name for found in self.workloads))
        if name not in names:
            if name in self.broken:
                raise PluginError(self.broken[name])
            raise UsageError(unknown("workload", name, names) + self._unusable())
        sizes = {found.info.size: found for found in self.workloads if found.info.name == name}
        if size not in sizes:
            raise UsageError(unknown(f"size of {name}", size, list(sizes)))
        if broken := sizes[size].info.broken:
            raise SpecError(broken)
        return sizes[size]


def lacking(backend: FoundBackend, workload: FoundWorkload) -> str:
    """Return what a backend says it lacks for a workload, in words: ``numpy has no SiLU ('stem.act')``.

    Empty where it lacks nothing or does not say.
    """
    have, needed = backend.info.layers, workload.info.layers
    missing = [f"{layer} ('{path}')" for layer, path in needed.items() if have is not None and layer not in have]
    return f"{backend.info.name} has no {' and no '.join(missing)}" if missing else ""


def unknown(what: str, given: str, known: Sequence[str]) -> str:
    """One sentence for a name that is not there."""
    near = difflib.get_close_matches(given, known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"unknown {what} '{given}'; there are: {', '.join(known) or 'none'}{hint}"


def discover(
    probe: Sequence[str] | None = None,
    interpreters: Mapping[str, str] | None = None,
    python: str = sys.executable,
    stall: float = STALL_SECONDS,
) -> Discovery:
    """Describe every plugin installed for the interpreter ``python``; probe all backends, or those named.

    A plugin that takes long is named on standard error. One that is silent for ``stall`` seconds cannot be used.
    Raises PluginError where two plugins offer a backend or a reporter of one name, or a workload of one name and size.
    """
    interpreters = interpreters or {}
    wanted = None if probe is None else tuple(probe)
    plugins = find_plugins() if python == sys.executable else survey(python, stall).plugins
    for name in interpreters:
        if name not in {plugin.name for plugin in plugins}:
            raise UsageError(unknown("plugin", name, [plugin.name for plugin in plugins]))
    with scratch() as folder:
        launches = [
            Launch(
                Describe(plugin=plugin, probe=wanted),
                folder / f"{place}.log",
                interpreter=interpreters.get(plugin.name, python),
                stall=stall,
            )
            for place, plugin in enumerate(plugins)
        ]
        outcomes = _described(plugins, launches)
    backends, workloads, reporters, broken = [], [], [], {}
    for plugin, outcome in zip(plugins, outcomes, strict=True):
        if outcome.status != "ok":
            broken[plugin.name] = why(plugin, outcome)
            continue
        try:
            info = msgspec.json.decode(outcome.value, type=PluginInfo)
        except msgspec.ValidationError as error:
            broken[plugin.name] = f"plugin '{plugin.name}' ({plugin.module}) describes itself in the wrong types: {error}"
            continue
        interpreter = interpreters.get(plugin.name, python)
        backends += [Found(plugin, backend, interpreter, info.version) for backend in info.backends]
        workloads += [Found(plugin, workload, interpreter, info.version) for workload in info.workloads]
        reporters += [Found(plugin, name, interpreter, info.version) for name in info.reporters]
    _refuse_twins([(found.info.name, found.plugin) for found in backends], "backend")
    _refuse_twins([(f"{found.info.name}-{found.info.size}", found.plugin) for found in workloads], "workload")
    _refuse_twins([(found.info, found.plugin) for found in reporters], "reporter")
    return Discovery(backends, workloads, reporters, broken)


def _described(plugins: Sequence[PluginRef], launches: Sequence[Launch]) -> list[Outcome]:
    """Each plugin's outcome; the user hears of those that take long."""
    outcomes: dict[int, Outcome] = {}
    begun: list[int] = []

    def listen(place: int, event: Stage | Beat) -> None:
        if place not in begun:
            begun.append(place)

    def awaited() -> str:
        return _waiting_for([plugins[place] for place in [*begun] if place not in outcomes], launches[0].stall)

    with told(awaited), contextlib.closing(run_side_by_side(launches, listen, AT_ONCE)) as ended:
        for one in ended:
            if one is not None:
                outcomes[one[0]] = one[1]
    return [outcomes[place] for place in range(len(launches))]


def _waiting_for(plugins: Sequence[PluginRef], stall: float) -> str:
    names = " and ".join(f"plugin '{plugin.name}' ({plugin.module})" for plugin in plugins)
    return names and (
        f"bench: waiting for {names} to import and probe; a plugin that is silent for {stall:g} s is left out (--stall-timeout)"
    )


def survey(python: str, stall: float = STALL_SECONDS) -> Surveyed:
    """Return what another interpreter would measure with. Raises UsageError where it cannot run this harness."""
    with scratch() as folder, told(lambda: f"bench: asking {python} what it can measure with"):
        outcome = run_worker(Launch(Survey(), folder / "log", interpreter=python, stall=stall))
    if outcome.status != "ok":
        last = outcome.log_tail.splitlines()[-1:] or [outcome.reason]
        raise UsageError(f"{python} cannot measure: {last[0]}; install accelbench and the plugins for that interpreter too")
    found = decoded(outcome, Surveyed, python)
    if found.protocol != PROTOCOL:
        raise NotComparableError(
            f"accelbench {found.version} of {python} speaks protocol {found.protocol}, this one {PROTOCOL}: its trials cannot be "
            "steered from here; compare records of separate runs with 'bench compare'"
        )
    return found


def decoded(outcome: Outcome, answer: type[Answer], python: str) -> Answer:
    """Return what a worker of the interpreter ``python`` answered. Raises NotComparableError where it is no such answer."""
    try:
        return msgspec.json.decode(outcome.value, type=answer)
    except DAMAGE as error:
        raise NotComparableError(
            f"what {python} answers is not understood here ({error}); it has another release of accelbench, or none"
        ) from None


def why(plugin: PluginRef, outcome: Outcome) -> str:
    """One sentence on a worker that did not do what was asked of a plugin."""
    if outcome.failure is not None and outcome.failure.kind == "usage":
        return outcome.reason
    if outcome.status == "stalled":
        return f"plugin '{plugin.name}' ({plugin.module}): {outcome.reason}; if it is only slow, give --stall-timeout more"
    last = (outcome.log_tail.splitlines()[-1:] or [""])[0][:200]
    return f"plugin '{plugin.name}' ({plugin.module}): {outcome.reason}" + (
        f" ({last})" if last and last not in outcome.reason else ""
    )


def _refuse_twins(offers: Sequence[tuple[str, PluginRef]], what: str) -> None:
    seen: dict[str, PluginRef] = {}
    for name, plugin in offers:
        if name in seen:
            first = seen[name]
            raise PluginError(
                f"two plugins offer a {what} called '{name}': '{first.name}' ({first.module}) and '{plugin.name}' "
                f"({plugin.module}); uninstall one of them"
            )
        seen[name] = plugin
