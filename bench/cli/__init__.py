"""The command line. Only click is imported up here: ``--help`` must cost next to nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import pairwise
from typing import Any

import click

# Name, and the module that holds a click command of that name; help for the group comes from this table, so that
# ``bench --help`` imports no command. A test holds each line to the command's own first sentence.
COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("bench.cli.list", "Backends, devices, workloads and reporters, and why something is unavailable."),
    "run": ("bench.cli.run", "Measure preprocessing, training and inference, and seal the samples into a record."),
    "verify": ("bench.cli.verify", "Prove that backends compute the same function as the specification."),
    "report": ("bench.cli.report", "Print days versus hours from one or many records."),
    "results": ("bench.cli.results", "List, filter, export, validate, copy, prune and redact records."),
    "race": ("bench.cli.race", "Show the devices of records training side by side, to scale."),
    "reproduce": ("bench.cli.reproduce", "Run the cases of a record once more, and say whether the rates agree."),
    "compare": ("bench.cli.compare", "Hold two records, or two groups of records, against each other."),
    "check": ("bench.cli.check", "Say whether something has become slower, with an exit code to rely on."),
    "alarm-rate": (
        "bench.cli.alarm_rate",
        "Count the verdicts of checks of unchanged code: how often a runner raises a false alarm.",
    ),
    "history": ("bench.cli.history", "How each case's rate has moved over the records of a folder."),
    "doctor": ("bench.cli.doctor", "What on this machine would spoil a measurement, and the remedy."),
    "cache": ("bench.cli.cache", "Show what the cache holds and how large it is, and clear it."),
    "forecast-check": (
        "bench.cli.forecast",
        "Predict whole trainings from seconds of measurement, then do them, and report the errors.",
    ),
    "train": (
        "bench.cli.train",
        "Train to the end on real or synthetic images and report AUC and accuracy on the test images, seed by seed.",
    ),
    "new-backend": (
        "bench.cli.new_backend",
        "Write a package with a backend of your own, which runs on a simulated device until yours takes its place.",
    ),
}


INTERRUPTED = 130


class _LazyGroup(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[name][0]), "command")  # noqa: B009
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse an option that is given without a value, as by a variable of the shell that is not set."""
        name, command, rest = super().resolve_command(ctx, args)
        _refuse_nothing(ctx, command, rest)
        return name, command, rest

    def make_context(self, *given: Any, **named: Any) -> click.Context:
        with _shortened():
            return super().make_context(*given, **named)

    def invoke(self, ctx: click.Context) -> Any:
        """Ctrl-C, and signals that end a run as it does, get the shell's code for them; click's own is 1, an internal error."""
        try:
            with _shortened():
                return super().invoke(ctx)
        except BrokenPipeError:  # of bytes, as pictures are; click would end with 1, an internal error
            from bench.cli.streams import leave

            leave(sys.stdout)
            return None
        except KeyboardInterrupt as interrupt:
            click.echo("\nbench: interrupted", err=True)
            sys.exit(getattr(interrupt, "code", INTERRUPTED))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


LONGEST_WORD, KEPT = 300, 60
"""Characters: of a longer word, as a number of thousands of digits, a message repeats the beginning only."""


def _short(text: str) -> str:
    """The text with the beginning of each word that is longer than any name or path should be."""
    return " ".join(
        word if len(word) <= LONGEST_WORD else f"{word[:KEPT]}… ({len(word):,} characters)" for word in text.split(" ")
    )


@contextmanager
def _shortened() -> Iterator[None]:
    """Let click's own words on wrong use repeat no more of what was given than that."""
    try:
        yield
    except click.UsageError as error:
        told = error.format_message()
        if _short(told) == told:
            raise
        raise click.UsageError(_short(told), error.ctx) from None


def _refuse_nothing(ctx: click.Context, command: click.Command | None, words: list[str]) -> None:
    """Raises UsageError for an option of a command whose value is an empty word."""
    from bench.errors import UsageError

    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command, words = command.get_command(ctx, words[0]), words[1:]
    options = [option for option in ([] if command is None else command.params) if isinstance(option, click.Option)]
    taking = {flag for option in options if not option.is_flag and not option.count for flag in option.opts}
    for word, after in pairwise([*words, "end"]):
        if word == "--":
            return
        flag, sign, value = word.partition("=")
        if flag in taking and (value if sign else after) == "":
            raise UsageError(f"{flag} is empty; expected a value")


def _version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from bench import __version__

        click.echo(f"accelbench {__version__}")
        ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def bench() -> None:
    """Believable accelerator benchmarks: the same melanoma CNN, proven equal on every backend, from days to hours.

    \b
    bench run --quick           a first table, on the smallest network
    bench run --backend cuda    measure one backend
    bench report                days versus hours, from every record under bench-results

    Exit codes: 0 fine; 1 internal error; 2 wrong use or bad input; 3 inconclusive; 4 not comparable, or nothing could
    be measured; 5 regressed; 6 some cases failed, or the time limit came first: the rest is recorded; 130 or 143
    interrupted by Ctrl-C or SIGTERM.
    """


SKIP, ABORT = 125, 128
"""What ``git bisect run`` takes for "cannot be tested" and for "stop here"; 1 to 127 but 125 would tell it that the commit is bad."""


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line. For git bisect, whatever is no verdict must not look like one."""
    from bench.cli.streams import tolerant_streams

    words = sys.argv[1:] if arguments is None else arguments
    with tolerant_streams(measures=bool(words) and words[0] in _MEASURING):
        return _judged(arguments)


def _judged(arguments: list[str] | None) -> Any:
    if "--bisect" not in (sys.argv[1:] if arguments is None else arguments):
        return _main(arguments)
    try:
        return _main(arguments)
    except SystemExit as end:
        sys.exit(ABORT if end.code in {1, 2} else end.code)
    except Exception:
        import traceback

        traceback.print_exc()
        sys.exit(SKIP)  # the code under test does not run


_MEASURING = {"run", "check", "reproduce", "verify", "train", "forecast-check", "doctor"}
"""Commands whose output may be lost: their work is what counts, or their exit code. Of others the output is the whole work."""

_READERS = {"report", "compare", "history", "results", "race", "alarm-rate"}
"""Commands that only read records and checks, whose places may have any name; what others are told becomes part of a job or a record."""


def _main(arguments: list[str] | None) -> Any:
    """Run the command line; a deliberate error is printed as one sentence and sets the exit code."""
    from bench.errors import BenchError
    from bench.text.file_names import refuse_other_bytes

    try:
        words = sys.argv[1:] if arguments is None else arguments
        for word in () if words[:1] and words[0] in _READERS else words:
            refuse_other_bytes(word, "the argument")
        return bench.main(args=arguments, prog_name="bench", standalone_mode=True)
    except BenchError as error:
        _print_error(str(error))
        sys.exit(int(error.exit_code))
    except OSError as error:  # a disk that is full, a name that is too long: the user's to mend, wherever it showed
        _print_error(_refused(error))
        sys.exit(2)


def _refused(error: OSError) -> str:
    """One sentence on what the system refused, and what names another place."""
    import errno

    place = f" {error.filename}" if error.filename else ""
    if "usable temporary directory" in str(error):  # Python's words for a root that cannot be written
        return "no folder for temporary files can be written; name one with TMPDIR"
    remedy = "expected a place that can be read and written"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "free some space ('bench cache' shows what the cache holds), or choose other places with BENCH_CACHE, TMPDIR and --output"
    return f"the system refused{place}: {error.strerror or error}; {remedy}"


def _print_error(text: str) -> None:
    """One printable line on standard error, whatever a file's name or a plugin's words hold."""
    from bench.text.file_names import printable

    line = _short("".join(character if character.isprintable() else " " for character in printable(text)))
    click.echo(f"bench: {' '.join(line.split())[:2000]}", err=True)
