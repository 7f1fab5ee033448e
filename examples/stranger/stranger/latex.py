"""Reporter ``latex``: the measured rates as a table for a paper."""

from __future__ import annotations

import re

from bench.contract import hookimpl


class Latex:
    name = "latex"

    def render(self, report):
        lines = [r"\begin{tabular}{llllr}", r"device & network & phase & precision & images per second \\"]
        for case in report["measured"]:
            rate = case["images_per_second"]
            if rate is not None and case["valid"]:
                network = f"{case['workload']} {case['size']}"
                words = ["+".join(case["devices"]) or "host", network, case["phase"], case["precision"]]
                lines.append(" & ".join([*map(escaped, words), f"{rate['value']:.1f}"]) + r" \\")
        return "\n".join([*lines, r"\end{tabular}", ""])


def escaped(words):
    return re.sub(r"([&%$#_{}])", r"\\\1", words)


@hookimpl
def bench_reporters():
    return [Latex()]
