"""``bench reproduce``."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from bench.cli import options
from bench.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from bench.analysis.model import CaseKey, MeasuredCase, Report
    from bench.record.schema import Record

_LARGEST = 1000.0


@click.command(name="reproduce")
@click.argument("record", metavar="RECORD")
@click.option(
    "--within",
    default="10%",
    show_default=True,
    metavar="PERCENT",
    help="Of the recorded rate, to call it the same; 10 means the same.",
)
@click.option("--seconds", type=float, metavar="S", help="Steady state in each trial.  [default: as recorded]")
@options.images
@options.many(*options.INTERPRETER, "Run this plugin under another interpreter.")
@options.results("Folder that gets a folder per run.")
@options.stall
@options.wait
@options.quiet
def command(**values: Any) -> None:
    """Run the cases of a record once more, and say whether the rates agree.

    Same devices, batch sizes, options, seeds and number of trials; images of a user's own must be given again with --data. Agrees: the
    whole 95 % interval of the ratio lies within the tolerance. Exit codes: 0 all agree, 5 some rate is lower, 3 the interval is too
    wide to tell or a rate is higher, 4 nothing could be repeated.
    """
    from bench.cli.report import read_checked, write
    from bench.record.places import place_of
    from bench.record.plausible import refuse_impossible
    from bench.run.again import plan_again
    from bench.run.folders import check_makeable, salt_of
    from bench.run.interruption import Interrupted
    from bench.run.session import start_run

    within = options.parse_percent(values["within"], "--within", _LARGEST)
    if values["seconds"] is not None and not 0 < values["seconds"] < 86400:
        raise UsageError(
            f"{values['seconds']:g} seconds per trial are not possible; expected more than 0 and less than a day"
        )
    check_makeable(Path(values["output"]), "results", "--output")
    old = read_checked(place_of(values["record"]))
    refuse_impossible(old)
    _refuse_missing_images(old, values)
    count = max(old.data[0].count, 1) if old.data else None
    if values.get("data") is None and count is not None:
        values["count"] = count
    seconds = values["seconds"] or _recorded_seconds(old)
    chosen = options.interpreters(values["interpreter_words"])
    salt = salt_of(Path(values["output"]))
    plan = plan_again(old, options.data_spec(values, old.seed), seconds, chosen, values["stall_timeout"], salt)
    folder = Path(values["output"]) / plan.id
    try:
        new = start_run(plan, folder, values["wait"], values["quiet"])
    except Interrupted as interrupt:
        kept = f"; what was measured is kept, go on with: bench run --resume {folder}" if folder.exists() else ""
        click.echo(f"bench: interrupted{kept}", err=True)
        sys.exit(interrupt.code)
    lines, code = _verdicts(old, new, within)
    write("".join(f"{line}\n" for line in lines), None)
    click.echo(f"record: {folder / 'record.json'}")
    sys.exit(code)


def _refuse_missing_images(record: Record, values: dict[str, Any]) -> None:

    if values.get("data") is None and any(not data.synthetic for data in record.data):
        raise UsageError(
            f"the record was measured on {record.data[0].description:.80}; give the same images with --data PATH"
        )


def _recorded_seconds(record: Record) -> float:
    """About how long its trials measured."""
    from bench.record.figures import samples

    spent = [
        sum(samples(trial)) for trial in record.trials if trial.role == "trial" and trial.status == "ok" and samples(trial)
    ]
    return min(max(median(spent), 0.1), 600.0) if spent else 2.5


def _verdicts(old: Record, new: Record, within: float) -> tuple[list[str], int]:
    """A sentence per case, and the exit code. Welch's interval over trials, within these two runs."""
    import math

    from bench.analysis.build import build
    from bench.report import cells
    from bench.statistics.pairs import welch
    from bench.statistics.rates import CONFIDENCE

    before, after = (_by_case(build([record])) for record in (old, new))
    low_bound, high_bound = math.log1p(-min(within, 99.9) / 100), math.log1p(within / 100)
    lines, found = [], []
    for key, recorded in before.items():
        phase = recorded.key.how.title
        name = f"{cells.place(recorded)} {recorded.key.workload}-{recorded.key.size} {phase} {cells.setting(recorded)}"
        repeated = after.get(key)
        if repeated is None or not (recorded.valid and repeated.valid):
            found.append("not repeated")
            lines.append(f"not repeated: {name}: {_why_not(key, repeated, after)}")
            continue
        assert recorded.log is not None
        assert repeated.log is not None
        change = recorded.log.mean - repeated.log.mean  # of rates: above 0 the repetition was faster
        if min(recorded.log.n, repeated.log.n) < 2:
            found.append("cannot tell")
            lines.append(f"cannot tell: {name}: {100 * math.expm1(change):+.1f} %, from a single trial")
            continue
        effect = welch(repeated.log_times, recorded.log_times, (1 - CONFIDENCE) / 2)
        found.append(_verdict(effect.low, effect.high, low_bound, high_bound))
        low, high = 100 * math.expm1(effect.low), 100 * math.expm1(effect.high)
        lines.append(f"{found[-1]}: {name}: {100 * math.expm1(change):+.1f} % ({low:+.1f} to {high:+.1f} %)")
    same = found.count("agrees")
    lines.append(
        f"{same:,} of {len(found):,} rates agree within {within:g} %; intervals are over the trials of these two runs"
    )
    if not set(found) - {"not repeated"}:
        return lines, int(ExitCode.NOT_COMPARABLE)
    if "lower" in found:
        return lines, int(ExitCode.REGRESSED)
    return lines, int(ExitCode.OK if same == len(found) else ExitCode.INCONCLUSIVE)


def _verdict(low: float, high: float, low_bound: float, high_bound: float) -> str:
    """What an interval of ln(repeated rate / recorded rate) says."""
    if low_bound <= low and high <= high_bound:
        return "agrees"
    return "lower" if high < low_bound else "higher" if low > high_bound else "cannot tell"


def _alike(key: CaseKey) -> CaseKey:
    """A case, whatever machine and software ran it."""
    return key._replace(machine="", stack=key.stack._replace(versions="", environment="", bench=""))


def _by_case(report: Report) -> dict[CaseKey, MeasuredCase]:
    return {_alike(case.key): case for case in (*report.measured, *report.to_quality)}


def _why_not(key: CaseKey, repeated: MeasuredCase | None, after: dict[CaseKey, MeasuredCase]) -> str:
    if repeated is not None:
        return "a side has no proven rate"
    if any(other._replace(data="") == key._replace(data="") for other in after):
        return "it ran on other images"
    if any(other._replace(digest="") == key._replace(digest="") for other in after):
        return "the network has changed since"
    return "it did not run"
