"""What is said of a run's images before anything is measured on them, and which of them are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from bench.errors import UsageError
from bench.record.schema import DataFacts
from bench.worker.answers import Looked, Prepared


def refuse_unlabelled(prepared: Prepared | Looked) -> None:
    """Raises UsageError where images have no labels to train by."""
    if not prepared.data.labelled:
        why = prepared.unlabelled or "give them with --labels CSV"
        raise UsageError(f"training needs labels; found {prepared.data.description}: {why}")


def tell_understood(prepared: Mapping[str, Prepared], say: Callable[[str], None]) -> None:
    """Say what was understood of the user's own images, each line once; of synthetic ones there is nothing to misunderstand."""
    tell([(facts.data, facts.remarks) for facts in prepared.values()], say)


def tell(found: Iterable[tuple[DataFacts, Sequence[str]]], say: Callable[[str], None]) -> None:
    """The same of images that are only looked at, each with its remarks."""
    said: dict[str, None] = {}
    for data, remarks in found:
        if not data.synthetic:
            said |= dict.fromkeys([data.description, *(f"  {line}" for line in data.understood)])
            said |= dict.fromkeys(f"  note: {line}" for line in remarks)
    for line in said:
        say(line)


def refuse_constant(targets: Mapping[str, float], prepared: Prepared) -> None:
    """Raises UsageError for a target that an answer which never looks at an image would reach."""
    for name, target in targets.items():
        reached = prepared.constant.get(name)
        if reached is not None and target <= reached:
            raise UsageError(
                f"a target of {target:g} for {name} proves nothing: the same answer for every validation image reaches {reached:.4g}; "
                f"expected more: --target {name}={min(reached + 0.05, 1.0):.2f} for example"
            )


def refuse_untrainable(prepared: Prepared) -> None:
    """Raises UsageError where images cannot be trained on to the end and judged by."""
    refuse_unlabelled(prepared)
    if prepared.untrainable:
        raise UsageError(f"{prepared.untrainable}; found {prepared.data.description}")
