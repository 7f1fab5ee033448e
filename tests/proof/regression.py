"""``bench check --against-ref`` on this project itself: an unchanged ref, and a framework option switched off.

    python tests/proof/regression.py [OPTION ...]

In a copy of the repository the PyTorch backend's memory format channels_last is switched off and committed. The copy is checked against that commit, which
is unchanged code, and against the one before. OPTIONs go to ``bench check``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.proof.changed import changed_copy, replaced

CHECK = ("check", "--backend", "cpu", "--size", "tiny")


def _switch_off(folder: Path) -> None:
    lowering = folder / "backends" / "torch_lowering.py"
    replaced(lowering, "kernels.permute(0, 3, 1, 2), b", "kernels.permute(0, 3, 1, 2).contiguous(), b")
    images = "images.permute(0, 3, 1, 2).to(dtype)"
    replaced(lowering, images, f"{images}.contiguous()")


def main(options: list[str]) -> int:
    """Both checks; 0 where the unchanged ref passes and the change is found."""
    codes = []
    with tempfile.TemporaryDirectory() as name:
        python, tree = changed_copy(Path(name) / "accelbench", "Train without channels_last", _switch_off)
        for ref in ("HEAD", "HEAD~1"):
            words = [*CHECK, "--against-ref", ref, *options]
            print(f"\n$ bench {' '.join(words)}", flush=True)
            code = subprocess.run([python, "-m", "bench", *words, "-o", f"{name}/results"], cwd=tree, check=False).returncode
            print(f"exit code {code}", flush=True)
            codes.append(code)
    return 0 if codes == [0, 5] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
