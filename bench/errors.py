"""Every error the harness raises on purpose, and the exit code each one means.

    BenchError                  (internal: 1)
    ├── UsageError              2  wrong use or bad input
    │   ├── SpecError           2  a network, optimizer or workload that contradicts itself
    │   ├── DataError           2  images, labels or tables that cannot be used
    │   ├── RecordError         2  a record that is missing, truncated, edited or from another version
    │   ├── InstallError        2  a project that pip cannot install as asked
    │   └── PluginError         2  a plugin that cannot be loaded, or two with one name
    ├── InconclusiveError       3
    ├── NotComparableError      4  or nothing could be measured
    └── BusyError               2  another run holds this host and these devices

The command line catches ``BenchError`` once, prints one sentence and exits with ``exit_code``. A message says what is
wrong, what was found, what was expected, and the remedy.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every ``bench`` command."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    NOT_COMPARABLE = 4
    REGRESSED = 5
    SOME_FAILED = 6


class BenchError(Exception):
    """Root of the harness's errors."""

    exit_code = ExitCode.INTERNAL


class UsageError(BenchError):
    """Wrong use or bad input: the user can mend it."""

    exit_code = ExitCode.USAGE


class SpecError(UsageError):
    """A network, optimizer or workload that contradicts itself."""


class DataError(UsageError):
    """Images, labels or tables that cannot be used."""


class RecordError(UsageError):
    """A record that is missing, truncated, edited by hand or of a version this release does not know."""


class InstallError(UsageError):
    """A project that pip cannot install as asked."""


class PluginError(UsageError):
    """A plugin that cannot be loaded, breaks its contract, or shares its name with another."""


class BudgetError(UsageError):
    """A budget too small for what was asked for on this machine, as it is now."""


class BusyError(UsageError):
    """Another run holds this host and these devices."""


class InconclusiveError(BenchError):
    """The measurement does not allow a verdict."""

    exit_code = ExitCode.INCONCLUSIVE


class NotComparableError(BenchError):
    """Two things that must not be compared, or nothing that could be measured."""

    exit_code = ExitCode.NOT_COMPARABLE


class NoFigure(NotComparableError):
    """Samples from which no honest figure follows; the message says why."""


class NoDeviceError(NotComparableError):
    """A backend that was named has no device on this machine."""


__all__ = [
    "BenchError",
    "BusyError",
    "DataError",
    "ExitCode",
    "InconclusiveError",
    "InstallError",
    "NoDeviceError",
    "NoFigure",
    "NotComparableError",
    "PluginError",
    "RecordError",
    "SpecError",
    "UsageError",
]
