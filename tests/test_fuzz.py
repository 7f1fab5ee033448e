"""Whatever comes from outside, a reader of it gives a value or raises an error of the project's own (``tests/proof/fuzz.py``)."""

from __future__ import annotations

import pytest

from tests.proof.fuzz import READERS, Reader, fuzz

INPUTS = 221
"""In all readers together. The script gives them thousands."""


@pytest.mark.parametrize("name", READERS)
def test_a_reader_gives_a_value_or_a_sentence(name):
    fuzz(name, INPUTS // len(READERS))


@pytest.mark.parametrize("name", READERS)
def test_a_whole_file_is_read(name, tmp_path):
    """Were it refused, nothing that is damaged would come far either."""
    reader = READERS[name]
    for number, whole in enumerate(reader.seeds):
        (tmp_path / str(number)).mkdir()
        reader.read(reader.sealed(whole) if reader.sealed else whole, tmp_path / str(number))


def test_another_error_is_found_with_its_input(monkeypatch):
    def read(content, folder):
        return content.decode()

    monkeypatch.setitem(READERS, "broken", Reader([b"a text in UTF-8"], read))
    with pytest.raises(UnicodeDecodeError) as raised:
        fuzz("broken", 200)
    assert "content=" in "".join(raised.value.__notes__)
