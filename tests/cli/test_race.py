"""``bench race``: who arrives when, on a terminal and without one."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

from bench.cli import main
from bench.record.files import NAME, write_record
from tests.support import records as fake
from tests.support.site import bench, start_bench
from tests.support.waiting import PATIENCE, wait_for


@pytest.fixture
def folder(tmp_path):
    write_record(fake.record(), tmp_path / NAME)
    return tmp_path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        main(["race", *map(str, arguments)])
    streams = capsys.readouterr()
    return int(left.value.code or 0), streams.out, streams.err


def test_without_a_terminal_the_order_of_arrival(folder, capsys):
    code, out, err = run(capsys, folder)
    assert (code, err) == (0, "")
    first, second = out.splitlines()[1:]
    assert first.startswith("1. NVIDIA H200 (cuda:0), bf16: ")
    assert "times as fast as the last" in first
    assert second.startswith("2. Intel Xeon Platinum 8468, 2 cores (cpu), bf16: ")


@pytest.mark.process
def test_on_a_terminal_the_bars_run_to_the_end(folder):
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "bench", "race", str(folder), "--seconds", "1"]
    process = subprocess.Popen(command, stdout=slave, stderr=slave, env=os.environ | {"COLUMNS": "120", "TERM": "xterm"})
    os.close(slave)
    shown = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # how Linux says that the other side has closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(master)
    assert process.wait(PATIENCE) == 0
    text = shown.decode()
    assert text.count("done in") >= 2
    assert "2. Intel Xeon" in text


LIVE = ["race", "--live", "--workload", "dots", "--size", "small", "--backend", "misbehaving", "--precision", "float64"]


def test_a_live_race_trains_and_says_who_arrived(tmp_path, site):
    done = bench([*LIVE, "--epochs", "2", "--images", "300"], tmp_path, site)
    assert done.returncode == 0, done.stderr
    title, first = done.stdout.splitlines()
    assert title.startswith("One training of dots small, 2 epochs, on each of 1 device at once")
    assert re.fullmatch(r"1\. misbehaving test:0, float64: .+ m?s, test AUC 0\.\d{4}, accuracy 0\.\d{4}", first)


def test_a_live_race_that_is_stopped_leaves_no_worker(tmp_path, site):
    process = start_bench([*LIVE, "--epochs", "100000", "--images", "300"], tmp_path, site)

    def training() -> list[psutil.Process]:
        found = []
        assert process.poll() is None, "the race has ended by itself"
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # one that only asked a backend what there is may end meanwhile
                if "bench.worker" in child.cmdline() and child.cpu_times().user > 2:
                    found.append(child)
        return found

    wait_for(lambda: "preparing" in (tmp_path / "output").read_text() and training())
    workers = training()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 128 + signal.SIGTERM
    assert "Traceback" not in (tmp_path / "output").read_text()
    assert not any(one.is_running() for one in workers)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--live"], 2, "shows no records"),
        (["--backend", "cpu"], 2, "--backend is for races with --live"),
        (["--precision", "bf16"], 2, "--precision is for races with --live"),
        (["--seconds", "0"], 2, "a race of 0 seconds"),
        (["--size", "huge"], 2, "hold no 'huge'"),
        (["--epochs", "-1"], 2, "-1 epochs"),
    ],
)
def test_wrong_use_is_one_sentence(folder, capsys, options, code, words):
    found, out, err = run(capsys, folder, *options)
    assert (found, out) == (code, "")
    assert words in err


def test_nothing_to_race(tmp_path, capsys):
    write_record(fake.record(wanted=[script for script in fake.scripts() if script.case.phase != "train"]), tmp_path / NAME)
    assert run(capsys, tmp_path)[0] == 4
