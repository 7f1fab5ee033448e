"""Bad input gets one sentence and exit code 2 (4 where nothing can be measured): no traceback, nothing half-written."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from bench.errors import UsageError
from bench.run.folders import cache_folder
from tests.support.site import bench, install, with_own_plugins, without_own_plugins

RUN = ["run", "--backend", "misbehaving", "--workload", "dots", "--no-ceilings", "--trials", "1", "--seconds", "0.05"]

FEW = ["--backend", "misbehaving", "--workload", "dots", "--size", "small", "--precision", "float64", "--images", "12"]


def one_sentence(done, code=2):
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith(("bench:", "Error:"))]
    lines = [line for line in lines if not line.endswith(" so far")]  # of long waits, on a busy machine
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--backend", "misbehavin"], "unknown backend 'misbehavin'; there are: misbehaving, choosy; did you mean"),
        ([*RUN, "--size", "huge"], "unknown size of dots 'huge'; there are: small"),
        (["run", "--backend", "misbehaving", "--workload", "spots"], "unknown workload 'spots'; there are: dots"),
        ([*RUN, "--device", "test:7"], "unknown device 'test:7'; there are: test:0"),
        ([*RUN, "--batch-size", "0"], "batch size 0 is not possible; expected 1 to 65,536"),
        ([*RUN, "--batch-size", "-3"], "batch size -3 is not possible"),
        ([*RUN, "--trials", "0"], "0 trials are not possible"),
        ([*RUN, "--seconds", "0"], "0 seconds per trial"),
        ([*RUN, "--seconds", "nan"], "nan seconds per trial"),
        ([*RUN, "--threads", "999"], "999 threads are not possible"),
        (
            [*RUN, "--precision", "fp33"],
            "unknown precision 'fp33'; there are: float64, fp32, tf32, bf16; did you mean 'fp32'?",
        ),
        (
            [*RUN, "--phase", "training"],
            "unknown phase 'training'; there are: preprocess, train, infer; did you mean 'train'?",
        ),
        ([*RUN, "--option", "fault"], "--option fault is not understood; expected NAME=VALUE"),
        ([*RUN, "--data", "nowhere"], "--data nowhere does not exist"),
        ([*RUN, "--data", ""], "--data is empty"),
        ([*RUN, "--label", "a=1", "--label", "a=2"], "--label a is given twice: 1 and 2"),
        ([*RUN, "--interpreter", f"nobody={sys.executable}"], "unknown plugin 'nobody'; there are: misbehaving"),
        (["report", "--stall-timeout", "nan"], "a stall timeout of nan s is not possible"),
        (["report", "--efficiency", "0.5"], "say how many with --devices"),
        (["report", "--reference", ""], "--reference is empty"),
        (["report", "--price", "cpu=1", "--price", "cpu=2"], "--price cpu is given twice"),
        ([*RUN, "--labels", "table.csv"], "say where they are with --data PATH"),
        ([*RUN, "--images", "0"], "--images 0 is not possible"),
        ([*RUN, "--interpreter", "misbehaving=/no/python"], "there is no such interpreter"),
        (["run", "--resume", "nowhere"], "nowhere holds no run to resume"),
        (["run", "--resume", "nowhere", "--size", "tiny"], "leave out --size"),
        (["verify", "--backend", "nobody"], "unknown backend 'nobody'"),
        (["train", "--backend", "misbehaving", "--seeds", "0"], "0 seeds"),
        (["train", "--backend", "misbehaving", "--seed", str(2**53)], "a seed of 9007199254740993 is not possible"),
        ([*RUN, "--seed", "9" * 30], f"a seed of {'9' * 24} is not possible; expected 0 to 9,007,199,254,740,992"),
        (["train", *FEW], "training needs at least one batch of 16 images; the training part holds "),
        (["forecast-check", *FEW], "training needs at least one batch of 16 images; the training part holds "),
    ],
)
def test_wrong_words(tmp_path, site, arguments, words):
    sentence = one_sentence(bench(arguments, tmp_path, site))
    assert words in sentence
    assert not (tmp_path / "bench-results").exists()


@pytest.fixture
def with_ours(site):
    """The site, with which a process finds the plugins that come with accelbench too."""
    return with_own_plugins(site)


def test_a_wrong_name_lists_the_plugins_of_all_packages(tmp_path, with_ours):
    """The workload is looked at once the backend is known."""
    sentence = one_sentence(bench(["run", "--backend", "misbehaving", "--workload", "spots"], tmp_path, with_ours))
    assert "unknown workload 'spots'; there are: dermamnist, melanoma, melanoma-shallow, dots" in sentence


def test_a_batch_that_cannot_be_proven_is_refused_with_one_that_can(tmp_path, site):
    done = bench([*RUN, "--precision", "float64", "--phase", "train", "--batch-size", "37"], tmp_path, site)
    assert done.returncode == 4
    assert "try 40" in done.stderr


def test_a_precision_no_device_has(tmp_path, site):
    assert "not bf16" in one_sentence(bench([*RUN, "--phase", "train", "--precision", "bf16"], tmp_path, site), code=4)


def test_a_backend_without_a_device_says_why(tmp_path, with_ours):
    sentence = one_sentence(bench(["run", "--backend", "cuda", "--size", "tiny"], tmp_path, with_ours), code=4)
    assert "backend 'cuda' has no device here: PyTorch" in sentence


def melanoma(tmp_path, site, data, *more):
    words = ["run", "--size", "tiny", "--phase", "preprocess", "--trials", "1", "--seconds", "0.05", "--data", str(data)]
    return bench([*words, *more], tmp_path, site)


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["report", "--chart", ""], "--chart"),
        (["report", "--output", ""], "--output"),
        (["report", "-o", "", "x"], "-o"),
        (["run", "-o", "", "--dry-run"], "-o"),
        (["run", "--workload="], "--workload"),
        (["check", "--json", "", "--against-ref", "x"], "--json"),
        (["results", "copy", "--to", ""], "--to"),
    ],
    ids=" ".join,
)
def test_an_empty_word_is_no_value(tmp_path, words, flag):
    sentence = one_sentence(bench(words, tmp_path))
    assert sentence == f"bench: {flag} is empty; expected a value"


LONG = "9" * 5000


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--trials", LONG],
        ["run", "--images", LONG[:4000]],
        ["run", f"--trials={LONG}"],
        ["run", "--seconds", f"{LONG}x"],
        ["run", f"--{LONG}"],
        ["report", "--epochs", LONG],
        [LONG],
        [f"--{LONG}"],
    ],
    ids=lambda words: " ".join(words)[:20],
)
def test_a_number_of_thousands_of_digits_is_not_repeated_whole(tmp_path, words):
    done = bench(words, tmp_path)
    assert done.returncode == 2
    assert len(done.stderr) < 800
    assert "9" * 50 in done.stderr


def test_a_folder_without_images(tmp_path, with_ours):
    (tmp_path / "empty").mkdir()
    one_sentence(melanoma(tmp_path, with_ours, tmp_path / "empty"))


@pytest.mark.parametrize("option", ["--data", "--labels"])
@pytest.mark.parametrize("place", ["/dev/zero", "pipe"])
def test_images_and_labels_come_from_files(tmp_path, option, place):
    os.mkfifo(tmp_path / "pipe")
    words = {"--data": str(tmp_path)} | {option: place}
    done = bench(["run", *(word for pair in words.items() for word in pair)], tmp_path)
    assert f"{option} {place} is a pipe or a device; expected a file or a folder: save it as a file" in one_sentence(done)


@pytest.mark.parametrize("option", ["--data", "-o", "--labels", "--label"])
def test_a_name_that_is_no_utf_8_is_refused_in_one_sentence(tmp_path, site, option):
    name = b"M\xe9lanome".decode(errors="surrogateescape")
    (tmp_path / name).mkdir()
    sentence = one_sentence(bench([*RUN, option, name], tmp_path, site))
    assert "'M\\\\xe9lanome' has bytes that are not UTF-8: expected a name in UTF-8" in sentence


def test_a_cache_folder_that_is_no_utf_8_is_refused(tmp_path, monkeypatch):
    name = b"M\xe9lanome".decode(errors="surrogateescape")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / name))
    with pytest.raises(UsageError, match="has bytes that are not UTF-8"):
        cache_folder()
    assert not (tmp_path / name).exists()


def test_a_broken_image_is_named_though_its_name_is_no_utf_8(tmp_path, with_ours):
    """The worker answers in JSON, which holds no such name."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / b"M\xe9l3.jpg".decode(errors="surrogateescape")).write_text("x")
    assert "M\\xe9l3.jpg is neither a JPEG nor a PNG file" in one_sentence(melanoma(tmp_path, with_ours, folder))


def test_pickled_objects_are_never_unpickled(tmp_path, with_ours):
    class Bomb:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/exploded",)

    np.savez(tmp_path / "bomb.npz", train_images=np.array([Bomb()], object), train_labels=np.zeros((1, 1), np.uint8))
    one_sentence(melanoma(tmp_path, with_ours, tmp_path / "bomb.npz"))
    assert not (tmp_path / "exploded").exists()


def test_a_csv_without_a_label_column_lists_what_it_has(tmp_path, with_ours):
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a", "b", "c"):
        Image.new("RGB", (40, 30), (90, 60, 50)).save(folder / f"{name}.jpg")
    table = tmp_path / "table.csv"
    table.write_text("image,diagnossis\na,mel\nb,nv\nc,nv\n")
    sentence = one_sentence(melanoma(tmp_path, with_ours, folder, "--labels", str(table), "--label-column", "diagnosis"))
    assert "diagnossis" in sentence


def test_an_unwritable_results_folder(tmp_path, site):
    """Nobody may make folders in /proc, not even root."""
    assert "cannot write to the results folder" in one_sentence(bench([*RUN, "-o", "/proc/results"], tmp_path, site))


def test_a_results_folder_that_is_a_file(tmp_path, site):
    (tmp_path / "taken").write_text("")
    assert "cannot write to the results folder" in one_sentence(bench([*RUN, "-o", "taken"], tmp_path, site))


def test_a_plugin_that_raises_on_import_is_a_line_in_the_list(tmp_path, site):
    install(site, "raiser", {"raiser": "raiser_plugin"}, {"raiser_plugin": "raise OSError('no such library: libfast.so')"})
    listed = bench(["list"], tmp_path, site)
    assert listed.returncode == 0
    assert (
        "raiser  plugin 'raiser' (raiser_plugin) cannot be imported: OSError: no such library: libfast.so" in listed.stdout
    )
    assert "misbehaving" in listed.stdout
    assert "libfast.so" in one_sentence(bench(["run", "--backend", "raiser"], tmp_path, site))


def test_a_plugin_that_crashes_on_import_is_a_line_in_the_list(tmp_path, site):
    install(site, "crasher", {"crasher": "crasher_plugin"}, {"crasher_plugin": "import os; os.abort()"})
    listed = bench(["list"], tmp_path, site)
    assert listed.returncode == 0
    assert "plugin 'crasher' (crasher_plugin): the worker crashed with SIGABRT" in listed.stdout


def test_a_plugin_that_does_not_fit_names_hook_and_reason(tmp_path, site):
    text = "from bench.contract import hookimpl\n@hookimpl\ndef bench_backends(extra):\n    return []\n"
    install(site, "misfit", {"misfit": "misfit_plugin"}, {"misfit_plugin": text})
    listed = bench(["list"], tmp_path, site)
    assert "plugin 'misfit' (misfit_plugin) does not fit its hooks" in listed.stdout
    assert "extra" in listed.stdout


def test_a_plugin_with_a_value_of_the_wrong_type_is_a_line_in_the_list(tmp_path, site):
    text = (
        (site / "misbehaving_plugin.py").read_text().replace('("float64",), "host")', '("float64",), "host", joins="yes")')
    )
    alone = tmp_path / "alone"
    install(alone, "joiner", {"joiner": "joiner_plugin"}, {"joiner_plugin": text})
    without_own_plugins(alone)
    listed = bench(["list"], tmp_path, alone)
    assert listed.returncode == 0
    sentence = "device test:0: precisions must be a tuple, trains and joins each a bool"
    assert f"plugin 'joiner' (joiner_plugin), backend 'misbehaving': probe(): {sentence}" in listed.stdout


def test_two_plugins_with_one_name(tmp_path, site):
    install(site, "second", {"misbehaving": "second_plugin"}, {"second_plugin": ""})
    sentence = one_sentence(bench(["list"], tmp_path, site))
    assert "two plugins are called 'misbehaving'" in sentence


def test_two_backends_with_one_name(tmp_path, site):
    text = (site / "misbehaving_plugin.py").read_text().replace("def bench_workloads", "def unused")
    text = text.replace("@hookimpl\ndef unused", "def unused")
    install(site, "second", {"another": "second_plugin"}, {"second_plugin": text})
    assert "two plugins offer a backend called 'misbehaving'" in one_sentence(bench(["list"], tmp_path, site))
