"""Another project's package under a plugin's name, first on Python's path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import workloads
from bench.entry_points import PluginRef
from bench.errors import PluginError
from bench.worker.plugins import load_plugin
from bench.worker.provenance import found_instead
from tests.support.site import install

OURS = PluginRef("moles", "workloads.moles", "accelbench")


def package(folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").touch()
    return folder / name


@pytest.fixture
def forgotten(monkeypatch):
    """What this process has imported of our workloads is forgotten until the test's end."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "workloads"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("forgotten")
def test_a_plugin_of_ours_names_the_package_found_in_its_place(tmp_path, monkeypatch):
    own = Path(workloads.__file__).parent
    foreign = package(tmp_path, "workloads")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError) as refusal:
        load_plugin(OURS)
    assert str(refusal.value) == (
        "plugin 'moles' (workloads.moles) cannot be imported: ModuleNotFoundError: No module named 'workloads.moles'; "
        f"Python finds 'workloads' at {foreign}, before accelbench's at {own}: take the former's folder off PYTHONPATH, or give it "
        "another name"
    )


def test_a_strangers_plugin_names_it_too(tmp_path, monkeypatch):
    ref = PluginRef("strange", "strange_rooms.device", "strange")
    site = tmp_path / "site"
    install(site, "strange", {"strange": ref.module}, {})
    installed, foreign = package(site, "strange_rooms"), package(tmp_path / "own", "strange_rooms")
    monkeypatch.syspath_prepend(site)
    assert found_instead(ref) == ""
    monkeypatch.syspath_prepend(tmp_path / "own")
    assert f"at {foreign}, before strange's at {installed}" in found_instead(ref)


@pytest.mark.parametrize(
    "ref", [OURS, PluginRef("gone", "not_there.at_all", "not-installed"), PluginRef("json", "json", "")]
)
def test_nothing_is_said_of_a_package_in_its_place_or_of_none(ref):
    assert found_instead(ref) == ""
