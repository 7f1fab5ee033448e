"""What the contract asks of a predictor: probabilities, in order, each image for itself, whatever else is in flight, with any weights,
from any array, however many images there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.contract import Predictor
from bench.oracle.model import predict
from bench.record.schema import Check
from bench.spec import Dense, Network, Weights, walk
from bench.testing.training import check_optional
from bench.verify.batches import Images
from bench.verify.compare import check_predictions
from bench.verify.equivalence import Subject
from bench.verify.golden import batches_of, calibrated_weights
from bench.verify.prediction_diagnosis import diagnose_predictions
from bench.verify.timed import allowed_in_predictions
from bench.verify.unforeseen import unforeseen_images
from bench.worker.plugins import depth_of

Answer = NDArray[np.floating]


@dataclass(frozen=True)
class Questions:
    """Three batches of images, weights that make sensible predictions of them, and the oracle's answers."""

    subject: Subject

    @cached_property
    def images(self) -> list[Images]:
        """Three batches (batch, height, width, 3)."""
        rng = np.random.default_rng(20)
        return [unforeseen_images(self.subject.workload, self.subject.settings.batch_size, rng) for _ in range(3)]

    @cached_property
    def weights(self) -> Weights:
        """Initial weights with the statistics of a golden batch."""
        workload = self.subject.workload
        return calibrated_weights(workload, batches_of(workload, 1, self.subject.settings.batch_size)[0])

    @cached_property
    def answers(self) -> list[NDArray[np.float64]]:
        """The oracle's probabilities (batch, classes) of each batch."""
        return [predict(self.subject.workload.network, self.weights, images) for images in self.images]

    @cached_property
    def allowed(self) -> float:
        """How far an honest device may stray from them."""
        precision, network = self.subject.settings.precision, self.subject.workload.network
        return allowed_in_predictions(network, self.weights, self.images[0], self.answers[0], precision)

    def check(self, name: str, found: Answer, truth: NDArray[np.float64]) -> Check:
        """Hold one batch's answer against the oracle's."""
        return check_predictions(name, np.asarray(found), truth, self.allowed)


def _ask(predictor: Predictor, images: Images) -> Answer:
    return predictor.wait(predictor.run(predictor.stage(images)))


def check_probabilities(subject: Subject) -> list[Check]:
    """Shape, type and sum; then the values on images that no golden file holds."""
    ask = Questions(subject)
    predictor = subject.predictor(ask.weights)
    found = _ask(predictor, ask.images[0].copy())
    checks = [_check_form(found, ask.answers[0].shape, subject.settings.precision), check_optional(predictor)]
    return [*checks, ask.check("unforeseen images", found, ask.answers[0])]


def _check_form(found: Answer, shape: tuple[int, ...], precision: str) -> Check:
    detail = ""
    if not isinstance(found, np.ndarray) or not np.issubdtype(found.dtype, np.floating) or found.shape != shape:
        form = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
        detail = f"predictions are {form}, expected a floating array of shape {shape}"
    elif not (np.isfinite(found).all() and (found >= 0).all()):
        detail = "predictions hold values that are no probabilities"
    else:
        distance = float(np.abs(found.sum(axis=1, dtype=np.float64) - 1).max())
        if distance > (1e-9 if precision == "float64" else 1e-3):
            detail = f"a row of probabilities sums to 1 only within {distance:.2g}"
    return Check(name="probabilities", passed=not detail, detail=detail)


def check_order(subject: Subject) -> list[Check]:
    """Predictions come in the images' order, and an image's does not depend on the others in its batch."""
    ask = Questions(subject)
    predictor = subject.predictor(ask.weights)
    order = np.random.default_rng(21).permutation(len(ask.images[0]))
    shuffled = _ask(predictor, ask.images[0][order])
    half = len(order) // 2
    mixed = _ask(predictor, np.concatenate([ask.images[1][:half], ask.images[0][half:]]))
    among = np.concatenate([ask.answers[1][:half], ask.answers[0][half:]])
    return [
        ask.check("order of images", shuffled, ask.answers[0][order]),
        ask.check("an image among others", mixed, among),
    ]


def check_answers(subject: Subject) -> list[Check]:
    """Two batches in flight, answers that stay as they were given, and the same batch asked again."""
    ask = Questions(subject)
    predictor = subject.predictor(ask.weights)
    first, second = (predictor.run(predictor.stage(images.copy())) for images in ask.images[:2])
    answers = [predictor.wait(first), predictor.wait(second)]
    kept = [np.array(answer) for answer in answers]
    again = _ask(predictor, ask.images[0].copy())
    third = _ask(predictor, ask.images[2].copy())
    unchanged = all(np.array_equal(answer, copy) for answer, copy in zip(answers, kept, strict=True))
    detail = "" if unchanged else "an earlier answer changed when a later batch was predicted"
    return [
        ask.check("two batches in flight", kept[0], ask.answers[0]),
        ask.check("two batches in flight", kept[1], ask.answers[1]),
        ask.check("the same batch again", again, ask.answers[0]),
        ask.check("another batch after it", third, ask.answers[2]),
        Check(name="answers are copies", passed=unchanged, detail=detail),
    ]


def check_predictor_arrays(subject: Subject) -> list[Check]:
    """Images and weights are left as they were, and an images' array may be used again after ``wait``."""
    ask = Questions(subject)
    given = {name: value.copy() for name, value in ask.weights.items()}
    predictor = subject.predictor(given)
    buffer = np.empty_like(ask.images[0])
    found, touched = [], False
    for images in ask.images:
        buffer[:] = images
        found.append(np.array(_ask(predictor, buffer)))
        touched |= not np.array_equal(buffer, images)
        buffer[:] = 0
    moved = [name for name in given if not np.array_equal(given[name], ask.weights[name])]
    detail = f"weight '{moved[0]}' was changed" if moved else "staged images were changed" if touched else ""
    return [
        Check(name="images and weights left alone", passed=not detail, detail=detail),
        *_check_all(ask, "images' array used again after wait", found),
    ]


def check_predictors(subject: Subject) -> list[Check]:
    """Two predictors with different weights, in turn: neither may see the other."""
    ask = Questions(subject)
    other = {name: np.asarray(value * 0.5 if value.ndim > 1 else value) for name, value in ask.weights.items()}
    first, second = subject.predictor(ask.weights), subject.predictor(other)
    mine, theirs = [], []
    for images in ask.images:
        mine.append(_ask(first, images.copy()))
        theirs.append(_ask(second, images.copy()))
    truth = predict(subject.workload.network, other, ask.images[0])
    return [*_check_all(ask, "independent predictors", mine), ask.check("independent predictors", theirs[0], truth)]


def check_depth(subject: Subject) -> list[Check]:
    """As many batches in flight as the predictor says it can use."""
    ask = Questions(subject)
    predictor = subject.predictor(ask.weights)
    order = [number % len(ask.images) for number in range(depth_of(predictor))]
    launched = [predictor.run(predictor.stage(ask.images[number].copy())) for number in order]
    answers = [np.array(predictor.wait(one)) for one in launched]
    name = "as many batches in flight as it says"
    return [ask.check(name, answer, ask.answers[number]) for answer, number in zip(answers, order, strict=True)]


def check_views(subject: Subject) -> list[Check]:
    """Images that are a view of a larger array, and begin at any of its bytes: ``bench run`` gives such."""
    ask = Questions(subject)
    count = ask.images[0].size
    row = np.concatenate([images.ravel() for images in ask.images[:2]])
    found, truth = [], []
    predictor = subject.predictor(ask.weights)
    for start in (3 * 7, 3 * 64):
        view = row[start : start + count].reshape(ask.images[0].shape)
        truth.append(predict(subject.workload.network, ask.weights, view))
        found.append(_ask(predictor, view))
    return [ask.check("a view of a larger array", answer, right) for answer, right in zip(found, truth, strict=True)]


def check_one_image(subject: Subject) -> list[Check]:
    """A batch of one image, as in single-stream inference."""
    ask = Questions(subject)
    alone = replace(subject, settings=replace(subject.settings, batch_size=1))
    found = _ask(alone.predictor(ask.weights), ask.images[0][:1].copy())
    return [ask.check("a batch of one image", found, ask.answers[0][:1])]


def check_varied_weights(subject: Subject) -> list[Check]:
    """Weights of which none is 0 or 1: what a predictor leaves out, or takes for another, shows."""
    ask = Questions(subject)
    network = subject.workload.network
    weights = varied_weights(network, ask.weights, ask.images[0])
    truth = predict(network, weights, ask.images[0])
    allowed = allowed_in_predictions(network, weights, ask.images[0], truth, subject.settings.precision)
    found = _ask(subject.predictor(weights), ask.images[0].copy())
    check = check_predictions("predictions with varied weights", found, truth, allowed)
    return [check] if check.passed else [check, diagnose_predictions(subject, weights, ask.images[0], found)]


def check_large_logits(subject: Subject) -> list[Check]:
    """Logits whose exponentials overflow: probabilities are finite and sum to 1 all the same."""
    ask = Questions(subject)
    network = subject.workload.network
    head = _head(network)
    if not head:
        return []
    logits = predict(network, ask.weights, ask.images[0], finish=lambda values: values)
    factor = LARGE_LOGIT / float(np.abs(logits).max())
    weights = {
        name: np.asarray(value * factor, np.float32) if name.startswith(f"{head}.") else value
        for name, value in ask.weights.items()
    }
    found = _ask(subject.predictor(weights), ask.images[0].copy())
    form = _check_form(found, ask.answers[0].shape, subject.settings.precision)
    return [Check(name="probabilities of large logits", passed=form.passed, detail=form.detail)]


LARGE_LOGIT = 2000.0
"""Beyond what ``exp`` has in any precision: 89 in fp32 and bf16, 709 in float64."""


def varied_weights(network: Network, weights: Weights, images: Images) -> Weights:
    """``weights`` with every scale, bias and statistic moved at random, and the head's made so that logits of ``images`` have a
    mean of 0 and a deviation of 1."""
    rng = np.random.default_rng(22)
    varied = {name: np.asarray(_moved(name, value, weights, rng), np.float32) for name, value in weights.items()}
    head = _head(network)
    if head and f"{head}.bias" in varied:
        logits = predict(network, varied, images, finish=lambda values: values)
        factor = 1 / logits.std()
        varied[f"{head}.weight"] = np.asarray(varied[f"{head}.weight"] * factor, np.float32)
        varied[f"{head}.bias"] = np.asarray((varied[f"{head}.bias"] - logits.mean(axis=0)) * factor, np.float32)
    return varied


def _moved(name: str, value: NDArray[np.floating], weights: Weights, rng: np.random.Generator) -> NDArray[np.floating]:
    """One tensor of ``weights``, as ``varied_weights`` has it."""
    kind = name.rsplit(".", 1)[-1]
    if kind == "running_mean":
        deviation = np.sqrt(weights[name.replace("running_mean", "running_var")])
        return np.asarray(value + 0.5 * deviation * rng.standard_normal(value.shape))
    if kind == "running_var":
        return np.asarray(value * rng.uniform(0.5, 2.0, value.shape))
    if kind == "bias":
        return np.asarray(rng.uniform(0.3, 0.9, value.shape) * rng.choice([-1, 1], value.shape))
    return np.asarray(rng.uniform(0.5, 1.5, value.shape)) if value.ndim == 1 else value


def _head(network: Network) -> str:
    """The path of the Dense that gives the logits, where one does."""
    *_, last = walk(network)
    return last.path if isinstance(last.layer, Dense) else ""


def _check_all(ask: Questions, name: str, found: Sequence[Answer]) -> list[Check]:
    return [ask.check(name, answer, truth) for answer, truth in zip(found, ask.answers, strict=True)]


PREDICTING = (
    check_probabilities,
    check_order,
    check_answers,
    check_predictor_arrays,
    check_predictors,
    check_depth,
    check_views,
    check_one_image,
    check_varied_weights,
    check_large_logits,
)
