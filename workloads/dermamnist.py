"""Workload ``dermamnist``: HAM10000's seven diagnoses at 28x28, measured as MedMNIST's benchmark does, so that figures can be held
against a published table."""

from __future__ import annotations

from pathlib import Path

from bench.contract import Recipe, Workload, hookimpl
from bench.spec import SGD, CrossEntropy
from workloads.images.reader import ImageReader
from workloads.networks import small_residual
from workloads.schedule import one_cycle

# In the order of MedMNIST's labels, by the names that HAM10000's metadata give them: actinic keratoses, basal cell carcinoma,
# benign keratosis-like lesions, dermatofibroma, melanoma, melanocytic nevi, vascular lesions.
CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
BATCH_SIZE, EPOCHS = 64, 60


@hookimpl
def bench_workloads() -> list[Workload]:
    """One size, ``tiny``."""
    schedule = one_cycle(0.1, BATCH_SIZE, EPOCHS)
    return [
        Workload(
            name="dermamnist",
            size="tiny",
            network=small_residual(28, len(CLASSES), (64, 128, 256), stem_stride=2),
            loss=CrossEntropy(),
            optimizer=SGD(schedule, momentum=0.9, nesterov=True, weight_decay=2e-3),
            batch_size=BATCH_SIZE,
            epochs=EPOCHS,
            seed=0,
            classes=CLASSES,
            data=ImageReader(classes=CLASSES, synthetic=None),
            golden=Path(__file__).parent / "golden" / "dermamnist-tiny.json",
            summary="28x28, seven diagnoses, residual net of 1.2 M parameters",
            # The published ResNet-18 on another split of these images: 0.917 and 0.735 (Yang et al., Sci. Data 10:41, 2023).
            recipe=Recipe(shift=1, averaging=0.9, views=8, targets={"auc": 0.917, "accuracy": 0.735}),
        )
    ]
