"""``bench run``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli import options
from bench.cli.files import take_plan, written
from bench.errors import ExitCode, NotComparableError, RecordError, UsageError
from bench.run.limits import WIDEST

if TYPE_CHECKING:
    from bench.record.schema import Record
    from bench.run.interruption import Interrupted
    from bench.run.plan import Plan, Wishes


@click.command(name="run")
@options.devices
@options.many("--size", "sizes", "SIZE", "tiny, small or standard (repeatable). Default: small, or what there is.")
@options.many("--phase", "phases", "PHASE", "preprocess, train or infer (repeatable). Default: all.")
@options.many(
    "--precision",
    "precisions",
    "NAME",
    "float64, fp32, tf32 or bf16 (repeatable). Default: fp32, and bf16 where the device computes it.",
)
@options.batch_sizes(
    "Of training and offline inference (repeatable). Default: the workload's for training; for inference the fastest that short "
    "pilots find."
)
@click.option(
    "--trials",
    type=int,
    metavar="N",
    help="Fresh processes per case. Default: 5 (--quick, --until-quality: 3). With --resume of a complete run: so many more.",
)
@click.option(
    "--within",
    metavar="PERCENT",
    help="Add trials to each case until its 95% interval is this narrow, as in 5% (5 means the same), or --time-limit comes.",
)
@click.option(
    "--seconds", type=float, metavar="S", help="Steady state to measure in each trial. Default: 2.5 (--quick: 0.5)."
)
@click.option("--quick", is_flag=True, help="A first look: size tiny, short trials, fp32, no ceilings.")
@options.threads
@options.images
@click.option(
    "--input",
    "source",
    type=click.Choice(["memory", "files"]),
    default="memory",
    show_default=True,
    help="files: also train from JPEG files, decoded on the way; the report shows what that costs.",
)
@click.option(
    "--until-quality", is_flag=True, help="Train to the workload's target, one seed per trial, and measure the time."
)
@options.many("--target", "target_words", "NAME=VALUE", "Of --until-quality: auc or accuracy (repeatable).")
@click.option("--epochs", type=int, metavar="N", help="Of --until-quality, at most. Default: the workload's.")
@options.plugins
@click.option("--no-ceilings", is_flag=True, help="Do not measure what the devices could reach; the report then says so.")
@click.option("--no-search", is_flag=True, help="Run each case in its backend's usual way; do not try the others it offers.")
@options.many("--label", "notes", "NAME=VALUE", "A note for the record (repeatable).")
@click.option("--seed", type=int, default=0, show_default=True, help="Of synthetic images and the order of trials.")
@options.stall
@options.results("Folder that gets a folder per run.")
@click.option(
    "--publish", default="", metavar="PLACE", help="Also put the record there: a folder, or an address as s3://bucket/team."
)
@click.option(
    "--time-limit",
    metavar="TIME",
    help="End after so long (90s, 10m, 1h), counted from the start; what was measured by then is sealed as incomplete. "
    "With --within, and all --trials made, this is a normal end.",
)
@click.option(
    "--resume",
    metavar="RUN",
    help="Finish an interrupted run in its folder. Extend a complete one by --trials or --within: a new record holds both.",
)
@options.wait
@click.option(
    "--plan",
    type=click.Path(path_type=Path),
    is_eager=True,
    callback=take_plan,
    metavar="FILE",
    help="Take options from the [run] table of a TOML file; those given here win.",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what would run and about how long it would take, and refuse what the run would."
)
@click.option(
    "--write-plan",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --dry-run: write these options into a file for --plan.",
)
@click.option("--details", is_flag=True, help="Also say where the run's time went.")
@click.option("--keep-host-name", is_flag=True, help="Write the host's name into the record; without it, a hash.")
@options.quiet
def command(**values: Any) -> None:
    """Measure preprocessing, training and inference, and seal the samples into a record.

    Every trial is a fresh process; trials of different cases are interleaved in random order. Each finished trial is on
    disk before the next one starts. A run that is interrupted, or whose time is up, seals what it has; reports say that
    such a record is incomplete.

    With --within, cases whose interval is still too wide get one trial more in each further round. Intervals allow for the
    number of trials having been decided by looking at them.

    \b
    bench run --quick
    bench run --backend cuda --backend cpu --size standard
    bench run --data ~/HAM10000 --size small --trials 8 --input files
    bench run --within 5% --time-limit 20m
    bench run --until-quality --size tiny --data ham10000_28.npz
    bench run --time-limit 10m --backend cuda
    bench run --backend cuda --size standard --dry-run --write-plan plan.toml
    bench run --plan plan.toml
    bench run --resume bench-results/20260101-120000-abc123
    bench run --resume bench-results/20260101-120000-abc123 --within 10%
    """
    from bench.run.interruption import Interrupted, interruptible

    if values["write_plan"] is not None and not values["dry_run"]:
        raise UsageError("--write-plan goes with --dry-run; leave it out to measure, or add --dry-run")
    _check_place(values["publish"])
    limit = None if values["time_limit"] is None else options.parse_duration(values["time_limit"], "--time-limit")
    limit = None if values["dry_run"] else limit
    where: list[Path] = []  # the run's folder, once it is known
    try:
        with interruptible(limit):
            record = _start(values, where, limit) if values["resume"] is None else _resume(values, where)
    except Interrupted as interrupt:
        record = _interrupted(interrupt, where[0] if where else None)
    if record is not None:
        _finish(record, where[0], values["publish"], values["details"])


def _write_plan(place: Path | None) -> None:
    """Write the options of this command line for ``--plan``."""
    if place is None:
        return
    from bench.cli.report import write

    write(written(click.get_current_context(), "run"), place)
    click.echo(f"to run this: bench run --plan {place}")


def _start(values: dict[str, Any], where: list[Path], limit: float | None) -> Record | None:
    """A new run; nothing where only its plan was wanted."""
    from bench.run.folders import check_makeable
    from bench.run.runner import expected_seconds
    from bench.run.session import look_at_images, start_run

    check_makeable(Path(values["output"]), "results", "--output")
    plan = _plan(values)
    if values["dry_run"]:
        look_at_images(plan, click.echo)
        _print_plan(plan)
        _write_plan(values["write_plan"])
        return None
    expected = expected_seconds(plan)
    if limit is not None and expected > limit and not values["quiet"]:
        click.echo(f"bench: the plan takes about {expected / 60:.1f} minutes; the time limit will come first", err=True)
    where.append(Path(values["output"]) / plan.id)
    return start_run(plan, where[0], values["wait"], values["quiet"], _is_wide)


def _resume(values: dict[str, Any], where: list[Path]) -> Record:
    """What is left of a run, or a complete one and more."""
    from bench.record.files import NAME
    from bench.run.resumption import More, resume_run
    from bench.run.session import is_complete, new_identity

    _refuse_other_options()
    folder = Path(values["resume"])
    folder = folder.parent if folder.name == NAME and folder.is_file() else folder
    rounds, within = values["trials"] if options.given("trials") else None, _within(values)
    more = More(folder.resolve().parent / new_identity()[0], rounds, within) if is_complete(folder) else None
    if more is None and folder.is_dir() and not (rounds is None and within is None):
        raise UsageError(f"the run in {folder} was interrupted and is finished as planned; leave out --trials and --within")
    if rounds is not None and rounds < 1:
        raise UsageError(f"{rounds} trials more are not possible; expected 1 or more")
    if more is not None and not values["quiet"]:
        click.echo(
            f"bench: the run in {folder} is complete; a new record of its trials and more is made in {more.into}", err=True
        )
    where.append(folder if more is None else more.into)
    stall = values["stall_timeout"] if options.given("stall_timeout") else None
    chosen = options.interpreters(values["interpreter_words"])
    return resume_run(folder, values["wait"], values["quiet"], _is_wide, more, stall, chosen)


def _within(values: dict[str, Any]) -> float | None:
    """The half-width wished for, in percent. Raises UsageError."""
    return None if values["within"] is None else options.parse_percent(values["within"], "--within", WIDEST)


def _is_wide(log_times: Sequence[float], within: float) -> bool:
    """``bench.statistics.stopping.is_wide``, imported where it is used: it needs NumPy."""
    from bench.statistics.stopping import is_wide

    return is_wide(log_times, within)


def _interrupted(interrupt: Interrupted, folder: Path | None) -> Record:
    """Say what is left of the run, and exit. Returns its record where its time was up, or where it was just complete."""
    from bench.run.interruption import TimeIsUpError

    out_of_time = isinstance(interrupt, TimeIsUpError)
    record = None if folder is None else _sealed(folder)
    if record is not None and record.complete:
        return record
    again = f"; go on with: bench run --resume {folder}" if folder is not None and folder.exists() else ""
    trials = () if record is None else [trial for trial in record.trials if trial.role == "trial"]
    if out_of_time and not trials:
        raise NotComparableError(f"the time limit was reached before any trial was finished{again}")
    kept = f"; what was measured is sealed as incomplete in {folder}" if record is not None else ""
    click.echo(f"bench: {'the time limit was reached' if out_of_time else 'interrupted'}{kept}{again}", err=True)
    if not out_of_time or record is None:
        sys.exit(interrupt.code)
    return record


def _sealed(folder: Path) -> Record | None:
    """The run's record, if it has a whole one."""
    from bench.record.files import read_record

    try:
        return read_record(folder)
    except RecordError:
        return None


def _check_place(text: str) -> None:
    """Raises RecordError where the record could not be put, before hours are spent on it."""
    if text:
        from bench.record.places import check_place, place_of
        from bench.text.waiting import told

        place = place_of(text)
        with told(lambda: f"bench: looking whether {place} can be written"):
            check_place(place)


def _refuse_other_options() -> None:

    context = click.get_current_context()
    allowed = {
        "resume", "wait", "quiet", "publish", "time_limit", "stall_timeout", "passed", "details", "trials", "within",
        "interpreter_words",
    }  # fmt: skip
    others = [option for option in context.command.params if option.name not in allowed and options.given(str(option.name))]
    if others:
        names = sorted(max(option.opts, key=len) for option in others)
        raise UsageError(f"--resume goes on with a run as it was planned; leave out {', '.join(names)}")


def _plan(values: dict[str, Any]) -> Plan:
    from bench.run.session import make_plan

    return make_plan(_wishes(values), options.interpreters(values["interpreter_words"]), values["keep_host_name"])


def _wishes(values: dict[str, Any]) -> Wishes:
    from dataclasses import replace

    from bench.record.scenarios import PHASES

    quick, until_quality = values["quick"], values["until_quality"]
    _refuse_unfit(values)
    seconds = values["seconds"] if values["seconds"] is not None else (0.5 if quick else 2.5)
    wishes = options.wishes_of(
        values,
        sizes=values["sizes"] or (("tiny",) if quick else ()),
        phases=("train",) if until_quality else values["phases"] or PHASES,
        precisions=values["precisions"] or (("fp32",) if quick else ()),
        batch_sizes=values["batch_sizes"],
        trials=values["trials"] if values["trials"] is not None else (3 if quick or until_quality else 5),
        seconds=seconds,
        ceilings=not (values["no_ceilings"] or quick or until_quality),
        search=not (values["no_search"] or quick),
        scenarios=[*(["from-files"] if values["source"] == "files" else []), *(["to-quality"] if until_quality else [])],
        epochs=values["epochs"],
        within=_within(values) or 0.0,
    )
    return replace(wishes, targets=_targets(values["target_words"]), labels=_labels(values["notes"]))


def _refuse_unfit(values: dict[str, Any]) -> None:
    """Raises UsageError for options that do not go together."""

    if values["until_quality"]:
        if values["phases"] or values["source"] == "files":
            raise UsageError("--until-quality trains from memory and measures nothing else; leave out --phase and --input")
    elif values["source"] == "files" and values["phases"] and "train" not in values["phases"]:
        raise UsageError("--input files is about training; add --phase train")
    elif values["target_words"] or values["epochs"] is not None:
        raise UsageError("--target and --epochs are about training to a target; add --until-quality")


def _targets(words: Sequence[str]) -> dict[str, float]:

    targets = {}
    for name, value in options.pairs(words, "--target").items():
        try:
            targets[name] = float(value)
        except ValueError:
            raise UsageError(f"--target {name}={value:.40} is not understood; expected a number, as in auc=0.85") from None
    return targets


def _labels(words: Sequence[str]) -> dict[str, str]:
    from bench.record.labels import reserved

    labels = options.pairs(words, "--label")
    for name in labels:
        if reserved(name):
            raise UsageError(f"--label {name} is set by bench check alone; choose another name")
    return labels


def _print_plan(plan: Plan) -> None:
    from bench.run.runner import expected_seconds

    for planned in plan.cases:
        choice = f" (batch chosen from {', '.join(map(str, planned.candidates))})" if planned.candidates else ""
        click.echo(f"{planned.case.label}{choice}")
    for skip in plan.skips:
        click.echo(f"skipped: {skip.what}: {skip.reason}")
    silent = list(dict.fromkeys(planned.case.backend for planned in plan.cases if planned.layers_open))
    if silent:
        click.echo(
            f"layers: {' and '.join(silent)} {'does' if len(silent) == 1 else 'do'} not say which layers there are; one that lacks shows when "
            "a case is built, and makes it a skip"
        )
    minutes = expected_seconds(plan) / 60
    until = f"; more trials until each interval is within ± {plan.within:g} %" if plan.within else ""
    least = "at least " if plan.within else ""
    click.echo(f"{len(plan.cases)} cases, {least}{plan.trials} trials each, {least or 'about '}{minutes:.1f} minutes{until}")


def _finish(record: Record, folder: Path, publish: str, details: bool) -> None:
    """Print the table, say where the record lies, and exit with what the run deserves."""
    from bench.analysis.build import build
    from bench.cli.report import put_record, write
    from bench.report.formats import render
    from bench.run.results import verdict
    from bench.text.outside import is_lost

    code = verdict(record)
    if code == ExitCode.NOT_COMPARABLE:
        reasons = [trial.reason for trial in record.trials if trial.status != "ok"] + [skip.reason for skip in record.skips]
        raise NotComparableError(f"nothing could be measured: {reasons[0]}; the logs are in {folder / 'logs'}")
    where = f"record: {folder / 'record.json'}"
    try:
        write(render(build([record])), None)
        if details:
            from bench.report.spent import spent_section
            from bench.text.terminal import terminal_page

            write(terminal_page([spent_section(record)]), None)
        click.echo(where)
    except OSError:  # a disk that is full: the table can be printed again, if it is known from where
        click.echo(where, err=True)
        raise
    if is_lost(sys.stdout):
        click.echo(where, err=True)
    if publish:
        click.echo(f"published: {put_record(record, publish)}")
    if code == ExitCode.SOME_FAILED and record.complete:
        click.echo(
            "bench: some cases failed, could not be proven or did not reach their target, the rest is recorded; logs in "
            f"{folder / 'logs'}",
            err=True,
        )
    sys.exit(int(code))
