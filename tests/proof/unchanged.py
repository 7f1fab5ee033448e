"""Proof that a rebuilding changed nothing that users see: this working tree's output against an earlier commit's.

    python tests/proof/unchanged.py [COMMIT] [--before FOLDER] [--after FOLDER] [--only PATTERN] [--no-pages] [--keep FOLDER]

Both sides run in an environment of their own and read the same records: the published ones and synthetic ones, all written by the
earlier commit (``old_records.py``). Every command line of ``unchanged_commands.py`` must give the same exit code, the same bytes on
standard output and standard error, and the same files. Every page of ``unchanged_pages.py`` must show the same text in Chromium, look
the same, and answer the same what-ifs alike. One line for each comparison; exit code 1 where anything differs.

Three things may differ and are masked on both sides:

- The version of accelbench itself, where it names itself (``accelbench 0.1.0``): a release may have a new one.
- Which versions of records a release reads, in the sentence that refuses another (``this release reads version 1``): a later
  release reads more.
- The bytes of records that ``bench results copy`` and ``redact`` write, for a later release writes a newer version of the schema:
  only their places are compared, and then each side's own report of what it wrote.

Of a page's file the bytes are not compared, for it carries the script, which may be written otherwise, and the records.
"""

from __future__ import annotations

import argparse
import difflib
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.proof.checkouts import BEFORE, Checkout, checkout_in, checkout_of, working_tree
from tests.proof.unchanged_commands import Compared, command_lines
from tests.proof.unchanged_pages import PAGES, WINDOWS, answers, picture, pixels_that_differ
from tests.support.browser import browser

MASKS = (
    (re.compile(rb"accelbench \d+(\.\d+)+\w*"), b"accelbench VERSION"),
    (re.compile(rb"this release reads versions? [^:]*:"), b"this release reads VERSIONS:"),
)

MOST_LINES = 12
"""Of a difference that is printed."""

CONTEXT = 40
"""Characters before the first that differs, where a line is longer than can be printed."""

Outcome = dict[str, bytes]
"""What a command left behind: its exit code, its output and its files, by name."""


@dataclass(frozen=True)
class Side:
    """A checkout, and a folder in which its commands run; inputs have the same names on either side."""

    checkout: Checkout
    folder: Path

    def bench(self, words: tuple[str, ...], variables: dict[str, str]) -> tuple[bytes, bytes, bytes]:
        """Exit code, standard output and standard error of a command line."""
        plain = {"COLUMNS": "110", "LC_ALL": "C.UTF-8", "BENCH_CACHE": str(self.folder.with_name("cache"))}
        done = self.checkout.run(["-m", "bench", *words], self.folder, {**plain, **variables})
        return str(done.returncode).encode(), done.stdout, done.stderr


@dataclass
class Verdicts:
    """Prints a line for each comparison, and counts."""

    same: int = 0
    different: int = 0

    def tell(self, name: str, differences: list[str]) -> None:
        """Say whether the two sides agree; ``differences`` are the lines that show where they do not."""
        if not differences:
            self.same += 1
            print(f"same     {name}", flush=True)
            return
        self.different += 1
        print(f"DIFFERS  {name}", flush=True)
        for line in differences[:MOST_LINES]:
            print(f"         {line[:200]}", flush=True)
        if len(differences) > MOST_LINES:
            print(f"         … and {len(differences) - MOST_LINES} lines more", flush=True)


def prepared(before: Checkout, checkout: Checkout, folder: Path) -> Side:
    """A side with its inputs in place: what ``before`` has published, and the records it makes."""
    side = Side(checkout, folder)
    shutil.copytree(before.folder / "results", folder / "results")
    script = Path(__file__).with_name("old_records.py")
    done = before.run([str(script), "synthetic"], folder)
    if done.returncode:
        raise SystemExit(f"{before.folder} cannot make the synthetic records:\n{done.stderr.decode()}")
    return side


def outcome(side: Side, compared: Compared) -> Outcome:
    """Run every step in the side's folder, with ``out`` empty at first."""
    found: Outcome = {}
    shutil.rmtree(side.folder / "out", ignore_errors=True)
    (side.folder / "out").mkdir()
    for number, words in enumerate(compared.steps):
        if words[0] == "copy":
            shutil.copytree(side.folder / words[1], side.folder / words[2])
            continue
        for name, content in zip(("exit code", "output", "errors"), side.bench(words, compared.variables), strict=True):
            found[f"{name} of step {number + 1}"] = masked(content).replace(str(side.folder).encode(), b"FOLDER")
    found["folder"] = "\n".join(sorted(path.name for path in side.folder.iterdir())).encode()
    for path in sorted((side.folder / "out").rglob("*")):
        if path.is_file():
            found[f"file {path.relative_to(side.folder)}"] = content_of(path)
    return found


def content_of(path: Path) -> bytes:
    """What a written file is compared by: of a sealed record nothing but that it is there, of a database its rows."""
    if path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as base:
            return "\n".join(base.iterdump()).encode()
    content = path.read_bytes()
    return b"" if content.startswith(b'{"format":"accelbench record"') else masked(content)


def masked(content: bytes) -> bytes:
    """The content without what may differ."""
    for pattern, word in MASKS:
        content = pattern.sub(word, content)
    return content


def differences(before: Outcome, after: Outcome) -> list[str]:
    """Lines that show what differs, by part; none where both are the same."""
    lines: list[str] = []
    for name in dict.fromkeys([*before, *after]):
        one, other = before.get(name), after.get(name)
        if one != other:
            lines += [f"{name}:", *_changed_lines(one, other)]
    return lines


def _changed_lines(before: bytes | None, after: bytes | None) -> list[str]:
    if before is None or after is None:
        return ["- is there only before" if after is None else "+ is there only after"]
    try:
        texts = [content.decode().splitlines() for content in (before, after)]
    except UnicodeDecodeError:
        return [f"- {len(before):,} bytes", f"+ {len(after):,} bytes, and others"]
    found = [line for line in list(difflib.unified_diff(*texts, lineterm="", n=0))[2:] if not line.startswith("@@")]
    if len(found) == 2:
        return from_where_they_differ(*found)
    return found or ["other line ends"]


def from_where_they_differ(removed: str, added: str) -> list[str]:
    """A line before and after, without the most of a long beginning that both share."""
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(removed[1:], added[1:], strict=False)))
    if shared <= 2 * CONTEXT:
        return [removed, added]
    return [f"{line[0]}…{line[1 + shared - CONTEXT :]}" for line in (removed, added)]


def exit_codes(found: Outcome) -> str:
    """Those of every step, in order: what is the same should also be what was meant."""
    return ",".join(content.decode() for name, content in found.items() if name.startswith("exit code"))


def compare_commands(sides: tuple[Side, Side], only: re.Pattern[str], verdicts: Verdicts) -> None:
    """Run each command line on both sides at once."""
    with ThreadPoolExecutor(2) as pool:
        for compared in command_lines():
            if only.search(compared.name):
                found = list(pool.map(outcome, sides, (compared, compared)))
                verdicts.tell(f"{exit_codes(found[0])}  {compared.name}", differences(*found))


def compare_pages(sides: tuple[Side, Side], only: re.Pattern[str], verdicts: Verdicts) -> None:
    """Write each page on both sides, and look at both in one browser."""
    wanted = {name: words for name, words in PAGES.items() if only.search(f"page {name}")}
    if not wanted:
        return
    with browser() as chromium, ThreadPoolExecutor(2) as pool:
        for name, words in wanted.items():
            line = Compared(f"page {name}", (("report", *words, "-o", f"../{name}.html"),))
            verdicts.tell(f"page {name}: being written", differences(*pool.map(outcome, sides, (line, line))))
            files = [side.folder.with_name(f"{name}.html") for side in sides]
            if not all(file.exists() for file in files):
                continue
            for (doing, before), (_, after) in zip(*(answers(chromium, file) for file in files), strict=True):
                texts = [masked(text.encode()) for text in (before, after)]
                verdicts.tell(f"page {name}: {doing}", differences({"text": texts[0]}, {"text": texts[1]}))
            for window in WINDOWS:
                verdicts.tell(f"page {name}: its looks, {window}", _looks(chromium, files, window))


def _looks(chromium: Any, files: list[Path], window: str) -> list[str]:
    pictures = [picture(chromium, file, window) for file in files]
    count = pixels_that_differ(*pictures)
    return [f"{count:,} pixels differ"] if count else []


def _sides(options: argparse.Namespace, folder: Path) -> Iterator[Side]:
    before = checkout_in(options.before) if options.before else checkout_of(options.commit)
    after = checkout_in(options.after) if options.after else working_tree()
    for name, checkout in (("old", before), ("new", after)):  # of one length, since some lines that name a folder are cut
        print(f"{name}: {checkout.described()}")
        (folder / name / "work").mkdir(parents=True)
        yield prepared(before, checkout, folder / name / "work")


def main(words: list[str]) -> int:
    """Compare everything; 1 where anything differs, 2 where nothing was compared."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("commit", nargs="?", default=BEFORE, help="what to hold this working tree against")
    parser.add_argument("--before", type=Path, help="a ready checkout of that commit with an environment in .venv")
    parser.add_argument(
        "--after", type=Path, help="a ready checkout with an environment in .venv, instead of this working tree"
    )
    parser.add_argument(
        "--only", default="", metavar="PATTERN", help="only comparisons whose line matches this regular expression"
    )
    parser.add_argument("--no-pages", action="store_true", help="leave the browser out")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep what both sides wrote last here; must not exist yet"
    )
    options = parser.parse_args(words)
    verdicts, only = Verdicts(), re.compile(options.only)
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        before, after = _sides(options, folder.absolute())
        compare_commands((before, after), only, verdicts)
        if not options.no_pages:
            compare_pages((before, after), only, verdicts)
    total = verdicts.same + verdicts.different
    print(f"\n{total} comparisons: {verdicts.same} same, {verdicts.different} differ")
    return 2 if not total else int(verdicts.different > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
