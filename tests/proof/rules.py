"""Other tools' rules and ours on the same recorded blocks: the second table of docs/verdicts.md.

    python tests/proof/rules.py [FILE]

FILE (default tests/proof/traces.json) is what ``real.py`` recorded: pairs of processes of unchanged code, and of code with extra
work in each step. A rule that compares two runs gets, as its users do, one process and one that ran after it: the base of a pair and
the candidate of the next. A rule that pools processes gets all pairs of a check, which ran in turns: better data than its own.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from scipy import stats
from tabulate import tabulate

from bench.statistics.pairs import Verdict
from bench.statistics.proportions import upper_limit

Samples = Sequence[float]
Pairs = Sequence[tuple[Samples, Samples]]

TWO_RUNS: dict[str, tuple[Callable[[Samples], float], float]] = {
    "pytest-benchmark `mean:5%`": (mean, 0.05),
    "pytest-benchmark `median:5%`": (median, 0.05),
    "pytest-benchmark `min:5%`": (min, 0.05),
    "pytest-benchmark `mean:10%`": (mean, 0.10),
}


def student(pairs: Pairs) -> bool:
    """pyperf 2.9's compare_to: Student's two-sided test at 95 % on the values of all processes, three each, and slower."""
    base, candidate = ([value for pair in pairs for value in _thirds(pair[side])] for side in (0, 1))
    return bool(stats.ttest_ind(base, candidate).pvalue < 0.05) and mean(candidate) > mean(base)


def mann_whitney(pairs: Pairs, factor: float) -> bool:
    """asv 0.6's rule: medians differ by ``factor`` (its default is 1.1), and Mann and Whitney's test on all samples has p < 0.002."""
    base, candidate = ([value for pair in pairs for value in pair[side]] for side in (0, 1))
    return median(candidate) > factor * median(base) and bool(stats.mannwhitneyu(base, candidate).pvalue < 0.002)


POOLED: dict[str, Callable[[Pairs], bool]] = {
    "pyperf `compare_to` (t-test)": student,
    "asv, factor 1.05": lambda pairs: mann_whitney(pairs, 1.05),
    "asv, factor 1.1 (its default)": lambda pairs: mann_whitney(pairs, 1.1),
}


def _thirds(samples: Samples) -> list[float]:
    cuts = [round(part * len(samples) / 3) for part in range(4)]
    return [mean(samples[start:stop]) for start, stop in pairwise(cuts)]


def _alarms(rule: str, checks: Sequence[dict[str, Any]]) -> Iterator[bool]:
    """The rule's answer to each comparison that these checks hold."""
    for check in checks:
        pairs: Pairs = check["traces"]
        if rule in TWO_RUNS:
            figure, limit = TWO_RUNS[rule]
            for (base, _), (_, candidate) in pairwise(pairs):
                yield figure(candidate) > (1 + limit) * figure(base)
        elif rule in POOLED:
            yield POOLED[rule](pairs)
        else:
            yield check["verdict"] == Verdict.REGRESSED


def _cell(alarms: list[bool], bounded: bool) -> str:
    if not alarms:
        return "–"
    text = f"{sum(alarms)} of {len(alarms)}"
    high = upper_limit(sum(alarms), len(alarms))
    return f"{text} (at most {100 * high:.0f} %)" if bounded else text


def _scatter(checks: Sequence[dict[str, Any]]) -> str:
    """What taking turns is worth: processes of unchanged code side by side, and one after the other, both by their means."""
    in_turns = [math.log(mean(candidate) / mean(base)) for check in checks for base, candidate in check["traces"]]
    apart = [
        math.log(mean(candidate) / mean(base)) for check in checks for (base, _), (_, candidate) in pairwise(check["traces"])
    ]
    return (
        f"Unchanged code: pairs in turns scatter by {100 * stdev(in_turns):.1f} % ({len(in_turns)}), a process and one after it by "
        f"{100 * stdev(apart):.1f} % ({len(apart)})."
    )


def _measured(checks: Sequence[dict[str, Any]]) -> str:
    values = {100 * check.get("measured", 0.0) for check in checks}
    return f"{min(values):.1f} %" if len(values) == 1 else f"{min(values):.1f} to {max(values):.1f} %"


def main(file: Path) -> None:
    """Print the table, and what our checks took."""
    found = json.loads(file.read_text())
    by_slowdown: dict[float, list[dict[str, Any]]] = {}
    for check in found["checks"]:
        by_slowdown.setdefault(check["slowdown"], []).append(check)
    slowdowns = sorted(by_slowdown)
    rows = []
    for rule in [*TWO_RUNS, *POOLED, "bench check"]:
        cells = [_cell(list(_alarms(rule, by_slowdown[slowdown])), rule == "bench check") for slowdown in slowdowns]
        rows.append([rule, *cells])
    columns = ["rule", *("alarms on unchanged code" if not one else f"found at {one:.0%}" for one in slowdowns)]
    print(f"{len(found['checks'])} checks, `{found['command']}`\n")
    print(tabulate(rows, columns, tablefmt="pipe", disable_numparse=True))
    print(f"\n{_scatter(by_slowdown[0.0])}\n\nOf bench check's answers:\n")
    verdicts = [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.REGRESSED, Verdict.IMPROVED]
    rows = [
        [
            "unchanged" if not slowdown else f"{slowdown:.0%}",
            *(str(sum(check["verdict"] == verdict for check in checks)) for verdict in verdicts),
            _measured(checks),
            f"{100 * math.expm1(mean(check['effect'] for check in checks)):+.1f} %",
            f"{mean(check['pairs'] for check in checks):.1f}",
            f"{mean(check['seconds'] for check in checks):.0f} s",
        ]
        for slowdown, checks in sorted(by_slowdown.items())
    ]
    columns = ["slow-down", *verdicts, "extra work, measured in one process", "mean effect seen", "mean pairs", "mean time"]
    print(tabulate(rows, columns, tablefmt="pipe", disable_numparse=True))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "traces.json"))
