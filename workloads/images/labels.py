"""From the labels people write to class indices, refusing to guess."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from bench.errors import DataError

_TRUTH = {"0": 0, "1": 1, "false": 0, "true": 1, "no": 0, "yes": 1}
_NEGATED = re.compile(r"(non|not|no)[\W_]")
_SHOWN = 8


@dataclass(frozen=True)
class ClassRules:
    """How a workload's classes are recognised."""

    classes: tuple[str, ...]  # two: the rest, then the positive class; or as many as there are
    positive_names: tuple[str, ...] = ("mel", "melanoma", "malignant")  # label values that mean the positive class
    medmnist_positive: Mapping[int, int] = field(default_factory=lambda: {7: 4})  # number of classes: the positive one

    def assign(
        self, counts: Mapping[str, int], positive: tuple[str, ...], where: str, numbered: bool = False
    ) -> dict[str, int]:
        """The class index of every label value in ``counts`` (value to number of images).

        ``where`` says in a message what holds the labels; ``numbered`` allows MedMNIST's numbering. Raises DataError where a
        value belongs to no class, where it is unclear which are positive, or where one of two classes has no image.
        """
        if len(self.classes) != 2:
            return self._many(counts, positive, where)
        if positive:
            chosen = self._given(counts, positive, where)
        elif self.recognise(counts):
            chosen = {value for value in counts if _TRUTH[plain(value)]}
        elif numbered and (mapped := self._numbered(counts)):
            chosen = mapped
        else:
            chosen = self._named(counts, where)
        return self._both(counts, chosen, where)

    def recognise(self, values: Iterable[str]) -> bool:
        """Whether every value is a class by itself: 0 and 1, or true and false, of two; else a class's name or index."""
        known = _TRUTH if len(self.classes) == 2 else self._indices()
        return all(plain(value) in known for value in values)

    def _indices(self) -> dict[str, int]:
        known = {plain(name): index for index, name in enumerate(self.classes)}
        return known | {str(index): index for index in range(len(self.classes))}

    def _many(self, counts: Mapping[str, int], positive: tuple[str, ...], where: str) -> dict[str, int]:
        if positive:
            raise DataError(f"--positive {positive[0]} chooses between two classes: this workload has {len(self.classes)}")
        known = self._indices()
        for value in counts:
            if plain(value) not in known:
                expected = f"{', '.join(self.classes)}, or 0 to {len(self.classes) - 1}"
                raise DataError(f"{where} hold {shown(counts)}: expected {expected}; correct {value!r:.60}")
        return {value: known[plain(value)] for value in counts}

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

    def _named(self, counts: Mapping[str, int], where: str) -> set[str]:
        chosen = {value for value in counts if plain(value) in self.positive_names}
        unclear = [value for value in counts if value not in chosen and self._resembles(value)]
        if not chosen or unclear:
            name = unclear[0] if unclear else next(iter(counts), "")
            raise DataError(
                f"unclear which labels mean {self.classes[1]}: {where} hold {shown(counts)}; say so with --positive, "
                f"as in --positive {name!r:.60}"
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


def plain(value: str) -> str:
    """A label without what people vary: case, outer spaces, and the ``.0`` of a number that passed through a float."""
    value = value.strip().casefold()
    return value[:-2] if re.fullmatch(r"\d+\.0", value) else value


def shown(counts: Mapping[str, int]) -> str:
    """Label values for a message, the commonest first: ``nv (6,705), mel (1,113)``."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    text = ", ".join(f"{value:.40} ({count:,})" for value, count in ordered[:_SHOWN])
    return text + (f" and {len(ordered) - _SHOWN:,} other values" if len(ordered) > _SHOWN else "")
