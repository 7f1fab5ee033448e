"""What image files really are, by their first bytes, whatever their names say: all that cannot be read are named at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.errors import DataError
from workloads.images.folder import ImageFile
from workloads.images.parallel import in_threads

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
HEAD = 132
"""Bytes that are enough: DICOM has its mark after a preamble of 128."""

_PNG_DEPTH_AT = 24  # the bit depth's place in a PNG, in the header chunk that must come first
_MARKS = (
    (0, b"II*\0", "a TIFF image"),
    (0, b"MM\0*", "a TIFF image"),
    (0, b"II+\0", "a TIFF image"),
    (128, b"DICM", "a DICOM file"),
    (0, b"BM", "a BMP image"),
    (0, b"GIF8", "a GIF image"),
    (8, b"WEBP", "a WebP image"),
    (4, b"ftypheic", "a HEIC image"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"jP  ", "a JPEG 2000 image"),
    (0, b"%PDF", "a PDF file"),
    (0, b"PK\3\4", "a zip file"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, whose image was not fetched"),
)
_NOT_READ = (".tif", ".tiff", ".dcm", ".dicom", ".bmp", ".gif", ".webp", ".heic", ".avif", ".jp2", ".jfif", ".jpe", ".hdf5")
_SHOWN = 8


def trouble_of(head: bytes) -> str:
    """What is wrong with a file that begins with these bytes (``HEAD`` of them); "" where it may be a JPEG or a PNG of 8 bits."""
    if not head:
        return "is empty"
    if head.startswith(PNG):
        # Pillow would cut colours of 16 bits down to 8 without a word.
        return "has 16 bits per channel" if head[_PNG_DEPTH_AT : _PNG_DEPTH_AT + 1] == b"\x10" else ""
    if head.startswith(JPEG):
        return ""
    what = next((what for place, mark, what in _MARKS if head[place : place + len(mark)] == mark), "")
    if not what and head.lstrip()[:1] == b"<":
        what = "a web page"
    return "is neither a JPEG nor a PNG file" + (f" but {what}" if what else "")


REMEDIES = {
    "is empty": "expected a JPEG or PNG file; fetch it again or remove it",
    "has 16 bits per channel": "expected 8; save it with 8 bits per channel",
}
"""How a message ends; for other troubles with ``OTHERWISE``."""
OTHERWISE = "expected one of the two with 8 bits per channel; convert or remove it"


def check_files(folder: Path, files: Sequence[ImageFile]) -> None:
    """Look at the beginning of every file. Raises DataError, which names all of those that cannot be read."""
    troubles = [""] * len(files)

    def look(piece: slice) -> None:
        for place in range(*piece.indices(len(files))):
            if files[place].size:
                try:
                    with (folder / files[place].relative).open("rb", buffering=0) as stream:
                        troubles[place] = trouble_of(stream.read(HEAD))
                except OSError:  # decoding says what is wrong
                    continue
            else:
                troubles[place] = trouble_of(b"")

    in_threads(look, len(files), piece=256)
    refuse([f"{file.relative} {trouble}" for file, trouble in zip(files, troubles, strict=True) if trouble], len(files))


def refuse(troubles: Sequence[str], count: int) -> None:
    """Raises DataError where there are troubles, a clause each, with some of ``count`` images."""
    if len(troubles) == 1:
        (trouble,) = troubles
        ending = next((ending for what, ending in REMEDIES.items() if trouble.endswith(what)), OTHERWISE)
        raise DataError(f"{trouble}: {ending}")
    if troubles:
        named = "; ".join(troubles[:_SHOWN]) + (f"; and {len(troubles) - _SHOWN:,} more" if len(troubles) > _SHOWN else "")
        raise DataError(
            f"{len(troubles):,} of {count:,} images cannot be read: {named}: expected whole JPEG or PNG files with 8 bits per "
            "channel; fetch them again, convert or remove them"
        )


def not_read(others: Sequence[ImageFile]) -> list[str]:
    """What to say of images in formats that are not read, by their suffixes."""
    counts = Counter(suffix for other in others if (suffix := Path(other.name).suffix.casefold()) in _NOT_READ)
    kinds = ", ".join(f"{count:,} {suffix}" for suffix, count in counts.most_common())
    return [f"images in other formats left out: {kinds}; only JPEG and PNG files are read"] if kinds else []
