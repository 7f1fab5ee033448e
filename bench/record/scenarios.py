"""The scenario table: one row for each way to drive a phase, with everything the harness asks about it.

A new scenario is one row here and one module in the worker. Nothing else compares phases or scenarios.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal


@dataclass(frozen=True)
class Unit:
    """What a rate counts, as people and programs write it."""

    name: str
    one: str
    per_second: str
    field: str  # of JSON and CSV
    size: float = 1.0  # in what samples count, images or pixels


IMAGES = Unit("image", "an image", "images/s", "images_per_second")
MEGAPIXELS = Unit("megapixel", "a megapixel", "MP/s", "megapixels_per_second", 1e6)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One way to drive a phase."""

    phase: str  # of the pipeline
    name: str = ""  # "": the phase's plain way
    worker: str  # what measures one trial, or a pilot: ``module:function``
    builds: Literal["", "trainer", "predictor"]  # what the backend makes for it; "": the host alone works
    batch: Literal["", "workload", "one", "fastest"]  # whose batch size it has; "": it has none, and differs by cores
    counts: Literal["images", "pixels", "target"] = (
        "images"  # what samples are divided by; target: seconds until it is reached
    )
    usual: bool = True  # planned whenever its phase is; otherwise when it is asked for by name
    alone: bool = False  # where it is asked for, nothing else is measured
    every_precision: bool = True  # False: in fp32 only, unless precisions are asked for
    pilot: bool = True  # a pilot decides how its trials are cut into samples
    reads_files: bool = False  # decodes image files while it is measured
    images_matter: bool = False  # its time depends on which images they are
    per_query: bool = False  # a sample is one query, from its start to its answer
    projected: Literal["", "training", "evaluation", "decoding"] = ""  # which rate of the projection it gives
    searched_as: str | None = None  # the scenario that is searched in its place; None: itself
    order: int = 0  # among the pictures of warm-up

    @property
    def title(self) -> str:
        """``train from-files``: for people."""
        return f"{self.phase} {self.name}".rstrip()

    @property
    def on_host(self) -> bool:
        """Whether no backend takes part."""
        return not self.builds

    @property
    def to_target(self) -> bool:
        """Whether a trial is one training to its target, and its figure the time until then."""
        return self.counts == "target"

    @property
    def unit(self) -> Unit:
        """What its rate counts."""
        return MEGAPIXELS if self.counts == "pixels" else IMAGES


_train = partial(Scenario, phase="train", builds="trainer", batch="workload")
_infer = partial(Scenario, phase="infer", builds="predictor", order=1)

_TABLE = (
    Scenario(
        phase="preprocess",
        worker="bench.worker.measure_preprocessing:measure_preprocessing",
        builds="",
        batch="",
        counts="pixels",
        reads_files=True,
        images_matter=True,
        projected="decoding",
        order=2,
    ),
    _train(worker="bench.worker.measure_training:measure_training", projected="training"),
    _train(
        name="from-files",
        worker="bench.worker.measure_training:measure_training",
        usual=False,
        reads_files=True,
        images_matter=True,
        searched_as="",
    ),
    _train(
        name="to-quality",
        worker="bench.worker.measure_to_quality:measure_to_quality",
        counts="target",
        usual=False,
        alone=True,
        pilot=False,
        images_matter=True,
        searched_as="",
    ),
    _infer(
        name="single-stream",
        worker="bench.worker.measure_inference:measure_single_stream",
        batch="one",
        every_precision=False,
        per_query=True,
    ),
    _infer(
        name="offline",
        worker="bench.worker.measure_inference:measure_offline",
        batch="fastest",
        projected="evaluation",
    ),
)

SCENARIOS: dict[tuple[str, str], Scenario] = {(row.phase, row.name): row for row in _TABLE}
PHASES = tuple(dict.fromkeys(row.phase for row in _TABLE))
"""In the order of the pipeline."""


def scenario(phase: str, name: str) -> Scenario:
    """Return the row. Raises ValueError for a phase and scenario that the table does not hold."""
    found = SCENARIOS.get((phase, name))
    if found is None:
        known = ", ".join(row.title for row in SCENARIOS.values())
        raise ValueError(f"unknown scenario '{phase:.40} {name:.40}'; expected {known}")
    return found


def asked_for(phases: Iterable[str], names: Iterable[str]) -> list[Scenario]:
    """Return the rows to measure: the usual ones of these phases, those asked for by name, or the one that is measured alone."""
    phases, names = set(phases), set(names)
    rows = [row for row in SCENARIOS.values() if row.phase in phases and (row.usual or row.name in names)]
    return [row for row in rows if row.alone] or rows
