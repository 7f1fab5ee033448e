"""An installation without any framework, and without Pillow: one sentence each, with what to install."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from bench.entry_points import PluginRef
from bench.errors import NotComparableError
from bench.record.schema import Skip
from bench.run import plan, session
from bench.run.discovery import Discovery, FoundBackend, FoundWorkload
from bench.worker.answers import BackendInfo, WorkloadInfo
from tests.support import records as fake
from tests.support.site import bench

NO_TORCH = "PyTorch is not importable; pip install 'accelbench[torch]'"
NO_JAX = "JAX or Optax is not importable; pip install 'accelbench[jax]'"
REASONS = f"backend cpu, backend cuda: {NO_TORCH}; backend jax: {NO_JAX}"


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """Backends are described, and none can import its framework."""
    reasons = {"cpu": NO_TORCH, "cuda": NO_TORCH, "jax": NO_JAX}
    backends = [
        FoundBackend(
            PluginRef(name, name), BackendInfo(name=name, environment={}, probed=True, reason=reason), "python", "1"
        )
        for name, reason in reasons.items()
    ]
    sizes = [WorkloadInfo(name="melanoma", size=size, summary="", batch_size=32, epochs=3) for size in ("tiny", "small")]
    workloads = [FoundWorkload(PluginRef("melanoma", "melanoma"), size, "python", "1") for size in sizes]
    for module in (plan, session):
        monkeypatch.setattr(module, "discover", lambda *given, **named: Discovery(backends, workloads, [], {}))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["verify", "--size", "tiny"], f"nothing can be verified: there is no device; {REASONS}"),
        (
            ["verify", "--size", "tiny", "--precision", "bf16"],
            f"nothing can be verified: no device has precision bf16; {REASONS}",
        ),
        (["train", "--size", "tiny"], f"no device here trains in fp32; {REASONS}"),
        (["race", "--live"], f"no device here trains in fp32; {REASONS}"),
        (["run", "--quick", "--phase", "train"], f"nothing can be measured here: {REASONS}"),
        (["check", "--against", "{python}"], f"nothing can be measured here: {REASONS}"),
        (["verify", "--backend", "jax"], f"backend 'jax' has no device here: {NO_JAX}"),
    ],
)
def test_each_command_says_in_one_sentence_what_to_install(tmp_path, words, sentence):
    done = bench([word.format(python=sys.executable) for word in words], tmp_path)
    assert done.returncode == 4
    assert done.stderr == f"bench: {sentence}\n"


def test_decoding_without_pillow_says_what_to_install_for_everything(monkeypatch):
    no_pillow = "reading image files needs Pillow, which is not installed: pip install 'accelbench[data]'"
    case = SimpleNamespace(case=fake.preprocess(), workload=PluginRef("melanoma", "melanoma"))
    planned = session.Plan(
        id="x", created="", command=[], seed=0, trials=3, seconds=1.0, stall=60.0, ceilings=False, machines={"": fake.machine()},
        devices=[], data=session.DataSpec(), cases=[case], skips=[Skip(what="backend cpu", reason=NO_TORCH)], labels={},
    )  # fmt: skip
    facts = SimpleNamespace(files=0, no_files=no_pillow, data=SimpleNamespace(fingerprint="f"))
    monkeypatch.setattr(session, "prepare_data", lambda *given: {"melanoma-small": facts})
    with pytest.raises(NotComparableError) as refusal:
        session.prepare_plan(planned)
    assert str(refusal.value) == f"nothing can be measured: files of melanoma-small: {no_pillow}; backend cpu: {NO_TORCH}"
