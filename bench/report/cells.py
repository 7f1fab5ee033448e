"""Figures of a report as people read them: names of devices and settings, estimates, marks."""

from __future__ import annotations

from collections.abc import Callable

from bench.analysis.model import MARKS, Group, MeasuredCase, Report, Setting
from bench.durations import UNKNOWN, number, says_nothing, spread
from bench.projection.model import Members
from bench.record.schema import Machine
from bench.statistics.rates import Estimate
from bench.text.sections import NO_BREAK
from bench.text.words import clean, plural, processor, short

TOO_WIDE = "(interval too wide)"


def device(case: MeasuredCase, machine: Machine) -> str:
    """``NVIDIA H200 (cuda:0)``; for the host ``Intel Xeon Platinum 8468, 2 cores (cpu)``."""
    identity = place(case)
    if case.shares_cores:
        return f"{processor(machine.cpu)}, {plural(case.key.cores, 'core')} ({identity})"
    name = clean(case.device.name, 60) if case.device is not None else ""
    return f"{name or 'unnamed device'} ({identity})"


def at_machine(case: MeasuredCase, report: Report) -> str:
    """A device's name, with its machine where there are several."""
    return with_machine(device(case, report.machines[case.key.machine]), case, report)


def named(case: MeasuredCase, report: Report) -> str:
    """A device's name, with its machine where there are several, and its setting."""
    return f"{at_machine(case, report)}, {setting(case)}"


def with_machine(name: str, case: MeasuredCase, report: Report) -> str:
    """The name, with the case's machine where there are several."""
    return f"{name} [{short(case.key.machine)}]" if len(report.machines) > 1 else name


def network(case: MeasuredCase) -> str:
    """``melanoma small``."""
    return f"{clean(case.key.workload, 40)} {clean(case.key.size, 40)}"


def place(case: MeasuredCase) -> str:
    """``cuda:0``, ``jax:gpu:0``, ``cpu``: the device's id, behind its backend's name where that is not part of it."""
    names = clean("+".join(case.key.devices), 60)
    backend = clean(case.key.backend, 30)
    if not names or names.split(":")[0] == backend:
        return names or backend
    return f"{backend} {names}"


def setting(case: MeasuredCase) -> str:
    """``fp32, batch 32``; for preprocessing ``2 cores``."""
    if not case.key.how.batch:
        return plural(case.key.cores, "core")
    parts = [clean(case.key.precision, 20), f"batch {case.key.batch_size:,}", clean(case.key.options, 60)]
    return ", ".join(part for part in parts if part)


def side(case: MeasuredCase, machine: Machine, suffix: str = "") -> str:
    """One side of a speed-up, with its cores and precision."""
    cores = "" if case.shares_cores else f", {plural(case.key.cores, 'host core')}"
    return f"{device(case, machine)}{suffix}{cores}, {setting(case)}"


def machine_name(machine: Machine) -> str:
    """``Intel Xeon Platinum 8468, 2 of 96 cores``."""
    cores = f"{machine.cores} of {machine.cores_online}" if machine.cores < machine.cores_online else str(machine.cores)
    return f"{processor(machine.cpu)}, {cores} {'core' if cores == '1' else 'cores'}"


def count(things: int) -> str:
    """``11.2 M``, ``287 k``."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if things >= size:
            return f"{number(things / size)} {unit}"
    return str(things)


def estimated(estimate: Estimate | None, write: Callable[[float], str]) -> str:
    """``4.1 h ± 3 %``, ``4.1 h (3.0 h to 6.2 h)`` where the interval is wide, ``4.1 h (interval too wide)`` where it says nothing, or
    the bare figure where there is none."""
    if estimate is None:
        return UNKNOWN
    value = whole(write(estimate.value))
    if estimate.low is None or estimate.high is None:
        return value
    if width := spread(estimate.value, estimate.low, estimate.high):
        return f"{value} {whole(width)}"
    if says_nothing(estimate.low, estimate.high):
        return f"{value} {TOO_WIDE}"
    return f"{value} ({whole(write(estimate.low))} to {whole(write(estimate.high))})"


def ends(estimate: Estimate) -> tuple[float | None, float | None]:
    """The ends of an interval to be drawn; none where it says nothing."""
    if estimate.low is None or estimate.high is None or says_nothing(estimate.low, estimate.high):
        return None, None
    return estimate.low, estimate.high


def whole(text: str) -> str:
    """The text with spaces that no line breaks at."""
    return text.replace(" ", NO_BREAK)


def per_week(estimate: Estimate) -> str:
    """Full trainings in a week, with their interval; below one, what part of it gets done."""

    def write(count: float) -> str:
        return f"{int(count + 1e-9):,}" if count >= 1 else number(count, 2)

    value = write(estimate.value)
    if estimate.low is None or estimate.high is None:
        return value
    if says_nothing(estimate.low, estimate.high):
        return f"{value} {TOO_WIDE}"
    low, high = write(estimate.low), write(estimate.high)
    return value if low == value == high else f"{value} ({low} to {high})"


def images(count: float) -> str:
    """A number of images that is an estimate: three digits of it."""
    return number(max(count, 1.0))


def money(amount: float, currency: str) -> str:
    """``12.30 EUR``; without a currency the bare number, as it was given."""
    return whole(f"{number(amount)} {clean(currency, 3)}".rstrip())


def energy(joules: float) -> str:
    """``3.1 kWh``, ``412 Wh``, ``18 J``."""
    for unit, size in (("MWh", 3.6e9), ("kWh", 3.6e6), ("Wh", 3.6e3)):
        if joules >= size:
            return f"{number(joules / size)} {unit}"
    return f"{number(joules)} J"


def members(count: Members) -> str:
    """``8``, or ``8 (7 to 9)`` where the interval allows for others."""
    if count.low is None or count.high is None or count.low == count.value == count.high:
        return f"{count.value:,}"
    if says_nothing(max(count.low, 1), count.high):
        return f"{count.value:,} {TOO_WIDE}"
    return f"{count.value:,} ({count.low:,} to {count.high:,})"


def times(value: float) -> str:
    """``61x``, ``0.85x``."""
    return f"{number(value, 2 if value < 10 else 3)}x"


def decoding(case: MeasuredCase | None) -> str:
    """``41.2 MP/s on 2 cores``, or that it is unknown."""
    if case is None or case.log is None:
        return "unknown"
    return f"{whole(number(case.log.rate) + ' MP/s')}, {whole(plural(case.key.cores, 'core'))}"


def binds(setting: Setting) -> str:
    """What sets the pace of a training, and how many cores would feed a starving accelerator."""
    projection = setting.projection
    if setting.decode is None:
        return f"{projection.binds} (decode unknown)"
    if projection.binds == "decode" and projection.cores_to_feed is not None:
        return f"decode (about {plural(projection.cores_to_feed, 'core')} would feed it)"
    return projection.binds


def signs(case: MeasuredCase) -> str:
    """The signs of a case's marks, to be set behind its rate."""
    return "".join(MARKS[mark][0] for mark in case.marks)


def marked(text: str, *cases: MeasuredCase) -> str:
    """The text, and behind it the signs of all marks that some of the cases have."""
    found = "".join(dict.fromkeys("".join(signs(case) for case in cases)))
    return f"{text} {found}" if found else text


def group_name(group: Group, groups: tuple[Group, ...]) -> str:
    """``melanoma small``; with a piece of its digest where two computations go by one name."""
    name = f"{clean(group.workload, 40)} {clean(group.size, 40)}"
    twins = sum((other.workload, other.size) == (group.workload, group.size) for other in groups)
    return f"{name} [{short(group.digest)}]" if twins > 1 else name
