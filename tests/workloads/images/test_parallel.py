import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.images import parallel


@given(count=st.integers(0, 100), piece=st.integers(1, 30))
def test_covers_everything_once(count, piece):
    seen = []
    parallel.in_threads(lambda part: seen.extend(range(*part.indices(count))), count, piece)
    assert sorted(seen) == list(range(count))


@pytest.mark.parametrize("cores", [1, 4])
def test_the_first_error_wins_and_the_rest_is_dropped(monkeypatch, cores):
    monkeypatch.setattr(parallel, "cores", lambda: cores)
    done = []

    def work(part):
        if part.start in (0, 50):
            raise ValueError(f"piece {part.start}")
        time.sleep(0.1)  # 5,000 of them take minutes: plenty of time to drop most
        done.append(part.start)

    with pytest.raises(ValueError, match="piece 0"):
        parallel.in_threads(work, 5_000, 1)
    assert len(done) < 4_000
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("images")]


def test_counts_cores():
    assert parallel.cores() >= 1
