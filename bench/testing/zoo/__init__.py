"""Backends that are broken or cheat, and the checks that catch them: proof that the kit bites.

``CHEATS`` names each with the precision it shows in, and the checks that must fail for it. ``examine`` runs every check of
the kit on a backend, so

    python -c "from bench.testing.zoo import CHEATS, examine; print(*examine(CHEATS['half the batch']), sep='\\n')"

shows what an author of such a backend would be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bench.contract import Backend, Settings, Workload
from bench.oracle.arithmetic import Arithmetic
from bench.record.schema import Check
from bench.spec import BatchNorm, Layer
from bench.spec.layers import map_network
from bench.testing import predicting, proof, training
from bench.testing.reference import ReferenceBackend, ReferencePredictor, ReferenceTrainer, rounding
from bench.testing.workloads import BATCH_SIZE, kit_workloads
from bench.testing.zoo import later, predictors, timed, trainers
from bench.verify.equivalence import Subject, verify


@dataclass(frozen=True)
class Cheat:
    """A backend, and what must catch it."""

    backend: Backend
    caught_by: tuple[str, ...]  # names of checks, all of which fail
    precision: str = "float64"
    workload: str = "kit-residual"
    repeats: bool = False  # shows only where a network is so large that checked batches repeat their images


def examine(cheat: Cheat) -> Iterator[Check]:
    """Every check of the kit, in the order of ``BackendConformance``."""
    subject = subject_of(cheat)
    yield from verify(subject)
    for check in (*training.TRAINING, *predicting.PREDICTING):
        yield from check(subject)
    # Two golden batches are enough to catch a cheat, at a third of the time that a real batch takes.
    trial = replace(subject, settings=replace(subject.settings, batch_size=2 * BATCH_SIZE))
    yield from proof.timed_training(trial)
    yield from proof.timed_predictions(trial)


def subject_of(cheat: Cheat) -> Subject:
    """The cheat on its workload and in its precision."""
    workload = next(workload for workload in kit_workloads() if workload.name == cheat.workload)
    return Subject(cheat.backend, "reference", workload, Settings(cheat.precision, BATCH_SIZE, 1))


def _trainer(
    kind: type[ReferenceTrainer], *caught_by: str, precision: str = "float64", workload: str = "kit-residual"
) -> Cheat:
    return Cheat(ReferenceBackend(trainer=kind), caught_by, precision, workload)


def _predictor(kind: type[ReferencePredictor], *caught_by: str) -> Cheat:
    return Cheat(ReferenceBackend(predictor=kind), caught_by)


def _rounds(precision: str, actual: str, *caught_by: str) -> Cheat:
    return Cheat(
        ReferenceBackend(rounding=lambda asked: rounding(actual if asked == precision else asked)), caught_by, precision
    )


def _coarser(precision: str, actual: Arithmetic, *caught_by: str) -> Cheat:
    return Cheat(
        ReferenceBackend(rounding=lambda asked: actual if asked == precision else rounding(asked)), caught_by, precision
    )


def _misread(change: Callable[[Workload], Workload], *caught_by: str, precision: str = "float64") -> Cheat:
    return Cheat(ReferenceBackend(misread=change), caught_by, precision)


def _batch_norm(**fields: object) -> Callable[[Workload], Workload]:
    def change(layer: Layer) -> Layer:
        return replace(layer, **fields) if isinstance(layer, BatchNorm) else layer  # type: ignore[arg-type]

    return lambda workload: replace(workload, network=map_network(workload.network, change))


def _optimizer(**fields: object) -> Callable[[Workload], Workload]:
    return lambda workload: replace(workload, optimizer=replace(workload.optimizer, **fields))  # type: ignore[arg-type]


def _constant_rate(workload: Workload) -> Workload:
    schedule = replace(workload.optimizer.schedule, warmup_steps=0, total_steps=None)
    return replace(workload, optimizer=replace(workload.optimizer, schedule=schedule))


def _equal_classes(workload: Workload) -> Workload:
    return replace(workload, loss=replace(workload.loss, class_weights=None))


HONEST = Cheat(ReferenceBackend(), ())

CHEATS: dict[str, Cheat] = {
    # ---- waiting
    "never waits": _trainer(trainers.NeverWaits, "losses", "witness loss", "timed losses"),
    "waits for the block before": _trainer(trainers.WaitsForTheBlockBefore, "losses", "witness", "witness loss"),
    "leaves the last update for later": _trainer(trainers.LeavesTheLastUpdate, "witness", "witness number"),
    "leaves the last update for later, in fp32": _trainer(
        trainers.LeavesTheLastUpdate, "host arrays used again after wait", precision="fp32"
    ),
    "one slot for results": _trainer(trainers.OneSlot, "two blocks in flight"),
    # ---- batches
    "remembers batches": _trainer(trainers.RemembersBatches, "repeated batches", "checked blocks as quick as timed ones"),
    "last batch of the block only": _trainer(trainers.LastBatchOnly, "one block", "witness loss"),
    "one static buffer": _trainer(trainers.OneStaticBuffer, "one block", "batches staged ahead"),
    "steps of a block in reverse": _trainer(trainers.BackwardsBlocks, "one block", "witness loss"),
    "first step of each block only": _trainer(trainers.FirstStepOfBlock, "one block", "a block, then one twice as long"),
    "labels shifted against images": _trainer(trainers.ShiftedLabels, "losses", "witness loss"),
    "half the batch": _trainer(trainers.HalfTheBatch, "losses", "witness loss"),
    "uses up host arrays": _trainer(trainers.UsesUpHostArrays, "host arrays left alone"),
    # ---- weights
    "no update": _trainer(trainers.NoUpdate, "losses", "weights and statistics", "every weight moved"),
    "no update, in fp32": _trainer(trainers.NoUpdate, "losses", "updates", precision="fp32"),
    "no update, in bf16": _trainer(trainers.NoUpdate, "updates", "every weight moved", precision="bf16"),
    "forgets one tensor": _trainer(trainers.ForgetsOneTensor, "weights and statistics", "every weight moved"),
    "forgets one tensor, in fp32": _trainer(trainers.ForgetsOneTensor, "updates", "every weight moved", precision="fp32"),
    "forgets one tensor, in bf16": _trainer(trainers.ForgetsOneTensor, "updates", "every weight moved", precision="bf16"),
    "hands out live weights": _trainer(trainers.LiveWeights, "weights are copies"),
    "Dense weights transposed": _trainer(trainers.TransposedDense, "weights and statistics", "canonical weights"),
    "kernels as HWIO": _trainer(trainers.KernelsLast, "weights and statistics", "canonical weights"),
    "another framework's names": _trainer(trainers.OwnNames, "weights and statistics", "canonical weights"),
    "initial weights of its own": _trainer(trainers.OwnInitialisation, "starts from the given weights"),
    "trains the caller's weights": _trainer(trainers.TrainsTheCallersWeights, "given weights left alone"),
    "state shared by all trainers": _trainer(trainers.SharedState, "independent trainers"),
    # ---- formulas
    "running variance biased": _misread(_batch_norm(running_variance="biased"), "weights and statistics"),
    "running variance biased, in fp32": _misread(
        _batch_norm(running_variance="biased"), "running statistics", precision="fp32"
    ),
    "momentum of BatchNorm the other way": _misread(_batch_norm(momentum=0.9), "weights and statistics"),
    "momentum of BatchNorm the other way, in bf16": _misread(
        _batch_norm(momentum=0.9), "running statistics", precision="bf16"
    ),
    "epsilon of BatchNorm": _misread(_batch_norm(epsilon=1e-3), "losses", "predictions", "witness loss"),
    "epsilon of BatchNorm, in fp32": _misread(
        _batch_norm(epsilon=1e-3), "losses", "predictions", "witness loss", precision="fp32"
    ),
    "class weights ignored": _misread(_equal_classes, "losses", "witness loss"),
    "class weights ignored, in bf16": _misread(_equal_classes, "losses", "later losses", precision="bf16"),
    "schedule ignored": _misread(_constant_rate, "losses", "first losses"),
    "schedule ignored, in bf16": _misread(_constant_rate, "losses", "updates", precision="bf16"),
    "no Nesterov": _misread(_optimizer(nesterov=False), "losses", "first losses"),
    "no weight decay": _misread(_optimizer(weight_decay=0.0), "losses"),
    "no weight decay, in fp32": _misread(_optimizer(weight_decay=0.0), "losses", precision="fp32"),
    "weight decay on every tensor": _misread(_optimizer(decay_all=True), "losses"),
    "decay decoupled in SGD": _trainer(trainers.DecoupledSgd, "losses"),
    "decay decoupled in SGD, in fp32": _trainer(trainers.DecoupledSgd, "losses", precision="fp32"),
    "decay in the gradient of AdamW": _trainer(trainers.CoupledAdam, "losses", workload="kit-assorted"),
    # ---- rounding
    "tf32 called fp32": _rounds("fp32", "tf32", "losses", "predictions"),
    "tf32 called fp32, assorted": replace(_rounds("fp32", "tf32", "losses", "predictions"), workload="kit-assorted"),
    "bf16 called fp32": _rounds("fp32", "bf16", "losses", "running statistics", "predictions", "witness loss"),
    "int8 called bf16, assorted": replace(_coarser("bf16", later.integers(), "timed predictions"), workload="kit-assorted"),
    "fp8 called bf16": _coarser("bf16", later.eights(), "timed predictions", "witness predictions"),
    "fp32 called float64": _rounds("float64", "fp32", "losses", "weights and statistics", "predictions"),
    # ---- honest on the golden batches only
    "then fakes losses": _trainer(timed.FakesLosses, "witness loss"),
    "then does nothing": _trainer(timed.DoesNothing, "witness loss", "every weight moved"),
    "then the forward pass only": _trainer(timed.ForwardOnly, "updates of a block"),
    "then the forward pass only, in bf16": _trainer(timed.ForwardOnly, "updates of a block", precision="bf16"),
    "then the forward pass only, AdamW": _trainer(
        timed.ForwardOnly, "updates follow the gradient", precision="fp32", workload="kit-assorted"
    ),
    "then half of each batch": _trainer(timed.HalfOfLaterBatches, "witness loss"),
    "then half of ordinary batches": replace(
        _trainer(timed.HalfOfOrdinaryBatches, "ordinary batches take as long"), repeats=True
    ),
    "then one of each repeated image": replace(_trainer(timed.FewOfLaterBatches, "witness loss"), repeats=True),
    "then one of each repeated image with all its labels, or half": _trainer(timed.CountsRepeats, "witness loss"),
    "then the first step of each block only": _trainer(timed.FirstStepOfLaterBlocks, "every step of a block takes its time"),
    "then nothing until weights are asked for": _trainer(timed.HonestOnceAsked, "checked blocks as quick as timed ones"),
    "then bf16": _trainer(timed.RoundsLater, "witness loss", precision="fp32"),
    "then forgets one tensor": _trainer(timed.ForgetsOneTensorLater, "every weight moved", "updates of a block"),
    # ---- right losses on most of it, wrong updates
    "then half of each later step of a block": _trainer(later.HalfOfLaterSteps, "later losses", precision="fp32"),
    "then half of each later step, in bf16": _trainer(later.HalfOfLaterSteps, "later losses", precision="bf16"),
    "then half of each later step of long blocks": _trainer(
        later.HalfOfLongBlocks, "every step of a block takes its time", precision="fp32"
    ),
    "then half until weights are asked for": _trainer(
        later.HalfUntilChecked, "checked blocks as quick as timed ones", precision="fp32"
    ),
    "then a frozen part": _trainer(later.FrozenPart, "updates of a block", precision="fp32"),
    "then a frozen part, in bf16": _trainer(later.FrozenPart, "running statistics of a block", precision="bf16"),
    "then a frozen part, AdamW": _trainer(
        later.FrozenPart, "updates follow the gradient", precision="fp32", workload="kit-assorted"
    ),
    "then no exchange": _trainer(later.MissingExchange, "updates of a block", precision="fp32"),
    "then no exchange, in bf16": _trainer(later.MissingExchange, "updates of a block", precision="bf16"),
    "then the gradient of every second image": _trainer(later.EverySecondImage, "updates of a block", precision="fp32"),
    "then a backward pass in bf16": _trainer(later.CoarseBackward, "updates of a block", precision="fp32"),
    "then a backward pass in tf32": _trainer(later.Tf32Backward, "updates of a block", precision="fp32"),
    "then the gradient of the step before": _trainer(later.StaleGradient, "updates of a block", precision="fp32"),
    "then signs of gradients": _trainer(later.SignsOnly, "updates of a block", precision="fp32"),
    "then the largest gradients only": _trainer(later.SparseGradient, "updates of a block", precision="fp32"),
    "then gradients of eight bits": _trainer(later.IntegerGradient, "updates of a block", precision="fp32"),
    "then no running statistics": _trainer(later.NoStatistics, "running statistics of a block", precision="fp32"),
    "then no running statistics, in bf16": _trainer(later.NoStatistics, "running statistics of a block", precision="bf16"),
    "then an update every second step": _trainer(later.EverySecondUpdate, "updates of a block", precision="fp32"),
    "then no momentum from block to block": _trainer(later.ForgetsMomentum, "updates of a block", precision="fp32"),
    # ---- prediction
    "predictor never waits": _predictor(predictors.NeverWaits, "predictions", "probabilities"),
    "predictor waits for the batch before": _predictor(predictors.WaitsForTheBatchBefore, "two batches in flight"),
    "predictor with one slot": _predictor(predictors.OneSlot, "two batches in flight"),
    "predictor with one output buffer": _predictor(predictors.OneOutputBuffer, "answers are copies"),
    "predictor gives its first answer again": _predictor(
        predictors.FirstAnswerAgain, "another batch after it", "timed predictions"
    ),
    "predictor remembers images": _predictor(predictors.RemembersImages, "ordinary batches take as long"),
    "predictor remembers an image in five": _predictor(predictors.RemembersSomeImages, "ordinary batches take as long"),
    "predictor remembers two images in five": _predictor(predictors.RemembersMoreImages, "ordinary batches take as long"),
    "predictor remembers three images in five": _predictor(predictors.RemembersMostImages, "ordinary batches take as long"),
    "predictor remembers batches": _predictor(predictors.RemembersBatches, "ordinary batches take as long"),
    "predictor remembers a batch in five": _predictor(predictors.RemembersSomeBatches, "ordinary batches take as long"),
    "predictor remembers two batches in five": _predictor(predictors.RemembersMoreBatches, "ordinary batches take as long"),
    "predictor remembers three batches in five": _predictor(
        predictors.RemembersMostBatches, "ordinary batches take as long"
    ),
    "predictor knows images by a few pixels": _predictor(predictors.RemembersByAFewPixels, "ordinary batches take as long"),
    "predictor knows images by their colour": _predictor(
        predictors.RemembersByColour, "timed predictions", "ordinary batches take as long"
    ),
    "predictor knows the golden batches": _predictor(
        predictors.KnowsGoldenBatches, "unforeseen images", "timed predictions", "witness predictions"
    ),
    "predictor does half the batch": _predictor(predictors.HalfTheBatch, "predictions", "timed predictions"),
    "predictor shuffles": _predictor(predictors.Shuffles, "predictions", "order of images"),
    "predictor in training mode": _predictor(predictors.BatchStatistics, "predictions", "an image among others"),
    "predictor gives logarithms": _predictor(predictors.Logits, "predictions", "probabilities"),
    "predictor uses up images": _predictor(predictors.UsesUpImages, "images and weights left alone"),
    "predictor squeezes one image": _predictor(predictors.SqueezesOneImage, "a batch of one image"),
    "predictor with two slots for four batches": _predictor(
        predictors.RingOfTwo, "as many batches in flight as it says", "timed predictions"
    ),
    "predictor reads from the start of a view's owner": _predictor(predictors.ReadsFromTheStart, "a view of a larger array"),
    "predictor with a softmax that overflows": _predictor(predictors.OverflowingSoftmax, "probabilities of large logits"),
    "predictor with a softmax that overflows, in fp32": replace(
        _predictor(predictors.OverflowingSoftmax, "probabilities of large logits"), precision="fp32"
    ),
    "predictor whose statistics move": _predictor(predictors.StatisticsMove, "the same batch again", "timed predictions"),
    "weights shared by all predictors": _predictor(predictors.SharedWeights, "independent predictors"),
    "predictor rounds to three digits": _predictor(predictors.ThreeDigits, "predictions", "unforeseen images"),
    "predictor guesses now and then": _predictor(predictors.GuessesNowAndThen, "timed predictions"),
}
"""Name, backend, and the checks that fail for it."""
