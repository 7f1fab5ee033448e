"""Data sets to project to: real ones with their sources, and one that is hypothetical and called so."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.errors import UsageError
from bench.recipes import SHARES

_MOST_IMAGES = 10**15
_LEAST_MEGAPIXELS = 1e-6
_MOST_MEGAPIXELS = 1e6


@dataclass(frozen=True)
class Dataset:
    """How many images there are, and how large their files are."""

    name: str
    title: str
    images: int
    megapixels: float  # mean width x height / 1e6 of the original files
    source: str
    assumed: str = ""  # what of this is not from the source
    hypothetical: bool = False
    parts: tuple[int, int, int] | None = None  # training, validation and test images, where they are known

    @property
    def sized_title(self) -> str:
        """The title and how many images, which is in the title where the user gave it."""
        return self.title if " images" in self.title else f"{self.title}, {self.images:,} images"

    def __post_init__(self) -> None:
        if not 1 <= self.images <= _MOST_IMAGES:
            raise UsageError(f"a data set of {self.images} images; expected 1 to {_MOST_IMAGES:,}")
        if not _LEAST_MEGAPIXELS <= self.megapixels <= _MOST_MEGAPIXELS:
            raise UsageError(
                f"{self.megapixels} megapixels per image; expected {_LEAST_MEGAPIXELS:f} to {_MOST_MEGAPIXELS:,.0f}"
            )

    @property
    def validation_images(self) -> int:
        """N_val: evaluated after every epoch; their share as ``bench train`` splits images, unless they are known."""
        return _share(self.images, SHARES[1]) if self.parts is None else self.parts[1]

    @property
    def test_images(self) -> int:
        """N_test: evaluated once, after the last epoch."""
        return _share(self.images, SHARES[2]) if self.parts is None else self.parts[2]

    @property
    def training_images(self) -> int:
        """N: the rest, at least one; seen once per epoch."""
        return self.images - self.validation_images - self.test_images


def _share(images: int, share: float) -> int:
    """Return so much of the images, halves rounded up, as the page's script rounds them."""
    return math.floor(images * share + 0.5)


_ARCHIVE_MEGAPIXELS = 600 * 450 / 1e6

DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "ham10000",
            "HAM10000",
            10_015,
            600 * 450 / 1e6,
            "Tschandl, Rosendahl, Kittler, Sci. Data 5:180161 (2018), doi:10.1038/sdata.2018.161; files of 600x450 pixels",
        ),
        Dataset(
            "isic2020",
            "ISIC 2020",
            33_126,
            12.0,
            "Rotemberg et al., Sci. Data 8:34 (2021), doi:10.1038/s41597-021-00815-z",
            assumed="a mean of 12 megapixels per original, which run from 640x480 to 6000x4000 pixels",
        ),
        Dataset(
            "slice3d",
            "SLICE-3D (ISIC 2024)",
            401_059,
            133 * 133 / 1e6,
            "Kurtansky et al., Sci. Data 11:884 (2024), doi:10.1038/s41597-024-03743-w; crops of 15 mm x 15 mm",
            assumed="crops of about 133x133 pixels",
        ),
        Dataset(
            "archive",
            "a hypothetical archive of a billion images",
            1_000_000_000,
            _ARCHIVE_MEGAPIXELS,
            "none: hypothetical, no such data set exists",
            assumed="images of HAM10000's size",
            hypothetical=True,
        ),
    )
}
DEFAULT = DATASETS["ham10000"]

_ALIASES = {"isic2024": "slice3d"}


def find_dataset(name: str) -> Dataset:
    """The preset of that name, whatever its case and punctuation. Raises UsageError naming the nearest one."""
    plain = "".join(character for character in name.lower() if character.isalnum())
    found = DATASETS.get(_ALIASES.get(plain, plain))
    if found is not None:
        return found
    from difflib import get_close_matches

    near = get_close_matches(plain, [*DATASETS, *_ALIASES], n=1, cutoff=0.4)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise UsageError(f"unknown data set {name!r:.60}: expected {', '.join([*DATASETS, *_ALIASES])}{hint}")


def adapted(dataset: Dataset, images: int | None = None, megapixels: float | None = None) -> Dataset:
    """The data set with another number or size of images, and a title that says so. Raises UsageError."""
    if images is None and megapixels is None:
        return dataset
    changes = []
    assumed = dataset.assumed
    if images is not None:
        changes.append(f"{images:,} images")
    if megapixels is not None:
        changes.append(f"{megapixels:g} megapixels each")
        assumed = ""
    title = f"{dataset.title} with {', '.join(changes)}"
    return Dataset(
        dataset.name,
        title,
        dataset.images if images is None else images,
        dataset.megapixels if megapixels is None else megapixels,
        f"{dataset.source}; {' and '.join(changes)} as given by the user",
        assumed,
        dataset.hypothetical,
    )
