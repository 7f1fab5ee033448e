"""A predictor that diverges is told after which layer, and which convention it follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.contract import Settings, Workload
from bench.oracle.arithmetic import Arithmetic, round_to_bits
from bench.oracle.model import predict
from bench.spec import Conv2d, Dense, GlobalAveragePool, MaxPool, ReLU, sequential
from bench.spec.layers import map_network
from bench.testing import kit_workloads
from bench.testing.predicting import varied_weights
from bench.testing.reference import ReferenceBackend, rounding
from bench.testing.workloads import RESIDUAL as BODY
from bench.testing.workloads import conv_norm, layer_workloads
from bench.testing.zoo import CHEATS, Cheat, subject_of
from bench.verify.cuts import asking, cuts, first_divergence
from bench.verify.equivalence import Subject, verify
from bench.verify.golden import batches_of, calibrated_weights
from bench.verify.prediction_diagnosis import ALTERNATIVES, NAME, Inference, diagnose_predictions, likely_convention
from bench.verify.unforeseen import unforeseen_images

pytestmark = pytest.mark.slow

RESIDUAL, ASSORTED = kit_workloads()
LAYERS = layer_workloads()
PLACES = {
    "Dense without bias": ASSORTED,
    "convolutions without bias": LAYERS["Conv2d with bias"],
    "convolutions whose groups read interleaved channels": LAYERS["Conv2d with groups"],
    "MaxPool with ceil_mode": LAYERS["MaxPool with padding"],
    "MaxPool padded with zeros": LAYERS["MaxPool with padding"],
    "BatchNorm epsilon as the least variance": LAYERS["BatchNorm of small values"],
    "AveragePool in the place of MaxPool": LAYERS["MaxPool"],
    "AveragePool with ceil_mode": LAYERS["AveragePool, overlapping"],
    "ReLU that stops at 6": LAYERS["ReLU of large values"],
}
"""Where an alternative is looked for, if not in the residual net, or in the assorted one, which has SiLU."""

ONE_FUNCTION = {
    "height and width exchanged in the images": ["height and width exchanged in the kernels"],  # before a global pooling
    "BatchNorm epsilon 0": ["BatchNorm epsilon as the least variance"],  # where every variance is larger
}
"""What else gives the same numbers on these workloads."""


def inference(workload: Workload) -> Inference:
    """Unforeseen images, and weights of which none is 0 or 1."""
    images = unforeseen_images(workload, 8, np.random.default_rng(40))
    weights = calibrated_weights(workload, batches_of(workload, 1, 8)[0])
    return Inference(workload.network, varied_weights(workload.network, weights, images), images)


def place_of(name: str) -> Workload:
    if name.startswith("height and width exchanged in the images"):
        return replace(RESIDUAL, network=replace(RESIDUAL.network, width=RESIDUAL.network.height))
    if name in PLACES:
        return PLACES[name]
    assorted = (
        any(word in name for word in ("SiLU", "AveragePool", "Flatten")) and "ReLU" not in name.rsplit("place of ", 1)[-1]
    )
    return ASSORTED if assorted else RESIDUAL


@pytest.mark.parametrize("precision", ["float64", "fp32"])
@pytest.mark.parametrize("name", ALTERNATIVES)
def test_each_alternative_is_named(name: str, precision: str):
    workload = place_of(name)
    if name == "BatchNorm epsilon 1e-05":
        workload = ASSORTED  # whose last one has another
    original = inference(workload)
    changed = ALTERNATIVES[name](original)
    assert changed is not None
    found = replace(changed, arithmetic=rounding(precision)).answer()
    truth = original.answer()
    assert np.abs(found - truth).max() > 1e-9, "the alternative changes something here"
    said = likely_convention(original, found, precision)
    small = name.startswith("BatchNorm epsilon") and precision == "fp32" and np.abs(found - truth).max() < 1e-4
    named = said.rpartition("those of: ")[2].split(", or of: ")
    assert small or named == [name, *ONE_FUNCTION.get(name, [])]


def test_an_honest_predictor_is_not_named():
    original = inference(RESIDUAL)
    assert likely_convention(original, original.answer(), "float64") == ""
    noise = np.random.default_rng(1).normal(0, 0.01, original.answer().shape)
    assert likely_convention(original, original.answer() + noise, "float64") == ""
    assert likely_convention(original, np.full((8, 3), np.nan), "float64") == ""


@pytest.mark.parametrize("workload", [RESIDUAL, ASSORTED], ids=lambda workload: workload.name)
@pytest.mark.parametrize(("claimed", "actual"), [("fp32", "tf32"), ("fp32", "bf16")])
def test_rounding_to_a_lower_precision_is_named(workload: Workload, claimed: str, actual: str):
    """By models of it that round other values than the backend does."""
    original = inference(workload)
    bits = {"tf32": 11, "bf16": 8}[actual]
    theirs = Arithmetic(lambda x: round_to_bits(x, bits), lambda x, terms: round_to_bits(x * (1 + 2.0**-26), 24))
    said = likely_convention(original, replace(original, arithmetic=theirs).answer(), claimed)
    assert f"stray as those of {actual} do" in said


def test_cuts_are_in_forward_order_and_go_into_residuals():
    assert [cut.last for cut in cuts(RESIDUAL.network)] == [
        "",
        "Conv2d 'stem.conv'",
        "BatchNorm 'stem.norm'",
        "ReLU 'stem_relu'",
        "MaxPool 'stem_pool'",
        "Conv2d 'plain.body.first.conv'",
        "BatchNorm 'plain.body.first.norm'",
        "ReLU 'plain.body.relu'",
        "Conv2d 'plain.body.second.conv'",
        "BatchNorm 'plain.body.second.norm'",
        "Residual 'plain'",
        "ReLU 'plain_relu'",
        "Conv2d 'down.body.conv'",
        "BatchNorm 'down.body.norm'",
        "Conv2d 'down.shortcut.conv'",
        "BatchNorm 'down.shortcut.norm'",
        "Residual 'down'",
        "ReLU 'down_relu'",
        "GlobalAveragePool 'pool'",
        "Dense 'head'",
    ]
    assert cuts(RESIDUAL.network)[10].parts[-1] == ("plain", BODY.layers[3][1])


DEEP = sequential(first=conv_norm(3, 8, 3), relu=ReLU(), pool=MaxPool(3, 2, 1), second=conv_norm(8, 8, 3),
                  odd=Conv2d(8, 6, 5, padding=2), mean=GlobalAveragePool(), head=Dense(6, 3))  # fmt: skip


@pytest.mark.parametrize("precision", ["float64", "fp32", "bf16"])
@pytest.mark.parametrize(
    ("kind", "where"),
    [(Conv2d, "Conv2d 'odd'"), (MaxPool, "MaxPool 'pool'"), (Dense, "cut after any layer the network agrees")],
)
def test_the_first_layer_that_diverges_is_named(precision: str, kind: type, where: str):
    """A convolution with a kernel of 5 that pads less, a MaxPool that means to, a head without its bias."""
    workload = replace(RESIDUAL, network=replace(RESIDUAL.network, body=DEEP))

    def misread(asked: Workload) -> Workload:
        def change(layer):
            if kind is Conv2d and isinstance(layer, Conv2d) and layer.kernel == 5:
                return replace(layer, padding=1)
            if kind is MaxPool and isinstance(layer, MaxPool):
                return replace(layer, kernel=2, padding=0)
            if kind is Dense and layer == DEEP.layers[-1][1] and asked.network.body == DEEP:
                return replace(layer, bias=False)
            return layer

        return replace(asked, network=map_network(asked.network, change))

    subject = Subject(ReferenceBackend(misread=misread), "reference", workload, Settings(precision, 8, 1))
    case = inference(workload)

    def make(network, named):
        return replace(subject, workload=replace(workload, network=network)).predictor(named)

    assert where in first_divergence(case.network, case.weights, case.images, precision, asking(make))


def told(cheat: Cheat) -> list[str]:
    return [check.detail for check in verify(subject_of(cheat)) if check.name == NAME]


@pytest.mark.parametrize(
    ("cheat", "where", "convention"),
    [
        ("epsilon of BatchNorm", "diverges first after BatchNorm 'stem.norm'", "exactly those of: BatchNorm epsilon 0.001"),
        ("epsilon of BatchNorm, in fp32", "diverges first after BatchNorm", "those of: BatchNorm epsilon 0.001"),
        ("tf32 called fp32", "the precision of products", "as those of tf32 do"),
        ("fp32 called float64", "the precision of products", "stray no further than fp32 does"),
        ("predictor in training mode", "diverges first after BatchNorm 'stem.norm'", "the batch's own statistics"),
        (
            "predictor gives logarithms",
            "a network of an average and a Dense diverges already",
            "exactly those of: logarithms of probabilities",
        ),
        (
            "predictor shuffles",
            "a network of an average and a Dense diverges already",
            "exactly those of: answers in reverse order",
        ),
        ("predictor rounds to three digits", "", "no known difference of convention fits"),
        (
            "predictor does half the batch",
            "a network of an average and a Dense diverges already",
            "no known difference of convention fits",
        ),
    ],
)
def test_a_cheat_is_told(cheat: str, where: str, convention: str):
    (said,) = told(CHEATS[cheat])
    assert where in said
    assert convention in said


def test_a_shorter_network_that_a_backend_refuses_is_no_failure_of_the_diagnosis():
    class Refusing(ReferenceBackend):
        def predictor(self, workload, weights, device, settings):
            raise RuntimeError("no such head")

    case = inference(RESIDUAL)
    subject = Subject(Refusing(), "reference", RESIDUAL, Settings("float64", 8, 1))
    found = predict(case.network, case.weights, case.images, finish=lambda logits: logits)
    check = diagnose_predictions(subject, case.weights, case.images, found)
    assert not check.passed
    assert "a shorter network raised RuntimeError" in check.detail
    assert "exactly those of: logits: softmax missing" in check.detail
