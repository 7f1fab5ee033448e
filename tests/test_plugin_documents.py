"""The plugin documents give exact signatures, and their code runs."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench import contract
from bench.analysis.build import build
from bench.report.data import as_data
from bench.spec import SGD, BatchNorm, Conv2d, CrossEntropy, Dense, GlobalAveragePool, ReLU, Schedule, SiLU, sequential
from bench.spec.shapes import Node
from bench.spec.tensors import layer_tensors
from bench.spec.vocabulary import VOCABULARY
from bench.spec.weights import initial_weights
from bench.testing.proof import timed_predictions, timed_training, trial_batches
from bench.testing.reference import ReferenceBackend
from bench.testing.training import TRAINING
from bench.testing.workloads import kit_workloads
from bench.verify.equivalence import Subject, verify
from bench.worker.quality import predicted
from tests.support import records as fake

DOCS = Path(__file__).parents[1] / "docs"


def blocks(page):
    return re.findall(r"```python\n(.*?)```", (DOCS / f"writing-a-{page}.md").read_text(), re.DOTALL)


def signature(owner, name):
    return re.sub(r"'", "", f"{name}{inspect.signature(getattr(owner, name))}").removesuffix(" -> None")


@pytest.mark.parametrize(
    ("owner", "name", "page"),
    [(contract.Backend, name, "backend") for name in ("probe", "trainer", "predictor")]
    + [(contract.Trainer, name, "backend") for name in ("stage", "run", "wait", "weights")]
    + [(contract.Predictor, name, "backend") for name in ("stage", "run", "wait")]
    + [(contract, "Group", "backend")]
    + [(contract.DataReader, name, "workload") for name in ("open", "files", "decode")]
    + [(contract.Reporter, "render", "reporter")],
)
def test_every_method_stands_in_the_documents_as_it_is(owner, name, page):
    text = " ".join((DOCS / f"writing-a-{page}.md").read_text().split())
    assert f"`{signature(owner, name)}`" in text


def test_every_setting_and_optional_attribute_stands_in_the_documents():
    page = (DOCS / "writing-a-backend.md").read_text()
    names = [field.name for field in fields(contract.Settings)] + ["joins", "in_flight", "lowering"]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_every_hook_stands_in_the_documents():
    hooks = [name for name in vars(contract.Hooks) if name.startswith("bench_")]
    text = "".join(path.read_text() for path in DOCS.glob("writing-*.md"))
    assert len(hooks) == 3
    assert all(name in text for name in hooks)


def test_every_name_of_the_report_that_reporters_get_stands_in_the_documents():
    rows = re.findall(r"^\| (`.*`) \|", (DOCS / "writing-a-reporter.md").read_text(), re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(rows)) == list(as_data(build([fake.record()])))


def test_every_tensor_stands_in_the_documents_with_its_shape():
    page = (DOCS / "writing-a-backend.md").read_text()
    table = page[page.index("| layer | tensors | shape |") : page.index("`bench.spec.trainable(name)`")]
    sizes = {
        "out_channels": 6,
        "in_channels": 4,
        "groups": 2,
        "kernel": 3,
        "out_features": 5,
        "in_features": 7,
        "channels": 8,
    }
    layers = [Conv2d(4, 6, 3, groups=2, bias=True), Dense(7, 5), BatchNorm(8)]
    expected = {type(one).__name__: layer_tensors(Node("x", one, (), ())) for one in layers}
    found, layer = {}, ""
    for row in re.findall(r"^\| (.*?) ?\| (`.*?) \| (\(.*\)) \|$", table, re.MULTILINE):
        layer = row[0].strip("` ") or layer
        shape = eval(row[2], {}, sizes)
        for name in re.findall(r"`(\w+)`", row[1].split(", where")[0]):
            found.setdefault(layer, {})[name] = shape
    assert found == expected


def test_the_vocabulary_stands_in_the_documents():
    page = (DOCS / "writing-a-workload.md").read_text()
    told = page[page.index("has: `AveragePool`") : page.index("Windows are square")]
    assert set(re.findall(r"`(\w+)`", told)) == {kind.__name__ for kind in VOCABULARY}


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float64", "fp32"])
def test_the_trainer_in_the_documents_trains_as_specified(precision):
    torch = pytest.importorskip("torch")
    code = next(block for block in blocks("backend") if "class ChainTrainer" in block)
    scope: dict[str, object] = {}
    exec(compile(code, "trainer", "exec"), scope)
    body = sequential(stem=Conv2d(3, 4, 3, 2, 1, bias=True), relu=ReLU(), pool=GlobalAveragePool(), head=Dense(4, 3))
    (kit, *_) = kit_workloads()
    spec = replace(
        kit,
        name="chain",
        network=replace(kit.network, body=body),
        optimizer=SGD(Schedule(0.05, 2, 40), momentum=0.9, nesterov=True, weight_decay=1e-3),
        loss=CrossEntropy((1.0, 2.0, 0.5)),
    )
    backend = SimpleNamespace(
        trainer=lambda workload, weights, device, settings: scope["ChainTrainer"](workload, weights, settings)
    )
    subject = Subject(backend, "x", spec, contract.Settings(precision, 8, 1))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    failed = [check for examine in TRAINING for check in examine(subject) if not check.passed]
    torch.set_num_threads(threads)
    assert failed == []
    with pytest.raises(contract.UnsupportedLayer, match="no SiLU"):
        scope["ChainTrainer"](
            replace(spec, network=replace(spec.network, body=sequential(act=SiLU()))), {}, subject.settings
        )


class Exact(ReferenceBackend):
    """Refuses any batch but of the size in its settings."""

    def trainer(self, workload, weights, device, settings):
        return exact(super().trainer(workload, weights, device, settings), settings)

    def predictor(self, workload, weights, device, settings):
        return exact(super().predictor(workload, weights, device, settings), settings)


def exact(made, settings):
    stage = made.stage

    def staged(images, *labels):
        assert len(images) == settings.batch_size
        assert images.flags.c_contiguous
        return stage(images, *labels)

    made.stage = staged
    return made


@pytest.mark.slow
def test_every_batch_has_the_size_in_the_settings():
    (spec, *_) = kit_workloads()
    subject = Subject(Exact(), "reference", spec, contract.Settings("fp32", 8, 1))
    checks = [*verify(subject), *timed_training(trial_batches(subject)), *timed_predictions(trial_batches(subject))]
    images = np.zeros((21, spec.network.height, spec.network.width, 3), np.uint8)
    weights = initial_weights(spec.network, 0)
    predictions = predicted(subject.predictor(weights), images, np.arange(21), 8, views=4, alive=list)
    assert checks
    assert len(predictions) == 21


@pytest.mark.parametrize("page", ["backend", "workload", "reporter"])
def test_the_first_example_is_a_plugin(page):
    import pluggy

    code = blocks(page)[0]
    scope: dict[str, object] = {"MoleReader": lambda: None}
    exec(compile(code, page, "exec"), scope)
    manager = pluggy.PluginManager("bench")
    manager.add_hookspecs(contract.Hooks)
    manager.register(
        type("Plugin", (), {name: staticmethod(value) for name, value in scope.items() if name.startswith("bench_")})
    )
    (offered,) = getattr(manager.hook, f"bench_{page}s")()
    assert len(offered) == 1
    if page == "reporter":
        assert re.search("^cuda:0 train bf16 [0-9]+$", offered[0].render(as_data(build([fake.record()]))), re.MULTILINE)
