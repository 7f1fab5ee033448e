"""A whole training: every batch counts, the target ends it, weights are averaged, and bad parts are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.contract import TEST, TRAIN, VALIDATION, Progress, Recipe, Settings
from bench.errors import DataError
from bench.spec import SGD, Schedule
from bench.worker.full_training import FullTraining, Images, load_images, scheduled
from tests.support.misbehaving import Misbehaving, workload


def images(count=400):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    pixels[::2] //= 2
    labels = (pixels.mean((1, 2, 3)) > 96).astype(np.int32)
    parts = np.resize(np.array([TRAIN, TRAIN, TRAIN, VALIDATION, TEST]), count)
    return Images(pixels, labels, {part: np.flatnonzero(parts == part) for part in (TRAIN, VALIDATION, TEST)})


def training(epochs=3, recipe=None, seed=0):
    data = images()
    recipe = recipe or Recipe()
    subject = scheduled(
        replace(workload(batch_size=8, recipe=recipe, optimizer=SGD(Schedule(0.01))), seed=seed),
        epochs,
        len(data.parts[TRAIN]),
    )
    made = FullTraining(Misbehaving(), subject, "test:0", Settings("float64", 8, 1), data)
    made.build()
    return made


def test_the_schedule_spans_the_whole_training_and_never_stops():
    schedule = scheduled(workload(batch_size=16), epochs=5, images=170).optimizer.schedule
    assert (schedule.warmup_steps, schedule.total_steps) == (10, 50)
    assert schedule.at(50) == pytest.approx(schedule.peak / 1000)


def test_no_batch_of_an_epoch_is_left_out_and_every_epoch_is_evaluated():
    made = training()
    made.run(3)
    assert [(point.epoch, point.steps) for point in made.curve] == [(1, 30), (2, 60), (3, 90)]
    assert made.curve[0].seconds < made.curve[1].seconds < made.curve[2].seconds
    assert made.curve[-1].loss < made.curve[0].loss
    assert made.curve[-1].measures["auc"] > 0.9
    assert made.judge(TEST)["auc"] > 0.9


class Lazy:
    """A trainer whose device works while the host waits, a second per step."""

    def __init__(self, clock):
        self.clock = clock

    def stage(self, images, labels):
        return images

    def run(self, block):
        return len(block)

    def wait(self, steps):
        self.clock[0] += steps
        return Progress(np.ones(steps), 0.0)


def test_steps_take_as_long_as_the_device_does_and_not_as_their_launching(monkeypatch):
    made, clock = training(), [0.0]
    made.trainer = Lazy(clock)
    monkeypatch.setattr("bench.worker.full_training.perf_counter", lambda: clock[0])
    assert made._epoch(0) == 1.0
    assert made.step_seconds == [1.0]


def test_a_training_ends_where_all_targets_are_reached():
    made = training(epochs=6)
    made.run(6, {"auc": 0.6, "accuracy": 0.05})
    assert len(made.curve) == 1
    made = training(epochs=2)
    made.run(2, {"auc": 0.6, "accuracy": 1.1})
    assert len(made.curve) == 2


def test_one_seed_gives_one_training():
    curves = []
    for seed in (1, 1, 2):
        made = training(seed=seed)
        made.run(2)
        curves.append([(point.loss, point.measures) for point in made.curve])
    assert curves[0] == curves[1] != curves[2]


def test_averaged_weights_lie_between_the_trained_ones():
    made = training(recipe=Recipe(averaging=0.9))
    made.run(3)
    plain = training()
    plain.run(3)
    assert made.curve[-1].loss == pytest.approx(plain.curve[-1].loss)  # averaging looks on
    for name, value in made.weights().items():
        assert not np.array_equal(value, made.trainer.weights()[name])
        assert np.abs(value - made.trainer.weights()[name]).max() < 0.2


def test_without_validation_images_a_training_is_judged_at_its_end_only(tmp_path):
    labels = np.array([0, 1] * 6, np.int32)
    np.save(tmp_path / "images.npy", np.zeros((12, 8, 8, 3), np.uint8))
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "split.npy", np.array([TRAIN] * 8 + [TEST] * 4, np.uint8))
    subject = workload(batch_size=8)
    with pytest.raises(DataError, match=r"the validation part \(0 images\) holds nothing"):
        load_images(tmp_path, subject)
    data = load_images(tmp_path, subject, (TEST,))
    made = FullTraining(Misbehaving(), scheduled(subject, 1, 8), "test:0", Settings("float64", 8, 1), data)
    made.build()
    made.run(1)
    assert made.curve[0].measures == {}
    assert set(made.judge(TEST)) == {"auc", "accuracy"}


@pytest.mark.parametrize(
    ("split", "labels", "message"),
    [
        ([TRAIN] * 7 + [VALIDATION, TEST], [0, 1] * 4 + [0], "at least one batch of 8 images; the training part holds 7"),
        ([TRAIN] * 8 + [VALIDATION] * 2 + [TEST], [0, 1] * 5 + [0], r"the test part \(1 images\) holds one class only"),
        ([TRAIN] * 8 + [VALIDATION] + [TEST] * 2, [0, 1] * 5 + [0], r"the validation part \(1 images\) holds one class"),
    ],
)
def test_parts_that_cannot_be_trained_on_are_refused(tmp_path, split, labels, message):
    np.save(tmp_path / "images.npy", np.zeros((len(labels), 8, 8, 3), np.uint8))
    np.save(tmp_path / "labels.npy", np.array(labels, np.int32))
    np.save(tmp_path / "split.npy", np.array(split, np.uint8))
    with pytest.raises(DataError, match=message):
        load_images(tmp_path, workload(batch_size=8))
