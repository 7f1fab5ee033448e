"""Options that several commands share, and turning their words into values."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bench.run.limits import STALL_SECONDS

if TYPE_CHECKING:
    from bench.worker.jobs import DataSpec

MOST_IMAGES = 1_000_000

F = TypeVar("F", bound=Callable[..., Any])


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    """One decorator of several, in the order in which help shows them."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


device_options = _all(
    click.option("--backend", "backends", multiple=True, metavar="NAME", help="A backend (repeatable). Default: all."),
    click.option(
        "--device", "devices", multiple=True, metavar="ID", help="A device, such as cuda:0 (repeatable). Default: all."
    ),
    click.option("--workload", default="melanoma", show_default=True, metavar="NAME", help="What to run."),
)
"""Where and what to run."""

interpreter_option = click.option(
    "--interpreter",
    "interpreter_words",
    multiple=True,
    metavar="PLUGIN=PYTHON",
    help="Run a plugin's workers with another Python (repeatable).",
)

plugin_options = _all(
    click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="A backend's own option (repeatable)."),
    interpreter_option,
)
"""How a plugin is run."""

stall_option = click.option(
    "--stall-timeout",
    type=float,
    default=STALL_SECONDS,
    show_default=True,
    metavar="S",
    help="End a worker that has been silent for so many seconds, while it imports too.",
)

data_options = _all(
    click.option(
        "--data",
        metavar="PATH",
        help="Images to use: a MedMNIST-layout .npz, a HAM10000 folder, a folder per "
        "class, or any folder of images. Default: synthetic lesions.",
    ),
    click.option("--labels", metavar="CSV", help="A table with one row per image, where it is not found beside them."),
    click.option("--image-column", metavar="NAME", help="Its column of image names."),
    click.option("--label-column", metavar="NAME", help="Its column of labels."),
    click.option(
        "--group-column", metavar="NAME", help="Its column of lesions or patients, never split between train and test."
    ),
    click.option(
        "--positive", metavar="VALUE", multiple=True, help="A label value that means the positive class (repeatable)."
    ),
    click.option("--images", "count", type=int, default=2048, show_default=True, help="How many synthetic images."),
)
"""``--data`` and what says how to read it."""


def data_spec(values: dict[str, Any], seed: int = 0) -> DataSpec:
    """Take the data options out of a command's arguments. Paths become absolute: workers run elsewhere."""
    from bench.errors import UsageError
    from bench.worker.jobs import DataSpec

    path, labels = values.pop("data"), values.pop("labels")
    count = values.pop("count")
    if not 1 <= count <= MOST_IMAGES:
        raise UsageError(f"--images {count} is not possible; expected 1 to {MOST_IMAGES:,}")
    columns = {name: values.pop(name) for name in ("image_column", "label_column", "group_column")}
    if path is None and (labels or any(columns.values())):
        raise UsageError("--labels and the column options describe your own images; say where they are with --data PATH")
    return DataSpec(
        path=None if path is None else existing(path, "--data"),
        labels=None if labels is None else existing(labels, "--labels"),
        positive=tuple(values.pop("positive")),
        count=count,
        seed=seed,
        **columns,
    )


def existing(path: str, option: str) -> str:
    """The absolute path, if something is there. Raises UsageError."""
    from bench.errors import UsageError

    if not Path(path).exists():
        raise UsageError(f"{option} {path} does not exist; expected a file or a folder")
    return str(Path(path).resolve())


_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_LONGEST = 86400.0


def parse_duration(text: str, option: str) -> float:
    """Seconds of ``90s``, ``10m``, ``1h`` or a bare number of seconds. Raises UsageError."""
    from bench.errors import UsageError

    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h)?\s*", text)
    seconds = float(found[1]) * _SECONDS[found[2] or "s"] if found else 0.0
    if not 0 < seconds <= _LONGEST:
        raise UsageError(
            f"{option} {text:.40} is not a time to spend; expected something like 90s, 10m or 1h, a day at most"
        )
    return seconds


def pairs(words: Sequence[str], option: str) -> dict[str, str]:
    """``NAME=VALUE`` words as a dictionary."""
    from bench.errors import UsageError

    result = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not (name and sign):
            raise UsageError(f"{option} {word} is not understood; expected NAME=VALUE")
        result[name] = value
    return result


def interpreters(words: Sequence[str]) -> dict[str, str]:
    """``PLUGIN=PYTHON`` words; every interpreter must be there."""
    from bench.errors import UsageError

    chosen = pairs(words, "--interpreter")
    for plugin, python in chosen.items():
        if not (Path(python).is_file() and os.access(python, os.X_OK)):
            raise UsageError(f"--interpreter {plugin}={python}: there is no such interpreter")
    return {plugin: str(Path(python).absolute()) for plugin, python in chosen.items()}
