import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.contract import DataRequest
from bench.errors import DataError
from workloads.images.table import read_table

HAM = "lesion_id,image_id,dx\nHAM_1,ISIC_1,nv\nHAM_2,ISIC_2,mel\n"


def write(folder, text, encoding="utf-8"):
    file = folder / "table.csv"
    file.write_bytes(text.encode(encoding))
    return file


def rows(file, **options):
    return [(row.image, row.label, *row.groups) for row in read_table(file, DataRequest(**options)).rows]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_dialects(tmp_path, separator, newline, encoding):
    file = write(tmp_path, HAM.replace(",", separator).replace("\n", newline), encoding)
    assert rows(file) == [("ISIC_1", "nv", "HAM_1"), ("ISIC_2", "mel", "HAM_2")]
    assert read_table(file, DataRequest()).ham10000


@pytest.mark.parametrize(
    ("header", "label", "group"),
    [
        ("image_name,patient_id,sex,diagnosis,benign_malignant,target", "diagnosis", "patient_id"),
        ("isic_id,target,patient_id,lesion_id", "target", "patient_id lesion_id"),
        ("Image ID;PatientID;Diagnosis", "Diagnosis", "PatientID"),
        ("filename,label", "label", None),
        ("Image,Melanoma", "Melanoma", None),
        ("image,MEL", "MEL", None),
        ("image,dx,MEL,NV", "dx", None),
        ("image,malignant,melanoma", "melanoma", None),
        ("image_id,dx,benign_malignant", "dx", None),
        (" image_id , dx ", "dx", None),
    ],
)
def test_finds_usual_columns(tmp_path, header, label, group):
    table = read_table(write(tmp_path, f"{header}\n{'a,' * header.count(',')}a\n"), DataRequest())
    assert (table.label_column, " ".join(table.group_columns)) == (label, group or "")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("image,MEL,NV,BCC\na,1.0,0.0,0.0\nb,0.0,0.0,1.0\n", ["MEL", "BCC"]),
        ("image;MEL;NV;AK;UNK;score_weight\na;0;0;1;0;0.5\nb;0;0;0;1;0.5\n", ["AK", "UNK"]),
        (
            "image_id,melanoma,seborrheic_keratosis\na,0.0,0.0\nb,1.0,0.0\nc,0.0,1.0\n",
            ["nevus", "melanoma", "seborrheic_keratosis"],
        ),
        ("image,benign,malignant\na,False,True\nb,True,False\n", ["malignant", "benign"]),
    ],
)
def test_a_column_for_each_diagnosis(tmp_path, text, labels):
    table = read_table(write(tmp_path, text), DataRequest())
    assert table.one_hot
    assert [row.label for row in table.rows] == labels


def test_a_workloads_own_classes_are_columns_too(tmp_path):
    file = write(tmp_path, "image,cat,dog\na,0,1\n")
    assert read_table(file, DataRequest(), ("cat", "dog")).rows[0].label == "dog"
    with pytest.raises(DataError, match="none of the columns dx"):
        read_table(file, DataRequest())


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("a,1,0,0\nb,0,0,0\n", "line 3 of table.csv has 1 in 0 of the columns MEL, NV, BCC: expected exactly one"),
        ("a,1,1,0\n", "line 2 of table.csv has 1 in 2 of the columns"),
        ("a,0.7,0.2,0.1\n", "line 2 of table.csv has '0.7' in column MEL: expected 0 or 1"),
        ("a,1,0\n", "has '' in column BCC"),
    ],
)
def test_a_table_of_diagnoses_that_does_not_name_one(tmp_path, rows, found):
    with pytest.raises(DataError, match=found):
        read_table(write(tmp_path, f"image,MEL,NV,BCC\n{rows}"), DataRequest())


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
def test_a_line_that_names_the_separator(tmp_path, first):
    assert rows(write(tmp_path, f"{first}\nimage;dx\na;mel\nb;nv\n", "utf-16")) == [("a", "mel"), ("b", "nv")]


def test_a_first_row_of_data_is_no_header(tmp_path):
    file = write(tmp_path, "ISIC_1,malignant\nISIC_2.jpg,benign\n")
    table = read_table(file, DataRequest(), images={"isic_1", "isic_2"})
    assert [(row.image, row.label, row.line) for row in table.rows] == [
        ("ISIC_1", "malignant", 1),
        ("ISIC_2.jpg", "benign", 2),
    ]
    for options in ({"image_column": "ISIC_1"}, {"label_column": "malignant"}):
        with pytest.raises(DataError, match="has no header, and so no column"):
            read_table(file, DataRequest(**options), images={"isic_1"})
    file = write(tmp_path, "TRAIN,a1.png,0\nTRAIN,a2.png,1\nTEST,a3.png,1\n")
    with pytest.raises(DataError, match=r"has no header with 3 columns: its first row names the image 'a1.png'"):
        read_table(file, DataRequest(), images={"a1"})
    with pytest.raises(DataError, match=r"has no header: its first row, TRAIN, a1.png, 0, looks like those after it"):
        read_table(file, DataRequest())


def test_two_columns_of_one_name(tmp_path):
    with pytest.raises(DataError, match="has two columns called 'dx'"):
        rows(write(tmp_path, "image,dx,dx\na,mel,nv\n"))


def test_named_columns(tmp_path):
    file = write(tmp_path, "scan,Verdict,person,dx\n1,bad,p,nv\n")
    assert rows(file, image_column="scan", label_column="verdict", group_column="person") == [("1", "bad", "p")]


def test_quotes_blank_lines_and_short_rows(tmp_path):
    file = write(tmp_path, 'image_id,note,dx\n"a,b","line\nbreak",mel\n\n,,nv\nc\n')
    table = read_table(file, DataRequest())
    assert [(row.image, row.label, row.line) for row in table.rows] == [("a,b", "mel", 3), ("c", "", 6)]


@pytest.mark.parametrize(
    ("text", "options", "found"),
    [
        (HAM, {"label_column": "dxx"}, "has no column 'dxx': found lesion_id, image_id, dx; did you mean 'dx'?"),
        (HAM, {"image_column": "qqqq"}, "name one of them with --image-column"),
        (HAM, {"group_column": "lesion"}, "did you mean 'lesion_id'?"),
        ("a,b\n1,2\n", {}, "none of the columns image_id, image"),
        ("image_id,diagnose\n1,2\n", {}, "as in --label-column diagnose"),
        ("", {}, "is empty"),
        ("\n\n", {}, "is empty"),
        ("image_id,dx\n", {}, "has a header but no rows"),
    ],
)
def test_errors_list_the_columns_and_the_nearest(tmp_path, text, options, found):
    with pytest.raises(DataError) as caught:
        rows(write(tmp_path, text), **options)
    assert found in str(caught.value)


def test_not_text(tmp_path):
    with pytest.raises(DataError, match="not text in UTF-8 or UTF-16"):
        rows(write(tmp_path, "image_id,dx\nä,mel\n", "latin-1"))
    with pytest.raises(DataError, match="cannot be read"):
        rows(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="no proper CSV"):
        rows(write(tmp_path, f'image_id,dx\n"{"a" * 200_000}",mel\n'))


CELL = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(
    lambda cell: cell.strip() == cell
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(cells=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=8), separator=st.sampled_from(",;\t"))
def test_reads_back_what_was_written(tmp_path, cells, separator):
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator).writerows([("image_id", "dx", "lesion_id"), *cells])
    assert rows(write(tmp_path, stream.getvalue())) == cells


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(content=st.binary(max_size=200) | st.text(max_size=100).map(str.encode) | st.just(HAM.encode()))
def test_any_bytes_are_read_or_refused(tmp_path, content):
    file = tmp_path / "table.csv"
    file.write_bytes(content)
    message = file.name
    try:
        assert rows(file)
    except DataError as error:
        message = str(error)
    assert file.name in message
