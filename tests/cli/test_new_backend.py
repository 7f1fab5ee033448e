"""``bench new-backend`` writes a package that installs, is found, and passes its own test."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from bench.cli.new_backend import write_package
from bench.errors import UsageError
from tests.support.site import bench, environment, without_own_plugins
from tests.support.waiting import PATIENCE


@pytest.mark.process
def test_the_package_installs_is_listed_and_passes_its_test(tmp_path):
    done = bench(["new-backend", "my-device"], tmp_path)
    assert done.returncode == 0, done.stderr
    package, site = tmp_path / "accelbench-my-device", tmp_path / "site"
    files = ["README.md", "accelbench_my_device.py", "pyproject.toml", "tests/test_accelbench_my_device.py"]
    assert sorted(str(file.relative_to(package)) for file in package.rglob("*") if file.is_file()) == files
    assert len((package / files[1]).read_text().splitlines()) <= 80, "a page"
    flags = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *flags, str(package)], check=True, capture_output=True)
    without_own_plugins(site)
    listed = bench(["list"], tmp_path, site).stdout
    assert "plugin my-device of accelbench-my-device" in listed
    assert "my-device:0  simulated; float64, fp32" in listed
    # One precision and one network of the kit's, for the suite's time; the whole kit takes three times as long.
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "probe or SiLU or (fp32 and kit-residual)", "tests"]
    tested = subprocess.run(
        [sys.executable, *words], cwd=package, env=environment(tmp_path, site), capture_output=True, text=True, timeout=PATIENCE, check=False
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout[-3000:]
    assert "passed" in tested.stdout
    assert "skipped" not in tested.stdout


def test_its_pyproject_holds_what_a_package_needs(tmp_path):
    write_package("x9", tmp_path / "package")
    content = tomllib.loads((tmp_path / "package" / "pyproject.toml").read_text())
    assert content["build-system"]["build-backend"] == "setuptools.build_meta"
    assert content["tool"]["setuptools"]["py-modules"] == ["accelbench_x9"]
    assert content["project"]["entry-points"]["bench"] == {"x9": "accelbench_x9"}


@pytest.mark.parametrize(
    "name", ["", "My", "my_device", "-x", "x-", "a--b", "1x", "two words", "ü", "x" * 41, "../x", "x\n"]
)
def test_a_name_that_cannot_be(tmp_path, name):
    with pytest.raises(UsageError, match="cannot be a backend's name; expected small letters, digits and single hyphens"):
        write_package(name, tmp_path / "package")
    assert not (tmp_path / "package").exists()


def test_a_name_that_is_taken(tmp_path):
    with pytest.raises(UsageError, match="a plugin is called 'cpu' already, of accelbench; choose another name"):
        write_package("cpu", tmp_path / "package")


def test_nothing_is_written_over(tmp_path):
    with pytest.raises(UsageError, match="is there already; name a new folder with --output"):
        write_package("mine", tmp_path)
    assert not list(tmp_path.iterdir())
