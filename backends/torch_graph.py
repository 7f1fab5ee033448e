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
"""Runs before recording, in which libraries choose algorithms and set aside their memory."""


class Recorded:
    """Work that can be repeated; its result is valid until the next time. Elsewhere than on a GPU it is simply done again."""

    def __init__(self, work: Callable[[], torch.Tensor], device: torch.device) -> None:
        self._work: Callable[[], torch.Tensor] | None = None
        if device.type != "cuda":
            for _ in range(WARM_UP):
                result = work()
            self._work, self._result = work, result.clone()
            return
        gc.collect()  # a graph that is dropped while another is recorded spoils it
        aside = torch.cuda.Stream(device)  # PyTorch's rule: warm up on a stream that is not the default one
        aside.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(aside), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*capturable=True.*")  # it will be captured, in a moment
            for _ in range(WARM_UP):
                work()
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
