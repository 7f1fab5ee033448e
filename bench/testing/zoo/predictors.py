"""Predictors that break the contract, each in one way. The honest trunk is ``bench.testing.reference``."""

from __future__ import annotations

import zlib
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.oracle.model import batch_statistics, predict
from bench.spec import BatchNorm, Layer
from bench.spec.layers import map_network
from bench.testing.reference import ReferencePredictor
from bench.verify import other_layers
from bench.verify.batches import Images
from bench.verify.golden import batches_of
from bench.verify.other_layers import become

Answer = NDArray[np.floating]


class NeverWaits(ReferencePredictor):
    """Hands out an answer before there is one."""

    def run(self, staged: Any) -> Answer:
        """Return numbers that are not there yet."""
        return np.full((len(staged), self.workload.network.classes), np.nan, self.kind)


class WaitsForTheBatchBefore(ReferencePredictor):
    """Hands out the previous batch's probabilities."""

    last: Answer | None = None

    def wait(self, pending: Answer) -> Answer:
        """Return the previous batch's answer."""
        self.last, before = pending, self.last
        return pending if before is None else before


class OneSlot(ReferencePredictor):
    """One buffer for results: with two batches in flight, the first gets the second's."""

    def run(self, staged: Any) -> None:
        """Put the answer into the only slot."""
        self.slot = self.answer(staged)

    def wait(self, pending: None) -> Answer:
        """Return whatever is in the slot."""
        return self.slot


class OneOutputBuffer(ReferencePredictor):
    """Returns the same array every time, overwritten."""

    buffer: Answer | None = None

    def wait(self, pending: Answer) -> Answer:
        """Overwrite and return the buffer that the caller still holds."""
        if self.buffer is None or self.buffer.shape != pending.shape:
            self.buffer = pending.copy()
        self.buffer[...] = pending
        return self.buffer


class FirstAnswerAgain(ReferencePredictor):
    """Answers every batch with the first batch's probabilities."""

    first: Answer | None = None

    def answer(self, images: Images) -> Answer:
        """Compute the first answer only, and return it again."""
        if self.first is None:
            self.first = super().answer(images)
        return self.first.copy()


class RemembersBatches(ReferencePredictor):
    """Has the answer ready for every batch it has seen before: right, but no inference."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen: dict[bytes, Answer] = {}

    def answer(self, images: Images) -> Answer:
        """Look known batches up instead of computing them."""
        key = images.tobytes()
        if key not in self.seen:
            self.seen[key] = super().answer(images)
        return self.seen[key].copy()


class RemembersImages(RemembersBatches):
    """Has the answer ready for every image it has seen before."""

    def key(self, image: Images) -> bytes:
        """By what one image (height, width, 3) is known again."""
        return image.tobytes()

    def answer(self, images: Images) -> Answer:
        """Look known images up instead of computing them."""
        keys = [self.key(image) for image in images]
        new = [at for at, key in enumerate(keys) if key not in self.seen]
        if new:
            answers = ReferencePredictor.answer(self, images[new])
            self.seen |= {keys[at]: answer for at, answer in zip(new, answers, strict=True)}
        return np.stack([self.seen[key] for key in keys])


class RemembersSomeBatches(RemembersBatches):
    """Has the answer ready for a share of the batches it has seen before, so that most take their time."""

    share = 0.2

    def answer(self, images: Images) -> Answer:
        """Look some known batches up."""
        remembered = zlib.crc32(images.tobytes()) < self.share * 2**32
        return super().answer(images) if remembered else ReferencePredictor.answer(self, images)


class RemembersMoreBatches(RemembersSomeBatches):
    """The same for two batches in five."""

    share = 0.4


class RemembersMostBatches(RemembersSomeBatches):
    """The same for three batches in five."""

    share = 0.6


class RemembersSomeImages(RemembersBatches):
    """Has the answer ready for a share of the images it has seen before, so that all batches take nearly their time."""

    share = 0.2

    def answer(self, images: Images) -> Answer:
        """Look some known images up."""
        keys = [image.tobytes() for image in images]
        new = [at for at, key in enumerate(keys) if key not in self.seen]
        found = dict(zip(new, ReferencePredictor.answer(self, images[new]), strict=True)) if new else {}
        self.seen |= {keys[at]: answer for at, answer in found.items() if zlib.crc32(keys[at]) < self.share * 2**32}
        return np.stack([found[at] if at in found else self.seen[key] for at, key in enumerate(keys)])


class RemembersMoreImages(RemembersSomeImages):
    """The same for two images in five."""

    share = 0.4


class RemembersMostImages(RemembersSomeImages):
    """The same for three images in five."""

    share = 0.6


class RemembersByAFewPixels(RemembersImages):
    """Knows an image again by one pixel in thirty, which costs nothing to look at."""

    def key(self, image: Images) -> bytes:
        """Some pixels of the image."""
        return image[1::5, 2::6].tobytes()


class RemembersByColour(RemembersImages):
    """Takes images of nearly the same mean colour for one image, as a cache of near duplicates does."""

    def key(self, image: Images) -> bytes:
        """The mean colour in steps of 32."""
        return bytes(int(value) // 32 for value in image.mean(axis=(0, 1)))


class KnowsGoldenBatches(ReferencePredictor):
    """Honest on the batches of the golden file, as ``bench verify`` sees them; elsewhere all classes are equally likely."""

    def answer(self, images: Images) -> Answer:
        """Compute golden batches only."""
        golden = [batch[0].tobytes() for batch in batches_of(self.workload, GOLDEN_BATCHES, len(images))]
        if images.tobytes() in golden:
            return super().answer(images)
        classes = self.workload.network.classes
        return np.full((len(images), classes), 1 / classes, self.kind)


GOLDEN_BATCHES = 5


class HalfTheBatch(ReferencePredictor):
    """Predicts half of the images, and gives the others the same answers."""

    def answer(self, images: Images) -> Answer:
        """Compute one half, and repeat its answers."""
        half = super().answer(images[: (len(images) + 1) // 2])
        return np.concatenate([half, half])[: len(images)]


class Shuffles(ReferencePredictor):
    """Gives the answers in another order than the images."""

    def answer(self, images: Images) -> Answer:
        """Return the answers in reverse order."""
        return super().answer(images)[::-1]


class BatchStatistics(ReferencePredictor):
    """Left in training mode: BatchNorm takes the batch's own mean and variance."""

    def answer(self, images: Images) -> Answer:
        """Return answers that depend on the other images of the batch."""
        network = map_network(self.workload.network, _in_training_mode)
        return predict(network, self.tensors, images, self.arithmetic).astype(self.kind)


def _in_training_mode(layer: Layer) -> Layer:
    return become(layer, other_layers.BatchStatistics) if isinstance(layer, BatchNorm) else layer


class Logits(ReferencePredictor):
    """Gives logarithms instead of probabilities."""

    def answer(self, images: Images) -> Answer:
        """Return the logarithms of the answer."""
        return np.asarray(np.log(super().answer(images)))


class UsesUpImages(ReferencePredictor):
    """Works in the caller's own memory."""

    def answer(self, images: Images) -> Answer:
        """Answer, and set the images to zero."""
        found = super().answer(images)
        images[...] = 0
        return found


class SqueezesOneImage(ReferencePredictor):
    """Drops the batch's axis where there is one image, as ``squeeze()`` does."""

    def answer(self, images: Images) -> Answer:
        """Return (classes,) for one image."""
        found = super().answer(images)
        return found[0] if len(found) == 1 else found


class RingOfTwo(ReferencePredictor):
    """Says that it can use four batches in flight, and has slots for the results of two."""

    in_flight = 4

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.slots: list[Answer | None] = [None, None]
        self.launched = 0

    def run(self, staged: Any) -> int:
        """Put the answer into the next slot."""
        self.launched += 1
        self.slots[self.launched % 2] = self.answer(staged)
        return self.launched

    def wait(self, pending: int) -> Answer:
        """Return what is in the slot by now."""
        found = self.slots[pending % 2]
        assert found is not None
        return found


class ReadsFromTheStart(ReferencePredictor):
    """Reads from the beginning of the array that the images are a view of, as code does that keeps the owner's address."""

    def answer(self, images: Images) -> Answer:
        """Predict what the owner of the memory begins with."""
        owner = images if images.base is None else np.asarray(images.base)
        return super().answer(owner.reshape(-1)[: images.size].reshape(images.shape))


class OverflowingSoftmax(ReferencePredictor):
    """Takes exponentials of the logits as they are, without subtracting the largest."""

    def answer(self, images: Images) -> Answer:
        """Return what is not a number where a logit is large."""
        logits = predict(self.workload.network, self.tensors, images, self.arithmetic, finish=lambda values: values)
        with np.errstate(over="ignore", invalid="ignore"):
            exponentials = np.exp(logits.astype(self.kind))
            return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


class StatisticsMove(ReferencePredictor):
    """Normalises with the running statistics as it should, and then moves them by the batch, as if it were training."""

    def answer(self, images: Images) -> Answer:
        """Answer, and move the running statistics a tenth of the way."""
        found = super().answer(images)
        batch = batch_statistics(self.workload.network, self.tensors, images)
        self.tensors = {name: 0.9 * value + 0.1 * batch[name] for name, value in self.tensors.items()}
        return found


class SharedWeights(ReferencePredictor):
    """One set of weights for all predictors alive, as with variables in a global registry."""

    registry: ClassVar[dict[str, NDArray[np.floating]]] = {}

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.registry.clear()
        self.registry.update(self.tensors)

    def answer(self, images: Images) -> Answer:
        """Predict with the weights of the predictor that was made last."""
        self.tensors = dict(self.registry)
        return super().answer(images)


class ThreeDigits(ReferencePredictor):
    """Rounds probabilities to three digits."""

    def answer(self, images: Images) -> Answer:
        """Return rounded probabilities."""
        return np.asarray(super().answer(images).round(3))


class GuessesNowAndThen(ReferencePredictor):
    """Answers one batch in eight with what it said before, from the tenth on, when trying it out is over."""

    asked = 0
    last: Answer | None = None

    def answer(self, images: Images) -> Answer:
        """Compute seven of eight batches."""
        self.asked += 1
        if self.asked > 9 and self.asked % 8 == 0 and self.last is not None and len(self.last) == len(images):
            return self.last.copy()
        self.last = super().answer(images)
        return self.last.copy()
