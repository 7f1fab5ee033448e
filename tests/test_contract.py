"""The contract is light, and its public names are those that it lists."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench import contract


@pytest.mark.process
@pytest.mark.parametrize("module", ["bench.contract", "bench.worker.describe"])
def test_the_contract_and_what_describes_a_plugin_load_no_numpy(module):
    code = f"import sys, {module}; print(sorted({{'numpy', 'bench.spec', 'bench.spec.weights'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['bench.spec']"


def test_every_class_of_the_contract_is_listed():
    own = {name for name, value in vars(contract).items() if getattr(value, "__module__", "") == contract.__name__}
    assert "Backend" in own <= set(contract.__all__)
