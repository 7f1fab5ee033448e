"""Proof that words from outside end in a value or in one sentence: every reader of them is given damaged and invented ones.

    python tests/proof/fuzz.py [INPUTS] [--seed SEED] [--reader NAME ...]

Each reader gets its share of the inputs, made by hypothesis: whole files of the right kind that are cut, flipped and spliced, JSON with a
value of another kind in one place, sealed again so that the reader looks inside, and bytes that are nothing. A reader may raise
``bench.errors.BenchError`` (and the command line's own error of wrong use), and nothing else. Exit code 1 where one raised something else.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import sys
import tempfile
import warnings
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[2]))

import click
import hypothesis
import msgspec
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tabulate import tabulate

from bench.analysis.build import build
from bench.check.noise import NOISE, Known
from bench.cli.files import read_options
from bench.cli.run import command as run_command
from bench.comparison.alarms import count_alarms, sections
from bench.comparison.document import DOCUMENT
from bench.contract import DataRequest
from bench.entry_points import PluginRef
from bench.errors import BenchError
from bench.projection.prices import parse_price, read_prices
from bench.record.files import decode_record
from bench.record.plausible import check_record
from bench.record.schema import VERSION
from bench.run.events import Events
from bench.run.journal import JOURNAL, PLAN, Done, Journal, Pilot, Skipped, line_of
from bench.run.plan import Plan, PlannedCase
from bench.run.remembered import CEILINGS, CHOICES
from bench.worker.answers import Choice
from bench.worker.channel import Beat, Failure, Result, Stage
from bench.worker.feed import CALIBRATED, IMAGES, LABELS, SPLIT, load_arrays, load_calibrated, load_split
from bench.worker.jobs import Blocks, DataSpec
from tests.support import records as fake
from workloads.images.reader import ImageReader
from workloads.images.table import read_groups, read_table

ALLOWED = (BenchError, click.ClickException)
"""What a reader may raise: the command line prints these as one sentence, with exit code 2 or 4."""

TOKEN = "0123456789abcdef"
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 2**70, -0.0, 1e308, "", "x" * 5000, "\ud800", "\x1b[2J", "::error::", "../..", [], {}, [[[]]], {"": None},
)  # fmt: skip
"""Values that stand where others should."""

SPLICES = (
    b"",
    b"\0",
    b"\n",
    b"\r\n",
    b'"',
    b"{",
    b"]",
    b",",
    b"\xff\xfe",
    b"\xc2\x9b",
    b"1e999",
    b"NaN",
    b"-1",
    b"9" * 400,
    b"[" * 3000,
)


@dataclass(frozen=True)
class Reader:
    """Something that reads words from outside."""

    seeds: Sequence[bytes]
    read: Callable[[bytes, Path], object]  # the input, and an empty folder of its own
    sealed: Callable[[bytes], bytes] | None = None  # puts the JSON of a value into the envelope that the reader checks first


# ---- what whole files look like -----------------------------------------------------------------------------------------


def _record() -> bytes:
    return msgspec.json.encode(fake.record(wanted=fake.scripts()[:2]))


def _plan() -> Plan:
    record = fake.record(wanted=fake.scripts()[:2])
    plugin = PluginRef(name="melanoma", module="workloads")
    cases = [PlannedCase(case=case, backend=None, workload=plugin, interpreter=sys.executable) for case in record.cases]
    return Plan(
        id="r0", created=record.created, command=["bench", "run"], seed=3, trials=3, seconds=1.0, stall=600.0, ceilings=False,
        machines=record.machines, devices=record.devices, data=DataSpec(), cases=cases, skips=record.skips, labels={"a": "b"},
    )  # fmt: skip


def _entries() -> list[bytes]:
    trial = next(one for one in fake.record().trials if one.role == "trial")
    settled = Blocks(steps=1, warmup=0, samples=6)
    entries = [
        Pilot(trial=fake.changed(trial, case=0, number=0, role="pilot", order=0), blocks=settled),
        Done(trial=fake.changed(trial, case=0, number=0, order=1)),
        Skipped(skip=fake.record().skips[0], case=1),
    ]
    return [msgspec.json.encode(entry) for entry in entries]


def _line(entry: bytes) -> bytes:
    """An entry of a journal with its checksum, as the journal writes one that it knows."""
    form = json.loads(line_of(Skipped(skip=fake.record().skips[0])))
    return (
        json.dumps(form | {"sum": f"{zlib.crc32(entry):08x}", "entry": 0})
        .encode()
        .replace(b'"entry": 0', b'"entry":' + entry)
    )


def _archive(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _images() -> dict[str, Any]:
    made: dict[str, Any] = {}
    for part, count in {"train": 6, "val": 2, "test": 2}.items():
        made[f"{part}_images"] = np.arange(count * 48, dtype=np.uint8).reshape(count, 4, 4, 3)
        made[f"{part}_labels"] = np.arange(count)[:, None] % 2
    return made


def _npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


TABLES = (
    b"image,label\nISIC_1,melanoma\nISIC_2,nevus\nISIC_3,nevus\n",
    b"image_id;dx;lesion_id\r\nISIC_1;mel;7\r\nISIC_2;nv;8\r\n",
    b"\xef\xbb\xbfisic_id,patient_id,target\nISIC_1,p1,0\nISIC_2,p2,1\n",
    "sep=\t\nimage\tother\tmelanoma\nISIC_1\t0\t1\nISIC_2\t1\t0\n".encode("utf-16"),
    b"image,MEL,NV,split\nISIC_1,1.0,0.0,train\nISIC_2,0,1,test\n",
)
PRICES = (
    b'[[price]]\ndevice = "cuda"\nper_hour = 2.9\ncurrency = "EUR"\ndate = 2026-01-31\nsource = "a list"\n',
    b"price = [{device='x', per_hour=1, currency='USD', date=2026-01-31T10:00:00Z, source='y'}]\n",
)
OPTIONS = (
    b'[run]\ntrials = 3\nprecision = ["fp32", "bf16"]\nquiet = true\nlabel = ["a=b"]\nseconds = 0.5\n',
    b"[run]\nworkload = 'melanoma'\nsize = ['tiny']\nwithin = '2%'\n",
)

# ---- the readers --------------------------------------------------------------------------------------------------------


def _read_record(content: bytes, folder: Path) -> None:
    record = decode_record(content, "record.json")
    check_record(record)
    build([record])


def _read_check(content: bytes, folder: Path) -> None:
    (folder / "check.json").write_bytes(content)
    sections(count_alarms([folder]))


def _read_journal(content: bytes, folder: Path) -> None:
    (folder / PLAN).write_bytes(msgspec.json.encode(_plan()))
    (folder / JOURNAL).write_bytes(content)
    journal, _ = Journal.open(folder)
    assert isinstance(journal.trials, list)


def _read_plan(content: bytes, folder: Path) -> None:
    (folder / PLAN).write_bytes(content)
    Journal.open(folder)


def _read_events(content: bytes, folder: Path) -> None:
    for size in (7, len(content) or 1):
        events = Events(TOKEN)
        for start in range(0, len(content), size):
            events.feed(content[start : start + size])
        while events.next() is not None:
            pass


def _read_npz(content: bytes, folder: Path) -> None:
    file = folder / "set.npz"
    file.write_bytes(content)
    request = DataRequest(path=file, positive=("1",))
    images = ImageReader(classes=("other", "melanoma")).open(request, 4, 4)
    images.read(np.arange(min(images.count, 4)))


def _read_table(content: bytes, folder: Path) -> None:
    file = folder / "labels.csv"
    file.write_bytes(content)
    read_groups(file, {"isic_1"})
    read_table(file, DataRequest(), ("other", "melanoma"), {"isic_1", "isic_2"})


def _read_prices(content: bytes, folder: Path) -> None:
    file = folder / "prices.toml"
    file.write_bytes(content)
    read_prices(file)


def _read_price(content: bytes, folder: Path) -> None:
    parse_price(content.decode("utf-8", "surrogateescape"))


def _read_options(content: bytes, folder: Path) -> None:
    file = folder / "plan.toml"
    file.write_bytes(content)
    given = read_options(file, ("run",), run_command)
    run_command.make_context("run", [], default_map=given)


def _read_project(content: bytes, folder: Path) -> None:
    file = folder / "pyproject.toml"
    file.write_bytes(content)
    read_options(file, ("tool", "accelbench", "check"), run_command)


def _read_arrays(content: bytes, folder: Path) -> None:
    for name in (IMAGES, LABELS, SPLIT, CALIBRATED):
        (folder / name).write_bytes(content)
    for load in (load_arrays, load_split, load_calibrated):
        with _refused():
            load(folder)


_MEMORIES: dict[str, Any] = {"choices": CHOICES, "ceilings": CEILINGS, "noise": NOISE}


def _read_memory(content: bytes, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as cache, patch.dict(os.environ, {"BENCH_CACHE": cache}):
        for subject, memory in _MEMORIES.items():
            (Path(cache) / subject).mkdir()
            (Path(cache) / subject / "f.json").write_bytes(content)
            memory.recall("f", "a case")


def _refused() -> suppress:
    """What a reader may raise is an answer."""
    return suppress(*ALLOWED)


def _sealed(body: bytes) -> bytes:
    digest = hashlib.sha256(body).hexdigest()
    return b'{"format":"accelbench record","version":%d,"sha256":"%s","record":%s}\n' % (VERSION, digest.encode(), body)


def _event(body: bytes) -> bytes:
    return b"\n" + TOKEN.encode() + body + b"\n"


def _itself(body: bytes) -> bytes:
    return body


def _readers() -> dict[str, Reader]:
    events = [Stage("data"), Beat(1.0, 2.0, "x"), Failure("failed", "no"), Result(msgspec.Raw(b'{"stages":{}}'))]
    memory = [
        msgspec.json.encode({"a case": Choice({"a": "b"}, "note")}),
        msgspec.json.encode({"a case": Known(0.1, 2.0)}),
        msgspec.json.encode({"a case": fake.record().ceilings}),
    ]
    checks = [{"format": DOCUMENT, "verdict": verdict, "cases": [{"label": "a case"}]} for verdict in ("pass", None)]
    small = np.arange(12, dtype=np.uint8)
    return {
        "record": Reader([_record()], _read_record, _sealed),
        "check": Reader([msgspec.json.encode(check) for check in checks], _read_check, _itself),
        "journal": Reader(_entries(), _read_journal, lambda body: _line(body) + b"\n"),
        "plan": Reader([msgspec.json.encode(_plan())], _read_plan, _itself),
        "channel": Reader([msgspec.json.encode(event) for event in events], _read_events, _event),
        "memory of a machine": Reader(memory, _read_memory, _itself),
        "npz": Reader([_archive(**_images())], _read_npz),
        "prepared arrays": Reader([_npy(small), _archive(a=small)], _read_arrays),
        "table of labels": Reader(TABLES, _read_table),
        "prices": Reader(PRICES, _read_prices),
        "price": Reader([b"cuda:0=2.90 EUR", b"cpu=0.05"], _read_price),
        "options of a plan": Reader(OPTIONS, _read_options),
        "options of a project": Reader(
            [text.replace(b"[run]", b"[tool.accelbench.check]") for text in OPTIONS], _read_project
        ),
    }


READERS = _readers()

# ---- damage -------------------------------------------------------------------------------------------------------------


@st.composite
def inputs(draw: st.DrawFn, reader: Reader) -> bytes:
    """One input for a reader."""
    whole = draw(st.sampled_from(reader.seeds))
    ways = ["bytes", "bytes", "nothing"] + (["value"] * 3 if reader.sealed else [])
    way = draw(st.sampled_from(ways))
    if way == "nothing":
        return draw(st.binary(max_size=200))
    if way == "value" and reader.sealed is not None:
        changed = _with_odd_values(json.loads(whole), draw)
        body = json.dumps(changed, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
        return reader.sealed(body)
    content = bytearray(reader.sealed(whole) if reader.sealed else whole)
    for _ in range(draw(st.integers(1, 4))):
        _damage(content, draw)
    return bytes(content)


def _damage(content: bytearray, draw: st.DrawFn) -> None:
    """Cut, flip, splice or repeat in one place."""
    place = draw(st.integers(0, len(content)))
    match draw(st.sampled_from(["cut", "flip", "splice", "repeat", "leave out"])):
        case "cut":
            del content[place:]
        case "flip" if place < len(content):
            content[place] ^= 1 << draw(st.integers(0, 7))
        case "splice":
            content[place:place] = draw(st.sampled_from(SPLICES))
        case "repeat":
            content[place:place] = content[place : place + draw(st.integers(1, 200))]
        case _:
            del content[place : place + draw(st.integers(1, 40))]


def _with_odd_values(value: Any, draw: st.DrawFn) -> Any:
    """The JSON value with an odd one in one place or several, or with a field less."""
    box = [value]
    for _ in range(draw(st.integers(1, 3))):
        at: Any = box
        key: Any = 0
        while isinstance(at[key], dict | list) and at[key] and draw(st.integers(0, 5)):
            at = at[key]
            key = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if isinstance(at, dict) and draw(st.integers(0, 4)) == 0:
            del at[key]
        else:
            at[key] = draw(st.one_of(st.sampled_from(ODD), st.integers(), st.floats(), st.text(max_size=20)))
    return box[0]


def fuzz(name: str, number: int, seed: int | None = None) -> None:
    """Give a reader so many inputs. Raises what the reader raised that it may not, with the input in hypothesis's own words.

    Without a ``seed`` the inputs are the same at each call.
    """
    reader = READERS[name]

    def gives_a_value_or_a_sentence(content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), _refused():
            warnings.simplefilter("ignore")  # what NumPy says of a sum of odd figures is no trouble of the reader's
            reader.read(content, Path(folder))

    wanted = settings(
        max_examples=number, deadline=None, derandomize=seed is None, database=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    test = wanted(given(inputs(reader))(gives_a_value_or_a_sentence))
    (test if seed is None else hypothesis.seed(seed)(test))()


def main(words: list[str]) -> int:
    """Fuzz the readers and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("inputs", nargs="?", type=int, default=10_000, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", action="append", choices=list(READERS), help="this reader alone; can be given again")
    options = parser.parse_args(words)
    chosen = options.reader or list(READERS)
    share, rows, wrong = -(-options.inputs // len(chosen)), [], 0
    for name in chosen:
        found = ""
        try:
            fuzz(name, share, options.seed)
        except Exception as error:
            found, wrong = f"{type(error).__name__}: {str(error)[:80]}", wrong + 1
            print(f"{name}:", *getattr(error, "__notes__", []), file=sys.stderr)
        rows.append((name, share, found or "none"))
        print(f"{name}: {rows[-1][2]}", file=sys.stderr, flush=True)
    print(tabulate(rows, ["reader", "inputs", "other errors"], tablefmt="github"))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
