"""What a projection takes as given."""

from __future__ import annotations

from dataclasses import dataclass

from bench.datasets import DEFAULT, Dataset
from bench.errors import UsageError
from bench.projection.counted import DISK_SHARE, MEMORY_SHARE, Decode
from bench.projection.prices import Price
from bench.recipes import SHARES

_MOST = 10**9
_LEAST = 1e-6


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
    retrain_days: float = 7.0  # from one retraining to the next
    decode_cores: int | None = None  # of an accelerator's host; None: as many as were measured
    decode: Decode | None = None  # when images are decoded; None: once where they fit
    devices: int = 1  # alike, training one network together
    efficiency: float | None = None  # their speed over so many times that of one; must be stated where there are several
    prices: tuple[Price, ...] = ()

    def __post_init__(self) -> None:
        if self.epochs is not None and not 1 <= self.epochs <= _MOST:
            raise UsageError(f"{self.epochs} epochs; expected 1 to {_MOST:,}")
        if not 1 <= self.tuning_runs <= _MOST:
            raise UsageError(f"{self.tuning_runs} tuning runs; expected 1 to {_MOST:,}")
        if not _LEAST <= self.budget_hours <= _MOST:
            raise UsageError(f"a budget of {self.budget_hours} hours; expected {_LEAST:f} to {_MOST:,}")
        if not _LEAST <= self.retrain_days <= _MOST:
            raise UsageError(f"retraining every {self.retrain_days} days; expected {_LEAST:f} to {_MOST:,}")
        if self.decode_cores is not None and not 1 <= self.decode_cores <= _MOST:
            raise UsageError(f"decoding on {self.decode_cores} cores; expected 1 to {_MOST:,}")
        if not 1 <= self.devices <= _MOST:
            raise UsageError(f"{self.devices} devices; expected 1 to {_MOST:,}")
        if self.efficiency is not None and not _LEAST <= self.efficiency <= 1:
            raise UsageError(f"a parallel efficiency of {self.efficiency}; expected {_LEAST:f} to 1")
        if self.devices > 1 and self.efficiency is None:
            raise UsageError(
                f"{self.devices:,} devices without their parallel efficiency; it is never assumed: give --efficiency, their speed "
                f"over {self.devices:,} times that of one, as 0.9"
            )

    @property
    def parallel_efficiency(self) -> float:
        """The efficiency that was given; 1 for one device."""
        return 1.0 if self.devices == 1 or self.efficiency is None else self.efficiency

    def sentences(self) -> list[str]:
        """Everything that a projection takes as given, for people, to be printed under the table."""
        return [*self.project(), *MODEL]

    def project(self) -> list[str]:
        """What the user assumes."""
        data = self.dataset
        several = []
        if self.devices > 1:
            several.append(
                f"{self.devices:,} devices of each kind train together at a parallel efficiency of {self.parallel_efficiency:g}, which was "
                "given and not measured; accelerators share one host's decoding, processors each bring their own."
            )
        if self.decode_cores is not None:
            several.append(
                f"Accelerators are fed by {self.decode_cores:,} host cores, linearly extrapolated from what was measured; a processor "
                "that trains decodes on its own."
            )
        return [
            *several,
            DECODED[self.decode],
            f"Data: {data.title}, {data.images:,} images of {data.megapixels:.3g} megapixels. Source: {data.source}."
            + (f" Assumed: {data.assumed}." if data.assumed else ""),
            f"Split, as bench train has it: {data.training_images:,} images train, {data.validation_images:,} ({_percent(SHARES[1])}) are "
            f"evaluated after every epoch, and {data.test_images:,} ({_percent(SHARES[2])}) once at the end.",
            f"The tuning loop is {self.tuning_runs:,} full trainings, one after the other on "
            f"{'one device' if self.devices == 1 else 'all of them'}; a week has 168 h.",
            f"A new training every {self.retrain_days:g} days; a year has 365.25.",
        ]


DECODED: dict[Decode | None, str] = {
    None: "Images are decoded once, before training, where all of them fit, decoded, into "
    f"{100 * MEMORY_SHARE:g} % of the host's memory or {100 * DISK_SHARE:g} % of its free disk; else, and where a record does not say what "
    "its host has, in every epoch. Reading them back is not counted. A tuning loop decodes once for all of its trainings.",
    "once": "Images are decoded once, before training, as asked for; a tuning loop decodes once for all of its trainings. Reading them back "
    "is not counted.",
    "every-epoch": "Every image is decoded in every epoch, as asked for.",
}
"""When images are decoded, by what was asked for."""


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


MODEL = (
    "Training images are changed at random by the host in every epoch. Apart from the host, the slower of the host's work and computing "
    "sets the pace, as if they overlapped perfectly; on shared cores their times add up.",
    "Training takes full batches and leaves the rest of an epoch out; the last batch of an evaluation is filled up.",
    "Every training starts afresh: import, build, cold compilation and first step. A predictor is built before the first step, after every "
    "epoch and at the end, from the backend's cache where there is one. These, and what it takes to change an image, are taken as "
    "measured, without an interval.",
    "Intervals are 95 %. For a rate they are Student's t: over records where a case has several, the mean of a record's trials being "
    "one value; with one record over its trials, within this run. For a projected time they come from Latin-hypercube draws "
    "from those t distributions with a fixed seed. A speed-up between cases of one run is paired: each round gives a ratio, and its interval is "
    "over rounds, so that what slows a whole round down cancels; between cases of the same records, over records.",
)
"""What the model assumes, whatever the project."""
