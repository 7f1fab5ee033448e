"""``bench train`` tells of each epoch, and of nothing else; interrupted, it sums up what it has."""

from __future__ import annotations

import json
import re
import signal

from tests.run.test_faults import held_after, wait_until_held
from tests.support.site import bench, start_bench
from tests.support.waiting import PATIENCE

TRAIN = ["train", "--workload", "dots", "--size", "small", "--backend", "misbehaving", "--precision", "float64"]


def test_each_epoch_is_a_line_of_progress(tmp_path, site):
    done = bench([*TRAIN, "--epochs", "3", "--images", "400", "--option", "pause=0.1"], tmp_path, site)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "epoch" in line]
    assert len(said) == 3
    for number, line in enumerate(said, 1):
        assert re.fullmatch(rf"  test:0 seed 0: epoch {number} of 3, loss .*validation auc .*", line)


def test_an_interrupted_command_sums_up_the_trainings_that_have_ended(tmp_path, site):
    words = ["--epochs", "3", "--images", "400", "--seeds", "3", "--quiet", "-o", "trained.json", *held_after(0, tmp_path)]
    process = start_bench([*TRAIN, *words], tmp_path, site)  # which holds the second training
    wait_until_held(tmp_path)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 143
    said = (tmp_path / "output").read_text()
    assert "bench: interrupted; 1 training ended before\n" in said
    assert "test:0 float64: over 1 seed, mean test" in said
    assert "Traceback" not in said
    assert [training["seed"] for training in json.loads((tmp_path / "trained.json").read_text())] == [0]
