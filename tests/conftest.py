"""Where real images are, for the tests that use them; and what JAX needs to be told before it is imported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from backends.jax_xla import JaxBackend
from tests.support.site import install_misbehaving

# JAX would take three quarters of a GPU's memory at its first look at it, and PyTorch's tests run in the same process.
os.environ.update(JaxBackend.environment)

DATA = Path(os.environ.get("BENCH_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real dermoscopy images."""
    if not DATA.is_dir():
        pytest.skip(f"no real images at {DATA}; set BENCH_TEST_DATA")
    return DATA


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed packages that holds the test plugin."""
    folder = tmp_path / "site"
    install_misbehaving(folder)
    return folder


# Timing is never asserted, neither of a test nor of the making of its examples; every run is the same.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
