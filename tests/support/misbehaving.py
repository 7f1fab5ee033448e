"""A plugin for tests: an honest little backend made of the oracle, and, on request, one that fails in every way there is.

It is installed by putting its folder, with metadata beside it, on PYTHONPATH (``tests.support.site``), so the processes
under test find it as they would find a stranger's.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.contract import Device, ImageSet, Probe, Progress, UnsupportedLayer, Workload, hookimpl
from bench.errors import DataError
from bench.oracle.model import Oracle, predict
from bench.spec import SGD, CrossEntropy, Dense, Flatten, Network, Schedule, sequential, trainable

NETWORK = Network(8, 8, 2, sequential(flat=Flatten(), hidden=Dense(192, 16), head=Dense(16, 2)))


class Misbehaving:
    """Device ``test:0`` runs the oracle; ``--option fault=NAME`` breaks training in a way of its own.

    With ``marker=FILE`` only the first training does, and leaves a mark with its process number just before. With ``hold=N`` too,
    training number N leaves the mark, and waits until it is taken away.
    """

    name = "misbehaving"
    options = ("fault", "hold", "marker", "note", "pause")

    def probe(self):
        return Probe((Device("test:0", "cpu", "test processor", ("float64",), "host"),), {"oracle": "1"})

    def trainer(self, workload, weights, device, settings):
        return Training(workload, weights, settings.options)

    def predictor(self, workload, weights, device, settings):
        return Prediction(workload.network, weights)


class Choosy(Misbehaving):
    """Slow in its usual way; offers one that fails, one that cannot be built, and one that is not slow."""

    name = "choosy"

    def alternatives(self, workload, phase, settings):
        ways = {"pause": "0.02"}, {"fault": "raise"}, {"pause": "soon"}, {"pause": "0"}
        return ways if phase == "train" else ()


class Training:
    def __init__(self, workload, weights, options):
        self.oracle = Oracle(workload.network, workload.loss, workload.optimizer, weights)
        self.fault = options.get("fault", "")
        self.hold, self.counted = int(options.get("hold", 0)), False
        self.marker = options.get("marker", "")
        self.pause = float(options.get("pause", 0))

    def stage(self, images, labels):
        return images, labels

    def run(self, block):
        if self.oracle.steps >= 2:
            self._hold() if self.hold else self._misbehave()
        time.sleep(self.pause * len(block))
        return [self.oracle.step(*batch) for batch in block]

    def wait(self, losses):
        squares = sum(float(np.sum(w**2)) for name, w in self.oracle.weights.items() if trainable(name))
        return Progress(np.array(losses), squares)

    def weights(self):
        return {name: value.copy() for name, value in self.oracle.weights.items()}

    def device_memory(self):
        return "plenty" if self.fault == "type" else 0

    def _misbehave(self):
        if self.marker and Path(self.marker).exists():
            return
        if self.marker:  # misbehave once only: the next process finds the mark
            leave_mark(self.marker)
        if self.fault in FAULTS:
            FAULTS[self.fault]()

    def _hold(self):
        if self.counted:
            return
        self.counted = True
        with Path(f"{self.marker}.trainings").open("ab") as trainings:
            trainings.write(b".")
            number = trainings.tell()
        if number == self.hold:
            if self.fault == "orphans":
                leave_orphans()
            leave_mark(self.marker)
            while Path(self.marker).exists():
                time.sleep(0.01)


class Prediction:
    def __init__(self, network, weights):
        self.network, self.weights = network, weights

    def stage(self, images):
        return images

    def run(self, images):
        return predict(self.network, self.weights, images)

    def wait(self, probabilities):
        return probabilities


def leave_mark(marker):
    """Write this process's number into the file ``marker``, which is there with all that it holds or not at all."""
    unfinished = Path(f"{marker}.unfinished")
    unfinished.write_text(str(os.getpid()))
    unfinished.replace(marker)


def _print_megabytes():
    for _ in range(40):
        print("chatter " * 2**17, flush=True)
    print("the last words", flush=True)
    os._exit(3)


def _raise_what_nobody_can_write():
    raise RuntimeError("half \ud800 of a pair, and " + 5_000_000 * "x")


def _raise():
    raise RuntimeError("the kernel launch failed\nsecond line")


def _lack_a_layer():
    raise UnsupportedLayer("no LayerNorm ('norm')")


def leave_orphans():
    """Start a child, and a grandchild whose parent ends and which has left session and group; write their numbers into ``orphans``."""
    place = Path(tempfile.gettempdir(), "orphans")
    place.touch()
    before = place.read_text().count("\n")
    for apart in (False, True):
        if os.fork():
            continue
        if apart:
            os.setsid()
            if os.fork():
                os._exit(0)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        with place.open("a") as numbers:
            numbers.write(f"{os.getpid()}\n")
        while True:
            time.sleep(600)
    while place.read_text().count("\n") < before + 2:
        time.sleep(0.01)


def _leave_orphans_and_die():
    leave_orphans()
    os.kill(os.getpid(), signal.SIGKILL)


def _flood_pipes():
    """Forge a result, then write without an end, into every pipe but the standard ones."""
    pipes = [number for number in range(3, 64) if _is_pipe(number)]
    while True:
        for number in pipes:
            os.write(number, b'\n{"type":"result","value":{"stages":{}}}\n' + b"x" * 2**16)


def _is_pipe(number):
    try:
        return stat.S_ISFIFO(os.fstat(number).st_mode) and fcntl.fcntl(number, fcntl.F_GETFL) & os.O_WRONLY
    except OSError:
        return False


FAULTS = {
    "flood": _flood_pipes,
    "unsupported": _lack_a_layer,
    "segfault": lambda: ctypes.string_at(0),
    "sigkill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "abort": os.abort,
    "memory": lambda: np.empty(2**55, np.uint8),
    "hang": lambda: time.sleep(600),
    "print": _print_megabytes,
    "raise": _raise,
    "surrogate": _raise_what_nobody_can_write,
    "exit": lambda: os._exit(7),
    "orphans": _leave_orphans_and_die,
}


class Babbling:
    """A reporter that prints, and then answers or fails."""

    def __init__(self, name, answer):
        self.name, self.answer = name, answer

    def render(self, report):
        print("chatter")
        return self.answer()


def _hang_with_mark():
    leave_mark(Path(__file__).with_name("hanging"))
    time.sleep(600)


class Dots:
    """Random pictures whose label is whether they are bright."""

    def open(self, request, height, width):
        if request.path is not None and request.path.name in FAULTS:
            FAULTS[request.path.name]()
        if request.path is not None:
            raise DataError("the workload dots makes its own images")
        rng = np.random.default_rng(request.seed)
        images = rng.integers(0, 256, (request.count, height, width, 3), dtype=np.uint8)
        labels = (images.mean((1, 2, 3)) > 127.5).astype(np.int32)
        split = np.resize(np.array([0, 0, 0, 1, 2], np.uint8), request.count)
        identity = hashlib.sha256(images.tobytes()).hexdigest()
        return ImageSet(request.count, height, width, labels, split, "dots", identity, lambda index: images[index])

    def files(self, request, folder):
        raise DataError("the workload dots has no files")

    def decode(self, file, height, width):
        raise DataError("the workload dots has no files")


def workload(**changes):
    fields = dict(
        name="dots",
        size="small",
        network=NETWORK,
        loss=CrossEntropy(),
        optimizer=SGD(Schedule(0.05)),
        batch_size=16,
        epochs=2,
        seed=0,
        classes=("dark", "bright"),
        data=Dots(),
        summary="8x8, for tests",
    )
    return Workload(**(fields | changes))


@hookimpl
def bench_backends():
    return [Misbehaving(), Choosy()]


@hookimpl
def bench_workloads():
    return [workload()]


@hookimpl
def bench_reporters():
    faults = [Babbling(name, FAULTS[name]) for name in ("raise", "exit")]
    odd = {"number": lambda: 7, "half": lambda: "\ud83d", "lines": lambda: "ü\r\n"}
    return [*faults, Babbling("hang", _hang_with_mark), *(Babbling(*one) for one in odd.items())]


assert __name__ != "misbehaving_plugin" or "bench.run" not in sys.modules, "the parent must never import a plugin"
