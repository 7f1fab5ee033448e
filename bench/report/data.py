"""The report for machines: raw figures, their intervals, and the unit in every name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from bench.analysis.model import CaseKey, Group, MeasuredCase, Report, Row, Setting, SpeedUp
from bench.analysis.versus import Versus, versus
from bench.projection.assumptions import Assumptions
from bench.record.forecasts import covered, error
from bench.record.scenarios import IMAGES, MEGAPIXELS
from bench.report.ceilings import bound_by
from bench.report.costs import break_even_price, cost, inference_costs
from bench.report.notes import width_lines
from bench.report.proofs import proof
from bench.report.quality import seconds
from bench.statistics.rates import Estimate
from bench.text.words import spreadsheet

Fields = dict[str, Any]
FORMAT = 1
"""Version of the JSON layout; names are only ever added to it."""


class JsonReporter:
    """One JSON object, ASCII only."""

    name = "json"

    def render(self, report: Report) -> str:
        """The report as JSON; a figure that does not exist is null."""
        compact = json.dumps(as_data(report), allow_nan=False)  # indenting here would cost ten times as long
        try:
            return msgspec.json.format(compact, indent=1) + "\n"
        except msgspec.DecodeError:  # half a surrogate pair, which JSON allows and UTF-8 does not
            return compact + "\n"


class CsvReporter:
    """One row per measured case, its projection beside it where it is a training."""

    name = "csv"

    def render(self, report: Report) -> str:
        """The report as comma-separated values; no cell is a formula."""
        import pandas

        frame = pandas.DataFrame(
            [{name: spreadsheet(value) if isinstance(value, str) else value for name, value in row.items()}
             for row in flat_rows(report)]
        )  # fmt: skip
        return str(frame.to_csv(index=False, lineterminator="\n"))


def as_data(report: Report) -> Fields:
    """The whole report as plain data."""
    return {
        "format": "accelbench report",
        "version": FORMAT,
        "assumptions": asdict(report.assumptions),
        "assumption_sentences": report.assumptions.sentences(),
        "days_versus_hours": [
            {
                "workload": group.workload,
                "size": group.size,
                "digest": group.digest,
                "epochs": group.epochs,
                "views": group.views,
                "reference": None if group.reference is None else _case_fields(group.reference.best.train.key),
                "devices": [_row(row, group, report.assumptions) for row in group.rows],
            }
            for group in report.groups
        ],
        "time_to_quality": [_to_quality(case) for case in report.to_quality],
        "forecasts": [
            {**_case_fields(case.key), **msgspec.to_builtins(found), "error": error(found), "covered": covered(found)}
            for case, found in report.forecasts
        ],
        "measured": [_measured(case) for case in report.measured],
        "inference_costs": [
            {
                **_case_fields(one.case.key),
                "price": asdict(one.price),
                "cost_of_a_million_images": _estimate(one.million),
            }
            for one in inference_costs(report)
        ],
        "against_reference": [_versus(one) for one in versus(report)],
        "by_label": {
            "label": report.group_by,
            "cases": [
                {
                    **_case_fields(key),
                    "log_seconds_per_item": {name: [log for _, log in timed] for name, timed in nodes.items()},
                }
                for key, nodes in sorted(report.nodes.items())
            ],
        },
        "failed_trials": [asdict(remark) for remark in report.failures],
        "impossible": [asdict(remark) for remark in report.impossible],
        "skipped": [asdict(remark) for remark in report.skips],
        "machines": {name: msgspec.to_builtins(machine) for name, machine in report.machines.items()},
        "ceilings": {name: msgspec.to_builtins(found) for name, found in report.ceilings.items()},
        "data": report.data,
        "records": [asdict(line) for line in report.records],
        "notes": [*report.notes, *width_lines(report)],
    }


def flat_rows(report: Report) -> list[Fields]:
    """One flat row per measured case."""
    projected = {
        setting.train.key: (setting, row.reference)
        for group in report.groups for row in group.rows for setting in row.settings
    }  # fmt: skip
    rows = []
    for case in report.measured:
        machine = report.machines[case.key.machine]
        row: Fields = {"cpu": machine.cpu, "cores": machine.cores, **_flat(_measured(case))}
        setting, reference = projected.get(case.key, (None, False))
        row["reference"] = reference
        row |= _flat(_setting(setting)) if setting is not None else {}
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in names} for row in rows]


def _row(row: Row, group: Group, assumptions: Assumptions) -> Fields:
    paid, even = cost(row, group, assumptions), break_even_price(row, group)
    return {
        "machine": row.machine.fingerprint,
        "reference": row.reference,
        "best": _settled(row.best),
        "same": None if row.same is None else _settled(row.same),
        "settings": [_settled(setting) for setting in row.settings],
        "price": None if row.price is None else asdict(row.price),
        "cost_of_one_training": None if paid is None else _estimate(paid.training),
        "cost_of_tuning_loop": None if paid is None else _estimate(paid.tuning_loop),
        "cost_of_a_year": None if paid is None else _estimate(paid.year),
        "break_even_price_per_hour": _estimate(even),
        "break_even_images": None if row.break_even is None else asdict(row.break_even),
    }


def _settled(setting: Setting) -> Fields:
    return {"case": _case_fields(setting.train.key), **_setting(setting)}


def _setting(setting: Setting) -> Fields:
    projection = setting.projection
    return {
        "one_training_seconds": _estimate(projection.training),
        "one_training_from_arrays_seconds": _estimate(projection.from_arrays),
        "decoded_once_seconds": _estimate(projection.decoding),
        "tuning_loop_seconds": _estimate(projection.tuning_loop),
        "trainings_per_week": _estimate(projection.trainings_per_week),
        "trainings_per_retraining_interval": _estimate(projection.trainings_per_interval),
        "energy_joules": _estimate(projection.energy),
        "ensemble_members": {**vars(projection.ensemble)},
        "screening_seconds": _estimate(projection.screening),
        "part_seconds": projection.parts,
        "binds": projection.binds,
        "decode_images_per_second": projection.decoded_per_second,
        "decode_cores": None if setting.decode is None else setting.decode.key.cores,
        "cores_to_feed_extrapolated": projection.cores_to_feed,
        "evaluation_measured": setting.infer is not None,
        "speed_up_same": _speed_up(setting.same),
        "speed_up_best": _speed_up(setting.best),
    }


def _speed_up(found: SpeedUp | None) -> Fields | None:
    if found is None:
        return None
    key = found.reference.key
    against = {"reference_machine": key.machine, "reference_device": "+".join(key.devices), "reference_cores": key.cores}
    against |= {"reference_precision": key.precision, "reference_batch_size": key.batch_size}
    return {**vars(found.factor), **against, "left_out": list(found.left_out)}


def _to_quality(case: MeasuredCase) -> Fields:
    return {
        **_case_fields(case.key),
        "device_name": "" if case.device is None else case.device.name,
        "targets": dict(case.targets),
        "seconds": _estimate(seconds(case)),
        "no_figure": case.no_figure,
        "failed_trials": case.failed,
        "proof": proof(case),
        "checks_passed": list(case.passed),
        "checks_not_judged": list(case.unjudged),
        "checks_failed": list(case.broken),
        "disturbed_trials": case.disturbed,
        "disturbances": list(case.disturbances),
        "valid": case.valid,
        "marks": list(case.marks),
        "trainings": [
            {
                "trial": course.number,
                "seconds": course.seconds,
                "test": course.test,
                "curve": [msgspec.to_builtins(point) for point in course.curve],
            }
            for course in case.courses
        ],
    }


def _measured(case: MeasuredCase) -> Fields:
    rates: dict[str, Fields | None] = {unit.field: None for unit in (IMAGES, MEGAPIXELS)}
    rates[case.key.how.unit.field] = _estimate(case.rate)
    return {
        **_case_fields(case.key),
        "device_name": "" if case.device is None else case.device.name,
        **rates,
        "valid": case.valid,  # beside the rate, so that no spreadsheet shows one without the other
        "marks": list(case.marks),
        "no_figure": case.no_figure,
        "trials": case.trials,
        "failed_trials": case.failed,
        "records": case.records,
        "interval_over": None if case.log is None else case.log.over,
        "latency_seconds": {
            f"p{found.percent}": {**vars(found.latency), "queries": found.queries, "interval": found.method}
            for found in case.latency
        },
        "share_of_ceiling": case.of_ceiling,
        "share_of_memory_ceiling": case.of_memory,
        "share_of_copying_ceiling": case.of_copying,
        "bound_by": bound_by(case),
        "ceiling_flops_per_second": None if case.ceiling is None else case.ceiling.rate,
        "compile_seconds": case.compile_seconds,
        "start_up_seconds": case.start_up,
        "watts": None if case.power is None else case.power.draw.rate,
        "idle_watts": None if case.power is None else case.power.idle_watts,
        "host_memory_bytes": case.host_memory,
        "device_memory_bytes": case.device_memory,
        "proof": proof(case),
        "checks_passed": list(case.passed),
        "checks_not_judged": list(case.unjudged),
        "checks_failed": list(case.broken),
        "lowering": case.lowering,
        "slowing_trials": case.slowing,
        "steady_seconds_per_trial": case.steady_seconds,
        "disturbed_trials": case.disturbed,
        "disturbances": list(case.disturbances),
    }


def _versus(one: Versus) -> Fields:
    return {
        "case": _case_fields(one.case.key),
        "reference": _case_fields(one.reference.key),
        "times_as_fast": _estimate(one.ratio.factor),
        "paired": one.ratio.paired,
        "pairs": one.ratio.n,
    }


def _case_fields(key: CaseKey) -> Fields:
    return {
        "machine": key.machine, "backend": key.backend, "devices": list(key.devices), "workload": key.workload,
        "size": key.size, "digest": key.digest, "phase": key.phase, "scenario": key.scenario, "precision": key.precision,
        "batch_size": key.batch_size, "host_cores": key.cores, "processes": key.ranks, "options": key.options,
        "versions": key.stack.versions, "environment": key.stack.environment, "bench_version": key.stack.bench,
        "data": key.data,
    }  # fmt: skip


def _estimate(found: Estimate | None) -> Fields | None:
    return None if found is None else {**vars(found)}  # asdict would copy deeply, and there are many of these


def _flat(fields: Mapping[str, Any], prefix: str = "") -> Fields:
    """Nested names joined: ``one_training_seconds``, ``one_training_seconds_low``; lists become one cell."""
    flat: Fields = {}
    for name, value in fields.items():
        place = prefix if name == "value" else f"{prefix}_{name}" if prefix else name
        if isinstance(value, dict):  # not Mapping: an abstract class is slow to ask, and this is asked a million times
            flat |= _flat(value, place)
        else:
            flat[place] = "; ".join(str(part) for part in value) if isinstance(value, list) else value
    return flat
