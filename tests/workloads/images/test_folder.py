import os
import tempfile
from pathlib import Path

import pytest

from bench.errors import DataError
from workloads.images.folder import find_images


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * len(name))


def test_finds_images_at_any_depth_in_order(tmp_path):
    touch(tmp_path, "b.JPG", "a/c.jpeg", "a/b/d.png", "notes.txt", ".hidden.jpg", "._a.jpg", ".git/e.jpg", "__MACOSX/f.jpg")
    assert [tuple(file) for file in find_images(tmp_path)] == [("a/b/d.png", 9), ("a/c.jpeg", 8), ("b.JPG", 5)]


def test_names(tmp_path):
    touch(tmp_path, "a/b/c.d.jpg")
    (file,) = find_images(tmp_path)
    assert (file.name, file.stem, file.parent) == ("c.d.jpg", "c.d", "a/b")


def test_follows_links_but_not_in_circles(tmp_path):
    touch(tmp_path, "data/a.jpg", "elsewhere/b.jpg")
    (tmp_path / "data" / "self").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert [file.relative for file in find_images(tmp_path / "data")] == ["a.jpg", "other/b.jpg"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], "nor anything else"),
        (["a.tif", "b.TIF", "c.txt"], "only 2 .tif, 1 .txt: expected a folder of images; convert"),
        (["a.npz", "b.csv"], "give the npz file itself"),
        (["README"], "1 no suffix"),
    ],
)
def test_nothing_there(tmp_path, names, found):
    touch(tmp_path, *names)
    with pytest.raises(DataError) as caught:
        find_images(tmp_path)
    assert found in str(caught.value)


def test_a_folder_that_may_not_be_read():
    """The superuser may read anything, so it steps down to an ordinary user for the attempt."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed").mkdir(mode=0)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(DataError, match="check its permissions"):
                find_images(folder)
        finally:
            os.seteuid(user)
