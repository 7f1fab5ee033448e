"""A GitHub workflow's and a composite action's own steps, run here as they are written."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
GOES_ON = ("always()", "${{ always() }}", "${{ !cancelled() }}")
"""Conditions of steps that run although one before them has failed."""

OURS = ("./", "OWNER/accelbench@REF")
"""How workflows of this project, and those in the documents, call the action under test."""

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass
class Job:
    """What GitHub keeps while a job runs: a working folder, an environment, the event, and what steps gave out."""

    folder: Path
    environment: Mapping[str, str]
    event: Mapping[str, str]  # expressions of the event and the token, such as "github.sha"
    action: Path | None = None  # the folder of the action under test; None: the working folder
    outputs: dict[str, str] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)  # other people's actions that were called for
    given: list[dict[str, str]] = field(default_factory=list)  # what each of them was given
    log: str = ""

    def run(self, steps: list[dict[str, Any]], inputs: Mapping[str, str] = {}) -> bool:
        """Run steps in order; after one that fails, only those that always run. Whether none failed."""
        good = True
        for step in steps:
            if not good and step.get("if") not in GOES_ON:
                continue
            if "run" in step:
                good = self._shell(step, inputs) and good
            elif step["uses"] in OURS:
                good = (
                    self._action({name: self._value(value, inputs) for name, value in step.get("with", {}).items()}) and good
                )
            else:
                self.used.append(step["uses"])
                self.given.append({name: self._value(value, inputs) for name, value in step.get("with", {}).items()})
        return good

    def _action(self, given: Mapping[str, str]) -> bool:
        place = self.action or self.folder
        action = yaml.safe_load((place / "action.yml").read_text())
        self.event = {"github.action_path": str(place), "runner.temp": self.environment.get("RUNNER_TEMP", "")} | dict(
            self.event
        )
        inputs = {name: self._value(one.get("default", ""), {}) for name, one in action["inputs"].items()}
        missing = [name for name, one in action["inputs"].items() if one.get("required") and name not in given]
        assert not missing, f"the action needs {missing}"
        return self.run(action["runs"]["steps"], inputs | dict(given))

    def _shell(self, step: dict[str, Any], inputs: Mapping[str, str]) -> bool:
        own = {name: self._value(value, inputs) for name, value in step.get("env", {}).items()}
        files = {name: self.folder / f"{name.lower()}.txt" for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        files["GITHUB_OUTPUT"].unlink(missing_ok=True)
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self._value(step["run"], inputs)],
            cwd=self.folder,
            env=dict(self.environment) | own | {name: str(file) for name, file in files.items()},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.log += done.stdout
        if "id" in step and files["GITHUB_OUTPUT"].exists():
            for line in files["GITHUB_OUTPUT"].read_text().splitlines():
                name, value = line.split("=", 1)
                self.outputs[f"steps.{step['id']}.outputs.{name}"] = value
        return done.returncode == 0

    def _value(self, text: Any, inputs: Mapping[str, str]) -> str:
        known = {f"inputs.{name}": value for name, value in inputs.items()} | dict(self.event) | self.outputs

        def value(found: re.Match[str]) -> str:
            for choice in found[1].split(" || "):
                if known.get(choice, "") != "":
                    return known[choice]
            assert any(choice in known or choice.startswith(("steps.", "github.")) for choice in found[1].split(" || ")), (
                found[0]
            )
            return ""

        return _EXPRESSION.sub(value, str(text))


def fake_gh(folder: Path, allowed: bool, answer: str = "") -> str:
    """A ``gh`` that keeps what it is asked, and does it only where allowed; the PATH that finds it first.

    It prints ``answer`` where it is asked with ``--jq``.
    """
    folder.mkdir()
    gh = folder / "gh"
    gh.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{folder}/asked"\ncase "$*" in *--jq*) printf "%b" "{answer}";; esac\nexit {0 if allowed else 1}\n'
    )
    gh.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
