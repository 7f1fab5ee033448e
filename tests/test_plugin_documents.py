"""The plugin documents give exact signatures, and their code runs."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from bench import contract
from bench.analysis.build import build
from bench.report.data import as_data
from tests.support import records as fake

DOCS = Path(__file__).parents[1] / "docs"


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


@pytest.mark.parametrize("page", ["backend", "workload", "reporter"])
def test_the_first_example_is_a_plugin(page):
    import pluggy

    code = re.findall(r"```python\n(.*?)```", (DOCS / f"writing-a-{page}.md").read_text(), re.DOTALL)[0]
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
