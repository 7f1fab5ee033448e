"""What trained weights are worth: predictions averaged over views of each image, and measures of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.contract import Pending, Predictor
from bench.in_flight import in_flight
from bench.recipes import views_of
from bench.worker.timing import IN_FLIGHT

Images = NDArray[np.uint8]

_SAME, _BACKWARDS = slice(None), slice(None, None, -1)
MIRRORED = ((_SAME, _SAME), (_SAME, _BACKWARDS), (_BACKWARDS, _SAME), (_BACKWARDS, _BACKWARDS))
"""Rows and columns of an image: as it is, mirrored either way, and both."""


def view(images: Images, number: int) -> Images:
    """Images (n, height, width, 3) seen in one of eight ways: from 4 on, the mirror images with rows and columns exchanged."""
    rows, columns = MIRRORED[number % 4]
    seen = images[:, rows, columns]
    return np.ascontiguousarray(seen.swapaxes(1, 2) if number >= len(MIRRORED) else seen)


def predicted(
    predictor: Predictor,
    images: Images,
    chosen: NDArray[np.int64],
    batch_size: int,
    views: int,
    alive: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """Class probabilities (n, classes) of the images ``chosen`` (n,), the mean over so many views; the last batch is padded, and two
    are in flight. ``alive`` is called for each batch."""
    parts = [chosen[start : start + batch_size] for start in range(0, len(chosen), batch_size)]
    total: list[NDArray[np.float64]] = []
    for number in range(views_of(views, images.shape[1], images.shape[2])):
        answers = list(in_flight(_launched(predictor, images, parts, number, batch_size, alive), predictor.wait, IN_FLIGHT))
        total.append(np.concatenate(answers)[: len(chosen)].astype(np.float64))
    return np.asarray(sum(total) / len(total))


def _launched(
    predictor: Predictor,
    images: Images,
    parts: Sequence[NDArray[np.int64]],
    number: int,
    batch_size: int,
    alive: Callable[[], None],
) -> Iterator[Pending]:
    """Each part of the images as a batch of one view, on its way."""
    for part in parts:
        seen = view(images[part], number)
        missing = batch_size - len(seen)
        padded = np.pad(seen, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else seen
        yield predictor.run(predictor.stage(padded))
        alive()


def area_under_curve(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the share of pairs of a positive and a negative that stand in the right order, ties counting half
    (Hanley and McNeil, Radiology 143:29, 1982)."""
    ours, others = scores[positive], np.sort(scores[~positive])
    below = np.searchsorted(others, ours, "left") + np.searchsorted(others, ours, "right")
    return float(below.sum() / (2 * len(ours) * len(others)))


def auc(predictions: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    """Mean over classes of the area of one against the rest, as MedMNIST has it (Yang et al., Sci. Data 10:41, 2023); classes
    without an image, or with all of them, do not count. Of two classes this is the second one's area."""
    areas = [
        area_under_curve(predictions[:, index], labels == index)
        for index in range(predictions.shape[1])
        if 0 < (labels == index).sum() < len(labels)
    ]
    return float(np.mean(areas))


def accuracy(predictions: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    """Share of images whose most probable class is the right one."""
    return float((predictions.argmax(axis=1) == labels).mean())


MEASURES: dict[str, Callable[[NDArray[np.float64], NDArray[np.int32]], float]] = {"auc": auc, "accuracy": accuracy}


def constant_measures(labels: NDArray[np.int32]) -> dict[str, float]:
    """Every measure of the best answer that is the same for all images of these ``labels`` (n,): always the most frequent class. Empty
    without labels."""
    if not len(labels):
        return {}
    return {"auc": 0.5, "accuracy": float(np.unique(labels, return_counts=True)[1].max() / len(labels))}


def measures(predictions: NDArray[np.float64], labels: NDArray[np.int32]) -> dict[str, float]:
    """Every measure of predictions (n, classes) for labels (n,)."""
    return {name: measure(predictions, labels) for name, measure in MEASURES.items()}
