"""``bench check``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli import SKIP, options
from bench.cli.compare import FORMATS, VARIABLE
from bench.cli.files import ProjectCommand, from_file
from bench.errors import BenchError, BudgetError, ExitCode, InstallError, NotComparableError, PluginError, UsageError
from bench.text.words import plural

if TYPE_CHECKING:
    from bench.check.sides import Side
    from bench.comparison.model import Comparison
    from bench.record.schema import Machine, Record
    from bench.run.plan import Plan, Wishes


@click.command(name="check", cls=ProjectCommand)
@click.option("--against", metavar="PYTHON", help="Measure this interpreter's environment beside the present one.")
@click.option("--against-ref", metavar="REF", help="The same, for an environment made from a git ref of this repository.")
@options.many(
    "--install",
    "installs",
    "WORDS",
    "With --against-ref: what pip installs, in a checkout of the ref and in the working tree, each into a new environment, such as "
    "'-e . -r requirements.txt' (repeatable). Default: the ref's project, over the packages installed here.",
)
@click.option("--baseline", metavar="RECORD", help="Hold a new run against stored records of this machine.")
@click.option(
    "--vary", multiple=True, type=click.Choice(VARIABLE), help="With --baseline: the fact under test (repeatable)."
)
@options.devices
@options.many("--size", "sizes", "SIZE", "tiny, small or standard (repeatable). Default: tiny.")
@options.many("--phase", "phases", "PHASE", "preprocess, train or infer (repeatable). Default: train.")
@options.many("--precision", "precisions", "NAME", "fp32, bf16, … (repeatable). Default: fp32.")
@options.batch_sizes("Repeatable. Default: the workload's.")
@click.option(
    "--budget",
    metavar="TIME",
    help="With --against: time to spend, such as 90s or 10m; decides how many pairs fit, and ends the check.",
)
@click.option(
    "--pairs",
    "most_pairs",
    type=int,
    default=10,
    show_default=True,
    metavar="N",
    help="Pairs of a case at most; with --baseline, trials (5 at most).",
)
@click.option(
    "--seconds",
    type=float,
    metavar="S",
    help="Steady state in each trial. Default: what 'bench doctor' found best here, else 3.",
)
@options.threads
@options.images
@options.plugins
@options.stall
@click.option("--seed", type=int, default=0, show_default=True, help="Of synthetic images and the order of trials.")
@options.inconclusive("no verdict is possible")
@click.option("--bisect", is_flag=True, help="Exit codes for git bisect run: 125 where there is no verdict.")
@options.style(styles=FORMATS)
@click.option(
    "--junit", type=click.Path(path_type=Path), metavar="FILE", help="Also write JUnit XML, unless the check is refused."
)
@click.option(
    "--markdown",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write Markdown, as for a comment, unless the check is refused.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write JSON, unless the check is refused.",
)
@options.results("Folder that gets a folder per check.")
@click.option(
    "--resume",
    metavar="CHECK",
    help="Finish an interrupted check in its folder, as it was planned; with the same --against, --against-ref or --baseline.",
)
@options.wait
@options.quiet
def command(**values: Any) -> None:
    """Say whether something has become slower, with an exit code to rely on.

    With --against, processes of both environments are measured side by side, block by block, in this one job: the only thing
    to trust on shared machines. With --baseline, a new run is held against records of earlier sessions on the same machine.
    Exit codes: 0 pass or improved, 3 inconclusive, 4 not comparable, 5 regressed.

    \b
    bench check --against ../main/.venv/bin/python --backend cpu
    bench check --against-ref main --budget 10m --junit check.xml
    bench check --against-ref main --install '-e . -c constraints.txt'
    git bisect run bench check --against-ref v1.0 --bisect
    bench check --against-ref main --resume bench-results/check-20260101-120000-abc123

    A project's pyproject.toml may give these options in [tool.accelbench.check]; those given here win.
    """
    from bench.cli.report import check_writable
    from bench.run.folders import check_makeable
    from bench.run.interruption import Interrupted, interruptible

    check_makeable(Path(values["output"]), "results", "--output")
    for place in (values["junit"], values["markdown"], values["json_file"]):
        if place is not None:
            check_writable(place)
    try:
        with interruptible():
            result = _check(values).gated()
    except Interrupted as interrupt:
        click.echo(f"bench: interrupted{interrupt.kept and f'; {interrupt.kept}'}", err=True)
        sys.exit(interrupt.code)
    except BenchError as error:
        if values["bisect"] and _untestable(error):
            click.echo(f"bench: {error}", err=True)
            sys.exit(SKIP)
        raise
    _publish(result, values)
    sys.exit(_exit_code(result, values))


def _untestable(error: BenchError) -> bool:
    """Whether the error may be of this commit alone, so that git bisect should skip it."""

    return error.exit_code in {ExitCode.NOT_COMPARABLE, ExitCode.INCONCLUSIVE} or isinstance(
        error, BudgetError | InstallError | PluginError
    )


def _check(values: dict[str, Any]) -> Comparison:

    context = click.get_current_context()
    taken = from_file(context)
    if values["resume"] is not None:
        _refuse_other_options(values["resume"])
    elif taken:
        options.progress(values["quiet"])(f"bench: from pyproject.toml: {', '.join(taken)}")
    ways = [name for name in ("against", "against_ref", "baseline") if values[name]]
    here = [name for name in ways if name.replace("_", "-") not in taken]
    for name in ways if here else ():  # one that stands on the command line wins
        values[name] = values[name] if name in here else None
    ways = here or ways
    if len(ways) != 1:
        found = " and ".join(f"--{name.replace('_', '-')}" for name in ways) or "none"
        raise UsageError(f"a check needs one of --against, --against-ref and --baseline; found {found}")
    if values["installs"] and not values["against_ref"]:
        if "install" not in taken:
            raise UsageError("--install goes with --against-ref: pip makes both sides from the repository")
        values["installs"] = ()
    if values["baseline"]:
        return _against_records(values)
    if values["vary"]:
        raise UsageError("--vary goes with --baseline; with --against, what the two environments differ in is under test")
    return _against_environment(values)


_WITH_RESUME = {
    "resume", "against", "against_ref", "baseline", "vary", "inconclusive", "bisect", "style", "junit", "markdown", "json_file", "wait", "quiet",
    "interpreter_words", "passed",
}  # fmt: skip


def _refuse_other_options(folder: str) -> None:
    """Raises UsageError for options that a check which began without them cannot take; those of a project's file do not count."""
    if not folder:
        raise UsageError("--resume is given without a value; expected the folder of a check")
    context = click.get_current_context()
    others = [
        max(option.opts, key=len)
        for option in context.command.params
        if option.name not in _WITH_RESUME
        and context.get_parameter_source(str(option.name)) is click.core.ParameterSource.COMMANDLINE
    ]
    if others:
        raise UsageError(f"--resume goes on with a check as it was planned; leave out {', '.join(sorted(others))}")


def _wishes(values: dict[str, Any], trials: int, labels: dict[str, str]) -> Wishes:
    return options.wishes_of(
        values,
        sizes=values["sizes"] or ("tiny",),
        phases=values["phases"] or ("train",),
        precisions=values["precisions"] or ("fp32",),
        batch_sizes=values["batch_sizes"],
        trials=trials,
        seconds=3.0 if values["seconds"] is None else values["seconds"],
        ceilings=False,
        labels=labels,
    )


def _against_environment(values: dict[str, Any]) -> Comparison:
    from bench.check.session import check_environments, resume_check
    from bench.statistics.pairs import LOOKS

    seconds = None if values["budget"] is None else options.parse_duration(values["budget"], "--budget")
    most_pairs = values["most_pairs"]
    if seconds is not None and not options.given("most_pairs"):
        most_pairs = 80  # the budget is the limit
    say = options.progress(values["quiet"])
    if values["resume"] is not None:
        if values["installs"]:
            raise UsageError(
                "--resume cannot go on with a check of --install: pip would make other environments than it began with"
            )
        with _sides(values, say) as (base, candidate):
            return resume_check(base, candidate, Path(values["resume"]), values["wait"], values["quiet"], say)
    if most_pairs < LOOKS[0]:
        raise UsageError(f"--pairs {most_pairs} is too little for the smallest look, which takes {LOOKS[0]} pairs")
    if values["interpreter_words"]:
        raise UsageError("--interpreter cannot be combined with --against: each side runs in an environment of its own")
    wishes = _wishes(values, most_pairs, {})
    fixed, output = values["seconds"] is not None, Path(values["output"])
    with _sides(values, say) as (base, candidate):
        return check_environments(wishes, base, candidate, output, seconds, fixed, values["wait"], values["quiet"], say)


@contextmanager
def _sides(values: dict[str, Any], say: Callable[[str], None]) -> Iterator[tuple[Side, Side]]:
    """The base and the candidate that the options ask for; environments that pip makes are there until the end."""
    from bench.check.sides import Side

    ref = values["against_ref"]
    if values["installs"]:
        from bench.check.installed import installed, pip_words

        with installed(ref, Path.cwd(), pip_words(values["installs"]), say) as sides:
            yield sides
        return
    if ref:
        from bench.check.refs import environment_of

        python, tree = environment_of(ref, Path.cwd(), say)
        base = Side(ref, python, tree)
    else:
        python = options.python_at(values["against"], f"--against {values['against']}")
        base = Side(_name(python), python)
    yield base, Side("this environment", sys.executable)


def _name(python: str) -> str:
    """An interpreter by its environment's folder."""
    place = Path(python)
    return place.parent.parent.name if place.parent.name in {"bin", "Scripts"} else place.name


def _against_records(values: dict[str, Any]) -> Comparison:
    from bench.cli.compare import read_group
    from bench.comparison.compare import compare
    from bench.record.labels import CHECK
    from bench.run.interruption import Interrupted
    from bench.run.journal import read_plan
    from bench.run.resumption import resume_run
    from bench.run.session import make_plan, start_run

    if values["budget"] is not None and values["resume"] is None:
        raise UsageError("--budget goes with --against; a run for a baseline has --pairs trials of --seconds")
    # What a check has measured is no baseline: it may be the regression that the check found, or older code.
    records = [record for record in read_group(values["baseline"]) if CHECK not in record.labels]
    if not records:
        raise UsageError(f"--baseline {values['baseline']} holds records of checks only; expected some of bench run")
    if values["resume"] is not None:
        folder = Path(values["resume"])
        plan = read_plan(folder)
        if CHECK not in plan.labels:
            raise UsageError(f"the run in {folder} is none of a check; finish it with: bench run --resume {folder}")
    else:
        wishes = _wishes(values, min(values["most_pairs"], 5), {CHECK: "baseline"})
        plan = make_plan(wishes, options.interpreters(values["interpreter_words"]))
        folder = Path(values["output"]) / plan.id
    records = _of_this_machine(records, plan, values)
    try:
        if values["resume"] is None:
            record = start_run(plan, folder, values["wait"], values["quiet"])
        else:
            chosen = options.interpreters(values["interpreter_words"])
            record = resume_run(folder, values["wait"], values["quiet"], None, interpreters=chosen)
    except Interrupted as interrupt:
        if folder.exists():
            interrupt.kept = f"what was measured is kept in {folder}; go on with the same command and --resume {folder}"
        raise
    return compare(records, [record], values["vary"], ("the baseline", "this run")).of_candidate()


def _of_this_machine(records: list[Record], plan: Plan, values: dict[str, Any]) -> list[Record]:
    """Return the stored records that a run of this plan can be held against.

    Raises NotComparableError, before anything is measured, where none is of this machine or no case could be judged.
    """
    from msgspec.structs import replace

    from bench.comparison.compare import refuse_unjudgeable

    vary, here = values["vary"], plan.machine
    own = [record for record in records if _is_of(record.machine, here, vary)]
    if not own:
        others = sorted({record.machine.fingerprint[:8] for record in records})
        raise NotComparableError(
            f"none of the {plural(len(records), 'record')} at {values['baseline']} is of this machine (fingerprint {here.fingerprint[:8]}, "
            f"there {', '.join(others)}); measure a baseline here with bench run, or compare machines with bench compare"
        )
    if len(own) < len(records) and not values["quiet"]:
        click.echo(f"bench: {plural(len(records) - len(own), 'record')} of other machines left out", err=True)
    if not any(planned.candidates for planned in plan.cases):  # else a pilot is still to choose the batch size
        cases = [planned.case for planned in plan.cases]
        future = {"cases": cases, "machines": plan.machines, "devices": plan.devices, "environment": {}, "trials": []}
        refuse_unjudgeable(own, replace(own[0], **future), vary)
    return own


def _is_of(machine: Machine, here: Machine, vary: Sequence[str]) -> bool:
    """Whether a record's machine is this one, as far as what is under test lets it be."""
    if "device" in vary or machine.fingerprint == here.fingerprint:
        return True
    return "driver" in vary and machine.facts.get("hardware") == here.facts.get("hardware")


def _publish(result: Comparison, values: dict[str, Any]) -> None:
    """Print the table, and write the files asked for; on GitHub, the job's summary too."""
    from bench.cli.compare import rendered
    from bench.cli.report import write

    write(rendered(result, values["style"], "Check"), None)
    for style, place in (("junit", values["junit"]), ("markdown", values["markdown"]), ("json", values["json_file"])):
        if place is not None:
            write(rendered(result, style, "Check"), place)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(rendered(result, "markdown", "Check") + "\n")
        except OSError as error:  # the verdict counts for more
            click.echo(f"bench: cannot write the job's summary {summary}: {error.strerror}", err=True)


def _exit_code(result: Comparison, values: dict[str, Any]) -> int:

    code = result.exit_code
    if values["bisect"]:
        return SKIP if code in {ExitCode.INCONCLUSIVE, ExitCode.NOT_COMPARABLE} else int(code)
    if code == ExitCode.INCONCLUSIVE and values["inconclusive"] == "warn":
        click.echo("bench: inconclusive; not taken for a failure, as asked", err=True)
        return 0
    return int(code)
