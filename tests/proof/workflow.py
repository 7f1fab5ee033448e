"""``.github/workflows/performance.yml`` executed here as it is written: a pull request of this project's last commit.

    python tests/proof/workflow.py

Clones the repository, makes the environment that actions/setup-python would, and runs every ``run`` step of the job and of the action
with bash as GitHub does; other people's actions are named and not run. Ends with 0 where the job would have passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.site import environment
from tests.support.workflow import ROOT, Job, fake_gh


def main() -> int:
    """Run the job and print what it printed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkout = folder / "accelbench"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "python")], check=True)  # what setup-python leaves
        path = f"{folder / 'python' / 'bin'}{os.pathsep}{fake_gh(folder / 'gh', allowed=True)}"
        names = {"PATH": path, "GITHUB_REPOSITORY": "owner/accelbench", "GITHUB_ACTIONS": "true", "CI": "true"}
        names["RUNNER_TEMP"] = str(folder / "runner")
        event = {
            "github.token": "t0ken", "github.sha": _commit("HEAD"), "github.event.pull_request.head.sha": _commit("HEAD"),
            "github.job": "check", "strategy.job-index": "0",
        }  # fmt: skip
        job = Job(checkout, environment(folder) | names, event)
        (steps,) = (
            one["steps"]
            for one in yaml.safe_load((checkout / ".github/workflows/performance.yml").read_text())["jobs"].values()
        )
        begun = time.monotonic()
        good = job.run(steps)
        print(job.log)
        print(f"not run here: {', '.join(job.used)}")
        print(f"published: {', '.join(sorted(file.name for file in (checkout / 'bench-results').iterdir()))}")
        code = job.outputs.get("steps.measure.outputs.exit-code")
        print(
            f"bench check ended with {code}; the job {'passed' if good else 'failed'} after {(time.monotonic() - begun) / 60:.1f} min"
        )
        return 0 if good else 1


def _commit(ref: str) -> str:
    words = ["git", "-C", str(ROOT), "rev-parse", ref]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
