"""A stand-in for a CUDA card on the host, which runs every piece of work as late as CUDA's ordering rules allow.

    with stand_in() as card:
        trainer = TorchTrainer(workload, weights, "cuda:0", settings)

The backend's own code for CUDA runs: tensors say that their device is ``cuda:0``, and their contents are host memory. Each operation
gives a tensor at once whose contents are poison, and joins the queue of the current stream. The queue is worked off when an event in it
is synchronised, when another stream that waits for it is worked off, or when something is copied to pageable memory. What the rules
do not order goes wrong:

- a result that is read before its event has come is poison;
- memory that one stream owns and another uses is poison once it is freed, unless ``record_stream`` named the other stream;
- a recorded graph holds operations and memory, no Python: what was a number when it was recorded stays that number.

Everything else is PyTorch's own: autograd, optimizers and kernels of the host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("cuda:0")
Task = Callable[[], object]


class Stream:
    """A queue of work; ``recording`` takes what is enqueued instead while a graph is recorded."""

    def __init__(self, device: object = None) -> None:
        self.queue: deque[Task] = deque()
        self.enqueued = self.done = 0
        self.recording: list[Task] | None = None

    def enqueue(self, task: Task) -> None:
        if self.recording is not None:
            self.recording.append(task)
        else:
            self.queue.append(task)
            self.enqueued += 1

    def work_off(self, until: int) -> None:
        """Do what was enqueued as far as ``until``."""
        if self.recording is not None:
            raise RuntimeError("operation not permitted when stream is capturing")
        with torch.no_grad():
            while self.done < until:
                self.done += 1
                self.queue.popleft()()

    def synchronize(self) -> None:
        self.work_off(self.enqueued)

    def wait_event(self, event: Event) -> None:
        if event.place is not None:
            other, count = event.place  # as it is now, for an event can be recorded again
            self.enqueue(lambda: other.work_off(count))

    def wait_stream(self, other: Stream) -> None:
        event = Event()
        event.record(other)
        self.wait_event(event)


class Event:
    """A place in a stream's queue; without a record it has come already."""

    def __init__(self) -> None:
        self.place: tuple[Stream, int] | None = None

    def record(self, stream: Stream | None = None) -> None:
        stream = stream or CARD.stream
        self.place = stream, stream.enqueued

    def synchronize(self) -> None:
        if self.place is not None:
            stream, count = self.place
            stream.work_off(count)


class Graph:
    """Recorded work; each replay does it again in the same memory."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    def replay(self) -> None:
        CARD.stream.enqueue(lambda: [task() for task in self.tasks])


class Block:
    """Memory that one stream owns: the other streams that use it, and the streams that the allocator knows to use it."""

    def __init__(self, memory: torch.Tensor) -> None:
        self.memory, self.owner = memory, CARD.stream
        self.strangers: set[Stream] = set()
        self.known: set[Stream] = {self.owner}
        CARD.reserved += memory.numel() * memory.element_size()

    def __del__(self) -> None:
        if self.strangers - self.known and CARD.present:
            self.owner.synchronize()  # the owner may use its memory again at once, whatever the strangers still do with it
            with torch.no_grad():
                poison(self.memory)


class Card:
    """The card's state."""

    def __init__(self) -> None:
        self.stream = Stream()
        self.reserved = 0  # bytes; nothing is given back
        self.pinned: list[torch.Tensor] = []
        self.present = False


CARD = Card()


def poison(memory: torch.Tensor) -> torch.Tensor:
    """Fill with NaN, or with 0 where the type has no NaN."""
    return memory.fill_(torch.nan if memory.is_floating_point() else 0)


class OnCard(torch.Tensor):
    """A tensor on the card. PyTorch's own code takes it for one of the host's; Python code that asks is told ``cuda:0``."""

    host: torch.Tensor
    block: Block

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, host: torch.Tensor, block: Block) -> OnCard:
        made = torch.Tensor._make_wrapper_subclass(
            cls, host.size(), strides=host.stride(), storage_offset=host.storage_offset(), dtype=host.dtype, device="cpu"
        )
        made.host, made.block = host, block
        return made

    @property
    def device(self) -> torch.device:
        return DEVICE

    def record_stream(self, stream: Stream) -> None:
        self.block.known.add(stream)

    def cpu(self) -> torch.Tensor:
        CARD.stream.synchronize()
        return self.host.clone()

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return dispatch(function, args, kwargs or {})


def dispatch(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One operation: a view, a copy, or work that is enqueued and whose results are poison until it is done."""
    given = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)]
    for tensor in given:
        if isinstance(tensor, OnCard):
            if tensor.block.owner is not CARD.stream:
                tensor.block.strangers.add(CARD.stream)
        elif tensor.ndim and function is not torch.ops.aten.copy_.default:
            raise RuntimeError(f"{function}: expected all tensors to be on the same device, found cuda:0 and cpu")
    if function is torch.ops.aten.copy_.default:
        return copy(*args, **kwargs)

    hosts, named = tree_map(lambda value: value.host if isinstance(value, OnCard) else value, (args, kwargs))
    returns, writes = function._schema.returns, [argument.alias_info for argument in function._schema.arguments]
    if any(value.alias_info is not None and not value.alias_info.is_write for value in returns):
        block = next(tensor.block for tensor in given if isinstance(tensor, OnCard))
        return tree_map(lambda view: OnCard(view, block), function(*hosts, **named))
    if any(alias is not None and alias.is_write for alias in writes) and (not returns or returns[0].alias_info is not None):
        CARD.stream.enqueue(lambda: function(*hosts, **named))
        return args[0] if returns else None

    # One run on copies gives the shapes and types of the results. Some kernels change what they are given, hence the copies.
    form = function(*tree_map(clone, hosts), **tree_map(clone, named))
    if not any(isinstance(value, torch.Tensor) for value in tree_flatten(form)[0]):
        CARD.stream.synchronize()  # a number for Python
        return function(*hosts, **named)
    results = tree_map(lambda value: poison(value.detach().clone()) if isinstance(value, torch.Tensor) else value, form)

    def work() -> None:
        for result, value in zip(tree_flatten(results)[0], tree_flatten(function(*hosts, **named))[0], strict=True):
            if isinstance(result, torch.Tensor):
                result.copy_(value)

    CARD.stream.enqueue(work)
    return tree_map(lambda value: OnCard(value, Block(value)) if isinstance(value, torch.Tensor) else value, results)


def clone(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value


def copy(target: torch.Tensor, source: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    """Copy on the card, or between card and host. A copy between them is late only if it may be and the host's memory is pinned."""
    ends = [end.host if isinstance(end, OnCard) else end for end in (target, source)]
    on_host = [end for end in (target, source) if not isinstance(end, OnCard)]
    if isinstance(target, OnCard) and on_host and not (non_blocking and is_pinned(source)):
        ends[1] = source.clone()
    CARD.stream.enqueue(lambda: ends[0].copy_(ends[1]))
    if not isinstance(target, OnCard) and not (non_blocking and is_pinned(target)):
        CARD.stream.synchronize()
    return target


def is_pinned(tensor: torch.Tensor) -> bool:
    return any(tensor is one for one in CARD.pinned)


def pinned(tensor: torch.Tensor) -> torch.Tensor:
    CARD.pinned.append(tensor)
    return tensor


class Calls(TorchFunctionMode):
    """PyTorch's functions as they are called from Python: those that name the card make a tensor there."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function is torch.Tensor.pin_memory:
            return pinned(args[0].clone())
        if function is torch.empty and kwargs.pop("pin_memory", False):
            return pinned(poison(function(*args, **kwargs)))
        there = any(value == DEVICE for value in (*args, *kwargs.values()) if isinstance(value, torch.device))
        args, kwargs = tree_map(
            lambda value: torch.device("cpu") if isinstance(value, torch.device) else value, (args, kwargs)
        )
        made = function(*args, **kwargs)
        if not there or isinstance(made, OnCard):
            return made
        memory = poison(torch.empty_like(made))
        copy(on_card := OnCard(memory, Block(memory)), made, kwargs.get("non_blocking", False))
        return on_card


@contextmanager
def current(stream: Stream) -> Iterator[None]:
    """``torch.cuda.stream``."""
    before, CARD.stream = CARD.stream, stream
    try:
        yield
    finally:
        CARD.stream = before


@contextmanager
def record(graph: Graph, stream: Stream) -> Iterator[None]:
    """``torch.cuda.graph``."""
    CARD.stream.synchronize()
    stream.synchronize()
    with current(stream):
        stream.recording = graph.tasks
        try:
            yield
        finally:
            stream.recording = None


@contextmanager
def stand_in() -> Iterator[Card]:
    """Replace what the backend uses of ``torch.cuda`` until the end of the block."""
    stands = {
        "Stream": Stream,
        "Event": Event,
        "CUDAGraph": Graph,
        "graph": record,
        "stream": current,
        "current_stream": lambda device=None: CARD.stream,
        "set_device": lambda device: None,
        "max_memory_reserved": lambda device=None: CARD.reserved,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stands.items():
            patch.setattr(torch.cuda, name, value)
        patch.setattr(torch, "inference_mode", torch.no_grad)  # which takes no tensor of a class of its own
        patch.setattr(torch.backends.cudnn, "benchmark", torch.backends.cudnn.benchmark)
        CARD.__init__()
        CARD.present = True
        try:
            with Calls():
                yield CARD
        finally:
            CARD.present = False
