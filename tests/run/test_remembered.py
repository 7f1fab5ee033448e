"""What is remembered of a machine is forgotten where its file is damaged."""

from __future__ import annotations

import pytest

from bench.check.noise import NOISE, Known

FINGERPRINT = "0123456789abcdef"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe{}",
        b'{"a\xff":{"scatter":0.01,"best_seconds":2.0}}',
        b'{"a":{"scatter":0.01',
        b"[" * 100_000,
        b'{"a":{"scatter":-1.0,"best_seconds":2.0}}',
        b'{"a":{"scatter":1e300,"best_seconds":2.0}}',
        b'{"a":{"scatter":0.01,"best_seconds":0.0}}',
    ],
)
def test_a_damaged_file_is_none_and_is_replaced(tmp_path, monkeypatch, content):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    (tmp_path / "noise").mkdir()
    (tmp_path / "noise" / f"{FINGERPRINT}.json").write_bytes(content)
    assert NOISE.recall_all(FINGERPRINT) == {}
    NOISE.remember(FINGERPRINT, {"a": Known(0.01, 2.0)})
    assert NOISE.recall(FINGERPRINT, "a") == Known(0.01, 2.0)
