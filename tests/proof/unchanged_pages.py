"""Two HTML reports in one browser: what each shows, and what each answers when the same assumptions are typed into both."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.proof.unchanged_commands import PRICES, PUBLISHED
from tests.support.browser import Visit

PAGES: dict[str, tuple[str, ...]] = {
    "results": ("results", *PRICES),
    **{f"results-{name}": (f"results/{name}",) for name in PUBLISHED},
    "machines": ("synthetic/machines", "--price", "cuda:0=2.9 EUR"),
    "everything": ("synthetic/everything", "--dataset", "isic2020"),
    "labels": ("synthetic/labels", "--group-by", "node"),
    "failures": ("synthetic/failures",),
    "bare": ("synthetic/bare", "--no-records"),
    "hostile": ("synthetic/hostile",),
    "several-gpus": ("synthetic/several-gpus", "--devices", "4", "--efficiency", "0.9"),
    "sweep": ("synthetic/sweep", "synthetic/mixed"),
}
"""Arguments of ``bench report`` by the page's name."""

TYPED: tuple[tuple[tuple[str, str], ...], ...] = (
    (("images", "77777"), ("megapixels", "3.5"), ("epochs", "7")),
    (("dataset", "isic2020"), ("retrainDays", "1")),
    (("dataset", "archive"), ("tuningRuns", "200"), ("budgetHours", "24")),
    (("price.0.0", "2.5"), ("images", "500000"), ("decodeCores", "1")),
    (("devices", "8"), ("efficiency", "0.8"), ("price.0.0", "0.1")),
    (("reference", "1"),),
    (("devices", "8"),),
    (("images", "-5"),),
    (("epochs", "1e12"),),
)
"""What-ifs, each typed into a fresh page in this order; the last three make no sense. A reference is given by its place in the list."""

WINDOWS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"},
    "phone": {"viewport": {"width": 360, "height": 740}, "reduced_motion": "reduce"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", "color_scheme": "dark"},
}

SETTLING = 150
"""Milliseconds between two looks at a page that is still drawing."""

_SHOWN = """async () => {
  document.querySelectorAll("details").forEach(one => one.open = true);
  await accelbenchDrawAll();
  const told = one => `${one.name}: ${one.value} (${one.placeholder || ""}) ${[...(one.options || [])].map(o => o.text).join(" | ")}`;
  const drawn = one => `${one.dataset.chart}: ${one.getAttribute("aria-label")}\\n${[...one.querySelectorAll("svg text")].map(t => t.textContent).join("\\n")}`;
  return [
    document.title,
    document.body.innerText,
    ...[...document.querySelectorAll("#controls [name]")].map(told),
    ...[...document.querySelectorAll(".chart")].map(drawn),
  ].join("\\n");
}"""


def shown(visit: Visit) -> str:
    """Every text of the page: what is to be seen with all details open, the controls, and each picture's words and description.

    What the browser's console says, and what the page asked the network for, belongs to it. Pictures are drawn in their own
    time, so the page is read until it shows the same twice.
    """
    before, now = "", str(visit.page.evaluate(_SHOWN))
    while before != now:
        visit.page.wait_for_timeout(SETTLING)
        before, now = now, str(visit.page.evaluate(_SHOWN))
    return "\n".join([now, *visit.said, *visit.asked])


def answers(chromium: Any, path: Path) -> Iterator[tuple[str, str]]:
    """The page's text as it opens, and after each what-if: what was done, and what the page then shows."""
    yield "as it opens", _visited(chromium, path, ())
    for typed in TYPED:
        yield ", ".join(f"{name} {value}" for name, value in typed), _visited(chromium, path, typed)


def _visited(chromium: Any, path: Path, typed: tuple[tuple[str, str], ...]) -> str:
    visit = Visit(chromium, path, **WINDOWS["desktop"])
    try:
        visit.drawn()  # what is drawn already is drawn anew before a what-if has been answered
        for name, value in typed:
            control = visit.page.locator(f"#controls [name='{name}']")
            if not control.count():
                continue  # a page of records that project nothing asks for no price
            if name == "reference":
                value = str(control.locator("option").nth(int(value)).get_attribute("value"))
            visit.set(name, value)
        return shown(visit)
    finally:
        visit.close()


def picture(chromium: Any, path: Path, window: str) -> bytes:
    """A picture of the whole page as it opens, every chart drawn, as PNG."""
    visit = Visit(chromium, path, **WINDOWS[window])
    try:
        visit.drawn()
        return bytes(visit.page.screenshot(full_page=True, animations="disabled"))
    finally:
        visit.close()


def pixels_that_differ(before: bytes, after: bytes) -> int:
    """How many pixels of two PNGs differ; all of them where the sizes do."""
    from PIL import Image, ImageChops

    one, other = (Image.open(BytesIO(content)).convert("RGB") for content in (before, after))
    if one.size != other.size:
        return max(one.width * one.height, other.width * other.height)
    changed = ImageChops.difference(one, other).convert("L").point(lambda value: 255 if value else 0)
    return changed.histogram()[255]
