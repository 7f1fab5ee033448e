"""What ``bench run`` and ``bench train`` say of a user's own images, as real processes."""

from __future__ import annotations

import pytest
from PIL import Image

from bench.record.files import read_record
from tests.support.site import bench, with_own_plugins

pytestmark = pytest.mark.process


@pytest.fixture
def patients(tmp_path):
    """A folder for each of three patients, without labels."""
    for i in range(12):
        file = tmp_path / "scans" / f"P{i // 4:03d}" / f"IMG_{i:04d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (90, 60, 50 + i)).save(file)
    return tmp_path / "scans"


def test_a_folder_per_patient_measures_and_says_that_it_has_no_labels(tmp_path, site, patients):
    ours = with_own_plugins(site)
    run = ["run", "--size", "tiny", "--phase", "preprocess", "--trials", "1", "--seconds", "0.05", "--no-ceilings"]
    dry = bench([*run, "--data", str(patients), "--dry-run"], tmp_path, ours)
    assert dry.stdout.startswith(
        "folder without labels, 12 images\n  no labels: good for speed, not for training to the end\n"
    )
    done = bench([*run, "--data", str(patients)], tmp_path, ours)
    assert done.returncode == 0, done.stderr
    assert "folder without labels, 12 images\n" in done.stderr
    assert "note: labels are not used: unclear which labels mean melanoma" in done.stderr
    (folder,) = (tmp_path / "bench-results").iterdir()
    assert read_record(folder).data[0].understood == ["no labels: good for speed, not for training to the end"]
    assert "P000" not in (folder / "record.json").read_text()
    done = bench(["train", "--backend", "cpu", "--data", str(patients)], tmp_path, ours)
    assert done.returncode == 2
    assert "training needs labels; found folder without labels, 12 images: unclear which labels" in done.stderr
    assert "--positive P" not in done.stderr.replace("'", "")
