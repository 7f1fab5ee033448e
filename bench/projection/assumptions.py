"""What a projection takes as given."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.datasets import DEFAULT, VALIDATION_SHARE, Dataset
from bench.errors import UsageError

_MOST = 10**9


@dataclass(frozen=True)
class Assumptions:
    """The project to be timed. Raises UsageError for what is zero, negative, NaN or beyond reason."""

    dataset: Dataset = DEFAULT
    epochs: int | None = None  # of one training; None: the workload's own
    tuning_runs: int = 50
    budget_hours: float = 4.0
    reference: str | None = None  # what speed-ups are held against; None: the fastest x86 host
    workload: str | None = None  # only this one
    size: str | None = None  # only this one

    def __post_init__(self) -> None:
        if self.epochs is not None and not 1 <= self.epochs <= _MOST:
            raise UsageError(f"{self.epochs} epochs; expected 1 to {_MOST:,}")
        if not 1 <= self.tuning_runs <= _MOST:
            raise UsageError(f"{self.tuning_runs} tuning runs; expected 1 to {_MOST:,}")
        if not (math.isfinite(self.budget_hours) and 0 < self.budget_hours <= _MOST):
            raise UsageError(f"a budget of {self.budget_hours} hours; expected more than 0, at most {_MOST:,}")

    def sentences(self) -> list[str]:
        """Every assumption of the model, for people, to be printed under the table."""
        data = self.dataset
        return [
            f"Data: {data.title}, {data.images:,} images of {data.megapixels:.3g} megapixels. Source: {data.source}."
            + (f" Assumed: {data.assumed}." if data.assumed else ""),
            f"Split: {data.training_images:,} images train and {data.validation_images:,} "
            f"({100 * VALIDATION_SHARE:g} %) are evaluated after every epoch.",
            f"The tuning loop is {self.tuning_runs:,} full trainings, one after the other on one device; a week has 168 h.",
            "Every image is decoded in every epoch. Apart from the host, the slower of decoding and computing sets the "
            "pace, as if they overlapped perfectly; on shared cores their times add up.",
            "Every training starts afresh: import, build, cold compilation and first step; every evaluation builds its predictor "
            "anew, from the backend's cache where there is one. These are taken as measured, without an interval.",
            "Intervals are 95 %: Student's t over trials for a rate; for a projected time, Latin-hypercube draws from "
            "those t distributions with a fixed seed.",
        ]
