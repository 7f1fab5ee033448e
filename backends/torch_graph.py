"""Work recorded once and then replayed as one CUDA graph.

A training step of ResNet-50 is more than a thousand kernels; launched one by one from Python they keep the host busier than the
GPU. A graph launches them all in one call, over buffers that stay where they are.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable

import torch

WARM_UP = 3
"""Runs before recording, in which libraries choose algorithms and set aside their memory. The first one also compiles what
torch.compile was asked to compile, forward and backward."""

EXPECTED = (
    "TensorFloat32 tensor cores for float32 matrix multiplication available but not enabled",  # fp32 is strict on purpose
    ".*capturable=True.*without .*graph capture",  # the recording is about to follow
)
"""What PyTorch warns of during warm-up, and what is meant to be."""


class Recorded:
    """Work that can be repeated; its result is valid until the next time. Elsewhere than on a GPU it is simply done again."""

    def __init__(self, work: Callable[[], torch.Tensor], device: torch.device) -> None:
        self._work: Callable[[], torch.Tensor] | None = None
        if device.type != "cuda":
            result = _warm_up(work)
            self._work, self._result = work, result.clone()
            return
        gc.collect()  # a graph that is dropped while another is recorded spoils it
        aside = torch.cuda.Stream(device)  # PyTorch's rule: warm up on a stream that is not the default one
        aside.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(aside):
            _warm_up(work)
        torch.cuda.current_stream(device).wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=aside):
            self._result = work()

    def __call__(self) -> torch.Tensor:
        """Do it again, and give its result."""
        if self._work is None:
            self._graph.replay()
        else:  # into the same place, as a graph would
            self._result.copy_(self._work())
        return self._result


def _warm_up(work: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Do the work a few times without the warnings that are expected; the last result."""
    with warnings.catch_warnings():
        for message in EXPECTED:
            warnings.filterwarnings("ignore", message=message)
        for _ in range(WARM_UP):
            result = work()
    return result
