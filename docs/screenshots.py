"""The pictures of pages in this documentation, taken from the published records.

    python docs/screenshots.py

Needs Chromium on the path and the development requirements.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.browser import Visit, browser

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Write ``docs/page.png``: the first screens of the page made from ``results/`` alone."""
    with tempfile.TemporaryDirectory() as name, browser() as chromium:
        page = Path(name) / "page.html"
        report = [
            sys.executable,
            "-m",
            "bench",
            "report",
            "results",
            "--prices",
            "results/prices.toml",
            "--output",
            str(page),
        ]
        subprocess.run(report, cwd=ROOT, check=True)
        visit = Visit(chromium, page, viewport={"width": 1000, "height": 1500})
        visit.page.locator(".headline .chart svg").first.wait_for()
        visit.page.screenshot(path=ROOT / "docs" / "page.png")
        assert visit.said == [], visit.said
        visit.close()


if __name__ == "__main__":
    main()
