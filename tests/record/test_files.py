"""Reading and writing records: whatever the bytes are, there is a record or one sentence."""

import hashlib
import json
import math
from contextlib import suppress
from dataclasses import replace

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.errors import RecordError
from bench.record.files import NAME, find_records, read_record, write_record
from bench.record.schema import VERSION, Record
from tests.support import records as fake

SMALL = fake.record(wanted=[replace(fake.scripts()[2], trials=2, samples=3, warmup=1)])


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """The bytes of a sealed record, and a place to put others."""
    file = tmp_path_factory.mktemp("sealed") / NAME
    write_record(SMALL, file)
    return file.read_bytes(), file.parent / "other.json"


def read(content, place):
    place.write_bytes(content)
    return read_record(place)


def enveloped(body, version=VERSION, name="accelbench record"):
    digest = hashlib.sha256(body).hexdigest()
    return b'{"format":"%s","version":%d,"sha256":"%s","record":%s}' % (name.encode(), version, digest.encode(), body)


def test_what_is_written_is_read(sealed):
    assert read(*sealed) == SMALL


def test_writing_is_deterministic_and_leaves_no_part_behind(tmp_path):
    write_record(SMALL, tmp_path / NAME)
    first = (tmp_path / NAME).read_bytes()
    write_record(SMALL, tmp_path / NAME)
    assert (tmp_path / NAME).read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


any_settings = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@any_settings
@given(data=st.data())
def test_no_truncation_is_read(sealed, data):
    content, place = sealed
    length = data.draw(st.integers(0, len(content) - 3))  # the last byte is a line end, and the one before closes the file
    with pytest.raises(RecordError):
        read(content[:length], place)


@any_settings
@given(data=st.data())
def test_changed_bytes_are_refused_or_harmless(sealed, data):
    content, place = sealed
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(RecordError):
        assert read(bytes(changed), place) == SMALL  # such as another white space at the end


@any_settings
@given(data=st.data(), inserted=st.binary(max_size=30), removed=st.integers(0, 200))
def test_spliced_bytes_are_refused_or_harmless(sealed, data, inserted, removed):
    content, place = sealed
    at = data.draw(st.integers(0, len(content)))
    with suppress(RecordError):
        assert read(content[:at] + inserted + content[at + removed :], place) == SMALL


@any_settings
@given(content=st.binary(max_size=300))
def test_no_bytes_are_read_as_a_record(sealed, content):
    with pytest.raises(RecordError):
        read(content, sealed[1])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@any_settings
@given(data=st.data(), value=json_values)
def test_a_field_of_another_type_breaks_the_schema(sealed, data, value):
    """Sealed with a right digest, so that only the schema stands in the way."""
    fields = json.loads(msgspec.json.encode(SMALL))
    part = data.draw(
        st.sampled_from(
            [
                fields,
                fields["cases"][0],
                fields["cases"][0]["places"][0],
                fields["machines"][""],
                fields["trials"][0],
                fields["trials"][1]["ranks"][0],
            ]
        )
    )
    part[data.draw(st.sampled_from(sorted(part)))] = value
    with suppress(RecordError):
        assert isinstance(read(enveloped(json.dumps(fields).encode()), sealed[1]), Record)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_refused(sealed, opening):
    with pytest.raises(RecordError):
        read(opening * 100_000, sealed[1])
    with pytest.raises(RecordError):
        read(enveloped(opening * 100_000), sealed[1])


def test_a_training_that_diverged_can_be_read(sealed):
    diverged = fake.record(wanted=[replace(fake.scripts()[2], trials=1, change={"losses": [0.7, math.nan]})])
    write_record(diverged, sealed[1])
    assert read_record(sealed[1]).trials[0].losses[0] == 0.7


def test_an_edit_is_told_from_the_original(sealed):
    content, place = sealed
    with pytest.raises(RecordError, match="edited or damaged"):
        read(content.replace(b'"seed":7', b'"seed":8'), place)


def test_another_version_names_both(sealed):
    with pytest.raises(RecordError, match=f"record version {VERSION + 1}; this release reads versions 1 and {VERSION}"):
        read(enveloped(b"{}", version=VERSION + 1), sealed[1])


def test_another_format_is_refused(sealed):
    with pytest.raises(RecordError, match="format 'something else'"):
        read(enveloped(b"{}", name="something else"), sealed[1])


def test_a_record_without_its_fields_breaks_the_schema(sealed):
    with pytest.raises(RecordError, match="missing required field"):
        read(enveloped(b"{}"), sealed[1])


def test_what_is_not_there(tmp_path):
    with pytest.raises(RecordError, match="no record at"):
        read_record(tmp_path / "nowhere")
    with pytest.raises(RecordError, match="no record at"):
        read_record(tmp_path)
    (tmp_path / NAME).mkdir()
    with pytest.raises(RecordError, match="is no file"):
        read_record(tmp_path)


def test_an_unfinished_run_says_how_to_finish_it(tmp_path):
    (tmp_path / "journal.jsonl").touch()
    with pytest.raises(RecordError, match="bench run --resume"):
        read_record(tmp_path)


def test_records_are_found_in_files_runs_and_folders(tmp_path):
    for name in ("b", "a", "deep/er"):
        (tmp_path / name).mkdir(parents=True)
        write_record(SMALL, tmp_path / name / NAME)
    assert find_records(tmp_path / "a") == [tmp_path / "a"]
    assert find_records(tmp_path / "a" / NAME) == [tmp_path / "a" / NAME]
    assert find_records(tmp_path) == [tmp_path / name / NAME for name in ("a", "b", "deep/er")]
    assert find_records(tmp_path / "nowhere") == []
