import csv
import dataclasses

import numpy as np
import pytest
from PIL import Image

from bench.contract import DataRequest
from bench.errors import DataError
from workloads.images.decode import decode
from workloads.images.reader import ImageReader


def test_ham10000(reader, ham10000):
    images = reader.open(DataRequest(path=ham10000), 20, 20)
    assert images.description == "HAM10000 folder, 60 images, 15 melanoma, split by lesion"
    assert (images.count, images.height, images.width) == (60, 20, 20)
    assert images.labels.dtype == np.int32
    assert images.split.dtype == np.uint8
    assert int(images.labels.sum()) == 15
    read = images.read(np.array([3, 59, 3, 0]))
    assert read.shape == (4, 20, 20, 3)
    assert np.array_equal(read[0], read[2])
    first = sorted((ham10000 / "HAM10000_images_part_1").iterdir())[0]
    assert np.array_equal(read[3], decode(first, 20, 20)[0])


def test_one_lesion_stays_in_one_part(reader, ham10000):
    images = reader.open(DataRequest(path=ham10000), 20, 20)
    files = sorted(ham10000.rglob("*.jpg"))
    lesions = [int(file.stem[5:]) % 40 for file in files]
    assert len(set(zip(lesions, images.split.tolist(), strict=True))) == 40


def test_opening_decodes_nothing(reader, ham10000):
    for file in ham10000.rglob("*.jpg"):
        file.write_bytes(b"no image")
    images = reader.open(DataRequest(path=ham10000), 20, 20)
    with pytest.raises(DataError, match="neither a JPEG nor a PNG"):
        images.read(np.arange(10))


def test_nothing_that_is_published_names_an_image_or_a_place(reader, ham10000):
    images = reader.open(DataRequest(path=ham10000), 20, 20)
    for text in (images.description, images.fingerprint):
        assert "ISIC" not in text
        assert str(ham10000) not in text
        assert ham10000.name not in text.replace("HAM10000", "")


def test_the_fingerprint_changes_with_images_and_labels_only(reader, ham10000, tmp_path):
    def fingerprint(**options):
        return reader.open(DataRequest(path=options.pop("path", ham10000), **options), 20, 20).fingerprint

    before = fingerprint()
    moved = ham10000.rename(tmp_path / "moved")
    assert fingerprint(path=moved) == before
    assert fingerprint(path=moved, positive=("nv",)) != before
    table = moved / "HAM10000_metadata.csv"
    table.write_text(table.read_text().replace("ISIC_0000001,bkl", "ISIC_0000001,mel"))
    relabelled = fingerprint(path=moved)
    assert relabelled != before
    file = next(moved.rglob("*.jpg"))
    file.write_bytes(file.read_bytes() + b"\0")
    assert fingerprint(path=moved) not in (before, relabelled)


def test_left_out_rows_and_files_are_counted(reader, ham10000, save):
    next(ham10000.rglob("ISIC_0000001.jpg")).unlink()
    save(ham10000 / "extra.jpg")
    description = reader.open(DataRequest(path=ham10000), 20, 20).description
    assert description.endswith(
        "59 images, 15 melanoma, split by lesion, 1 row without a file left out, 1 file without a row left out"
    )


def test_a_table_from_elsewhere(reader, tmp_path, save):
    for name in "abcd":
        save(tmp_path / "scans" / f"{name}.png")
    table = tmp_path / "verdicts.csv"
    table.write_text("scan;verdict;person\na;bad;1\nb;good;1\nc;good;2\nd;bad;3\n")
    request = DataRequest(tmp_path / "scans", table, "scan", "verdict", "person", ("bad",))
    images = reader.open(request, 20, 20)
    assert images.labels.tolist() == [1, 0, 0, 1]
    assert images.split[0] == images.split[1]
    assert images.description == "folder with a table, 4 images, 2 melanoma, split by person"
    with pytest.raises(DataError, match="did you mean 'verdict'"):
        reader.open(dataclasses.replace(request, label_column="verdikt"), 20, 20)


def test_several_tables(reader, ham10000, refusal):
    (ham10000 / "hmnist_28_28_L.csv").write_text("pixel0000,label\n1,2\n")  # pixels, not names: no rival
    assert reader.open(DataRequest(path=ham10000), 20, 20).count == 60
    (ham10000 / "again.csv").write_text("image,label\nISIC_0000000,1\n")
    assert "2 tables of labels (HAM10000_metadata.csv, again.csv)" in refusal(reader, ham10000)
    request = DataRequest(path=ham10000, labels=ham10000 / "HAM10000_metadata.csv")
    assert reader.open(request, 20, 20).count == 60


@pytest.mark.parametrize(("positive", "negative"), [("melanoma", "nevus"), ("mel", "nv"), ("Malignant", "benign")])
def test_a_folder_per_class(reader, tmp_path, save, positive, negative):
    for i in range(6):
        save(tmp_path / (positive if i % 3 == 0 else negative) / f"{i}.jpg")
    images = reader.open(DataRequest(path=tmp_path), 20, 20)
    assert images.description == "folder per class, 6 images, 2 melanoma, split by image"
    assert int(images.labels.sum()) == 2


def test_a_folder_per_class_below_train_and_test(reader, tmp_path, save):
    for place in ("train/benign", "train/malignant", "test/benign", "test/malignant"):
        save(tmp_path / place / "a.jpg")
    assert reader.open(DataRequest(path=tmp_path), 20, 20).labels.tolist() == [0, 1, 0, 1]


def test_folders_named_0_and_1(reader, tmp_path, save):
    for name in "01":
        save(tmp_path / name / "a.jpg")
    assert reader.open(DataRequest(path=tmp_path), 20, 20).labels.tolist() == [0, 1]


def test_folders_of_unknown_classes_need_positive(reader, tmp_path, save, refusal):
    for name in ("lentigo", "angioma"):
        save(tmp_path / name / "a.jpg")
    assert "the folders' names hold angioma (1), lentigo (1); say so with --positive" in refusal(reader, tmp_path)
    assert reader.open(DataRequest(path=tmp_path, positive=("lentigo",)), 20, 20).labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    "places", [("",), ("images",), ("HAM10000_images_part_1", "HAM10000_images_part_2"), ("00", "01", "02")]
)
def test_images_without_labels(reader, tmp_path, save, places):
    for i, place in enumerate(places):
        save(tmp_path / place / f"{i}.jpg")
    images = reader.open(DataRequest(path=tmp_path), 20, 20)
    assert images.labels is None
    assert images.description == f"folder without labels, {len(places)} images"
    with pytest.raises(DataError, match="--positive mel "):
        reader.open(DataRequest(path=tmp_path, positive=("mel",)), 20, 20)
    with pytest.raises(DataError, match="--label-column names a column"):
        reader.open(DataRequest(path=tmp_path, label_column="dx"), 20, 20)


def test_a_folder_per_patient_measures_and_no_patient_is_suggested(reader, tmp_path, save, refusal):
    for i in range(12):
        save(tmp_path / f"P{i // 4:03d}" / f"IMG_{i:04d}.jpg")
    why = refusal(reader, tmp_path)
    assert why.endswith("the folders' names hold P000 (4), P001 (4), P002 (4); say so with --positive")
    assert reader.open(DataRequest(path=tmp_path), 20, 20).read(np.arange(12)).shape == (12, 20, 20, 3)
    assert "no class for 'P000'" in refusal(ImageReader(SEVEN, synthetic=None), tmp_path)


def test_what_was_understood_names_no_file_and_no_place(reader, ham10000, save):
    save(ham10000 / "extra.jpg")
    images = reader.open(DataRequest(path=ham10000), 20, 20)
    parts = np.bincount(images.split, minlength=3).tolist()
    melanomas = np.bincount(images.split, images.labels, minlength=3).astype(int).tolist()
    assert images.understood == (
        "classes: 45 other, 15 melanoma",
        f"split by lesion: {parts[0]} training ({melanomas[0]} melanoma); {parts[1]} validation ({melanomas[1]} melanoma); "
        f"{parts[2]} test ({melanomas[2]} melanoma)",
        "groups by lesion: 40, the largest of 2 images",
        "1 file without a row left out",
    )
    assert images.remarks == ("labels from column dx of HAM10000_metadata.csv: mel means melanoma",)


@pytest.fixture
def kaggle(tmp_path, save):
    """Folders train and test of two classes: two augmented images beside each of 30 for training, and 20 for testing."""
    for i in range(50):
        place = tmp_path / ("train" if i < 30 else "test") / ("malignant" if i % 2 else "benign")
        save(place / f"ISIC_{i:07d}.jpg", width=24 + i)
        for number in (1, 2) if i < 30 else ():
            save(place / f"ISIC_{i:07d}_aug{number}.jpg", width=24 + i, height=20 + number)
    return tmp_path


def split_of(images, folder):
    """The part of each image, by its place below the folder."""
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.jpg"))
    return dict(zip(files, images.split.tolist(), strict=True))


def test_folders_called_train_and_test_stay_the_split(reader, kaggle):
    images = reader.open(DataRequest(path=kaggle), 20, 20)
    split = split_of(images, kaggle)
    assert {part for place, part in split.items() if place.startswith("test/")} == {2}
    assert {part for place, part in split.items() if place.startswith("train/")} == {0, 1}
    for place, part in split.items():
        assert split[place.partition("_aug")[0].removesuffix(".jpg") + ".jpg"] == part, "an original and what was made of it"
    assert images.description.endswith("split as its folders give it, validation out of training by image")


def test_three_folders_are_taken_as_they_are(reader, tmp_path, save):
    for i in range(30):
        save(tmp_path / ("valid", "train", "test")[i % 3] / ("nv", "mel")[i % 2] / f"{i}.jpg", width=24 + i)
    images = reader.open(DataRequest(path=tmp_path), 20, 20)
    assert np.bincount(images.split).tolist() == [10, 10, 10]
    assert images.description.endswith("split as its folders give it")


def test_a_table_leaves_the_folders_split_as_it_is(reader, tmp_path, save):
    lines = ["image,dx"]
    for i in range(30):
        save(tmp_path / f"ISIC2018_Task3_{'Test' if i < 10 else 'Training'}_Input" / f"{i}.jpg", width=24 + i)
        lines.append(f"{i},{('nv', 'mel')[i % 2]}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    split = split_of(reader.open(DataRequest(path=tmp_path), 20, 20), tmp_path)
    assert all((part == 2) == ("Test" in place) for place, part in split.items())


def test_a_column_can_give_the_split(reader, tmp_path, save):
    lines = ["image,dx,split"]
    for i in range(30):
        save(tmp_path / f"{i:02d}.jpg", width=24 + i)
        lines.append(f"{i:02d},{('nv', 'mel')[i % 2]},{('train', 'val', 'test')[i // 10]}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    images = reader.open(DataRequest(path=tmp_path), 20, 20)
    assert images.split.tolist() == [0] * 10 + [1] * 10 + [2] * 10
    assert images.description.endswith("split as column split gives it")
    (tmp_path / "labels.csv").write_text("\n".join(lines).replace(",val", ",fold 2"))
    assert reader.open(DataRequest(path=tmp_path), 20, 20).description.endswith("split by image")


def test_a_column_and_folders_that_give_different_splits_are_refused(reader, tmp_path, save, refusal):
    lines = ["image,dx,split"]
    for i in range(20):
        save(tmp_path / ("train", "test")[i % 2] / f"{i}.jpg", width=24 + i)
        lines.append(f"{i},{('nv', 'mel')[i // 10]},{('train', 'test')[i % 2 if i else 1]}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    assert "column split and the folders give 1 image different parts of the split" in refusal(reader, tmp_path)


def test_images_beside_the_folders_of_classes_are_said(reader, tmp_path, save, refusal):
    for place in ("mel/a.jpg", "nv/b.jpg", "c.jpg"):
        save(tmp_path / place)
    assert "1 of 3 images lie beside the folders mel (1), nv (1)" in refusal(reader, tmp_path)


def test_images_outside_of_the_folders_parts_are_refused(reader, kaggle, save, refusal):
    save(kaggle / "more" / "benign" / "x.jpg")
    assert "1 of 111 images lie in no folder called after a part" in refusal(reader, kaggle)


def test_equal_images_in_several_parts_are_named(reader, kaggle):
    (kaggle / "test" / "benign" / "ISIC_0000030.jpg").write_bytes(
        (kaggle / "train" / "malignant" / "ISIC_0000001.jpg").read_bytes()
    )
    images = reader.open(DataRequest(path=kaggle), 20, 20)
    names = "'test/benign/ISIC_0000030.jpg' = 'train/malignant/ISIC_0000001.jpg'"
    assert images.remarks[1:] == (
        f"equal images in several parts of the given split: {names}",
        f"equal images with different labels: {names}",
    )
    assert "1 image with the content of another" in images.understood
    assert "warning: 1 content in several parts of the given split" in images.understood
    assert not any("ISIC" in line for line in images.understood)


def test_equal_images_are_never_split(reader, tmp_path, save):
    for i in range(60):
        save(tmp_path / ("mel" if i % 3 else "nv") / f"{i:02d}.jpg", width=24 + i // 3 * 3)
    for i in range(0, 60, 3):
        (tmp_path / "mel" / f"{i + 1:02d}.jpg").write_bytes((tmp_path / "mel" / f"{i + 2:02d}.jpg").read_bytes())
    split = split_of(reader.open(DataRequest(path=tmp_path), 20, 20), tmp_path)
    assert all(split[f"mel/{i + 1:02d}.jpg"] == split[f"mel/{i + 2:02d}.jpg"] for i in range(0, 60, 3))


@pytest.fixture
def patients(tmp_path, save):
    """300 images of 100 lesions and 50 patients, whose ids are missing in two rows of three."""

    def patients(lesion=lambda i: f"L{i // 3}"):
        lines = ["image,dx,patient_id,lesion_id"]
        for i in range(300):
            save(tmp_path / f"{i:03d}.jpg", width=8 + i % 30, height=8 + i // 30)
            lines.append(f"{i:03d},{('nv', 'mel')[i // 3 % 2]},{f'P{i // 6}' if i % 3 == 0 else ''},{lesion(i)}")
        (tmp_path / "labels.csv").write_text("\n".join(lines))
        return tmp_path

    return patients


def test_a_blank_patient_leaves_the_lesion(reader, patients):
    images = reader.open(DataRequest(path=patients()), 20, 20)
    assert len({(i // 6, part) for i, part in enumerate(images.split.tolist())}) == 50, "no patient is in two parts"
    assert images.description.endswith("split by patient and lesion")
    assert "groups by patient and lesion: 50, the largest of 6 images" in images.understood


def test_images_without_patient_and_lesion_are_said(reader, patients):
    images = reader.open(DataRequest(path=patients(lambda i: "" if i % 30 == 1 else f"L{i // 3}")), 20, 20)
    assert "10 images without patient or lesion: each a group of its own" in images.understood


def test_lesions_that_are_numbered_anew_for_each_patient_join_no_patients(reader, tmp_path, save):
    lines = ["image,dx,patient_id,lesion_id"]
    for i in range(60):
        save(tmp_path / f"{i:02d}.jpg", width=24 + i)
        lines.append(f"{i:02d},{('nv', 'mel')[i % 2]},P{i // 6},{i % 6 // 2}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    images = reader.open(DataRequest(path=tmp_path), 20, 20)
    assert "groups by patient and lesion: 10, the largest of 6 images" in images.understood


def test_seven_classes(ham10000):
    classes = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    images = ImageReader(classes, synthetic=None).open(DataRequest(path=ham10000), 20, 20)
    assert images.description == "HAM10000 folder, 60 images, 15 bcc, 15 bkl, 15 mel, 15 nv, split by lesion"
    assert set(images.labels.tolist()) == {1, 2, 4, 5}


SEVEN = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")


@pytest.fixture
def one_hot(tmp_path, save):
    """A folder in the layout of ISIC 2018, Task 3: 28 images, four of each diagnosis in the order of the table's columns."""
    columns = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"]
    lines = [",".join(["image", *columns])]
    for i in range(28):
        save(tmp_path / "isic2018" / "ISIC2018_Task3_Training_Input" / f"ISIC_{i:07d}.jpg")
        lines.append(",".join([f"ISIC_{i:07d}", *("1.0" if k == i % 7 else "0.0" for k in range(7))]))
    (tmp_path / "isic2018" / "ISIC2018_Task3_Training_GroundTruth.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "isic2018"


def test_a_one_hot_table(reader, one_hot):
    images = ImageReader(SEVEN, synthetic=None).open(DataRequest(path=one_hot), 20, 20)
    assert [SEVEN[label] for label in images.labels[:7]] == ["mel", "nv", "bcc", "akiec", "bkl", "df", "vasc"]
    assert np.bincount(images.labels).tolist() == [4] * 7
    assert reader.open(DataRequest(path=one_hot), 20, 20).labels.tolist() == [1, 0, 0, 0, 0, 0, 0] * 4


def test_a_column_of_yes_and_no_is_no_diagnosis(reader, one_hot):
    """1 in column MEL is melanoma, and neither class 1 of seven, nor is 1 in another column."""
    seven = ImageReader(SEVEN, synthetic=None)
    with pytest.raises(DataError, match=r"column MEL of .* say yes or no: expected one of 7 classes"):
        seven.open(DataRequest(path=one_hot, label_column="MEL"), 20, 20)
    with pytest.raises(DataError, match="which say whether an image shows NV"):
        reader.open(DataRequest(path=one_hot, label_column="NV"), 20, 20)
    assert reader.open(DataRequest(path=one_hot, label_column="NV", positive=("1",)), 20, 20).labels.sum() == 4
    assert reader.open(DataRequest(path=one_hot, label_column="MEL"), 20, 20).labels.sum() == 4


def test_numbers_need_a_column_that_says_they_are_classes(tmp_path, save, refusal):
    seven = ImageReader(SEVEN, synthetic=None)
    for i in range(7):
        save(tmp_path / f"{i}.jpg")
    table = tmp_path / "table.csv"
    rows = "".join(f"{i},{i}\n" for i in range(7))
    table.write_text(f"image,label\n{rows}")
    assert seven.open(DataRequest(path=tmp_path), 20, 20).labels.tolist() == list(range(7))
    table.write_text(f"image,target\n{rows}")
    assert "numbers alone do not say" in refusal(seven, tmp_path)
    assert seven.open(DataRequest(path=tmp_path, label_column="target"), 20, 20).labels.tolist() == list(range(7))


def test_real_ham10000(reader, real_data):
    images = reader.open(DataRequest(path=real_data / "ham10000_200x150"), 64, 64)
    assert images.description == "HAM10000 folder, 3,000 images, 493 melanoma, split by lesion"
    read = images.read(np.arange(0, 3000, 100))
    assert read.shape == (30, 64, 64, 3)
    assert 100 < read.mean() < 200


def test_real_originals(reader, real_data):
    folder = real_data / "isic_uda1_originals"
    images = reader.open(DataRequest(path=folder), 64, 64)
    with (folder / "metadata.csv").open(newline="") as stream:
        melanomas = sum(row["dx"] == "mel" for row in csv.DictReader(stream))
    assert images.count == 111
    assert int(images.labels.sum()) == melanomas
    assert images.description == f"folder with a table, 111 images, {melanomas} melanoma, split by image"
    by_word = reader.open(DataRequest(path=folder, label_column="benign_malignant"), 64, 64)
    assert np.array_equal(by_word.labels, images.labels)


def test_read_keeps_order_and_place(reader, tmp_path):
    for i in range(40):
        Image.new("RGB", (30, 20), (i, 2 * i, 3 * i)).save(tmp_path / f"{i:02d}.png")
    images = reader.open(DataRequest(path=tmp_path), 16, 16)
    order = np.random.default_rng(3).permutation(40)
    assert np.array_equal(images.read(order)[:, 5, 5], np.outer(order, [1, 2, 3]))
    assert images.read(np.empty(0, np.int64)).shape == (0, 16, 16, 3)
