"""From the labels people write to class indices, refusing to guess."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from bench.errors import DataError

_TRUTH = {"0": 0, "1": 1, "false": 0, "true": 1, "no": 0, "yes": 1}
_NEGATED = re.compile(r"(non|not|no)[\W_]")
_SHOWN = 8
# Columns in which 1 means a diagnosis other than melanoma, or none that is bad.
_OTHERS = frozenset(
    (
        "nv",
        "nevus",
        "bcc",
        "akiec",
        "ak",
        "bkl",
        "df",
        "vasc",
        "scc",
        "unk",
        "seborrheic_keratosis",
        "benign",
        "healthy",
        "normal",
    )
)


@dataclass(frozen=True)
class ClassRules:
    """How a workload's classes are recognised."""

    classes: tuple[str, ...]  # two: the rest, then the positive class; or as many as there are
    positive_names: tuple[str, ...] = ("mel", "melanoma", "malignant")  # label values that mean the positive class
    medmnist_positive: Mapping[int, int] = field(default_factory=lambda: {7: 4})  # number of classes: the positive one

    def assign(
        self,
        counts: Mapping[str, int],
        positive: tuple[str, ...],
        where: str,
        numbered: bool = False,
        melanoma: Collection[str] = (),
    ) -> dict[str, int]:
        """The class index of every label value in ``counts`` (value to number of images).

        ``where`` says in a message what holds the labels; ``numbered`` says that numbers are class indices, MedMNIST's where
        there are two classes; ``melanoma`` are values that mean melanoma in a published data set. Raises DataError where a value belongs to no class, where it is unclear which are positive, or
        where one of two classes has no image.
        """
        if len(self.classes) != 2:
            return self._many(counts, positive, where, numbered, melanoma)
        if positive:
            chosen = self._given(counts, positive, where)
        elif self.recognise(counts):
            chosen = {value for value in counts if _TRUTH[plain(value)]}
        elif numbered and (mapped := self._numbered(counts)):
            chosen = mapped
        else:
            chosen = self._named(counts, where, melanoma)
        return self._both(counts, chosen, where)

    def recognise(self, values: Iterable[str]) -> bool:
        """Whether every value is a class by itself: 0 and 1, or true and false, of two; else a class's name, or every index."""
        found = {plain(value) for value in values}
        if len(self.classes) == 2:
            return found <= _TRUTH.keys()
        return found <= self._names().keys() or found == self._indices().keys()

    def _names(self) -> dict[str, int]:
        return {plain(name): index for index, name in enumerate(self.classes)}

    def _indices(self) -> dict[str, int]:
        return {str(index): index for index in range(len(self.classes))}

    def _many(
        self, counts: Mapping[str, int], positive: tuple[str, ...], where: str, numbered: bool, melanoma: Collection[str]
    ) -> dict[str, int]:
        if positive:
            raise DataError(f"--positive {positive[0]} chooses between two classes: this workload has {len(self.classes)}")
        found = {plain(value) for value in counts}
        if found <= _TRUTH.keys():
            # 0 and 1 say yes or no to a question; read as indices they would name the first two classes.
            raise DataError(
                f"{where} hold {shown(counts)}, which say yes or no: expected one of {len(self.classes)} classes for each "
                f"image, {', '.join(self.classes)}; name the column of diagnoses with --label-column"
            )
        names = self._names()
        known = names | (self._indices() if numbered else {})
        known |= {value: names["mel"] for value in ("melanoma", *melanoma) if "mel" in names and "melanoma" not in names}
        unknown = [value for value in counts if plain(value) not in known]
        if not unknown:
            return {value: known[plain(value)] for value in counts}
        if all(plain(value) in self._indices() for value in unknown):
            raise DataError(
                f"{where} hold {shown(counts)}: numbers alone do not say which classes they mean; expected "
                f"{', '.join(self.classes)}, or numbers from 0 to {len(self.classes) - 1} in a column called label or class, or "
                "named with --label-column"
            )
        expected = f"{', '.join(self.classes)}" + (f", or 0 to {len(self.classes) - 1}" if numbered else "")
        without = ", ".join(f"{value!r:.60}" for value in unknown[:_SHOWN])
        raise DataError(
            f"{where} hold {shown(counts)}: expected {expected}; this workload has no class for {without}: correct them, or "
            "leave those images out of the table"
        )

    def _given(self, counts: Mapping[str, int], positive: tuple[str, ...], where: str) -> set[str]:
        wanted = {plain(name) for name in positive}
        found = {plain(value) for value in counts}
        for name in positive:
            if plain(name) not in found:
                near = get_close_matches(plain(name), found, n=1)
                hint = f"; did you mean {near[0]!r:.60}?" if near else ""
                raise DataError(f"--positive {name:.60} is not among the labels: {where} hold {shown(counts)}{hint}")
        return {value for value in counts if plain(value) in wanted}

    def _numbered(self, counts: Mapping[str, int]) -> set[str]:
        number = self.medmnist_positive.get(len(counts))
        return {str(number)} if number is not None and set(counts) == {str(i) for i in range(len(counts))} else set()

    def _named(self, counts: Mapping[str, int], where: str, melanoma: Collection[str]) -> set[str]:
        # "malignant" may mean other cancers where a data set has a word for melanoma.
        words = ("melanoma", "mel", *melanoma) if melanoma else self.positive_names
        chosen = {value for value in counts if plain(value) in words}
        unclear = [value for value in counts if value not in chosen and self._resembles(value)]
        if not chosen or unclear:
            # Only what sounds like it is suggested: another value may be a patient's name.
            hint = f", as in --positive {unclear[0]!r:.60}" if unclear else ""
            raise DataError(
                f"unclear which labels mean {self.classes[1]}: {where} hold {shown(counts)}; say so with --positive{hint}"
            )
        return chosen

    def _resembles(self, value: str) -> bool:
        """Whether a value contains a positive name as a word, as "melanoma in situ" does, without denying it."""
        words = set(re.split(r"[\W_]+", plain(value)))
        return bool(words & set(self.positive_names)) and not _NEGATED.match(plain(value))

    def _both(self, counts: Mapping[str, int], chosen: set[str], where: str) -> dict[str, int]:
        if counts and len(chosen) in (0, len(counts)):
            only = self.classes[1 if chosen else 0]
            raise DataError(
                f"{where} hold {shown(counts)}, all of them {only}: expected images of both classes, {' and '.join(self.classes)}"
            )
        return {value: int(value in chosen) for value in counts}


def contradicts(column: str, positive_class: str) -> bool:
    """Whether 1 in a column of this name says that an image is something else than the positive class, as in a column ``NV``."""
    return plain(column) in _OTHERS and plain(column) != plain(positive_class)


def plain(value: str) -> str:
    """A label without what people vary: case, outer spaces, and the ``.0`` of a number that passed through a float."""
    value = value.strip().casefold()
    return value[:-2] if re.fullmatch(r"\d+\.0", value) else value


def shown(counts: Mapping[str, int]) -> str:
    """Label values for a message, the commonest first: ``nv (6,705), mel (1,113)``."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    text = ", ".join(f"{value:.40} ({count:,})" for value, count in ordered[:_SHOWN])
    return text + (f" and {len(ordered) - _SHOWN:,} other values" if len(ordered) > _SHOWN else "")
