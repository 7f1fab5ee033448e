"""What the page's script computes from: the measured rates of every setting, the assumptions, and the words for both.

The script repeats ``bench.projection`` and the tables of days versus hours; ``tests/report/test_page.py`` holds both to the
same table of cases.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.analysis.model import Group, Report, Row, Setting
from bench.analysis.rows import X86, is_default, reference_name, reference_names
from bench.datasets import DATASETS
from bench.projection.assumptions import DECODED, Assumptions
from bench.projection.counted import DISK_SHARE, MEMORY_SHARE, MeasuredRates
from bench.projection.draws import STRATA, seed_of, strata
from bench.recipes import SHARES
from bench.report import cells
from bench.report.charts.times import MOST_PIPELINES, STAGE_COLOURS, copying, network
from bench.report.costs import price_source
from bench.report.document import views_line
from bench.report.headline import setting_cell
from bench.report.notes import KEPT, interval_line, missing, row_labels, row_suffixes
from bench.statistics.rates import CONFIDENCE, LogRate, Place, t_quantile
from bench.text.words import clean

Fields = dict[str, Any]

MOST_ROWS = 200
"""Devices per network in the page's tables; csv and json hold all."""


def payload(report: Report) -> Fields:
    """Plain data for the script."""
    groups = [_group(group, report) for group in report.groups]
    degrees = sorted({rate["df"] for group in groups for rate in _rates(group) if rate["error"] is not None})
    rounds, units = _rounds(groups), _units(groups)
    return {
        "rounds": rounds,
        "units": units,
        "shares": SHARES,
        "kept": KEPT,
        "room": {"memory": MEMORY_SHARE, "disk": DISK_SHARE},
        "decoded": {choice or "": text for choice, text in DECODED.items()},
        "viewsLine": views_line(report),
        "assumptions": _assumptions(report.assumptions, report.groups),
        "datasets": [
            {
                "name": data.name, "title": data.title, "images": data.images, "megapixels": data.megapixels, "source": data.source,
                "assumed": data.assumed,
            }
            for data in DATASETS.values()
        ],
        "stageColours": STAGE_COLOURS,
        "mostPipelines": MOST_PIPELINES,
        "quantiles": {str(degree): t_quantile(degree, 0.5 + CONFIDENCE / 2) for degree in degrees},
        "strata": {"count": STRATA, "halves": {str(degree): _half(degree) for degree in degrees}},
        "groups": groups,
    }  # fmt: skip


def shown_rows(group: Group) -> list[int]:
    """The rows of a group that fit a page: the reference, and the fastest."""
    count = len(group.rows)
    return list(range(count)) if count <= MOST_ROWS else [0, *range(count - MOST_ROWS + 1, count)]


def _assumptions(given: Assumptions, groups: Sequence[Group]) -> Fields:
    chosen = (group.reference for group in groups if given.reference is not None and group.reference is not None)
    reference = next((reference_name(row) for row in chosen), None)
    return {
        "dataset": given.dataset.name,
        "images": given.dataset.images,
        "megapixels": given.dataset.megapixels,
        "epochs": given.epochs,
        "tuningRuns": given.tuning_runs,
        "budgetHours": given.budget_hours,
        "retrainDays": given.retrain_days,
        "decodeCores": given.decode_cores,
        "decode": given.decode,
        "devices": given.devices,
        "efficiency": given.efficiency,
        "reference": reference,
    }


def _half(degrees_of_freedom: int) -> str:
    """The upper half of the strata, ascending, as little-endian float64 in base64; the lower half is its mirror image."""
    return base64.b64encode(strata(degrees_of_freedom)[STRATA // 2 :].astype("<f8").tobytes()).decode()


def _rates(group: Fields) -> list[Fields]:
    found = []
    for row in group["rows"]:
        for setting in row["settings"]:
            found += [
                rate for name in ("train", "infer", "decode", "watts") if (rate := setting["measured"][name]) is not None
            ]
    return found


def _rounds(groups: Sequence[Fields]) -> list[list[float]]:
    """The logarithms of time that rounds or records gave, to ten digits, each list once; in their rates stands its place instead."""
    places: dict[tuple[float, ...], int] = {}
    for group in groups:
        for rate in _rates(group):
            rate["values"] = places.setdefault(rate["values"], len(places))
    return [[float(f"{value:.10g}") for value in values] for values in places]


def _units(groups: Sequence[Fields]) -> list[list[int]]:
    """The rounds or records that rates are of, numbered, each list once; in the rates stands its place instead. Empty: not to be paired."""
    numbers: dict[Place, int] = {}
    places: dict[tuple[Place, ...], int] = {}
    for group in groups:
        for rate in _rates(group):
            units = rate["units"] if len(set(rate["units"])) == len(rate["units"]) else ()
            rate["units"] = places.setdefault(units, len(places))
    return [[numbers.setdefault(unit, len(numbers)) for unit in units] for units in places]


def _group(group: Group, report: Report) -> Fields:
    labels, suffixes = row_labels(group), row_suffixes(group)
    return {
        "name": cells.group_name(group, report.groups),
        "ownEpochs": _own_epochs(group),
        "count": len(group.rows),
        "network": network(group),
        "intervals": interval_line(group),
        "rows": [_row(group.rows[place], labels[place], suffixes[place], report) for place in shown_rows(group)],
    }


def _own_epochs(group: Group) -> int | None:
    facts = group.rows[0].best.train.facts
    return None if facts is None or facts.epochs < 1 else facts.epochs


def _row(row: Row, label: str, suffix: str, report: Report) -> Fields:
    return {
        "label": label,
        "name": reference_name(row),
        "names": reference_names(row),
        "machine": row.machine.fingerprint,
        "host": row.best.train.shares_cores,
        "copySeconds": copying(row, report),
        "missing": {"asMeasured": list(missing(row, label, False)), "extrapolated": list(missing(row, label, True))},
        "architecture": clean(row.machine.architecture, 20) or "an unnamed one",
        "x86": row.machine.architecture.lower() in X86,
        "price": None
        if row.price is None
        else {"perHour": row.price.per_hour, "currency": row.price.currency, "source": price_source(row.price)},
        "settings": [_setting(setting, row, suffix) for setting in row.settings],
    }


def _setting(setting: Setting, row: Row, suffix: str) -> Fields:
    train = setting.train
    return {
        "text": setting_cell(setting),
        "setting": cells.setting(train),
        "decode": cells.decoding(setting.decode),
        "precision": train.key.precision,
        "batch": train.key.batch_size,
        "default": is_default(train),
        "side": cells.side(train, row.machine, suffix),
        "infer": None if setting.infer is None else cells.setting(setting.infer),
        "rate": 0.0 if train.log is None else train.log.rate,
        "measured": _measured(setting.measured),
    }


def _measured(found: MeasuredRates) -> Fields:
    decode = None if found.decode is None else {**_log(found.decode.log), "cores": found.decode.cores}
    return {
        "train": _log(found.train),
        "infer": None if found.infer is None else _log(found.infer),
        "decode": decode,
        "once": None,
        "room": asdict(found.room),
        "startUp": found.start_up,
        "inferStartUp": found.infer_start_up,
        "inferReady": found.infer_ready,
        "augment": found.augment,
        "batch": found.batches.training,
        "evaluationBatch": found.batches.evaluation,
        "views": found.batches.views,
        "sharesCores": found.shares_cores,
        "watts": None if found.watts is None else {**_log(found.watts), "units": (), "values": ()},
    }


def _log(found: LogRate) -> Fields:
    return {
        "mean": found.mean,
        "error": found.standard_error,
        "df": found.degrees_of_freedom,
        "seed": seed_of(found),
        "units": found.units if len(found.units) > 1 else (),
        "values": found.values if len(found.units) > 1 else (),
    }
