"""``bench train`` tells of each epoch, and of nothing else."""

from __future__ import annotations

import re

from tests.support.site import bench

TRAIN = ["train", "--workload", "dots", "--size", "small", "--backend", "misbehaving", "--precision", "float64"]


def test_each_epoch_is_a_line_of_progress(tmp_path, site):
    done = bench([*TRAIN, "--epochs", "3", "--images", "400", "--option", "pause=0.1"], tmp_path, site)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "epoch" in line]
    assert len(said) == 3
    for number, line in enumerate(said, 1):
        assert re.fullmatch(rf"  test:0 seed 0: epoch {number} of 3, loss .*validation auc .*", line)
