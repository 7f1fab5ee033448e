"""Closed streams, readers that leave, and a disk that is full."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from unittest.mock import Mock

import click
import pytest

from bench.cli import _refused, main
from bench.cli import run as run_command
from bench.cli.streams import Tolerant, tolerant_streams
from bench.record.files import write_record
from bench.text.outside import is_lost
from tests.support import records as fake
from tests.support.site import environment
from tests.support.waiting import PATIENCE


@pytest.fixture
def folder(tmp_path):
    for name in ("r0", "r1"):
        (tmp_path / "results" / name).mkdir(parents=True)
        write_record(fake.record(name, [fake.Script(fake.train(), 75.0)]), tmp_path / "results" / name / "record.json")
    return tmp_path


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("results list results | true", 0, "2 records\n"),
        ("report results --format png | true", 0, ""),
        ("results list results >&-", 0, "2 records\n"),
        ("report results >&-", 2, "bench: standard output is closed; name a file with --output\n"),
        ("report nowhere 2>&- >&- <&-", 2, ""),
        ("results list results >/dev/full", 2, f"bench: {_refused(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))}\n"),
        ("doctor --no-noise >/dev/full", 0, "bench: standard output could not be written: No space left on device\n"),
        ("results list results 2>/dev/full", 0, ""),
    ],
)
def test_a_stream_that_is_closed_or_left_ends_no_command(folder, words, code, said):
    command, bar, reader = words.partition("|")
    run = f'"{sys.executable}" -m bench {command}'
    pipeline = f"{{ {run}; echo $? > code; }} {bar} {reader}"
    done = subprocess.run(
        ["sh", "-c", pipeline],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (folder / "code").read_text() == f"{code}\n"
    assert done.stderr == said


def test_what_is_written_to_a_reader_that_has_left_goes_nowhere():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        stream = Tolerant(pipe)
        for _ in range(3):
            assert stream.write("word\n" * 20_000) == 100_000
            stream.flush()
        assert stream.encoding == pipe.encoding


def test_other_troubles_of_a_stream_are_told(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(stream, "write", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        Tolerant(stream).write("word")


def test_a_stream_of_ascii_has_the_door_too(monkeypatch):
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", output)
    with tolerant_streams():
        click.echo("…\n::error::x")
    assert output.buffer.getvalue() == b"\\u2026\n\\u003a:error::x\n"


def refusing(number: int = errno.ENOSPC) -> io.StringIO:
    """A stream on a full disk, or on a terminal that has gone."""
    stream = io.StringIO()
    stream.write = stream.flush = Mock(side_effect=OSError(number, os.strerror(number)))
    return stream


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_no_trouble_of_its_streams_ends_a_command_that_measures(monkeypatch, capsys, number):
    monkeypatch.setattr(sys, "stdout", refusing(number))
    with tolerant_streams(measures=True):
        print("word", flush=True)
        assert is_lost(sys.stdout)
    assert capsys.readouterr().err == f"bench: standard output could not be written: {os.strerror(number)}\n"
    monkeypatch.setattr(sys, "stderr", refusing(number))
    with tolerant_streams():
        print("word", file=sys.stderr, flush=True)


def test_a_closed_standard_error_gets_no_words_on_standard_output(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    with tolerant_streams():
        print("word", file=sys.stderr)
    assert capsys.readouterr().out == ""


def test_a_run_that_cannot_print_its_table_says_where_its_record_is(folder, monkeypatch, capsys):
    record = fake.record("r0", [fake.Script(fake.train(), 75.0)])
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as end:
        run_command._finish(record, folder / "results" / "r0", "", False)
    assert end.value.code == 0
    assert capsys.readouterr().err == f"record: {folder / 'results' / 'r0' / 'record.json'}\n"


def test_a_verdict_keeps_its_exit_code_without_a_reader(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as end:
        main(["compare", "results/r0", "results/r1"])
    assert end.value.code == 3


def test_a_full_disk_names_what_moves_the_harnesss_folders():
    said = _refused(OSError(errno.ENOSPC, "No space left on device", "/cache/part"))
    assert said == (
        "the system refused /cache/part: No space left on device; free some space ('bench cache' shows what the cache holds), or choose "
        "other places with BENCH_CACHE, TMPDIR and --output"
    )


def test_a_root_that_cannot_be_written_names_the_variable_for_temporary_files():
    words = "No usable temporary directory found in ['/tmp', '/var/tmp', '/usr/tmp', '/']"
    assert (
        _refused(FileNotFoundError(errno.ENOENT, words))
        == "no folder for temporary files can be written; name one with TMPDIR"
    )
