"""From measured cases to the table of days versus hours: settings, devices, and the reference they are held against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from bench.analysis.model import CaseKey, Group, MeasuredCase, Row, Setting, SpeedUp
from bench.errors import UsageError
from bench.projection.assumptions import Assumptions
from bench.projection.counted import Batches, Decoding, MeasuredRates, Room
from bench.projection.model import break_even, project, speed_up
from bench.projection.prices import Price, find_price
from bench.recipes import VIEWS, evaluation_batch, views_of
from bench.record.schema import Machine
from bench.text.words import clean

X86 = ("x86_64", "amd64", "x86", "i386", "i686")


def groups(
    cases: Sequence[MeasuredCase], machines: dict[str, Machine], synthetic: set[str], assumptions: Assumptions
) -> tuple[Group, ...]:
    """One group per workload, size and digest. Raises UsageError where the reference asked for was not measured."""
    trained = sorted((case for case in cases if case.key.how.projected == "training" and case.valid), key=_group_key)
    found = []
    for (workload, size, digest), members in groupby(trained, key=_group_key):
        trains = list(members)
        facts = trains[0].facts
        epochs = assumptions.epochs or (facts.epochs if facts is not None else 0)
        if epochs < 1:
            continue  # nothing says how long a training is
        partners = [case for case in cases if (case.key.workload, case.key.size) == (workload, size) and case.valid]
        known = next((case.facts.views for case in trains if case.facts is not None and case.facts.views > 0), 0)
        views = known or (VIEWS if facts is None else views_of(VIEWS, facts.height, facts.width))
        rows = _rows(trains, partners, machines, synthetic, assumptions, epochs, views)
        if rows:
            found.append(Group(workload, size, digest, epochs, tuple(rows), None, views, known > 0))
    return tuple(_referred(group, assumptions) for group in _checked(found, cases, machines, assumptions))


def _group_key(case: MeasuredCase) -> tuple[str, str, str]:
    return case.key.workload, case.key.size, case.key.digest


def _device_key(case: MeasuredCase) -> tuple[object, ...]:
    return case.key.machine, case.key.backend, case.key.devices, case.key.stack


def _rows(
    trains: Sequence[MeasuredCase],
    partners: Sequence[MeasuredCase],
    machines: dict[str, Machine],
    synthetic: set[str],
    assumptions: Assumptions,
    epochs: int,
    views: int,
) -> list[Row]:
    """A row per device, its settings projected, the fastest first."""
    infers: dict[tuple[object, ...], list[MeasuredCase]] = {}
    decodes: dict[str, list[MeasuredCase]] = {}
    for case in partners:
        if case.key.how.projected == "evaluation":
            infers.setdefault((*_device_key(case), case.key.digest), []).append(case)
        elif case.key.how.projected == "decoding":
            decodes.setdefault(case.key.machine, []).append(case)
    rows = []
    for _, members in groupby(sorted(trains, key=_device_key), key=_device_key):
        settings = []
        for train in members:
            if train.device is None:
                continue  # whether it shares the host's cores is unknown
            infer = _infer(train, infers.get((*_device_key(train), train.key.digest), ()))
            decode = _decode(train, decodes.get(train.key.machine, ()), synthetic)
            room = _room(train, machines[train.key.machine])
            settings.append(_setting(train, infer, decode, assumptions, epochs, views, room))
        if settings:
            settings.sort(key=lambda setting: _speed(setting.train), reverse=True)
            row = Row(machines[settings[0].train.key.machine], tuple(settings), None, False)
            rows.append(replace(row, price=price_of(row.best.train, row.machine, assumptions)))
    return rows


def _speed(case: MeasuredCase) -> float:
    return 0.0 if case.log is None else case.log.rate


def _infer(train: MeasuredCase, offline: Iterable[MeasuredCase]) -> MeasuredCase | None:
    """The offline inference of the same precision and processes, on as many cores if there is one; the fastest of them."""
    alike = [case for case in offline if _alike(case) == _alike(train)]
    return max(alike, key=lambda case: (case.key.cores == train.key.cores, _speed(case)), default=None)


def _alike(case: MeasuredCase) -> tuple[str, int]:
    return case.key.precision, case.key.ranks


def _decode(train: MeasuredCase, decodes: Iterable[MeasuredCase], synthetic: set[str]) -> MeasuredCase | None:
    """Decoding on the most cores measured; for a host that trains, on as many as it trains on; of real files if possible."""

    def preference(case: MeasuredCase) -> tuple[bool, bool, int, int]:
        fits = train.shares_cores and case.key.cores == train.key.cores
        return case.key.data not in synthetic, fits, case.key.cores, case.trials

    return max(decodes, key=preference, default=None)


def _room(train: MeasuredCase, machine: Machine) -> Room:
    """Where the machine could keep decoded images of the network's size."""
    image = 0 if train.facts is None else train.facts.height * train.facts.width * 3
    return Room(machine.memory_usable, machine.disk_free, image)


def _setting(
    train: MeasuredCase,
    infer: MeasuredCase | None,
    decode: MeasuredCase | None,
    assumptions: Assumptions,
    epochs: int,
    views: int,
    room: Room,
) -> Setting:
    assert train.log is not None
    measured = MeasuredRates(
        train=train.log,
        infer=None if infer is None else infer.log,
        decode=None if decode is None or decode.log is None else Decoding(decode.log, decode.key.cores),
        start_up=train.start_up + (0.0 if infer is None else infer.cold_extra),
        infer_start_up=0.0 if infer is None else infer.start_up,
        shares_cores=train.shares_cores,
        infer_ready=0.0 if infer is None else infer.ready,
        watts=None if train.power is None else train.power.draw,
        augment=train.augment,
        room=room,
        batches=Batches(max(train.key.batch_size, 1), evaluation_batch(train.shares_cores), views),
    )
    return Setting(train, infer, decode, measured, project(measured, assumptions, epochs))


# ---- the reference -------------------------------------------------------------------------------------------------


def price_of(case: MeasuredCase, machine: Machine, assumptions: Assumptions) -> Price | None:
    """Return the price of an hour of a case's device, if one is given."""
    return find_price(assumptions.prices, machine.fingerprint, _priced_names(case, machine))


def is_priced(case: MeasuredCase) -> bool:
    """Whether a case is inference that an hour's price makes a price of images: batches as fast as they go, of a valid rate."""
    return case.key.how.projected == "evaluation" and case.valid and case.log is not None


def _priced_names(case: MeasuredCase, machine: Machine) -> list[str]:
    """What a price may call a device, the most particular first."""
    backend, *particular = case_names(case.key)
    name = case.device.name if case.device is not None and case.device.name else machine.cpu
    return [*particular, backend, name]


def _checked(
    found: list[Group], cases: Sequence[MeasuredCase], machines: dict[str, Machine], assumptions: Assumptions
) -> list[Group]:
    rows = [row for group in found for row in group.rows]
    priced = [row.best.train for row in rows] + [case for case in cases if is_priced(case)]
    names = [(case.key.machine, _priced_names(case, machines[case.key.machine])) for case in priced]
    for price in assumptions.prices if priced else ():
        if not price.filed and not any(find_price((price,), machine, called) for machine, called in names):
            there = ", ".join(sorted({short_name(case.key) for case in priced}))
            raise UsageError(f"a price for '{clean(price.device, 60)}', which is no device here; there is: {there}")
    there = ", ".join(sorted({reference_name(row) for row in rows}))
    wanted = assumptions.reference
    if wanted is None or not found or any(_named(row, wanted) for row in rows):
        return found
    raise UsageError(f"no valid training on the reference '{clean(wanted, 60)}'; there is: {there}")


def reference_name(row: Row) -> str:
    """``backend:device``, or the device alone where it begins with its backend's name."""
    return short_name(row.best.train.key)


def short_name(key: CaseKey) -> str:
    """``backend:device`` of a case, or the device alone where it begins with its backend's name."""
    device = "+".join(key.devices)
    return device if device.split(":")[0] == key.backend else f"{key.backend}:{device}"


def reference_names(row: Row) -> list[str]:
    """Everything a reference may be asked for by."""
    return case_names(row.best.train.key)


def case_names(key: CaseKey) -> list[str]:
    """Everything that the device of a case may be called: its backend, ``backend:device``, and its id."""
    return [key.backend, short_name(key), f"{key.backend}:{'+'.join(key.devices)}", *key.devices]


def _named(row: Row, wanted: str) -> bool:
    return wanted in reference_names(row)


def _reference(group: Group, wanted: str | None) -> Row | None:
    """The host's processor with the highest valid training rate, an x86 one if there is any; or the one asked for."""
    if wanted is not None:
        candidates = [row for row in group.rows if _named(row, wanted)]
    else:
        hosts = [row for row in group.rows if row.best.train.shares_cores]
        candidates = [row for row in hosts if row.machine.architecture.lower() in X86] or hosts
    return max(candidates, key=lambda row: _speed(row.best.train), default=None)


def _referred(group: Group, assumptions: Assumptions) -> Group:
    """The group with its speed-ups, the reference first, then from slow to fast."""
    reference = _reference(group, assumptions.reference)
    if reference is not None:
        rows = [_compared(row, reference, assumptions, group.epochs) for row in group.rows if row is not reference]
        reference = replace(reference, reference=True)
        rows = [reference, *sorted(rows, key=lambda row: _speed(row.best.train))]
    else:
        rows = sorted(group.rows, key=lambda row: _speed(row.best.train))
    return replace(group, rows=tuple(rows), reference=reference)


def _compared(row: Row, reference: Row, assumptions: Assumptions, epochs: int) -> Row:
    """The row with its speed-ups: each setting against the same one of the reference, the best against the best."""
    settings = []
    for place, setting in enumerate(row.settings):
        twin = next((other for other in reference.settings if _same(other) == _same(setting)), None)
        same = None if twin is None else _speed_up(twin, setting, assumptions, epochs)
        best = _speed_up(reference.best, setting, assumptions, epochs) if place == 0 else None
        settings.append(replace(setting, same=same, best=best))
    overtakes = break_even(reference.best.measured, row.best.measured, assumptions, epochs)
    return replace(row, settings=tuple(settings), same=_common(settings), break_even=overtakes)


def _same(setting: Setting) -> tuple[str, int]:
    return setting.train.key.precision, setting.train.key.batch_size


def is_default(case: MeasuredCase) -> bool:
    """Whether it is fp32 at the workload's own batch size."""
    return case.facts is not None and (case.key.precision, case.key.batch_size) == ("fp32", case.facts.batch_size)


def _common(settings: Sequence[Setting]) -> Setting | None:
    """The setting for the column *same*: fp32 at the workload's own batch size, else where the reference is fastest."""
    shared = [setting for setting in settings if setting.same is not None]

    def preference(setting: Setting) -> tuple[bool, float]:
        return is_default(setting.train), 0.0 if setting.same is None else _speed(setting.same.reference)

    return max(shared, key=preference, default=None)


def _speed_up(reference: Setting, candidate: Setting, assumptions: Assumptions, epochs: int) -> SpeedUp:
    factor, left_out = speed_up(reference.measured, candidate.measured, assumptions, epochs)
    return SpeedUp(factor, reference.train, left_out)
