"""Backend ``jax``: XLA on the host's cores, GPUs and TPUs."""

from __future__ import annotations

import importlib
import os
from typing import Any

from backends.options import LAYERS
from bench.contract import Backend, Device, Predictor, Probe, Settings, Trainer, Workload, hookimpl
from bench.spec import Weights

PLATFORMS = ("gpu", "tpu", "cpu")


class JaxBackend:
    """JAX with whole-step compilation."""

    name = "jax"
    layers = LAYERS
    environment = {  # noqa: RUF012  # a constant that the contract asks for as a mapping
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # peak memory should be the case's, not three quarters of the card
        "MALLOC_ARENA_MAX": "1",  # XLA's threads would map and unmap gigabytes in every step
    }

    def probe(self) -> Probe:
        """One device per accelerator, ``jax:gpu:0`` …, and the host's cores as ``jax:cpu:0``."""
        try:
            jax = importlib.import_module("jax")
            optax = importlib.import_module("optax")
        except ImportError as error:
            return Probe(reason=f"JAX or Optax is not importable ({error}); pip install 'accelbench[jax]'")
        versions = {"jax": jax.__version__, "optax": optax.__version__}
        devices = tuple(device for platform in PLATFORMS for device in _devices(jax, platform))
        wanted = os.environ.get("JAX_PLATFORMS", "")
        reason = "" if devices or not wanted else f"JAX finds no device of JAX_PLATFORMS={wanted}; unset it, or name another"
        return Probe(devices, versions, reason)

    def trainer(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Trainer:
        """A trainer on ``device``."""
        from backends.jax_engine import JaxTrainer

        return JaxTrainer(workload, weights, device, settings)

    def predictor(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Predictor:
        """A predictor on ``device``."""
        from backends.jax_engine import JaxPredictor

        return JaxPredictor(workload, weights, device, settings)


def _devices(jax: Any, platform: str) -> list[Device]:
    try:
        found = jax.devices(platform)
    except RuntimeError:  # JAX's way to say that the platform is absent
        return []
    if platform == "cpu":
        # XLA widens bf16 to fp32 on the host, so bf16 is no precision that this device computes itself.
        return [Device("jax:cpu:0", "cpu", "", ("float64", "fp32"), "host")]
    return [
        Device(
            f"jax:{platform}:{index}",
            platform,
            str(device.device_kind),
            _precisions(platform, device),
            f"{platform}:{index}",
            (device.memory_stats() or {}).get("bytes_limit"),
        )
        for index, device in enumerate(found)
    ]


def _precisions(platform: str, device: Any) -> tuple[str, ...]:
    """tf32 and bf16 from NVIDIA's compute capability 8.0, as in PyTorch; AMD GPUs have bf16 and no tf32 in XLA."""
    if platform == "tpu":
        return ("fp32", "bf16")
    capability = str(getattr(device, "compute_capability", ""))
    major = capability.split(".", maxsplit=1)[0]
    if not major.isdigit():  # "gfx942"
        return ("float64", "fp32", "bf16")
    return ("float64", "fp32", "tf32", "bf16") if int(major) >= 8 else ("float64", "fp32")


@hookimpl
def bench_backends() -> list[Backend]:
    """The ``jax`` backend."""
    return [JaxBackend()]
