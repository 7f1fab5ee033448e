"""What trainings and inference cost, in money: a row per device and its price, and at which price it would cost as much as the reference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.analysis.model import Group, MeasuredCase, Report, Row
from bench.analysis.rows import is_priced, price_of
from bench.durations import UNKNOWN
from bench.projection.assumptions import Assumptions
from bench.projection.prices import Price
from bench.report import cells
from bench.report.notes import labelled
from bench.statistics.rates import Estimate
from bench.text.sections import Section, Table, cut
from bench.text.words import clean

_HOUR = 3600.0
_MILLION = 1e6
_MOST_NAMES = 4


@dataclass(frozen=True)
class Cost:
    """Money, in the price's currency."""

    price: Price
    training: Estimate
    tuning_loop: Estimate
    year: Estimate  # trainings as often as the retraining interval says
    break_even: Estimate | None  # the price of a device-hour at which a training would cost what it costs on the reference


def cost(row: Row, group: Group, assumptions: Assumptions) -> Cost | None:
    """Return what a device's trainings cost; None where it has no price."""
    if row.price is None:
        return None
    projection = row.best.projection
    hourly = row.price.per_hour * assumptions.devices / _HOUR
    training = projection.training.scaled(hourly)
    return Cost(
        row.price,
        training,
        projection.tuning_loop.scaled(hourly),
        training.scaled(projection.trainings_per_year),
        break_even_price(row, group),
    )


def break_even_price(row: Row, group: Group) -> Estimate | None:
    """The reference's price times how much faster the device is: at it, both cost the same."""
    reference = group.reference
    if reference is None or row.reference or row.best.best is None:
        return None
    priced = next((other.price for other in group.rows if other.reference), None)
    return None if priced is None else row.best.best.factor.scaled(priced.per_hour)


def costs(report: Report) -> list[Section]:
    """A section per group that has a price; where there is nothing to price, a sentence on prices that were given."""
    given = any(not price.filed for price in report.assumptions.prices)
    if given and not report.groups and not any(is_priced(case) for case in report.measured):
        line = (
            "Prices are of trainings and of offline inference. Neither was measured with a valid rate, so nothing is priced."
        )
        return [Section("What it costs", None, (line,))]
    return [_section(group, report) for group in report.groups if any(row.price is not None for row in group.rows)]


def _section(group: Group, report: Report) -> Section:
    assumptions = report.assumptions
    columns = (
        "device",
        "a device-hour",
        "one training",
        f"{assumptions.tuning_runs:,} runs",
        "a year",
        "same cost as the reference at",
    )
    rows = tuple(cost_cells(row, label, group, assumptions) for row, label in labelled(group))
    title = f"What it costs: {cells.group_name(group, report.groups)}"
    return Section(title, Table(columns, rows), cut([*cost_notes(group, assumptions)]))


@dataclass(frozen=True)
class InferenceCost:
    """What a million images cost by offline inference, in the price's currency."""

    case: MeasuredCase
    price: Price
    million: Estimate


def inference_costs(report: Report) -> list[InferenceCost]:
    """Return a cost for each case of offline inference whose device has a price, and whose rate is valid."""
    found = []
    for case in report.measured:
        price = price_of(case, report.machines[case.key.machine], report.assumptions)
        if price is not None and is_priced(case) and case.rate is not None:
            hours = _MILLION / _HOUR  # over the rate
            rate = case.rate
            low, high = (None if end is None else hours / end for end in (rate.high, rate.low))
            found.append(InferenceCost(case, price, Estimate(hours / rate.value, low, high).scaled(price.per_hour)))
    return found


def inference_cost_section(report: Report) -> Section:
    """A row per priced case of offline inference; no table where there is none."""
    rows = [
        (
            cells.at_machine(one.case, report),
            cells.network(one.case),
            cells.setting(one.case),
            cells.money(one.price.per_hour, one.price.currency),
            cells.marked(paid(one.million, one.price.currency), one.case),
            price_source(one.price),
        )
        for one in inference_costs(report)
    ]
    title = "What a million images cost by inference"
    if not rows:
        return Section(title, None)
    line = (
        "One device-hour, with the host that it sits in, at the measured rate of offline inference from memory: decoding, start-up "
        "and idle hours are not in it. The interval is that of the rate."
    )
    return Section(
        title, Table(("device", "network", "setting", "a device-hour", "a million images", "price"), tuple(rows)), (line,)
    )


def cost_cells(row: Row, label: str, group: Group, assumptions: Assumptions) -> tuple[str, ...]:
    """One row of the table of costs."""
    found, even = cost(row, group, assumptions), break_even_price(row, group)
    priced = next((other.price for other in group.rows if other.reference), None)
    star = cells.whole(" *") if row.best.best is not None and row.best.best.left_out else ""
    at = UNKNOWN if even is None or priced is None else paid(even, priced.currency) + star
    if found is None:
        return (label, "no price given", UNKNOWN, UNKNOWN, UNKNOWN, at)
    currency = found.price.currency
    return (
        label,
        cells.money(found.price.per_hour, currency),
        paid(found.training, currency),
        paid(found.tuning_loop, currency),
        paid(found.year, currency),
        "reference" if row.reference else at,
    )


def paid(amount: Estimate, currency: str) -> str:
    """Write an amount of money with its interval."""
    return cells.estimated(amount, lambda value: cells.money(value, currency))


def cost_notes(group: Group, assumptions: Assumptions) -> Iterable[str]:
    """Where the prices come from, and what is paid."""
    priced: dict[str, list[str]] = {}
    for row, label in labelled(group):
        if row.price is not None:
            priced.setdefault(price_source(row.price), []).append(label)
    for source, names in priced.items():
        whose = " and of ".join(names) if len(names) <= _MOST_NAMES else f"{len(names):,} devices"
        yield f"Price of {whose}: {source}."
    currencies = sorted({row.price.currency for row in group.rows if row.price is not None})
    if len(currencies) > 1:
        yield "The prices are in several currencies, which are not converted: costs of different ones cannot be compared."
    yield "A price is of one device-hour with the host it sits in, and only hours of training are paid."
    yield (
        f"A year: a training every {assumptions.retrain_days:g} days. The last column is the price of a device-hour at which a training "
        "costs what it costs on the reference; its interval is that of the speed-up."
    )
    if any(row.best.best is not None and row.best.best.left_out for row in group.rows):
        yield "* without what was not measured on both, which the costs beside it hold on one side only."


def price_source(price: Price) -> str:
    """Where a price comes from."""
    source = clean(price.source, 160) if price.source else "as given"
    return f"{cells.money(price.per_hour, price.currency)} an hour, {source}" + (f", {price.date}" if price.date else "")
