"""Acceptance of a GPU: one step after the other, each with its own limit, its own record and one archive.

    python tests/proof/gpu.py --list                      the steps, what each tells, and its expected minutes
    python tests/proof/gpu.py OUT                         every step, the most valuable first, and the table
    python tests/proof/gpu.py OUT --step cuda-train       this step alone (repeatable)
    python tests/proof/gpu.py OUT --table                 the table from the archives that lie in OUT
    python tests/proof/gpu.py OUT --rehearse              the same steps on the host, at the smallest size

OUT gets STEP.tar.gz from each step (OUT/rehearsal of a rehearsal): its log, and the folder of its run with record, journal and workers' logs. A step that fails
or runs out of time does not stop the others; what it measured by then is in its archive. docs/gpu-acceptance.md has more.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.proof.gpu_table import ROOT, Row, environment, table

LIMIT_SECONDS, SEALING_SECONDS, FAREWELL_SECONDS = 560.0, 30.0, 30.0
LEAST_SECONDS = 5.0  # of what is left of a step: less is too little for another command


@dataclass(frozen=True)
class Target:
    """What the steps run on."""

    torch: tuple[str, str]  # backend and device
    jax: tuple[str, str]
    size: str
    precision: str  # the fast one
    batch_size: int
    images: int
    seconds: float
    trials: int
    train_ways: tuple[str, str]  # values of the options that name a way: the quick one to build, the fast one
    infer_ways: tuple[str, str]
    train_option: str
    verified: tuple[tuple[str, ...], tuple[str, ...]]  # sizes: of the way that is quick to build, of the other
    small: str
    tests: str  # pytest's -k
    more_tests: tuple[str, ...] = ()  # files


GPU = Target(
    torch=("cuda", "cuda:0"),
    jax=("jax", "jax:gpu:0"),
    size="standard",
    precision="bf16",
    batch_size=256,
    images=512,
    seconds=2.5,
    trials=3,
    train_ways=("graph", "compiled"),
    infer_ways=("graph", "compiled"),
    train_option="step",
    verified=(("tiny", "small"), ("tiny",)),
    small="small",
    tests="TestConformance and not OnHost",
)
HOST = Target(
    torch=("cpu", "cpu"),
    jax=("jax", "jax:cpu:0"),
    size="tiny",
    precision="fp32",
    batch_size=64,
    images=256,
    seconds=0.1,
    trials=1,
    train_ways=("eager", "compiled"),
    infer_ways=("eager", "graph"),
    train_option="norms",
    verified=(("tiny",), ()),
    small="tiny",
    tests="TestConformance and Dense",
    more_tests=("tests/backends/test_cpu.py",),
)


@dataclass(frozen=True)
class Step:
    """Some commands that belong together."""

    name: str
    tells: str
    minutes: float  # expected on an H100 with 16 cores: an estimate until one has run them
    commands: Sequence[Sequence[str]]


def steps(target: Target) -> list[Step]:
    """Return every step, the most valuable first."""
    backend, device = target.torch
    of_torch = ["--backend", backend, "--device", device]
    of_jax = ["--backend", target.jax[0], "--device", target.jax[1]]
    quick, fast = ([f"{target.train_option}={way}", f"inference={other}"] for way, other in zip(target.train_ways, target.infer_ways, strict=True))  # fmt: skip
    train, infer = ["--phase", "train"], ["--phase", "infer"]
    batch, precise = ["--batch-size", str(target.batch_size)], ["--precision", target.precision]

    def run(*words: str, size: str = target.size, ceilings: bool = False) -> list[str]:
        lengths = ["--trials", str(target.trials), "--seconds", str(target.seconds), "--images", str(target.images)]
        return ["-m", "bench", "run", "--size", size, *lengths, *words] + ([] if ceilings else ["--no-ceilings"])

    def verify(sizes: Sequence[str], options: Sequence[str]) -> list[str]:
        chosen = [word for size in sizes for word in ("--size", size)]
        return ["-m", "bench", "verify", *of_torch, *chosen, *_options(options)]

    kernels = ["tests/benchmarks/kernels.py", "--backend", backend, "--size", target.size, *precise]
    kernels += ["--batch-size", str(target.batch_size)]
    conformance = ["tests/backends/test_cuda.py", "tests/backends/test_jax.py", *target.more_tests]
    return [
        Step("cuda-train", f"training of {target.size} in {target.precision}, the quick way to build", 5,
             [run(*of_torch, *train, *precise, *batch, *_options(quick[:1]))]),
        Step("cuda-train-compiled", "the same in the fastest way", 7,
             [run(*of_torch, *train, *precise, *batch, *_options(fast[:1]))]),
        Step("cuda-verify", "that each precision computes what the specification says", 5,
             [verify(sizes, ways) for sizes, ways in ((target.verified[0], []), (target.verified[0], quick),
                                                      (target.verified[1], fast)) if sizes]),
        Step("cuda-infer", "inference, one image at a time and in batches", 6,
             [run(*of_torch, *infer, *precise, *_options(quick[1:]))]),
        Step("cuda-infer-compiled", "the same in the fastest way", 8,
             [run(*of_torch, *infer, *precise, *_options(fast[1:]))]),
        Step("jax-train", "the same training by JAX", 6, [run(*of_jax, *train, *precise, *batch)]),
        Step("host", "decoding and training on the machine's own cores, for days versus hours", 9,
             [run("--backend", "cpu", "--phase", "preprocess", *train, "--precision", "fp32")]),
        Step("host-infer", "inference on the machine's own cores", 7, [run("--backend", "cpu", *infer, "--precision", "fp32")]),
        Step("conformance", "the kit on the GPU, PyTorch and JAX in one process", 6,
             [["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *conformance, "-k", target.tests]]),
        Step("fp32", "training and inference in strict fp32, at the host's batch size: what every device has", 7,
             [run(*of_torch, *train, "--precision", "fp32", *_options(quick[:1])),
              run(*of_torch, *infer, "--precision", "fp32", *_options(quick[1:]))]),
        Step("ceilings", "what the device reaches in arithmetic, reading memory and copying", 5,
             [run(*of_torch, *train, *precise, "--trials", "1", "--no-search", size="tiny", ceilings=True)]),
        Step("small", "the default size, everything searched", 9, [run(*of_torch, size=target.small)]),
        Step("profile", "where a step's time goes, kernel by kernel", 4,
             [[*kernels, *_options(quick[:1])], [*kernels, "--phase", "infer", *_options(quick[1:])]]),
    ]  # fmt: skip


def _options(words: Sequence[str]) -> list[str]:
    return [part for word in words for part in ("--option", word)]


def main() -> int:
    """Run what was asked for; 0 where every step ended well and every row of the table has its figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--list", action="store_true", help="Print the steps and run nothing.")
    parser.add_argument("--step", action="append", default=[], metavar="NAME", help="Run this step alone (repeatable).")
    parser.add_argument("--table", action="store_true", help="Run nothing; print the table.")
    parser.add_argument("--rehearse", action="store_true", help="On the host, at the smallest size.")
    given = parser.parse_args()
    target = HOST if given.rehearse else GPU
    known = steps(target)
    if given.list:
        print(listing(known))
        return 0
    names = [step.name for step in known]
    unknown = [name for name in given.step if name not in names]
    if unknown or given.out is None:
        parser.error(
            f"unknown step '{unknown[0]}'; there are: {', '.join(names)}" if unknown else "say where the archives go: OUT"
        )
    out = given.out / "rehearsal" if given.rehearse else given.out
    refusal = _refusal(out, given.table)
    if refusal:
        parser.error(refusal)
    chosen = [step for step in known if not given.table and (step.name in given.step or not given.step)]
    try:
        with heeding_signals():
            failed = [step.name for step in chosen if not carry_out(step, out, given.rehearse)]
    except Stopped as stop:
        print(f"stopped; what was measured is in {out}", flush=True)
        return stop.code
    if given.step and not given.table:
        print(f"failed: {', '.join(failed)}" if failed else "every command of the step ended well")
        return int(bool(failed))
    lines, empty, marked = table(out, rows(target))
    print("\n".join(lines))
    for what, found in (("failed", failed), ("no figure", empty), ("marked", marked)):
        if found:
            print(f"{what}: {'; '.join(found)}")
    return int(bool(failed or empty))


def _refusal(out: Path, read_only: bool) -> str:
    """Why archives cannot be put into ``out``, or not be read from it; empty where they can."""
    if read_only:
        return "" if out.is_dir() else f"{out} is no folder; expected one with the archives of steps"
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        return f"cannot write to {out}: {error.strerror}; choose another folder"
    return ""


def rows(target: Target) -> list[Row]:
    """Return the rows of the table, in order."""
    backend, jax = target.torch[0], target.jax[0]
    fast = {"precision": target.precision, "size": target.size}
    training = {"backend": backend, "phase": "train", "scenario": "", **fast}
    inference = {"backend": backend, "phase": "infer", **fast}
    on_host = {"backend": "cpu", "phase": "train", "scenario": "", "precision": "fp32", "size": target.size}
    decoding = {"backend": "host", "phase": "preprocess", "size": target.size}
    wanted = WANTED if target is GPU else {}
    return [
        Row("training, images/s", training, wanted.get("training", "")),
        Row("training by JAX, images/s", training | {"backend": jax}, wanted.get("jax", "")),
        Row("training in fp32, images/s", training | {"precision": "fp32"}),
        Row("offline inference, images/s", inference | {"scenario": "offline"}, wanted.get("inference", "")),
        Row("offline inference in fp32, images/s", inference | {"scenario": "offline", "precision": "fp32"}),
        Row("single-stream inference, images/s", inference | {"scenario": "single-stream"}),
        Row("training on the host in fp32, images/s", on_host),
        Row("decoding on the host, megapixels/s", decoding, figure="megapixels_per_second"),
    ]


WANTED = {
    "training": "4,500 on an H100, 5,500 on an H200",
    "jax": "0.8 of PyTorch's",
    "inference": "25 % of the ceiling on an H100, 30 % on an H200",
}


class Stopped(BaseException):
    """A signal ends the acceptance run; ``code`` is the shell's convention for it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number


@contextmanager
def heeding_signals() -> Iterator[None]:
    """Signals that end a program raise Stopped, so that the step in progress is packed."""

    def stop(number: int, frame: object) -> None:
        raise Stopped(number)

    numbers = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def listing(known: Sequence[Step]) -> str:
    """The table of docs/gpu-acceptance.md."""
    rows = [f"| `{step.name}` | {step.tells} | {step.minutes:g} |" for step in known]
    return "\n".join(["| step | what it tells | expected minutes |", "|---|---|---|", *rows])


def carry_out(step: Step, out: Path, rehearsal: bool = False) -> bool:
    """Run a step's commands within its limit and put what they leave into one archive; whether all of them ended with figures."""
    begun = time.monotonic()
    codes: list[str] = []
    print(f"{step.name}: {step.tells}{'' if rehearsal else f'; expected {step.minutes:g} min'}", flush=True)
    with tempfile.TemporaryDirectory(prefix="accelbench-step-") as folder:
        place = Path(folder) / step.name
        place.mkdir()
        try:
            for words in step.commands:
                left = LIMIT_SECONDS - (time.monotonic() - begun)
                codes.append("not begun" if left < LEAST_SECONDS else _command(words, place, left))
                print(f"  {time.monotonic() - begun:4.0f} s  {_said(codes[-1])}: {' '.join(words)}", flush=True)
        finally:
            archive = pack(place, out)
    if any(code != "0" for code in codes):
        print(_last_words(archive), flush=True)
    return all(code in ENDED for code in codes)


def pack(place: Path, out: Path) -> Path:
    """Put what a step left into an archive of its own, beside those that are there; none is ever replaced."""
    names = (f"{place.name}{'' if number == 1 else f'-{number}'}.tar.gz" for number in range(1, sys.maxsize))
    archive = next(out / name for name in names if not (out / name).exists())
    part = out / f"{archive.name}.part"
    with tarfile.open(part, "w:gz") as packed:  # without the programs that an interrupted run has compiled
        packed.add(place, place.name, filter=lambda member: None if member.name.endswith("/compiled") else member)
    return part.rename(archive)


ENDED = {"0": "ended well", "6": "ended; not everything was finished and proven"}
"""Exit codes after which there are figures. The table says which of them are unproven."""


def _said(code: str) -> str:
    return ENDED.get(code, f"exit {code}" if code.isdigit() else code)


def _command(words: Sequence[str], place: Path, seconds: float) -> str:
    """The exit code of one command, or how it was ended; its words and output go to the step's log."""
    words = list(words)
    if words[:3] == ["-m", "bench", "run"]:
        words += ["--time-limit", f"{max(seconds - SEALING_SECONDS, LEAST_SECONDS):.0f}s", "--output", str(place / "runs")]
    with (place / "log.txt").open("a") as log:
        log.write(f"$ python {' '.join(words)}\n")
        log.flush()
        child = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(),
            start_new_session=True,  # a Ctrl-C is ours alone, and passed on
        )
        try:
            return str(child.wait(seconds))
        except subprocess.TimeoutExpired:
            return "out of time"
        finally:  # also where we are stopped: a run seals what it has
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Interrupt a command that still runs, and wait until it has sealed what it has; then kill its group."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(FAREWELL_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _last_words(archive: Path, lines: int = 12) -> str:
    with tarfile.open(archive) as packed:
        log = next((member for member in packed if member.name.endswith("/log.txt")), None)
        file = None if log is None else packed.extractfile(log)
        text = "" if file is None else file.read().decode(errors="replace")
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


if __name__ == "__main__":
    sys.exit(main())
