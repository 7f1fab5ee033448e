"""Generated images as files: kept from run to run, and written anew where they are not what they were."""

from __future__ import annotations

import numpy as np
import pytest

from workloads.images import synthetic


class Plain:
    """A generator of pictures of one colour each."""

    title, version, jpeg_quality = "plain pictures", 1, 80

    def images(self, seed, indices, height, width):
        return np.broadcast_to(indices[:, None, None, None].astype(np.uint8), (len(indices), height, width, 3))


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "FILES", 6)
    monkeypatch.setattr(synthetic, "FILE_HEIGHT", 8)
    monkeypatch.setattr(synthetic, "FILE_WIDTH", 8)
    return lambda: synthetic.write_files(Plain(), 0, tmp_path)


@pytest.mark.parametrize("content", [b"", b"\0" * 600, b"\xff\xd8 no picture \xff\xd9", None])
def test_damaged_files_are_written_again_and_whole_ones_are_kept(write, content):
    files = write()
    before = [file.read_bytes() for file in files]
    stamps = [file.stat().st_mtime_ns for file in files]
    if content is None:
        files[2].unlink()
    else:
        files[2].write_bytes(content)
    assert write() == files
    assert [file.read_bytes() for file in files] == before
    assert [file.stat().st_mtime_ns for number, file in enumerate(files) if number != 2] == stamps[:2] + stamps[3:]


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"0\n" * 90])
def test_a_damaged_list_of_digests_costs_the_files(write, content, tmp_path):
    files = write()
    before = [file.read_bytes() for file in files]
    (listed,) = tmp_path.glob("*.sha256")
    told = listed.read_text()
    if content is None:
        listed.unlink()
    else:
        listed.write_bytes(content)
    assert write() == files
    assert [file.read_bytes() for file in files] == before
    assert listed.read_text() == told
    assert not [*tmp_path.glob("*.part")]
