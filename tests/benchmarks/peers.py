"""Our backends against their peers on this processor, in turns: what docs/speed.md calls the speed of the backends.

    python tests/benchmarks/peers.py [training|inference|jax ...] [--size small|standard] [--precision fp32|bf16] [--groups N]

Training: timm's network of the same depth, channels_last, autocast, fused SGD, eager and compiled, the faster of which counts. Inference:
ONNX Runtime and OpenVINO with the same weights, at batch 1, one query after the other, and at the batch size that is best for
each. JAX: our own ``cpu`` backend in fp32. All as many threads as there are cores, fresh processes, weights and images alike.
"""

from __future__ import annotations

import argparse
import io
import itertools
from collections.abc import Iterator, Sequence
from importlib import import_module

import numpy as np
from contest import GROUPS, Program, Work, as_worker, contest
from numpy.typing import NDArray

from bench.contract import Backend, Settings, Workload
from bench.machine.host import usable_cores
from bench.spec import Network, Weights
from bench.spec.weights import initial_weights

BATCH = 32
BATCHES = (1, 8, 32, 128)
TURN = {"small": 0.6, "standard": 3.0}


def workload(size: str) -> Workload:
    """Melanoma at one size."""
    from workloads.melanoma import bench_workloads

    return next(workload for workload in bench_workloads() if workload.size == size)


def batches(network: Network, count: int) -> Iterator[NDArray[np.uint8]]:
    """Random images, four batches of them over and over."""
    rng = np.random.default_rng(0)
    shape = (count, network.height, network.width, 3)
    return itertools.cycle([rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(4)])


def settings(precision: str, batch: int, options: dict[str, str]) -> Settings:
    """As the harness gives them."""
    return Settings(precision, batch, usable_cores(), options=options)


def backend(name: str) -> Backend:
    """One of ours."""
    from backends.cpu import CpuBackend
    from backends.jax_xla import JaxBackend

    return CpuBackend() if name == "cpu" else JaxBackend()


def our_training(name: str, device: str, size: str, precision: str, options: dict[str, str]) -> Work:
    """One optimizer step."""
    spec = workload(size)
    given = settings(precision, BATCH, options)
    trainer = backend(name).trainer(spec, initial_weights(spec.network, 0), device, given)
    getattr(trainer, "compile", lambda: None)()
    images, labels = batches(spec.network, BATCH), (np.arange(BATCH) % 2).astype(np.int32)

    def work() -> int:
        trainer.wait(trainer.run([trainer.stage(next(images), labels)]))
        return BATCH

    return work


def timm_training(size: str, precision: str, compiled: bool) -> Work:
    """timm's ResNet of the same depth, tuned by hand."""
    import torch

    _declare_torchvision()
    import timm

    torch.set_num_threads(usable_cores())
    spec = workload(size)
    model = timm.create_model("resnet18" if size == "small" else "resnet50", num_classes=2)
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=True)
    network = torch.compile(model) if compiled else model
    mean, std = (255 * torch.tensor(values).view(1, 3, 1, 1) for values in (spec.network.mean, spec.network.std))
    images, labels = batches(spec.network, BATCH), torch.arange(BATCH) % 2

    def work() -> int:
        x = torch.from_numpy(next(images)).permute(0, 3, 1, 2).float().sub_(mean).div_(std)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = torch.nn.functional.cross_entropy(network(x), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss.item()
        return BATCH

    return work


def _declare_torchvision() -> None:
    """timm imports torchvision, whose operators a CPU build of PyTorch may lack: none of them is used here."""
    from torch import library

    try:
        import_module("torchvision")
    except (ImportError, RuntimeError):
        operators = library.Library("torchvision", "DEF")
        _LIBRARIES.append(operators)
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")


_LIBRARIES: list[object] = []  # a library's operators last as long as the object


def our_inference(size: str, precision: str, batch: int) -> Work:
    """One batch."""
    spec = workload(size)
    predictor = backend("cpu").predictor(spec, weights_of(spec.network), "cpu", settings(precision, batch, {}))
    getattr(predictor, "compile", lambda: None)()
    images = batches(spec.network, batch)

    def work() -> int:
        predictor.wait(predictor.run(predictor.stage(next(images))))
        return batch

    return work


def weights_of(network: Network) -> Weights:
    """Initial weights with statistics that are not the trivial ones."""
    rng = np.random.default_rng(1)
    weights = dict(initial_weights(network, 0))
    for name, value in weights.items():
        if name.endswith("running_var"):
            weights[name] = rng.uniform(0.5, 2.0, value.shape).astype(value.dtype)
    return weights


def onnx_model(network: Network, batch: int) -> bytes:
    """The same network with the same weights, from uint8 NHWC images to probabilities, as ONNX."""
    from onnx import TensorProto, checker, helper, numpy_helper

    from backends.fusion import Leaf, Norm, Operation, operations
    from bench.spec import Conv2d, Dense, GlobalAveragePool, MaxPool

    nodes, tensors, counter = [], [], itertools.count()
    weights = weights_of(network)

    def constant(value: NDArray[np.floating]) -> str:
        tensors.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), f"t{next(counter)}"))
        return tensors[-1].name

    def node(kind: str, inputs: Sequence[str], **attributes: object) -> str:
        output = f"t{next(counter)}"
        nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def chain(parts: Sequence[Operation], x: str) -> str:
        for part in parts:
            x = one(part, x)
        return x

    def one(part: Operation, x: str) -> str:
        if isinstance(part, Norm):
            names = ("weight", "bias", "running_mean", "running_var")
            own = [constant(weights[f"{part.path}.{name}"]) for name in names]
            x = node("BatchNormalization", [x, *own], epsilon=part.layer.epsilon)
            return node("Relu", [x]) if part.relu else x
        if not isinstance(part, Leaf):
            x = node("Add", [chain(part.body, x), chain(part.shortcut, x)])
            return node("Relu", [x]) if part.relu else x
        layer = part.layer
        if isinstance(layer, Conv2d):
            own = [constant(weights[f"{part.path}.weight"])]
            sides = {"kernel_shape": [layer.kernel] * 2, "strides": [layer.stride] * 2, "pads": [layer.padding] * 4}
            return node("Conv", [x, *own], **sides)
        if isinstance(layer, MaxPool):
            sides = {"kernel_shape": [layer.kernel] * 2, "strides": [layer.stride] * 2, "pads": [layer.padding] * 4}
            return node("MaxPool", [x], **sides)
        if isinstance(layer, GlobalAveragePool):
            return node("Flatten", [node("GlobalAveragePool", [x])])
        assert isinstance(layer, Dense)
        return node("Gemm", [x, *(constant(weights[f"{part.path}.{name}"]) for name in ("weight", "bias"))], transB=1)

    mean, std = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (network.mean, network.std))
    x = node("Transpose", [node("Cast", ["images"], to=TensorProto.FLOAT)], perm=[0, 3, 1, 2])
    x = node("Add", [node("Mul", [x, constant(1 / (255 * std))]), constant(-mean / std)])
    output = node("Softmax", [chain(operations(network), x)], axis=1)
    shape = [batch, network.height, network.width, 3]
    inputs = [helper.make_tensor_value_info("images", TensorProto.UINT8, shape)]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch, network.classes])]
    graph = helper.make_graph(nodes, "network", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def onnxruntime_inference(size: str, precision: str, batch: int) -> Work:
    """ONNX Runtime on its CPU provider, all graph optimizations."""
    import onnxruntime

    assert precision == "fp32"  # the CPU provider has no bf16 convolution
    spec = workload(size)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    session = onnxruntime.InferenceSession(onnx_model(spec.network, batch), options, providers=["CPUExecutionProvider"])
    images = batches(spec.network, batch)

    def work() -> int:
        session.run(None, {"images": next(images)})
        return batch

    return work


def openvino_inference(size: str, precision: str, batch: int) -> Work:
    """OpenVINO, one request at a time on all cores."""
    import openvino

    spec = workload(size)
    core = openvino.Core()
    model = core.read_model(io.BytesIO(onnx_model(spec.network, batch)))
    hints = {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(model, "CPU", hints | {"INFERENCE_NUM_THREADS": usable_cores()})
    request, images = compiled.create_infer_request(), batches(spec.network, batch)

    def work() -> int:
        request.infer({0: next(images)})
        request.get_output_tensor(0).data.copy()
        return batch

    return work


def training(size: str, precision: str, groups: int) -> None:
    """One row: our training against timm's."""
    arguments = {"size": size, "precision": precision}
    ours = [
        Program(
            f"cpu norms={norms}", our_training, arguments | {"name": "cpu", "device": "cpu", "options": {"norms": norms}}
        )
        for norms in ("eager", "compiled")
    ]
    theirs = [
        Program(f"timm {'compiled' if compiled else 'eager'}", timm_training, arguments | {"compiled": compiled})
        for compiled in (False, True)
    ]
    _row(f"training {size} {precision} batch {BATCH}", ours, theirs, groups, TURN[size])


def inference(size: str, precision: str, groups: int) -> None:
    """Two rows: batch 1, and the best batch of each."""
    peers = {"OpenVINO": openvino_inference}
    if precision == "fp32":
        peers["ONNX Runtime"] = onnxruntime_inference

    def programs(batch: int) -> tuple[list[Program], list[Program]]:
        arguments = {"size": size, "precision": precision, "batch": batch}
        ours = Program(f"cpu batch {batch}", our_inference, arguments)
        return [ours], [Program(f"{name} batch {batch}", make, arguments) for name, make in peers.items()]

    _row(f"inference {size} {precision} batch 1", *programs(1), groups, 0.5)
    found = [programs(batch) for batch in BATCHES]
    everyone = [[one for ours, _ in found for one in ours], [one for _, theirs in found for one in theirs]]
    outcome = contest([*everyone[0], *everyone[1]], groups=1, rounds=3, turn=TURN[size])
    best = [[program for program in side if program.name == outcome.fastest([p.name for p in side])] for side in everyone]
    _row(f"inference {size} {precision} best batch", best[0], best[1], groups, TURN[size])


def jax_training(size: str, groups: int) -> None:
    """One row: our jax backend against our cpu backend, both in fp32."""
    arguments = {"size": size, "precision": "fp32", "options": {}}
    ours = Program("jax", our_training, arguments | {"name": "jax", "device": "jax:cpu:0"})
    theirs = Program("cpu", our_training, arguments | {"name": "cpu", "device": "cpu"})
    _row(f"training {size} fp32 batch {BATCH}, jax against cpu", [ours], [theirs], groups, TURN[size])


def _row(title: str, ours: list[Program], theirs: list[Program], groups: int, turn: float) -> None:
    outcome = contest([*ours, *theirs], groups=groups, turn=turn)
    names = [program.name for program in (*ours, *theirs)]
    rates = ", ".join(f"{name} {outcome.rate(name):,.4g}/s" for name in names)
    best, peer = (outcome.fastest([program.name for program in side]) for side in (ours, theirs))
    print(f"{title}: {rates}; {best} against {peer}: {outcome.ratio(best, peer)}", flush=True)


def main() -> None:
    """The rows asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="training, inference, jax; default: all")
    parser.add_argument("--size", action="append", choices=["small", "standard"])
    parser.add_argument("--precision", action="append", choices=["fp32", "bf16"])
    parser.add_argument("--groups", type=int, default=GROUPS, help="groups of fresh processes")
    given = parser.parse_args()
    rows = given.rows or ["training", "inference", "jax"]
    precisions = given.precision or [p for p in ("fp32", "bf16") if p in backend("cpu").probe().devices[0].precisions]
    for size in given.size or ["small", "standard"]:
        for precision in precisions:
            if "training" in rows:
                training(size, precision, given.groups)
            if "inference" in rows:
                inference(size, precision, given.groups)
        if "jax" in rows:
            jax_training(size, given.groups)


if __name__ == "__main__":
    as_worker()
    main()
