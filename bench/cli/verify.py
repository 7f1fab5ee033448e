"""``bench verify``."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from bench.cli import options
from bench.errors import ExitCode, NotComparableError

if TYPE_CHECKING:
    from bench.record.schema import Check


@click.command(name="verify")
@options.devices
@options.many("--size", "sizes", "SIZE", "tiny, small or standard (repeatable). Default: tiny.")
@options.many(
    "--precision", "precisions", "NAME", "float64, fp32, tf32 or bf16 (repeatable). Default: all that the device computes."
)
@options.plugins
@options.stall
@click.option("--write-golden", is_flag=True, help="Run the oracle and write the workload's golden file instead.")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Every check with its figures, not only the failed ones, and the traceback of a case that failed.",
)
def command(**values: Any) -> None:
    """Prove that backends compute the same function as the specification.

    Trains a few steps from the specified weights on the specified batches and compares losses, weights, BatchNorm
    statistics and predictions with golden values made by a float64 oracle: to 1e-10 in float64, within the natural rounding
    spread otherwise. Where they part, it names the first step and layer, and the convention that fits if one does.
    """
    from bench.run.plan import Wishes
    from bench.run.verification import make_goldens, verify_all

    sizes = values["sizes"] or ("tiny",)
    if values["write_golden"]:
        for path in make_goldens(values["workload"], sizes, options.progress(quiet=False), values["stall_timeout"]):
            click.echo(f"wrote {path}")
        return
    counted: Counter[bool | None] = Counter()
    wishes = Wishes(
        backends=values["backends"],
        devices=values["devices"],
        workload=values["workload"],
        sizes=sizes,
        precisions=values["precisions"],
        options=options.pairs(values["options"], "--option"),
        stall=values["stall_timeout"],
    )
    for result in verify_all(wishes, options.interpreters(values["interpreter_words"])):
        counted[result.passed] += 1
        click.echo(f"{_WORDS[result.passed]}  {result.label}  {result.summary}")
        for line in result.trace.splitlines() if values["verbose"] else ():
            click.echo(f"      {line}")
        for check in result.checks:
            if values["verbose"] or not check.passed:
                found = "" if check.found is None else f" {check.found:.2e} (allowed {check.allowed or 0:.2e})"
                click.echo(f"      {_said(check)}  {check.name}:{found} {check.detail}".rstrip())
    if counted.keys() == {None}:
        raise NotComparableError("nothing was verified: every case was skipped")
    sys.exit(ExitCode.SOME_FAILED if counted[False] else ExitCode.OK)


_WORDS = {True: "pass", False: "FAIL", None: "skip"}


def _said(check: Check) -> str:
    """A word of four letters; a check that is not judged says why in its detail."""
    return ("ok  " if check.judged else "none") if check.passed else "FAIL"
