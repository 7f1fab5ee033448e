"""Which images belong together and must stay in one part: those of one patient, one lesion, one original, one content."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

from bench.errors import DataError
from workloads.images.folder import ImageFile
from workloads.images.names import composed
from workloads.images.parallel import in_threads

_MISSING = frozenset(("", "nan", "na", "n/a", "none", "null", "unknown", "?", "-"))
# How common tools name what they make of an image, with the original's name in group 1.
_SURELY_MADE = (
    re.compile(r"original_(.+?)\.(?:jpe?g|png)_[0-9a-f-]{36}", re.IGNORECASE),  # Augmentor
    re.compile(r"(.+?)_(?:jpe?g|png)\.rf\.[0-9a-f]+", re.IGNORECASE),  # Roboflow
)
_PERHAPS_MADE = re.compile(
    r"(.+?)(?:[ _-]+(?:aug(?:mented)?|copy|[hv]?flip(?:ped)?|rot(?:ated)?)[ _-]*\d*| ?\(\d+\))", re.IGNORECASE
)


def known(identifier: str) -> bool:
    """Whether a patient's or lesion's identifier says anything: blanks and words for "missing" do not."""
    return identifier.casefold() not in _MISSING


def grouped(
    files: Sequence[ImageFile], identifiers: Sequence[Sequence[str]], contents: Sequence[Sequence[int]]
) -> list[str]:
    """The name of each image's group (n,).

    Images with an identifier of one kind in common belong together, and so do copies and what was made of one original; groups
    that share an image are one. ``identifiers`` (n, kinds) begin with the kind that names a group best; ``contents`` lists the
    images of equal content.
    """
    sets = _Sets(len(files))
    for place, row in enumerate(identifiers):
        for kind, identifier in enumerate(row):
            if known(identifier):
                sets.join(place, (kind, identifier))
    for place, original in enumerate(_originals(files)):
        if original:
            sets.join(place, ("original", original))
    for number, copies in enumerate(contents):
        for place in copies:
            sets.join(place, ("content", number))
    members: defaultdict[int, list[int]] = defaultdict(list)
    for place in range(len(files)):
        members[sets.root(place)].append(place)
    names = [""] * len(files)
    for places in members.values():
        name = _name([identifiers[place] for place in places]) or min(composed(files[place].stem) for place in places)
        for place in places:
            names[place] = name
    return names


def _name(rows: Sequence[Sequence[str]]) -> str:
    """The first identifier of the best kind there is; "" where there is none."""
    for kind in range(len(rows[0])):
        found = [row[kind] for row in rows if known(row[kind])]
        if found:
            return min(found)
    return ""


class _Sets:
    """Disjoint sets of images, joined by what they have in common."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))
        self._first: dict[Hashable, int] = {}

    def root(self, place: int) -> int:
        """The image that stands for the set."""
        while self._parent[place] != place:
            self._parent[place] = self._parent[self._parent[place]]
            place = self._parent[place]
        return place

    def join(self, place: int, common: Hashable) -> None:
        """Put the image into the set of all that have ``common``."""
        self._parent[self.root(place)] = self.root(self._first.setdefault(common, place))


def _originals(files: Sequence[ImageFile]) -> list[str]:
    """The name of the image that each was made of by augmentation, its own where it is one; "" where its name tells nothing."""
    stems = {file.stem for file in files}
    made = {stem: _original(stem, stems) for stem in stems}
    originals = set(made.values())
    return [made[file.stem] or (file.stem if file.stem in originals else "") for file in files]


def _original(stem: str, stems: Iterable[str]) -> str:
    for pattern in _SURELY_MADE:
        found = pattern.search(stem)
        if found:
            return found[1]
    found = _PERHAPS_MADE.fullmatch(stem)
    return found[1] if found and found[1] in stems else ""


def equal_lengths(files: Sequence[ImageFile]) -> list[int]:
    """The places of files that are as long as another one; empty files are alike in nothing."""
    sizes = Counter(file.size for file in files)
    return [place for place, file in enumerate(files) if file.size and sizes[file.size] > 1]


def equal_contents(candidates: Sequence[int], read: Callable[[int], bytes]) -> list[list[int]]:
    """The places among ``candidates`` of equal content, for each content that comes more than once.

    ``read`` gives the content at a place. Where it raises OSError or DataError, the image is like no other: whoever decodes it will say
    what is wrong.
    """
    digests = [b""] * len(candidates)

    def compare(piece: slice) -> None:
        for number in range(*piece.indices(len(candidates))):
            try:
                content = read(candidates[number])
            except (OSError, DataError):
                content = str(candidates[number]).encode()
            digests[number] = hashlib.blake2b(content, digest_size=16).digest()

    in_threads(compare, len(candidates), piece=64)
    equal: defaultdict[bytes, list[int]] = defaultdict(list)
    for place, digest in zip(candidates, digests, strict=True):
        equal[digest].append(place)
    return [places for places in equal.values() if len(places) > 1]
