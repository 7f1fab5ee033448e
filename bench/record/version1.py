"""Records of schema version 1, in which a trial was one process on one machine, read as what they are today."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import asdict, fields

from bench.record.schema import VERSION, Case, Machine, Place, Positive, Rank, Record, Trial

OLD = 1
_OF_RANK = tuple(field.name for field in fields(Rank))


def _struct(name: str, today: type[msgspec.Struct], gone: set[str], was: list[tuple[Any, ...]]) -> Any:
    """Today's struct without the fields that came with version 2, and with those that went."""
    kept = [_field(field) for field in fields(today) if field.name not in gone]
    return msgspec.defstruct(name, [*kept, *was], frozen=True, kw_only=True)


def _field(field: Any) -> tuple[Any, ...]:
    if field.default is not msgspec.NODEFAULT:
        return field.name, field.type, field.default
    if field.default_factory is not msgspec.NODEFAULT:
        return field.name, field.type, msgspec.field(default_factory=field.default_factory)
    return field.name, field.type


_Case: Any = _struct(
    "Case", Case, {"places"}, [("devices", tuple[str, ...]), ("threads", Positive, 1), ("processes", Positive, 1)]
)
_Trial: Any = _struct("Trial", Trial, {"ranks"}, [_field(field) for field in fields(Rank)])
_Record: Any = _struct(
    "Record",
    Record,
    {"machines", "cases", "trials"},
    [("machine", Machine), ("cases", list.__class_getitem__(_Case)), ("trials", list.__class_getitem__(_Trial))],
)


def decode(body: bytes) -> tuple[int, Record]:
    """Return the version that the record gives itself, and the record as of today. Raises msgspec.ValidationError, and ValueError for what no version allows."""
    own = _fields(msgspec.json.decode(body, type=_Record))
    own |= {"cases": [_case(case) for case in own["cases"]], "trials": [_trial(trial) for trial in own["trials"]]}
    inside = own["version"]
    return inside, Record(**own | {"version": VERSION, "machines": {"": own.pop("machine")}})


def _case(old: Any) -> Case:
    own = _fields(old)
    devices, cores, processes = own.pop("devices") or ("",), own.pop("threads"), own.pop("processes")
    places = [Place(device, cores) for device in devices]
    return Case(**own, places=tuple(places + places[-1:] * (processes - len(places))))


def _trial(old: Any) -> Trial:
    own = _fields(old)
    rank = Rank(**{name: own.pop(name) for name in _OF_RANK})
    return Trial(**own, ranks=[rank])


def _fields(old: Any) -> dict[str, Any]:
    return dict(asdict(old))
