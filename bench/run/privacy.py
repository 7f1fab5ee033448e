"""What must not leave the machine in a record: paths, and names of people's files. The journal and the logs, which stay, keep them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.record.redact import retold
from bench.record.schema import Rank, Record, Skip
from bench.run.folders import home_folder
from bench.text.words import sayable
from bench.worker.jobs import DataSpec

CUT = "…"

_PRIVATE_OPTIONS = (
    "--data",
    "--labels",
    "--output",
    "-o",
    "--against",
    "--baseline",
    "--interpreter",
    "--resume",
    "--publish",
    "--json",
    "--junit",
    "--markdown",
    "--pass-env",
)
_WORD = re.compile(r"""[^\s"'()\[\]<>:,;=]+""")
_CODE = re.compile(r"[\w.-]+\.(?:py|pyx|so|c|cc|cpp|cu|h|hpp)\Z")
_NAME = re.compile(r"""[^\s"'()\[\]<>:,;=/\\]+""")
_ENDING = re.compile(r"\.(?:jpe?g|png|npz|npy|h5|hdf5|csv|tsv|xlsx?|dcm|tiff?|bmp|webp)\b", re.IGNORECASE)


def private_command(command: Sequence[str]) -> list[str]:
    """The command with every path, and every value of an option that names a file, cut down to ``…``."""
    kept, hide = [], False
    for word in command:
        option, sign, _ = word.partition("=")
        if hide:
            kept.append(CUT)
        elif sign and (option in _PRIVATE_OPTIONS or "/" in word or "\\" in word):
            kept.append(f"{option}={CUT}")
        else:
            kept.append(CUT if "/" in word or "\\" in word else word)
        hide = not hide and word in _PRIVATE_OPTIONS
    return kept


class Scrub:
    """Cuts private words out of free text."""

    def __init__(self, data: DataSpec) -> None:
        whole = [place for place in (data.path, data.labels) if place is not None]
        self._words = sorted(
            {*whole, *(Path(place).name for place in whole), str(home_folder() or "")} - {"", "/"}, key=len, reverse=True
        )

    def text(self, text: str) -> str:
        """The text without the data's places, other folders, and names of data files; of code files the name is kept."""
        text = sayable(text)
        for word in self._words:
            text = text.replace(word, CUT)
        return _NAME.sub(_without_data, _WORD.sub(_last_part, text))

    def record(self, record: Record) -> Record:
        """The record with every free text scrubbed."""
        return msgspec.structs.replace(
            record,
            trials=[retold(trial, self.text, self._rank) for trial in record.trials],
            skips=[Skip(what=self.text(skip.what), reason=self.text(skip.reason)) for skip in record.skips],
            cases=[
                msgspec.structs.replace(case, options={name: self.text(value) for name, value in case.options.items()})
                for case in record.cases
            ],
        )

    def _rank(self, rank: Rank) -> Rank:
        return msgspec.structs.replace(rank, log_tail=self.text(rank.log_tail))


def _without_data(found: re.Match[str]) -> str:
    """A name without what is a data file's."""
    ends = [ending.end() for ending in _ENDING.finditer(found[0]) if ending.start()]
    return CUT + found[0][ends[-1] :] if ends else found[0]


def _last_part(found: re.Match[str]) -> str:
    if "/" not in found[0]:
        return found[0]
    last = found[0].rsplit("/", 1)[-1]
    if not re.search(r"\w", found[0]) or re.fullmatch(r"[\w.%]+/(?:s|[\w.%]+)", found[0]):
        return found[0]  # "images/s", "and/or": no path
    return f"{CUT}/{last}" if _CODE.match(last) else CUT
