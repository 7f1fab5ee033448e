"""The command lines of unchanged.py: each needs records only and measures nothing.

``results`` is the folder of published records, ``prices.toml`` lies in it; ``synthetic`` is what old_records.py wrote; ``out`` is an
empty folder. A step that begins with ``copy`` is no command line: it copies a folder, so that a command may delete from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

FORMATS = ("terminal", "markdown", "csv", "json", "png", "svg", "pytest-benchmark")
SYNTHETIC = (
    "gpu", "machines", "everything", "failures", "bare", "labels", "hostile", "several-gpus", "sweep", "mixed", "sessions", "history",
)  # fmt: skip
PUBLISHED = ("amd-epyc-2-cores", "intel-xeon-2-cores", "intel-xeon-2-cores-forecasts", "intel-xeon-2-cores-to-quality")
PRICES = ("--prices", "results/prices.toml")
SOURCES: tuple[tuple[str, ...], ...] = (
    ("results",),
    *((f"results/{name}",) for name in PUBLISHED),
    *((f"synthetic/{name}",) for name in SYNTHETIC),
    ("results", "synthetic/machines", "synthetic/labels"),
)

WHAT_IFS: tuple[tuple[str, ...], ...] = (
    PRICES,
    ("--dataset", "isic2020", "--retrain-days", "1"),
    ("--dataset", "slice3d", "--tuning-runs", "200", "--budget-hours", "24"),
    ("--dataset", "archive", "--decode-cores", "1"),
    ("--images", "77777", "--megapixels", "3.5", "--epochs", "7"),
    ("--reference", "cpu", "--workload", "melanoma", "--size", "small"),
)

GPU_WHAT_IFS: tuple[tuple[str, ...], ...] = (
    ("--devices", "8", "--efficiency", "0.85", "--price", "cpu=0.1 EUR", "--price", "cuda:0=2.90 EUR"),
    ("--price", "cpu=0.1 EUR", "--price", "cuda:0=2.9 EUR", "--images", "500000"),
    ("--price", "cuda:0=0.000001 EUR", "--price", "cpu=5 USD"),
)

COMPARED = {
    "arm-base": ("arm-same", "arm-slower", "arm-faster", "arm-noisy", "arm-refuted", "arm-crashed"),
    "sessions": (
        "session-same", "session-slower", "session-elsewhere", "session-other-torch", "session-other-driver",
        "session-other-network", "session-bf16", "session-all",
    ),
    "session-all": ("session-all-slower", "session-same", "gpu"),
    "labels": ("failures", "mixed"),
}  # fmt: skip

BAD_REPORTS: tuple[tuple[str, ...], ...] = (
    ("nowhere",), ("",), ("--images", "0"), ("--megapixels", "nan"), ("--megapixels", "-1"), ("--epochs", "0"), ("--tuning-runs", "0"),
    ("--budget-hours", "inf"), ("--retrain-days", "0"), ("--decode-cores", "0"), ("--devices", "8"), ("--efficiency", "0.9"),
    ("--devices", "8", "--efficiency", "1.2"), ("--reference", "tpu"), ("--workload", "cats"), ("--size", "huge"),
    ("--dataset", "ham1000"), ("-o", "no/such/folder/report.md"), ("-o", "results"), ("-o", "out/report.pdf"),
    ("-o", "results/intel-xeon-2-cores/record.json", "--format", "json"), ("--price", "cuda:0"), ("--price", "tpu:0=3"),
    ("--prices", "nowhere.toml"), ("--prices", "results/README.md"), ("--chart", "nothing", "--format", "svg"),
    ("--chart", "headline"), ("--no-records",), ("--pictures",), ("--format", "pdf"), ("--group-by", "node", "--nonsense"),
)  # fmt: skip

BAD_CHECKS: tuple[tuple[str, ...], ...] = (
    (), ("--against", "nowhere/python"), ("--against", "nowhere/python", "--baseline", "results"), ("--baseline", "nowhere"),
    ("--baseline", "synthetic/arm-base", "--backend", "cpu"), ("--baseline", "synthetic/broken/truncated"),
    ("--baseline", "results", "--budget", "5m"), ("--against-ref", "no-such-ref"), ("--against", "nowhere/python", "--pairs", "5"),
    ("--against", "nowhere/python", "--vary", "driver"), ("--against", "nowhere/python", "--budget", "25h"),
    ("--against", "nowhere/python", "--junit", "nowhere/check.xml"), ("--against", "nowhere/python", "--json", "."),
    ("--bisect", "--pairs", "many"), ("--bisect", "--baseline", "nowhere"), ("--baseline", "results", "--backend", "nobody"),
)  # fmt: skip

BAD_RESULTS: tuple[tuple[str, ...], ...] = (
    ("list", "--since", "yesterday"), ("list", "--label", "node"), ("list", "--backend", "tpu"), ("list", "nowhere"), ("list", ""),
    ("list", "nothing://x/y"), ("export", "-o", "x.xlsx"), ("export", "-o", "nowhere/x.csv"), ("prune", "--keep", "0"),
    ("validate", "results", "--backend", "nobody"), ("copy", "results", "--to", "results/README.md"),
)  # fmt: skip

BAD_OTHERS: tuple[tuple[str, ...], ...] = (
    ("compare", "nowhere", "nowhere"), ("compare", "results", "results"), ("compare", "results", "synthetic/broken/future"),
    ("compare", "synthetic/mixed", "synthetic/sweep", "--vary", "weather"), ("history", "nowhere"), ("history", "--last", "-1"),
    ("history", "results", "--last", "1"), ("history", "synthetic/broken"), ("reproduce", "nowhere"),
    ("reproduce", "synthetic/broken/edited"), ("run", "--resume", "nowhere"), ("run", "--backend", "cpu", "--trials", "0"),
    ("run", "--backend", "cpu", "--label", "check=nightly"), ("run", "--backend", "nobody"), ("run", "--size", "huge"),
    ("race", "results", "--seconds", "0"), ("race", "results", "--live"), ("race", "results", "--size", "huge"),
    ("forecast-check", "--forecasts", "0"), ("nonsense",),
)  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """Command lines that run one after the other; each one's exit code, output and new files are held against the other side's."""

    name: str
    steps: tuple[tuple[str, ...], ...]
    variables: dict[str, str] = field(default_factory=dict)


def command_lines() -> list[Compared]:
    """Everything that is compared byte by byte, but for the files that are pages."""
    return [*_reports(), *_comparisons(), *_histories(), *_results(), *_bad_input(), *_others()]


def _one(*words: str, **variables: str) -> Compared:
    named = "".join(f"{name}={value} " for name, value in variables.items())
    return Compared(f"{named}bench {' '.join(words)}", (words,), variables)


def _reports() -> Iterator[Compared]:
    for places in SOURCES:
        for style in FORMATS:
            yield _one("report", *places, "--format", style)
        yield _one("report", *places, "--pictures", "-o", "out/report.md")
        yield _one("report", *places, "--chart", "list")
    for chart in ("headline", "warm-up", "pipeline"):
        yield _one("report", "results", "--chart", chart, "-o", "out/picture.svg")
        yield _one("report", "synthetic/everything", "--chart", chart, "-o", "out/picture.png")
    for words in WHAT_IFS:
        yield from _in_formats("results", words, ("markdown", "json"))
    for words in (*WHAT_IFS[1:], *GPU_WHAT_IFS):
        yield from _in_formats("synthetic/everything", words, ("markdown", "json", "csv", "svg"))
    for place in ("synthetic/labels", "synthetic/machines", "results"):
        yield from _in_formats(place, ("--group-by", "node"), ("terminal", "markdown", "json", "csv"))
    for width in ("60", "200"):
        yield _one("report", "results", "synthetic/everything", COLUMNS=width)
    yield _one("report", "synthetic/machines", PYTHONIOENCODING="ascii")
    yield from (_one("report", "results", *words) for words in BAD_REPORTS)


def _in_formats(place: str, words: tuple[str, ...], formats: tuple[str, ...]) -> Iterator[Compared]:
    return (_one("report", place, *words, "--format", style) for style in formats)


def _comparisons() -> Iterator[Compared]:
    for base, others in COMPARED.items():
        for other in others:
            for style in ("terminal", "markdown", "json", "junit"):
                yield _one("compare", f"synthetic/{base}", f"synthetic/{other}", "--format", style)
    for fact, other in (("framework", "other-torch"), ("driver", "other-driver"), ("device", "elsewhere")):
        yield _one("compare", "synthetic/sessions", f"synthetic/session-{other}", "--vary", fact)
    forecasts = "results/intel-xeon-2-cores-forecasts"
    yield _one("compare", f"{forecasts}/1", f"{forecasts}/2")
    yield _one("compare", forecasts, "results/intel-xeon-2-cores")
    yield _one("compare", "results/intel-xeon-2-cores", "results/amd-epyc-2-cores")
    yield _one("compare", f"{forecasts}/1", f"{forecasts}/3", "-o", "out/compared.json", "--format", "json")


def _histories() -> Iterator[Compared]:
    for folder in ("results", "synthetic/history", "synthetic/steady-history", "synthetic/sessions", "synthetic/failures"):
        for style in ("text", "json"):
            yield _one("history", folder, "--format", style)
    for last in ("2", "5", "6"):
        yield _one("history", "synthetic/history", "--last", last)


def _results() -> Iterator[Compared]:
    everywhere = ("results", "synthetic/labels", "synthetic/machines")
    for words in (("results",), everywhere, ("synthetic",), ("synthetic/broken",)):
        yield _one("results", "list", *words)
        yield _one("results", "list", *words, "--format", "json")
        yield _one("results", "validate", *words)
    for condition in (
        ("--label", "node=a"), ("--machine", "38032f08"), ("--machine", "H200"), ("--backend", "cuda"), ("--size", "tiny"),
        ("--since", "2026-02-01"), ("--until", "2026-02-01"), ("--workload", "melanoma"),
    ):  # fmt: skip
        yield _one("results", "list", *everywhere, *condition)
    for suffix in ("csv", "sqlite", "parquet"):
        yield _one("results", "export", *everywhere, "-o", f"out/table.{suffix}")
    for style in ("json", "markdown"):
        said = ("report", "out", "--format", style)
        yield Compared(f"copies, as {style}", (("results", "copy", *everywhere, "--to", "out"), said))
        yield Compared(f"redacted, as {style}", (("results", "redact", *everywhere, "--to", "out"), said))
        keeping = ("results", "redact", "synthetic/labels", "--to", "out", "--keep-label", "node")
        yield Compared(f"redacted but for a label, as {style}", (keeping, (*said, "--group-by", "node")))
    copied = ("copy", "synthetic/history", "out/runs")
    yield Compared("prune, asking first", (copied, ("results", "prune", "out/runs", "--keep", "3")))
    yield Compared(
        "prune", (copied, ("results", "prune", "out/runs", "--keep", "3", "--yes"), ("results", "list", "out/runs"))
    )


def _bad_input() -> Iterator[Compared]:
    kinds = (
        "truncated", "empty", "edited", "future", "past", "half-future", "foreign", "no-record", "list", "not-text", "contradicting",
    )  # fmt: skip
    for kind in (*kinds, "unfinished"):
        yield _one("report", f"synthetic/broken/{kind}")
        yield _one("compare", f"synthetic/broken/{kind}", "synthetic/gpu")
    for kind in kinds:
        yield _one("report", f"synthetic/half-broken-{kind}", "--format", "csv")
        yield _one("history", f"synthetic/half-broken-{kind}")
    yield _one("report", "synthetic/broken")
    yield _one("report")
    yield from (_one("check", *words) for words in BAD_CHECKS)
    yield from (_one("results", *words) for words in BAD_RESULTS)
    yield from (_one(*words) for words in BAD_OTHERS)


def _others() -> Iterator[Compared]:
    yield _one("--version")
    yield _one("list")
    yield _one("run", "--quick", "--dry-run")
    for words in (("results",), ("synthetic/everything", "--size", "small"), ("synthetic/bare", "--dataset", "isic2020")):
        yield _one("race", *words)
    yield _one("race", "synthetic/failures", "--epochs", "3", "--images", "5000")
