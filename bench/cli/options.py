"""Options that several commands share, and turning their words into values."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bench.errors import UsageError
from bench.run.limits import STALL_SECONDS
from bench.text.file_names import refuse_other_bytes

if TYPE_CHECKING:
    from bench.run.plan import Wishes
    from bench.worker.jobs import DataSpec

MOST_IMAGES = 1_000_000

F = TypeVar("F", bound=Callable[..., Any])


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """One decorator of several, in the order in which help shows them."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def many(flag: str, name: str, metavar: str, help: str) -> Callable[[F], F]:
    """An option that may be given several times; the command gets a tuple of that name."""
    return click.option(flag, name, multiple=True, metavar=metavar, help=help)


def batch_sizes(help: str) -> Callable[[F], F]:
    """``--batch-size``: the command gets a tuple, ``batch_sizes``."""
    return click.option("--batch-size", "batch_sizes", type=int, multiple=True, metavar="N", help=help)


def style(help: str = "Of the output.", styles: Sequence[str] = ("text", "json")) -> Callable[[F], F]:
    """``--format``, the first of the styles by default."""
    return click.option("--format", "style", type=click.Choice(styles), default=styles[0], show_default=True, help=help)


def results(help: str) -> Callable[[F], F]:
    """The folder that a command puts its records into."""
    return click.option("-o", "--output", default="bench-results", show_default=True, metavar="DIR", help=help)


def inconclusive(where: str) -> Callable[[F], F]:
    """``--inconclusive``: what an answer that cannot be given does to the exit code."""
    return click.option(
        "--inconclusive",
        type=click.Choice(["warn", "fail"]),
        default="fail",
        show_default=True,
        help=f"Exit with 0 and a warning, or with 3, where {where}.",
    )


devices = together(
    many("--backend", "backends", "NAME", "A backend (repeatable). Default: all."),
    many("--device", "devices", "ID", "A device, such as cuda:0 (repeatable). Default: all."),
    click.option("--workload", default="melanoma", show_default=True, metavar="NAME", help="What to run."),
)
"""Where and what to run."""

INTERPRETER = "--interpreter", "interpreter_words", "PLUGIN=PYTHON"
interpreter = many(*INTERPRETER, "Run a plugin's workers with another Python (repeatable).")

plugins = together(many("--option", "options", "NAME=VALUE", "A backend's own option (repeatable)."), interpreter)
"""How a plugin is run."""


def _pass(context: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """Have workers get these variables too, as long as the command runs. Raises UsageError for one that is not set."""
    from bench.machine.environment import PASS

    before = os.environ.get(PASS)
    for name in names:
        if "," in name or name not in os.environ:
            raise UsageError(
                f"--pass-env {name:.80}: there is no such variable in the environment; expected the name of one"
            )
    if names:
        os.environ[PASS] = ",".join([*names, *(before or "").split(",")])

    def restore() -> None:
        os.environ.pop(PASS, None)
        if before is not None:
            os.environ[PASS] = before

    context.call_on_close(restore)
    return names


stall = together(
    click.option(
        "--stall-timeout",
        type=float,
        default=STALL_SECONDS,
        show_default=True,
        metavar="S",
        help="End a worker that has been silent for so many seconds, while it imports too.",
    ),
    click.option(
        "--pass-env",
        "passed",
        multiple=True,
        callback=_pass,
        metavar="NAME",
        help="Let workers have this variable; without it they get those that Python and frameworks read (repeatable).",
    ),
)
"""What every command has that starts workers."""

threads = click.option(
    "--threads", type=int, metavar="N", help="Host cores to use. Default: all that this process is given."
)

wait = click.option("--wait", is_flag=True, help="Queue behind another run on the same processors.")


def _hush(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    """Say nothing of long waits either, for as long as the command runs."""
    from bench.text.waiting import hushed

    if value:
        context.with_resource(hushed())
    return value


quiet = click.option("--quiet", is_flag=True, callback=_hush, help="No progress.")

images = together(
    click.option(
        "--data",
        metavar="PATH",
        help="Images to use: a MedMNIST-layout .npz, a HAM10000 folder, a folder per "
        "class, any folder of images, or ISIC 2024's HDF5 file. Default: synthetic lesions.",
    ),
    click.option("--labels", metavar="CSV", help="A table with one row per image, where it is not found beside them."),
    click.option("--image-column", metavar="NAME", help="Its column of image names."),
    click.option("--label-column", metavar="NAME", help="Its column of labels."),
    click.option(
        "--group-column", metavar="NAME", help="Its column of lesions or patients, never split between train and test."
    ),
    many("--positive", "positive", "VALUE", "A label value that means the positive class (repeatable)."),
    click.option("--images", "count", type=int, default=2048, show_default=True, help="How many synthetic images."),
)
"""``--data`` and what says how to read it."""


def wishes_of(values: dict[str, Any], **own: Any) -> Wishes:
    """Return what the shared options ask for, and what is a command's own. Raises UsageError."""
    from bench.run.folders import salt_of
    from bench.run.plan import Wishes

    return Wishes(
        salt=salt_of(Path(values["output"])) if values.get("output") else "",
        backends=values["backends"],
        devices=values["devices"],
        workload=values["workload"],
        seed=values["seed"],
        threads=values["threads"],
        data=data_spec(values, values["seed"]),
        options=pairs(values["options"], "--option"),
        stall=values["stall_timeout"],
        command=["bench", *sys.argv[1:]],
        **own,
    )


def data_spec(values: dict[str, Any], seed: int = 0) -> DataSpec:
    """Take the data options out of a command's arguments. Paths become absolute: workers run elsewhere."""
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


def given(name: str) -> bool:
    """Whether an option stands on the command line, or in a file of options."""
    source = click.get_current_context().get_parameter_source(name)
    return source in {click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.DEFAULT_MAP}


def progress(quiet: bool) -> Callable[[str], None]:
    """Return what prints a line on standard error, or nothing where the user wants it quiet."""
    return (lambda text: None) if quiet else (lambda text: click.echo(text, err=True))


def existing(path: str, option: str) -> str:
    """The absolute path, if something is there. Raises UsageError."""

    if not path:
        raise UsageError(f"{option} is empty; expected a file or a folder")
    if not Path(path).exists():
        raise UsageError(f"{option} {path} does not exist; expected a file or a folder")
    if not (Path(path).is_file() or Path(path).is_dir()):  # workers read it again and again
        raise UsageError(f"{option} {path} is a pipe or a device; expected a file or a folder: save it as a file first")
    absolute = str(Path(path).resolve())
    refuse_other_bytes(absolute, f"the path of {option},")
    return absolute


def parse_percent(text: str, option: str, largest: float) -> float:
    """Percent of ``5%`` or ``5``. Raises UsageError."""

    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%?\s*", text)
    percent = float(found[1]) if found else 0.0
    if not 0 < percent <= largest:
        raise UsageError(f"{option} {text:.40} is not possible; expected more than 0 percent, at most {largest:g}, as in 5%")
    return percent


_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_LONGEST = 86400.0


def parse_duration(text: str, option: str) -> float:
    """Seconds of ``90s``, ``10m``, ``1h`` or a bare number of seconds. Raises UsageError."""

    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h)?\s*", text)
    seconds = float(found[1]) * _SECONDS[found[2] or "s"] if found else 0.0
    if not 0 < seconds <= _LONGEST:
        raise UsageError(
            f"{option} {text:.40} is not a time to spend; expected something like 90s, 10m or 1h, a day at most"
        )
    return seconds


def pairs(words: Sequence[str], option: str) -> dict[str, str]:
    """``NAME=VALUE`` words as a dictionary."""

    result: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not (name and sign):
            raise UsageError(f"{option} {word} is not understood; expected NAME=VALUE")
        if result.setdefault(name, value) != value:
            raise UsageError(f"{option} {name} is given twice: {result[name]} and {value}")
    return result


def interpreters(words: Sequence[str]) -> dict[str, str]:
    """``PLUGIN=PYTHON`` words; every interpreter must be there."""

    chosen = pairs(words, "--interpreter")
    return {plugin: python_at(python, f"--interpreter {plugin}={python}") for plugin, python in chosen.items()}


def python_at(path: str, words: str) -> str:
    """The absolute path of an interpreter. Raises UsageError, which repeats the user's words, where there is none."""
    if not (Path(path).is_file() and os.access(path, os.X_OK)):
        raise UsageError(f"{words}: there is no such interpreter")
    return str(Path(path).absolute())
