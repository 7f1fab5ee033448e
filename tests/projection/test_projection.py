"""Days versus hours: the formulas, what binds, and the intervals."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.datasets import DATASETS, Dataset, adapted
from bench.errors import UsageError
from bench.projection.assumptions import Assumptions
from bench.projection.counted import Batches, Decoding, MeasuredRates, Room
from bench.projection.model import Members, project, speed_up
from bench.statistics.rates import LogRate, log_rate

HAM = Assumptions()
N, N_VALIDATION, N_TEST, EPOCHS = 7_010, 1_002, 2_003, 24
EVALUATED = EPOCHS * N_VALIDATION + N_TEST


def rate(per_second, error=0.005, n=5):
    return LogRate(-math.log(per_second), error, n - 1, n)


def measured(train=75.0, infer=280.0, megapixels=41.0, cores=2, shares_cores=True, start_up=20.0, error=0.005):
    return MeasuredRates(
        train=rate(train, error),
        infer=None if infer is None else rate(infer, error),
        decode=None if megapixels is None else Decoding(rate(megapixels, error), cores),
        start_up=start_up,
        infer_start_up=10.0,
        shares_cores=shares_cores,
    )


def test_training_and_decoding_on_shared_cores_add_up():
    decode = 0.27 / 41
    expected = 20 + EPOCHS * N * (1 / 75 + decode) + EVALUATED * (1 / 280 + decode) + 1 / 280
    projection = project(measured(), HAM, EPOCHS)
    assert projection.training.value == pytest.approx(expected)
    assert sum(projection.parts.values()) == pytest.approx(expected)
    assert projection.screening.value == pytest.approx(10 + 10_015 * (1 / 280 + decode))
    assert projection.binds == "train"


def test_every_evaluation_builds_its_predictor_and_so_does_what_comes_before_the_first_step():
    plain, given = project(measured(), HAM, EPOCHS), project(replace(measured(), infer_ready=3.0), HAM, EPOCHS)
    assert given.training.value == pytest.approx(plain.training.value + 3 * (EPOCHS + 2))
    assert given.training.low == pytest.approx(plain.training.low + 3 * (EPOCHS + 2))
    assert given.parts["evaluate"] == pytest.approx(plain.parts["evaluate"] + 3 * (EPOCHS + 2))
    assert given.screening == plain.screening


def test_batches_are_full_and_evaluations_see_every_view():
    cut = replace(measured(megapixels=None), batches=Batches(training=32, evaluation=64, views=4))
    trained = EPOCHS * 219 * 32  # of 7,010
    predicted = 4 * 64 * (EPOCHS * 16 + 32)  # 1,002 and 2,003 images in batches of 64
    training = project(cut, HAM, EPOCHS).training
    assert training.value == pytest.approx(20 + trained / 75 + (predicted + 64) / 280)
    assert training.low < training.value < training.high


def test_an_epoch_has_one_batch_at_least():
    few = Assumptions(dataset=adapted(DATASETS["ham10000"], images=3))
    alone = replace(measured(infer=None, megapixels=None), batches=Batches(training=32))
    assert project(alone, few, 1).training.value == pytest.approx(20 + 32 / 75)


def test_an_image_is_decoded_once_for_all_its_views():
    seen = replace(measured(shares_cores=False, train=1e9), batches=Batches(views=4))
    decoding = EPOCHS * N * 0.27 / 41
    assert project(seen, HAM, EPOCHS).training.value == pytest.approx(20 + decoding + (4 * EVALUATED + 1) / 280)


def test_without_images_to_validate_nothing_is_evaluated():
    data = Dataset("own", "own images", 100, 1.0, "a test", parts=(100, 0, 0))
    plain = replace(measured(megapixels=None), infer_ready=3.0)
    training = project(plain, Assumptions(dataset=data), EPOCHS).training
    assert training.value == pytest.approx(20 + EPOCHS * 100 / 75 + 3 + 1 / 280)


@pytest.mark.parametrize(("shares_cores", "each"), [(True, 1 / 75 + 0.27 / 41 + 0.02), (False, 0.27 / 41 + 0.02)])
def test_the_host_changes_every_training_image(shares_cores, each):
    changing = replace(measured(infer=None, shares_cores=shares_cores), augment=0.02)
    projection = project(changing, HAM, EPOCHS)
    assert projection.training.value == pytest.approx(20 + EPOCHS * N * each)
    assert projection.training.low < projection.training.value < projection.training.high
    assert projection.parts["augment"] == pytest.approx(EPOCHS * N * 0.02)


def test_a_training_from_arrays_decodes_nothing():
    assert project(measured(), HAM, EPOCHS).from_arrays == project(measured(megapixels=None), HAM, EPOCHS).training
    assert project(measured(megapixels=None), HAM, EPOCHS).from_arrays is None


def test_one_process_strays_further_than_the_mean_of_all():
    mean, one = (project(given, HAM, EPOCHS).training for given in (measured(), measured().of_one_process()))
    assert one.value == mean.value
    wider = math.log(one.high / one.low) / math.log(mean.high / mean.low)
    assert wider == pytest.approx(math.sqrt(6), rel=0.05)  # five trials: sqrt(1 + 1/5) against sqrt(1/5)


def test_an_accelerator_apart_goes_at_the_slower_pace_of_each_phase():
    projection = project(measured(6_000, 100, shares_cores=False), HAM, EPOCHS)
    assert projection.training.value == pytest.approx(20 + EPOCHS * N * 0.27 / 41 + (EVALUATED + 1) / 100)
    assert projection.binds == "decode"
    assert projection.decoded_per_second == pytest.approx(41 / 0.27)


def test_cores_that_would_feed_it_are_extrapolated_from_the_decode_rate_per_core():
    projection = project(measured(6_000, shares_cores=False), HAM, EPOCHS)
    assert projection.cores_to_feed == math.ceil(6_000 / (41 / 0.27 / 2))
    assert project(measured(), HAM, EPOCHS).cores_to_feed is None


@pytest.mark.parametrize(
    ("changes", "binds"),
    [
        ({"shares_cores": False, "train": 10.0}, "train"),
        ({"shares_cores": False, "infer": 1.0}, "evaluate"),
        ({"shares_cores": False, "start_up": 1e7}, "start-up"),
        ({"shares_cores": True, "megapixels": 0.1}, "decode"),
        ({"megapixels": None}, "train"),
    ],
)
def test_what_binds(changes, binds):
    assert project(measured(**changes), HAM, EPOCHS).binds == binds


def test_the_loop_the_week_and_the_ensemble_follow_from_one_training():
    projection = project(measured(), Assumptions(tuning_runs=7, budget_hours=10.0), EPOCHS)
    training = projection.training.value
    assert projection.tuning_loop.value == pytest.approx(7 * training)
    assert projection.trainings_per_week.value == pytest.approx(168 * 3600 / training)
    assert projection.ensemble.value == int(36_000 // training)
    assert projection.trainings_per_week.low == pytest.approx(168 * 3600 / projection.training.high)
    assert projection.ensemble.low <= projection.ensemble.value <= projection.ensemble.high


def test_what_was_not_measured_is_left_out():
    projection = project(measured(infer=None, megapixels=None), HAM, EPOCHS)
    assert projection.training.value == pytest.approx(20 + EPOCHS * N / 75)
    assert projection.screening is None
    assert projection.decoded_per_second is None


def test_larger_files_take_longer_to_decode():
    large = Assumptions(dataset=adapted(DATASETS["ham10000"], megapixels=27.0))
    assert project(measured(), large, EPOCHS).binds == "decode"


# ---- intervals -----------------------------------------------------------------------------------------------------


def test_with_one_uncertain_rate_the_interval_is_the_t_interval():
    log = rate(75, 0.02, 4)
    alone = MeasuredRates(log, None, None, 0.0, 0.0, True)
    training = project(alone, HAM, EPOCHS).training
    estimate = log.estimate()
    assert training.low == pytest.approx(EPOCHS * N / estimate.high, rel=1e-3)
    assert training.high == pytest.approx(EPOCHS * N / estimate.low, rel=1e-3)


def test_one_trial_anywhere_leaves_no_interval():
    single = LogRate(-math.log(75), None, 0, 1)
    projection = project(MeasuredRates(single, rate(280), None, 1.0, 1.0, True), HAM, EPOCHS)
    assert projection.training.low is None
    assert projection.ensemble.low is None
    assert projection.screening.low is not None


def test_equal_measurements_give_equal_intervals():
    assert project(measured(), HAM, EPOCHS) == project(measured(), HAM, EPOCHS)


def test_the_interval_covers_the_true_time_as_often_as_it_says():
    """Rates with noise between processes, four trials each; the truth is known."""
    rng = np.random.default_rng(3)
    truth = project(measured(shares_cores=True), HAM, EPOCHS).training.value
    covered, runs = 0, 800
    for _ in range(runs):
        train, infer, decode = (
            log_rate(list(-math.log(per_second) + 0.03 * rng.standard_normal(4))) for per_second in (75.0, 280.0, 41.0)
        )
        training = project(MeasuredRates(train, infer, Decoding(decode, 2), 20.0, 10.0, True), HAM, EPOCHS).training
        covered += training.low <= truth <= training.high
    assert 0.93 <= covered / runs <= 0.99


rates = st.floats(1e-2, 1e7)
errors = st.floats(0, 2)


@given(rates, rates, rates, errors, st.integers(2, 9), st.booleans(), st.sampled_from(list(DATASETS)))
def test_every_figure_is_finite_and_within_its_interval(train, infer, decode, error, n, shares, dataset):
    given = MeasuredRates(
        rate(train, error, n), rate(infer, error, n), Decoding(rate(decode, error, n), 2), 3.0, 2.0, shares
    )
    projection = project(given, Assumptions(dataset=DATASETS[dataset]), 24)
    for estimate in (projection.training, projection.tuning_loop, projection.trainings_per_week, projection.screening):
        assert 0 <= estimate.low <= estimate.value <= estimate.high
        assert math.isfinite(estimate.value)


@given(rates, rates, rates, st.floats(1, 100), st.booleans())
def test_a_faster_device_never_takes_longer(train, infer, decode, factor, shares):
    slow = project(measured(train, infer, decode, shares_cores=shares), HAM, EPOCHS)
    fast = project(measured(train * factor, infer, decode, shares_cores=shares), HAM, EPOCHS)
    assert fast.training.value <= slow.training.value * (1 + 1e-12)


# ---- speed-ups -----------------------------------------------------------------------------------------------------


def test_a_speed_up_is_the_ratio_of_two_trainings():
    cpu, gpu = measured(), measured(6_000, 24_000, shares_cores=False)
    factor, left_out = speed_up(cpu, gpu, HAM, EPOCHS)
    ratio = project(cpu, HAM, EPOCHS).training.value / project(gpu, HAM, EPOCHS).training.value
    assert factor.value == pytest.approx(ratio)
    assert factor.low < factor.value < factor.high
    assert left_out == ()


def test_against_itself_the_speed_up_is_one_and_certain():
    factor, _ = speed_up(measured(), measured(), HAM, EPOCHS)
    assert (factor.low, factor.value, factor.high) == pytest.approx((1, 1, 1))


def test_shared_decoding_cancels():
    """Two accelerators behind the same slow decoder are equally fast, however uncertain the decoder is."""
    one = MeasuredRates(rate(6_000), None, Decoding(rate(1.0, 0.2), 2), 0.0, 0.0, False)
    other = MeasuredRates(rate(9_000), None, Decoding(rate(1.0, 0.2), 2), 0.0, 0.0, False)
    factor, _ = speed_up(one, other, HAM, EPOCHS)
    assert factor.high - factor.low < 1e-9


@pytest.mark.parametrize(
    ("reference", "candidate", "left_out"),
    [
        ({"infer": None}, {}, ("evaluation",)),
        ({}, {"megapixels": None}, ("decoding",)),
        ({"megapixels": None}, {"infer": None}, ("evaluation", "decoding")),
        ({"megapixels": None}, {}, ("decoding", "augmentation")),
    ],
)
def test_what_one_side_lacks_counts_on_neither(reference, candidate, left_out):
    twice = {"train": 150.0, "infer": 560.0, "start_up": 0.0}
    one, other = measured(start_up=0.0, **reference), measured(**(twice | candidate))
    sides = one, replace(other, augment=0.01 if "augmentation" in left_out else None)
    factor, out = speed_up(*sides, HAM, EPOCHS)
    assert out == left_out
    if "decoding" in out:
        assert factor.value == pytest.approx(2.0)


# ---- assumptions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"epochs": -1},
        {"tuning_runs": 0},
        {"budget_hours": 0.0},
        {"budget_hours": math.nan},
        {"epochs": 10**12},
    ],
)
def test_assumptions_beyond_reason_are_refused(wrong):
    with pytest.raises(UsageError, match="expected"):
        Assumptions(**wrong)


def test_every_assumption_is_a_sentence():
    sentences = Assumptions(dataset=DATASETS["isic2020"]).sentences()
    assert all(sentence.endswith(".") for sentence in sentences)
    text = " ".join(sentences)
    for word in ("Rotemberg", "Assumed: a mean of 12 megapixels", "50 full trainings", "cold compilation", "fixed seed"):
        assert word in text


ROOM = Room(memory=16 * 2**30, disk=10**12, image=64 * 64 * 3)


def test_images_that_fit_decoded_are_decoded_once_before_training_and_once_for_a_tuning_loop():
    each, budget = 0.27 / 41, HAM.budget_hours * 3600
    found, arrays = (
        project(replace(measured(megapixels=megapixels), room=ROOM), HAM, EPOCHS) for megapixels in (41.0, None)
    )
    decoding, training = 10_015 * each, arrays.training.value
    assert found.decoding.value == pytest.approx(decoding)
    assert found.training.value == pytest.approx(training + decoding)
    assert sum(found.parts.values()) == pytest.approx(found.training.value)
    assert found.tuning_loop.value == pytest.approx(HAM.tuning_runs * training + decoding)
    assert found.ensemble.value == int((budget - decoding) / training)
    assert found.ensemble.low <= found.ensemble.value <= found.ensemble.high
    assert found.trainings_per_week.value == pytest.approx((168 * 3600 - decoding) / training)
    assert found.from_arrays == arrays.training
    assert (found.cores_to_feed, found.screening) == (None, project(measured(), HAM, EPOCHS).screening)


def test_a_budget_that_decoding_alone_fills_holds_no_training():
    given = Assumptions(dataset=HAM.dataset, budget_hours=0.001, decode="once")
    assert project(measured(), given, EPOCHS).ensemble == Members(0, 0, 0)


@pytest.mark.parametrize(
    ("room", "wanted", "once"),
    [
        (ROOM, None, True),
        (ROOM, "every-epoch", False),
        (Room(), None, False),  # its record does not say
        (Room(), "once", True),
        (replace(ROOM, memory=10_015 * ROOM.image, disk=0), None, False),  # half of it must be left
        (replace(ROOM, memory=2 * 10_015 * ROOM.image, disk=0), None, True),
        (replace(ROOM, memory=0), None, True),
        (replace(ROOM, image=0), None, False),
    ],
)
def test_when_images_are_decoded(room, wanted, once):
    given = Assumptions(dataset=HAM.dataset, decode=wanted)
    found, every = (project(replace(measured(), room=one), given, EPOCHS) for one in (room, Room()))
    assert (found.decoding is not None) is once
    assert (found.training != every.training) is (once and wanted is None)


def test_speed_ups_hold_what_each_side_does():
    slow = measured(train=75.0)
    quick = replace(measured(train=7_500.0, infer=28_000.0, shares_cores=False), room=ROOM)
    factor, left_out = speed_up(slow, quick, HAM, EPOCHS)
    times = [project(side, HAM, EPOCHS).training.value for side in (slow, quick)]
    assert factor.value == pytest.approx(times[0] / times[1])
    assert left_out == ()
