"""The fixture under the real pytest-benchmark: saving, comparing, JSON, and refusing another machine."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

import accelbench_start
from bench.record.files import write_record
from tests.support import records as fake
from tests.support.site import bench, environment, install_misbehaving
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.process

TEST = """
def test_dots(bench_case):
    seconds = bench_case(backend="misbehaving", workload="dots", size="small", precision="float64", seconds=0.05, rounds=3)
    assert len(seconds) == 3


def test_unknown_backends_skip_nothing_silently(bench_case):
    bench_case(backend="misbehaving", workload="dots", size="small", precision="float64", seconds=0.05, rounds=1,
               options={"fault": "raise"})


def test_precision(bench_case):
    bench_case(backend="misbehaving", workload="dots", size="small", precision="fp32", seconds=0.05, rounds=1)
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    site = folder / "site"
    if not site.exists():
        install_misbehaving(site)
        (folder / "test_speed.py").write_text(TEST)
    # pytest-benchmark measures nothing in a process that it takes for a worker of pytest-xdist.
    own = {name: value for name, value in environment(folder, site).items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--benchmark-storage", str(folder / "saved"), *options],
        cwd=folder, env=own, capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip


def test_a_case_is_a_benchmark_with_the_processes_own_times(tmp_path):
    done = run(tmp_path, "-k", "dots", "--benchmark-json", "out.json", "--benchmark-save", "first")
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads((tmp_path / "out.json").read_text())
    (benchmark,) = data["benchmarks"]
    assert benchmark["stats"]["rounds"] == 3
    assert 0 < benchmark["stats"]["max"] < 0.01, "seconds per image, not per process"
    assert benchmark["extra_info"]["case"].startswith("misbehaving test:0 dots-small train")
    assert data["machine_info"]["accelbench"]["devices"] == {"test:0 test processor": {"oracle": "1"}}
    again = run(tmp_path, "-k", "dots", "--benchmark-compare")
    assert again.returncode == 0, again.stdout + again.stderr
    (saved,) = (tmp_path / "saved").rglob("*.json")
    saved.write_text(saved.read_text().replace(data["machine_info"]["accelbench"]["fingerprint"], "0" * 16))
    other = run(tmp_path, "-k", "dots", "--benchmark-compare")
    assert other.returncode != 0
    assert "made on another machine" in other.stdout + other.stderr


def test_only_a_missing_device_skips_a_test_and_says_why(tmp_path):
    refused = run(tmp_path, "-k", "precision")
    assert refused.returncode == 1, "nothing was measured: not a skip"
    assert "nothing can be measured here" in refused.stdout
    plugin = tmp_path / "site" / "misbehaving_plugin.py"
    text = plugin.read_text()
    probe = next(line for line in text.splitlines() if "return Probe(" in line)
    plugin.write_text(text.replace(probe, '        return Probe(reason="the chip is elsewhere")'))
    skipped = run(tmp_path, "-k", "dots", "-rs")
    assert skipped.returncode == 0
    assert "1 skipped" in skipped.stdout
    assert "has no device here: the chip is elsewhere" in " ".join(skipped.stdout.split())


def test_records_go_into_pytest_benchmarks_own_compare(tmp_path):
    for name, rate in (("first", 100.0), ("second", 80.0)):
        record = fake.record(name, [fake.Script(fake.train(), rate, between=0.01)])
        write_record(record, tmp_path / f"{name}.json")
        written = tmp_path / "saved" / "Linux-CPython" / f"000{len(name)}_{name}.json"
        written.parent.mkdir(parents=True, exist_ok=True)
        done = bench(["report", f"{name}.json", "--format", "pytest-benchmark", "-o", str(written)], tmp_path, tmp_path)
        assert done.returncode == 0, done.stderr
    compare = [sys.executable, "-m", "pytest_benchmark", "--storage", str(tmp_path / "saved"), "compare", "--csv", "out.csv"]
    done = subprocess.run(compare, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert sorted(float(row["mean"]) for row in rows) == pytest.approx([1 / 100, 1 / 80], rel=0.05)


def test_a_trial_that_fails_fails_the_test(tmp_path):
    done = run(tmp_path, "-k", "unknown")
    assert done.returncode == 1
    assert "the kernel launch failed" in done.stdout


OWN_PROJECT = {
    "bench/__init__.py": "",
    "bench/mine.py": "def work():\n    return 42\n",
    "conftest.py": "import pytest\n\n@pytest.fixture\ndef own():\n    return 1\n",
    "tests/test_mine.py": "from bench.mine import work\n\ndef test_work():\n    assert work() == 42\n",
    "tests/test_speed.py": "import bench.mine\n\ndef test_speed(bench_case):\n    bench_case(backend='cpu')\n",
}
"""A project whose own package has the harness's name."""


def test_a_project_with_a_package_bench_of_its_own_runs_its_tests(tmp_path):
    for name, text in OWN_PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert f"bench_case: accelbench needs its own package 'bench', and Python finds {tmp_path / 'bench'}" in done.stdout


def test_the_pytest_plugin_imports_nothing_of_accelbench_before_it_is_used():
    program = "import sys, accelbench_pytest, accelbench_start; print(sorted({'bench', 'backends', 'workloads'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout == "[]\n"


def test_the_command_line_names_the_package_that_it_found_in_place_of_its_own(tmp_path, monkeypatch, capsys):
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "bench")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit) as end:
        accelbench_start.main()
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert f"Python finds {tmp_path / 'bench'} in its place" in said
    assert said.count("\n") == 1
