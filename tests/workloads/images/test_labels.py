import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import DataError
from workloads.images.labels import ClassRules

RULES = ClassRules(("other", "melanoma"))
SEVEN = ClassRules(("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"))


def assign(values, positive=(), rules=RULES, numbered=False):
    return rules.assign(dict.fromkeys(values, 3), positive, "column dx of table.csv", numbered)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["nv", "mel", "bkl"], {"nv": 0, "mel": 1, "bkl": 0}),
        (["Melanoma", "nevus"], {"Melanoma": 1, "nevus": 0}),
        (["benign", "malignant"], {"benign": 0, "malignant": 1}),
        (["0", "1"], {"0": 0, "1": 1}),
        (["0.0", "1.0"], {"0.0": 0, "1.0": 1}),
        (["False", "True"], {"False": 0, "True": 1}),
        (["melanoma", "non-melanoma"], {"melanoma": 1, "non-melanoma": 0}),
        (["melanoma", "melanocytic nevus"], {"melanoma": 1, "melanocytic nevus": 0}),
        (["mel", "melanoma", "nv"], {"mel": 1, "melanoma": 1, "nv": 0}),
    ],
)
def test_two_classes_by_what_people_write(values, expected):
    assert assign(values) == expected


def test_positive_overrides():
    assert assign(["nv", "mel", "bcc"], ("BCC",)) == {"nv": 0, "mel": 0, "bcc": 1}
    assert assign(["nv", "mel", "bcc"], ("mel", "bcc")) == {"nv": 0, "mel": 1, "bcc": 1}
    assert assign(["0", "1"], ("0",)) == {"0": 1, "1": 0}
    assert assign(["2.0", "3"], ("2",)) == {"2.0": 1, "3": 0}


@pytest.mark.parametrize(
    ("values", "positive", "found"),
    [
        (["nv", "bkl"], (), "column dx of table.csv hold bkl (3), nv (3); say so with --positive"),
        (["1", "2"], (), "hold 1 (3), 2 (3); say so with --positive"),
        (["0", "1", "2"], (), "unclear which labels mean melanoma"),
        ([str(i) for i in range(7)], (), "unclear"),
        (["melanoma", "melanoma in situ", "nevus"], (), "--positive 'melanoma in situ'"),
        (["mel", "nv"], ("mell",), "did you mean 'mel'?"),
        (["mel", "nv"], ("xyz",), "column dx of table.csv hold mel (3), nv (3)"),
        (["mel", "melanoma"], (), "all of them melanoma: expected images of both classes"),
        (["0"], (), "all of them other"),
        (["mel", "nv"], ("mel", "nv"), "all of them melanoma"),
    ],
)
def test_what_is_unclear_is_refused(values, positive, found):
    with pytest.raises(DataError) as caught:
        assign(values, positive)
    assert found in str(caught.value)


def test_medmnist_numbers():
    values = [str(i) for i in range(7)]
    assert assign(values, numbered=True) == {value: int(value == "4") for value in values}
    assert assign(["0", "1"], numbered=True) == {"0": 0, "1": 1}
    assert assign(values, ("6",), numbered=True)["6"] == 1
    for wrong in (["0", "1", "2"], ["1", "2", "3", "4", "5", "6", "7"], [str(i) for i in range(9)]):
        with pytest.raises(DataError, match="--positive"):
            assign(wrong, numbered=True)


def test_as_many_classes_as_labels():
    assert assign(["nv", "MEL"], rules=SEVEN) == {"nv": 5, "MEL": 4}
    assert assign(["0", "6.0"], rules=SEVEN, numbered=True) == {"0": 0, "6.0": 6}
    with pytest.raises(DataError, match=r"expected akiec, bcc, bkl, df, mel, nv, vasc, or 0 to 6; .* no class for '7'"):
        assign(["0", "7"], rules=SEVEN, numbered=True)
    with pytest.raises(DataError, match=r"expected akiec, bcc, bkl, df, mel, nv, vasc; .* no class for 'SCC', 'UNK'"):
        assign(["MEL", "SCC", "UNK"], rules=SEVEN)
    with pytest.raises(DataError, match="this workload has 7"):
        assign(["nv"], ("nv",), rules=SEVEN)


@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("values", [["0", "1"], ["0.0", "1.0"], ["False", "True"], ["1"]])
def test_yes_and_no_are_not_two_of_many_classes(values, numbered):
    with pytest.raises(DataError, match="which say yes or no: expected one of 7 classes"):
        assign(values, rules=SEVEN, numbered=numbered)


def test_numbers_are_classes_only_where_something_says_so():
    with pytest.raises(DataError, match="numbers alone do not say which classes they mean"):
        assign(["0", "6"], rules=SEVEN)
    assert SEVEN.recognise([str(index) for index in range(7)])
    assert not SEVEN.recognise(["0", "1", "2"]), "folders of three numbers may be three patients"


@given(
    values=st.sets(st.text(min_size=1, max_size=12), min_size=1, max_size=12),
    positive=st.lists(st.text(max_size=5), max_size=2),
)
def test_every_value_gets_one_class_or_all_are_refused(values, positive):
    message = ""
    try:
        classes = assign(values, tuple(positive))
        assert set(classes) == values
        assert set(classes.values()) == {0, 1}
    except DataError as error:
        message = str(error)
    assert len(message) < 1200


def test_many_values_are_counted_not_listed():
    with pytest.raises(DataError, match=r"and 92 other values"):
        assign([f"value {i}" for i in range(100)])
