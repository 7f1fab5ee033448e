"""Work recorded once and then replayed as one CUDA graph.

A training step of ResNet-50 is more than a thousand kernels; launched one by one from Python they keep the host busier than the
GPU. A graph launches them all in one call, over buffers that stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

WARM_UP = 3
"""Runs before recording, in which libraries choose algorithms and set aside their memory."""


class Recorded:
    """``work``, ready to be repeated; its result is valid until the next call. Elsewhere than on a GPU it is simply done again."""

    def __init__(self, work: Callable[[], torch.Tensor], device: torch.device) -> None:
        self._work = work
        self._graph: torch.cuda.CUDAGraph | None = None
        if device.type != "cuda":
            for _ in range(WARM_UP):
                self._result = work()
            return
        aside = torch.cuda.Stream(device)  # PyTorch's rule: warm up on a stream that is not the default one
        aside.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                work()
        torch.cuda.current_stream(device).wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._result = work()

    def __call__(self) -> torch.Tensor:
        """Do it again, and give its result."""
        if self._graph is None:
            self._result = self._work()
        else:
            self._graph.replay()
        return self._result
