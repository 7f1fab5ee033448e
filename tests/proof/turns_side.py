"""One side of ``quick_runs.py``: the command line of whatever commit the interpreter finds, whose workers wait for turns.

    python turns_side.py READ WRITE run OPTION ...

READ and WRITE are descriptors on which it speaks with the other side's match-maker, a JSON object a line. Before it starts a worker,
and before a trial's worker times a block, it asks for the turn and waits. It must run in commits whose modules differ, hence what it
asks of them is little: ``Worker``, ``Runner.trial_job`` and ``Journal.add``.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import msgspec

import bench.run.runner as runner_module
from bench.cli import main
from bench.run import process
from bench.run.journal import Done, Journal
from bench.run.runner import Runner


class Talk:
    """The two pipes."""

    def __init__(self, reading: int, writing: int) -> None:
        self._in = os.fdopen(reading, encoding="utf-8")
        self._out = os.fdopen(writing, "w", encoding="utf-8")

    def say(self, **words: Any) -> None:
        """Send what needs no answer."""
        print(json.dumps(words), file=self._out, flush=True)

    def ask(self, **words: Any) -> Any:
        """Send, give up the turn, and return the answer once it is this side's turn again."""
        self.say(**words)
        return json.loads(self._in.readline())


def take_turns(talk: Talk) -> None:
    """Make every worker of this process wait for the turn, and every trial be cut into blocks as the other side's."""
    start, give_turn, trial_job, add = process.Worker.__init__, process.Worker.give_turn, Runner.trial_job, Journal.add

    def started(worker: Any, launch: Any) -> None:
        talk.ask(wants="start", what=type(launch.job).__name__)
        start(worker, launch)

    def given(worker: Any) -> None:
        talk.ask(wants="block", what="")
        give_turn(worker)

    def alike(runner: Any, index: int, number: int, pilot: Any) -> Any:
        job = trial_job(runner, index, number, pilot)
        labels[index] = runner.plan.cases[index].case.label
        agreed = talk.ask(wants="blocks", what=f"{number} {labels[index]}", blocks=msgspec.structs.asdict(job.blocks))
        return msgspec.structs.replace(job, in_turns=True, blocks=msgspec.structs.replace(job.blocks, **agreed))

    labels: dict[int, str] = {}

    def kept(journal: Any, entry: Any) -> None:
        add(journal, entry)
        if isinstance(entry, Done) and entry.trial.role == "trial":
            trial = entry.trial
            samples = trial.ranks[0].samples if hasattr(trial, "ranks") and trial.ranks else getattr(trial, "samples", [])
            proven = trial.status == "ok" and bool(trial.checks) and all(check.passed for check in trial.checks)
            talk.say(what=f"{trial.number} {labels[trial.case]}", samples=list(samples) if proven else [])

    process.Worker.__init__, process.Worker.give_turn = started, given
    Runner.trial_job, Journal.add = alike, kept
    if hasattr(process, "work_in_turns"):  # there, one worker alone is given no turns
        runner_module.run_worker = lambda launch, listen: process.work_in_turns([launch], listen)[0]


if __name__ == "__main__":
    take_turns(Talk(int(sys.argv[1]), int(sys.argv[2])))
    main(sys.argv[3:])
