"""Tables of published data sets: which columns they have, and which of their values mean melanoma."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workloads.images.labels import plain


@dataclass(frozen=True)
class Layout:
    """How a data set's table is known, and how it is read."""

    title: str
    known_by: tuple[str, ...]  # columns that all must be there
    image: str
    labels: tuple[str, ...]  # one, or several from a diagnosis's widest words to its narrowest: the last filled in counts
    melanoma: tuple[str, ...] = ()  # values that mean melanoma, beside those that always do
    undecided: tuple[str, ...] = ()  # values that leave open whether it is melanoma: such rows are left out


_ARCHIVE_MELANOMA = (
    "malignant melanocytic proliferations (melanoma)",
    "melanoma in situ",
    "melanoma invasive",
    "melanoma metastasis",
    "melanoma, nos",
)
_ARCHIVE_UNDECIDED = (
    "",
    "malignant",
    "indeterminate",
    "indeterminate melanocytic proliferations",
    "atypical melanocytic neoplasm",
    "atypical intraepithelial melanocytic proliferation",
)

# The columns and values are those of the published tables (docs/data-sets.md).
LAYOUTS = (
    Layout(
        "ISIC archive",
        ("isic_id", "diagnosis_1"),
        "isic_id",
        ("diagnosis_1", "diagnosis_2", "diagnosis_3"),
        _ARCHIVE_MELANOMA,
        _ARCHIVE_UNDECIDED,
    ),
    # Its column target says malignant or not; the diagnosis says whether it is melanoma.
    Layout(
        "ISIC 2024",
        ("isic_id", "target", "iddx_1"),
        "isic_id",
        ("iddx_1", "iddx_2", "iddx_3"),
        _ARCHIVE_MELANOMA,
        _ARCHIVE_UNDECIDED,
    ),
    Layout("PAD-UFES-20", ("img_id", "diagnostic"), "img_id", ("diagnostic",)),
    Layout("BCN20000", ("bcn_filename", "diagnosis"), "bcn_filename", ("diagnosis",)),
    Layout(
        "Derm7pt",
        ("derm", "clinic", "diagnosis", "case_num"),
        "derm",  # the dermoscopic image; the clinical one of the same case is left out
        ("diagnosis",),
        (
            "melanoma (in situ)",
            "melanoma (less than 0.76 mm)",
            "melanoma (0.76 to 1.5 mm)",
            "melanoma (more than 1.5 mm)",
            "melanoma metastasis",
        ),
    ),
    Layout(
        "DDI",
        ("ddi_file", "malignant", "disease"),
        "ddi_file",
        ("disease",),
        ("melanoma-in-situ", "melanoma-acral-lentiginous", "nodular-melanoma-(nm)"),
    ),
    Layout(
        "Fitzpatrick17k",
        ("md5hash", "nine_partition_label"),
        "md5hash",
        ("nine_partition_label",),
        ("malignant melanoma",),
    ),
)


def layout_of(header: Sequence[str]) -> Layout | None:
    """The published data set whose columns are all in ``header``; None where it is another table."""
    found = {plain(name) for name in header}
    return next((layout for layout in LAYOUTS if found.issuperset(layout.known_by)), None)
