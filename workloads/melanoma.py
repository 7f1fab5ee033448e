"""Workload ``melanoma``: melanoma against the rest, in three sizes."""

from __future__ import annotations

from pathlib import Path

from bench.contract import Recipe, Workload, hookimpl
from bench.spec import SGD, CrossEntropy, Network
from workloads.images.reader import ImageReader
from workloads.networks import resnet18, resnet50, small_residual
from workloads.schedule import one_cycle

CLASSES = ("other", "melanoma")

# About one image in nine of HAM10000 is a melanoma (1,113 of 10,015); a missed one costs more than a false alarm.
LOSS = CrossEntropy(class_weights=(1.0, 4.0))


# Five trainings on HAM10000 at 28x28 and nine on 2,048 synthetic lesions all came to these, in 4 to 9 epochs (docs/real-data.md).
TINY = Recipe(targets={"auc": 0.86}, synthetic_targets={"auc": 0.8})


def _workload(
    size: str, network: Network, peak: float, batch_size: int, epochs: int, summary: str, recipe: Recipe | None = None
) -> Workload:
    return Workload(
        name="melanoma",
        size=size,
        network=network,
        loss=LOSS,
        optimizer=SGD(one_cycle(peak, batch_size, epochs), momentum=0.9, nesterov=True, weight_decay=5e-4),
        batch_size=batch_size,
        epochs=epochs,
        seed=0,
        classes=CLASSES,
        data=ImageReader(classes=CLASSES),
        golden=Path(__file__).parent / "golden" / f"melanoma-{size}.json",
        summary=summary,
        recipe=recipe or Recipe(),
    )


@hookimpl
def bench_workloads() -> list[Workload]:
    """The sizes ``tiny``, ``small`` and ``standard``."""
    return [
        _workload("tiny", small_residual(28, 2), 0.1, 64, 12, "28x28, small residual net of 78 k parameters", TINY),
        _workload("small", resnet18(64, 2), 0.05, 32, 24, "64x64, ResNet-18"),
        _workload("standard", resnet50(224, 2), 0.05, 32, 24, "224x224, ResNet-50 v1.5"),
    ]
