"""``bench run``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import data_options, data_spec, device_options, interpreters, pairs, plugin_options

if TYPE_CHECKING:
    from bench.record.schema import Record
    from bench.run.plan import Plan, Wishes


@click.command(name="run")
@device_options
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="SIZE",
    help="tiny, small or standard (repeatable). Default: small, or what there is.",
)
@click.option(
    "--phase", "phases", multiple=True, metavar="PHASE", help="preprocess, train or infer (repeatable). Default: all."
)
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    metavar="NAME",
    help="float64, fp32, tf32 or bf16 (repeatable). Default: fp32, and bf16 where the device computes it.",
)
@click.option(
    "--batch-size",
    type=int,
    metavar="N",
    help="Of training and offline inference. Default: the workload's for "
    "training; for inference the fastest that short pilots find.",
)
@click.option("--trials", type=int, default=3, show_default=True, metavar="N", help="Fresh processes per case.")
@click.option(
    "--seconds", type=float, metavar="S", help="Steady state to measure in each trial. Default: 2.5 (--quick: 0.5)."
)
@click.option("--quick", is_flag=True, help="A first look: size tiny, short trials, fp32, no ceilings.")
@click.option("--threads", type=int, metavar="N", help="Host cores to use. Default: all that this process is given.")
@data_options
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
@click.option(
    "--target", "target_words", multiple=True, metavar="NAME=VALUE", help="Of --until-quality: auc or accuracy (repeatable)."
)
@click.option("--epochs", type=int, metavar="N", help="Of --until-quality, at most. Default: the workload's.")
@plugin_options
@click.option("--no-ceilings", is_flag=True, help="Do not measure what the devices could reach; the report then says so.")
@click.option("--no-search", is_flag=True, help="Run each case in its backend's usual way; do not try the others it offers.")
@click.option("--label", "notes", multiple=True, metavar="NAME=VALUE", help="A note for the record (repeatable).")
@click.option("--seed", type=int, default=0, show_default=True, help="Of synthetic images and the order of trials.")
@click.option(
    "--stall-timeout",
    type=float,
    default=600.0,
    show_default=True,
    metavar="S",
    help="End a worker that has been silent for so long.",
)
@click.option(
    "-o", "--output", default="bench-results", show_default=True, metavar="DIR", help="Folder that gets a folder per run."
)
@click.option(
    "--publish", default="", metavar="PLACE", help="Also put the record there: a folder, or an address as s3://bucket/team."
)
@click.option("--resume", metavar="RUN", help="Finish an interrupted run: only what its journal lacks.")
@click.option("--wait", is_flag=True, help="Queue behind another run on the same processors.")
@click.option("--dry-run", is_flag=True, help="Say what would run, and about how long it would take.")
@click.option("--keep-host-name", is_flag=True, help="Write the host's name into the record; without it, a hash.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(**values: Any) -> None:
    """Measure preprocessing, training and inference, and seal the samples into a record.

    Every trial is a fresh process; trials of different cases are interleaved in random order. Each finished trial is on
    disk before the next one starts, so nothing is lost when the run is interrupted.

    \b
    bench run --quick
    bench run --backend cuda --backend cpu --size standard
    bench run --data ~/HAM10000 --size small --trials 5 --input files
    bench run --until-quality --size tiny --data ham10000_28.npz
    bench run --resume bench-results/20260101-120000-abc123
    """
    from bench.run.session import Interrupted, resume_run, start_run

    _check_place(values["publish"])
    if values["resume"]:
        _refuse_other_options()
        plan, folder = None, Path(values["resume"])
    else:
        plan = _plan(values)
        folder = Path(values["output"]) / plan.id
        if values["dry_run"]:
            _print_plan(plan)
            return
    try:
        if plan is None:
            record = resume_run(folder, values["wait"], values["quiet"])
        else:
            record = start_run(plan, folder, values["wait"], values["quiet"])
    except Interrupted as interrupt:
        kept = f"; what was measured is kept, finish it with: bench run --resume {folder}" if folder.exists() else ""
        click.echo(f"bench: interrupted{kept}", err=True)
        sys.exit(interrupt.code)
    _finish(record, folder, values["publish"])


def _check_place(text: str) -> None:
    """Raises RecordError where the record could not be put, before hours are spent on it."""
    if text:
        from bench.record.places import check_place, place_of

        check_place(place_of(text))


def _refuse_other_options() -> None:
    from bench.errors import UsageError

    context = click.get_current_context()
    allowed = {"resume", "wait", "quiet", "publish"}
    given = [
        name
        for name in context.params
        if name not in allowed and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise UsageError(f"--resume finishes a run as it was planned; leave out {', '.join(sorted(given))}")


def _plan(values: dict[str, Any]) -> Plan:
    from bench.run.session import make_plan

    return make_plan(_wishes(values), interpreters(values["interpreter_words"]), values["keep_host_name"])


def _wishes(values: dict[str, Any]) -> Wishes:
    from bench.run.plan import PHASES, Wishes

    quick, until_quality = values["quick"], values["until_quality"]
    _refuse_unfit(values)
    seconds = values["seconds"] if values["seconds"] is not None else (0.5 if quick else 2.5)
    return Wishes(
        backends=values["backends"],
        devices=values["devices"],
        workload=values["workload"],
        sizes=values["sizes"] or (("tiny",) if quick else ()),
        phases=("train",) if until_quality else values["phases"] or PHASES,
        precisions=values["precisions"] or (("fp32",) if quick else ()),
        batch_size=values["batch_size"],
        trials=values["trials"],
        seconds=seconds,
        seed=values["seed"],
        threads=values["threads"],
        data=data_spec(values, values["seed"]),
        options=pairs(values["options"], "--option"),
        stall=values["stall_timeout"],
        ceilings=not (values["no_ceilings"] or quick or until_quality),
        search=not (values["no_search"] or quick),
        from_files=values["source"] == "files",
        until_quality=until_quality,
        epochs=values["epochs"],
        targets=_targets(values["target_words"]),
        labels=_labels(values["notes"]),
        command=["bench", *sys.argv[1:]],
    )


def _refuse_unfit(values: dict[str, Any]) -> None:
    """Raises UsageError for options that do not go together."""
    from bench.errors import UsageError

    if values["until_quality"]:
        if values["phases"] or values["source"] == "files":
            raise UsageError("--until-quality trains from memory and measures nothing else; leave out --phase and --input")
    elif values["source"] == "files" and values["phases"] and "train" not in values["phases"]:
        raise UsageError("--input files is about training; add --phase train")
    elif values["target_words"] or values["epochs"] is not None:
        raise UsageError("--target and --epochs are about training to a target; add --until-quality")


def _targets(words: Sequence[str]) -> dict[str, float]:
    from bench.errors import UsageError

    targets = {}
    for name, value in pairs(words, "--target").items():
        try:
            targets[name] = float(value)
        except ValueError:
            raise UsageError(f"--target {name}={value:.40} is not understood; expected a number, as in auc=0.85") from None
    return targets


def _labels(words: Sequence[str]) -> dict[str, str]:
    from bench.errors import UsageError
    from bench.record.labels import reserved

    labels = pairs(words, "--label")
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
    minutes = expected_seconds(plan) / 60
    click.echo(f"{len(plan.cases)} cases, {plan.trials} trials each, about {minutes:.1f} minutes")


def _finish(record: Record, folder: Path, publish: str) -> None:
    """Print the table, say where the record lies, and exit with what the run deserves."""
    from bench.cli.report import write
    from bench.errors import ExitCode, NotComparableError
    from bench.report import build, render
    from bench.run.results import verdict

    code = verdict(record)
    if code == ExitCode.NOT_COMPARABLE:
        reasons = [trial.reason for trial in record.trials if trial.status != "ok"] + [skip.reason for skip in record.skips]
        raise NotComparableError(f"nothing could be measured: {reasons[0]}; the logs are in {folder / 'logs'}")
    write(render(build([record])), None)
    click.echo(f"record: {folder / 'record.json'}")
    if publish:
        from bench.record.places import place_of, write_place

        click.echo(f"published: {write_place(record, place_of(publish))}")
    if code == ExitCode.SOME_FAILED:
        click.echo(
            "bench: some cases failed, could not be proven or did not reach their target, the rest is recorded; logs in "
            f"{folder / 'logs'}",
            err=True,
        )
    sys.exit(int(code))
