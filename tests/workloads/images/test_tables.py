"""Which of a folder's tables are used, and what is said of the others; published data sets by synthetic copies of their layouts."""

from pathlib import Path

import numpy as np
import pytest

from bench.contract import TEST, TRAIN, VALIDATION, DataRequest
from bench.errors import DataError
from workloads.images.layouts import LAYOUTS
from workloads.images.reader import ImageReader

SEVEN = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")


@pytest.fixture
def laid(tmp_path, save):
    """Writes images and tables to a folder: names of images, and a text for each table's name."""

    def laid(images, **tables):
        for number, name in enumerate(images):
            save(tmp_path / name, width=24 + number)
        for name, text in tables.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return laid


def opened(reader, folder, **options):
    return reader.open(DataRequest(path=folder, **options), 20, 20)


@pytest.mark.parametrize(
    ("images", "name", "table", "melanomas", "said"),
    [
        pytest.param(
            ["imgs_part_1/PAT_0_0_0.png", "imgs_part_2/PAT_0_1_2.png", "imgs_part_3/PAT_1_2_3.png"],
            "metadata.csv",
            "patient_id,lesion_id,smoke,img_id,diagnostic\nPAT_0,0,,PAT_0_0_0.png,MEL\nPAT_0,1,,PAT_0_1_2.png,ACK\n"
            "PAT_1,2,,PAT_1_2_3.png,SEK\n",
            [1, 0, 0],
            "PAD-UFES-20, 3 images, 1 melanoma, split by patient and lesion",
            id="pad-ufes-20",
        ),
        pytest.param(
            ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg"],
            "metadata.csv",
            "isic_id,attribution,diagnosis_1,diagnosis_2,diagnosis_3,lesion_id\n"
            "a,x,Malignant,Malignant melanocytic proliferations (Melanoma),Melanoma in situ,IL_1\n"
            "b,x,Malignant,Malignant adnexal epithelial proliferations - Follicular,Basal cell carcinoma,IL_2\n"
            "c,x,Benign,Benign melanocytic proliferations,Nevus,IL_3\n"
            "d,x,Malignant,Malignant melanocytic proliferations (Melanoma),,IL_4\n"
            "e,x,Malignant,,,IL_5\nf,x,,,,IL_6\n",
            [1, 0, 0, 1],
            "ISIC archive, 4 images, 2 melanoma, split by lesion, 2 files without a row left out, "
            "2 rows whose diagnosis leaves the class open left out",
            id="isic-archive",
        ),
        pytest.param(
            ["train-image/image/ISIC_1.jpg", "train-image/image/ISIC_2.jpg", "train-image/image/ISIC_3.jpg"],
            "train-metadata.csv",
            "isic_id,target,patient_id,lesion_id,iddx_full,iddx_1,iddx_2,iddx_3\n"
            "ISIC_1,0,IP_1,,Benign,Benign,,\n"
            "ISIC_2,1,IP_2,IL_2,x,Malignant,Malignant adnexal epithelial proliferations - Follicular,Basal cell carcinoma\n"
            "ISIC_3,1,IP_3,IL_3,x,Malignant,Malignant melanocytic proliferations (Melanoma),Melanoma Invasive\n",
            [0, 0, 1],
            "ISIC 2024, 3 images, 1 melanoma, split by patient and lesion",
            id="isic-2024",
        ),
        pytest.param(
            ["BCN_1.jpg", "BCN_2.jpg"],
            "bcn_20k_train.csv",
            "bcn_filename,age_approx,anatom_site_general,diagnosis,lesion_id,capture_date,sex,split\n"
            "BCN_1.jpg,55.0,,MEL,BCN_7,2012-05-16,male,train\nBCN_2.jpg,55.0,,SCC,BCN_8,2012-05-16,male,train\n",
            [1, 0],
            "BCN20000, 2 images, 1 melanoma, split by lesion",
            id="bcn20000",
        ),
        pytest.param(
            ["000001.png", "000002.png", "000003.png"],
            "ddi_metadata.csv",
            ",DDI_ID,DDI_file,skin_tone,malignant,disease\n0,1,000001.png,56,True,melanoma-in-situ\n"
            "1,2,000002.png,56,True,mycosis-fungoides\n2,3,000003.png,12,False,melanocytic-nevi\n",
            [1, 0, 0],
            "DDI, 3 images, 1 melanoma, split by image",
            id="ddi",
        ),
        pytest.param(
            ["aa.jpg", "bb.jpg"],
            "fitzpatrick17k.csv",
            "md5hash,fitzpatrick_scale,label,nine_partition_label,three_partition_label,qc,url\n"
            "aa,3,superficial spreading melanoma ssm,malignant melanoma,malignant,,u\n"
            "bb,1,psoriasis,inflammatory,non-neoplastic,,u\n",
            [1, 0],
            "Fitzpatrick17k, 2 images, 1 melanoma, split by image",
            id="fitzpatrick17k",
        ),
        pytest.param(
            ["ISIC_1.jpg", "ISIC_2.jpg"],
            "ISBI2016_ISIC_Part3_Training_GroundTruth.csv",
            "ISIC_1,benign\nISIC_2,malignant\n",
            [0, 1],
            "a table, 2 images, 1 melanoma, split by image",
            id="isic-2016",
        ),
        pytest.param(
            ["ISIC_1.jpg", "ISIC_2.jpg", "ISIC_3.jpg"],
            "ISIC-2017_Training_Part3_GroundTruth.csv",
            "image_id,melanoma,seborrheic_keratosis\nISIC_1,0.0,0.0\nISIC_2,1.0,0.0\nISIC_3,0.0,1.0\n",
            [0, 1, 0],
            "a table, 3 images, 1 melanoma, split by image",
            id="isic-2017",
        ),
        pytest.param(
            ["ISIC_1.jpg", "ISIC_2.jpg"],
            "ISIC_2020_Training_GroundTruth_v2.csv",
            "image_name,patient_id,lesion_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target\n"
            "ISIC_1,IP_1,IL_1,male,45.0,head/neck,unknown,benign,0\nISIC_2,IP_2,IL_2,male,45.0,torso,melanoma,malignant,1\n",
            [0, 1],
            "a table, 2 images, 1 melanoma, split by patient and lesion",
            id="isic-2020",
        ),
        pytest.param(
            ["HAM10000_images_part_1/ISIC_1.jpg", "HAM10000_images_part_2/ISIC_2.jpg"],
            "HAM10000_metadata",
            "lesion_id,image_id,dx,dx_type,age,sex,localization,dataset\nHAM_1,ISIC_1,nv,,,,,vidir\nHAM_2,ISIC_2,mel,,,,,vidir\n",
            [0, 1],
            "HAM10000 folder, 2 images, 1 melanoma, split by lesion",
            id="ham10000",
        ),
    ],
)
def test_published_data_sets(reader, laid, images, name, table, melanomas, said):
    found = opened(reader, laid(images, **{name: table}))
    assert found.labels.tolist() == melanomas
    assert said in found.description


def test_isic_2019_takes_lesions_from_its_other_table(laid, reader):
    names = [f"ISIC_{i}" for i in range(40)]
    columns = ["MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"]
    truth = [",".join(["image", *columns])]
    more = ["image,age_approx,anatom_site_general,lesion_id,sex"]
    for i, name in enumerate(names):
        truth.append(",".join([name, *("1.0" if k == i % 8 else "0.0" for k in range(9))]))
        more.append(f"{name},55.0,anterior torso,{f'MSK_{i // 4}' if i < 20 else ''},female")
    tables = {
        "ISIC_2019_Training_GroundTruth.csv": "\n".join(truth),
        "ISIC_2019_Training_Metadata.csv": "\n".join(more),
    }
    folder = laid([f"ISIC_2019_Training_Input/{name}.jpg" for name in names], **tables)
    images = opened(reader, folder)
    assert int(images.labels.sum()) == 5
    assert "20 images without lesion: each a group of its own" in images.understood
    assert "lesion_id from ISIC_2019_Training_Metadata.csv" in images.remarks
    files = sorted(int(file.stem[5:]) for file in folder.rglob("*.jpg"))
    parts = dict(zip(sorted(files, key=str), images.split.tolist(), strict=True))
    assert all(len({parts[i] for i in range(start, start + 4)}) == 1 for start in range(0, 20, 4))
    seven = opened(ImageReader(SEVEN, synthetic=None), folder)
    assert "this workload has no class for 'AK', 'SCC'" in seven.unlabelled


def test_isic_2018_takes_lesions_from_its_groupings(laid, reader):
    names = [f"ISIC_{i}" for i in range(4)]
    truth = "image,MEL,NV\n" + "".join(f"{name},{i % 2},{1 - i % 2}\n" for i, name in enumerate(names))
    groupings = "image,lesion_id,diagnosis_confirm_type\n" + "".join(
        f"{name},HAM_{i // 2},histopathology\n" for i, name in enumerate(names)
    )
    tables = {"GroundTruth.csv": truth, "ISIC2018_Task3_Training_LesionGroupings.csv": groupings}
    images = opened(reader, laid([f"{name}.jpg" for name in names], **tables))
    assert "groups by lesion: 2, the largest of 2 images" in images.understood


def test_derm7pt(reader, laid):
    meta = ["case_num,diagnosis,seven_point_score,clinic,derm,case_id"]
    for i in range(6):
        diagnosis = ("melanoma (in situ)", "clark nevus", "melanoma metastasis")[i % 3]
        meta.append(f"{i + 1},{diagnosis},1,NEL/c{i}.jpg,NEL/d{i}.jpg,")
    lists = {"train": "0\n1\n", "valid": "2\n3\n", "test": "4\n5\n"}
    tables = {f"meta/{part}_indexes.csv": f"indexes\n{rows}" for part, rows in lists.items()}
    folder = laid(
        [f"images/NEL/{kind}{i}.jpg" for i in range(6) for kind in "cd"], **{"meta/meta.csv": "\n".join(meta)}, **tables
    )
    images = opened(reader, folder)
    assert images.labels.tolist() == [1, 0, 1, 1, 0, 1]
    assert images.split.tolist() == [TRAIN, TRAIN, VALIDATION, VALIDATION, TEST, TEST]
    assert "6 files without a row left out" in images.understood


def test_tables_of_training_and_test_are_one(reader, laid):
    header = "image,MEL,NV\n"
    images = opened(
        reader,
        laid(
            [*(f"ISIC2018_Task3_Training_Input/{i}.jpg" for i in range(8)), "ISIC2018_Task3_Test_Input/t1.jpg", "extra.png"],
            **{"Training_GroundTruth.csv": header + "".join(f"{i},{i % 2},{1 - i % 2}\n" for i in range(8))},
            **{"Test_GroundTruth.csv": f"{header}t1,1,0\n"},
        ),
    )
    assert images.count == 9
    assert images.split[0] == TEST
    assert "1 file without a row left out" in images.understood


def test_every_table_that_is_not_used_is_named_with_the_reason(reader, laid):
    folder = laid(
        ["a.jpg", "b.jpg"],
        **{"labels.csv": "image,dx\na,mel\nb,nv\n"},
        **{"hmnist_28_28_L.csv": "pixel0000,label\n1,2\n"},
        **{"sample_submission.csv": "image,target\nz,0.3\n"},
        **{"more.xlsx": "PK"},
        **{"README": "Images, and labels.\n"},
    )
    remarks = opened(reader, folder).remarks
    assert remarks[0] == "labels from column dx of labels.csv: mel means melanoma"
    assert remarks[1].startswith("hmnist_28_28_L.csv is not used: hmnist_28_28_L.csv has none of the columns image_id")
    assert remarks[2] == "more.xlsx is not read, since it is a spreadsheet; save it as CSV"
    assert remarks[3].startswith(
        "sample_submission.csv is not used: no row of sample_submission.csv names one of the 2 images"
    )
    assert len(remarks) == 4


def test_a_table_for_each_image_is_not_a_hundred_lines(reader, laid):
    tables = {f"{i:03d}.csv": "x,y\n1,2\n" for i in range(100)}
    remarks = opened(reader, laid(["mel/a.jpg", "nv/b.jpg"], **tables)).remarks
    assert len(remarks) == 14
    assert remarks[-1] == "and 88 more tables are not used"


def test_columns_that_the_user_names_are_looked_for_in_the_table_that_is_there(reader, laid):
    folder = laid(["a.jpg", "b.jpg"], **{"metadata.csv": "scan,verdict\na,bad\nb,good\n"})
    assert "metadata.csv is not used: metadata.csv has none of the columns image_id" in opened(reader, folder).unlabelled
    images = opened(reader, folder, image_column="scan", label_column="verdict", positive=("bad",))
    assert images.labels.tolist() == [1, 0]
    with pytest.raises(DataError, match=r"no table is as the options say: metadata.csv is not used.*did you mean 'verdict'"):
        opened(reader, folder, image_column="scan", label_column="verdikt")


@pytest.mark.parametrize("options", [{"image_column": "ISIC_1", "label_column": "malignant"}, {"label_column": "malignant"}])
def test_columns_of_a_table_without_a_header_are_refused_as_such(reader, laid, options):
    folder = laid(["ISIC_1.jpg", "ISIC_2.jpg"], **{"truth.csv": "ISIC_1,malignant\nISIC_2,benign\n"})
    with pytest.raises(
        DataError, match=r"^no table is as the options say: truth.csv is not used: .*has no header, and so no column"
    ):
        opened(reader, folder, **options)


def test_a_semicolon_table_in_utf_16(reader, laid):
    folder = laid(["Läsion.jpg", "b.jpg"])
    (folder / "labels.csv").write_bytes("sep=;\r\nimage;dx\r\nLäsion;mel\r\nb;nv\r\n".encode("utf-16"))
    assert np.array_equal(opened(reader, folder).labels, [1, 0])


def test_the_page_of_data_sets_has_each_layout_with_its_columns():
    page = (Path(__file__).parents[3] / "docs" / "data-sets.md").read_text().casefold()
    for layout in LAYOUTS:
        assert f"| {layout.title.casefold()} " in page
        assert all(f"`{column}`" in page for column in layout.known_by), layout.title
