"""A plugin's backend as the worker uses it: an answer of the wrong type is a PluginError that names plugin, backend and method.

Nothing of this is in a timed path. ``stage`` and ``run`` are the plugin's own, and ``wait`` and ``weights`` become so after their first
right answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from bench.contract import Backend, Predictor, Probe, Progress, Settings, Trainer, Workload
from bench.entry_points import PluginRef
from bench.errors import PluginError
from bench.spec import Weights
from bench.worker.offered import PREDICTOR, TRAINER, kind, made_fault, probe_fault, say


class CheckedBackend:
    """The backend of a plugin; whatever else it has is found here too."""

    def __init__(self, backend: Backend, ref: PluginRef) -> None:
        self._backend, self.name = backend, backend.name
        self._whose = f"plugin '{ref.name}' ({ref.module}), backend '{backend.name}'"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def probe(self) -> Probe:
        """Raises PluginError for what is no answer, and where the plugin raises."""
        try:
            found = self._backend.probe()
        except Exception as error:  # the contract forbids it
            raise PluginError(f"{self._whose}: probe() raised {say(error)}") from error
        self._refuse(probe_fault(found))
        return found

    def trainer(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Trainer:
        """Raises PluginError for what is no trainer, and UnsupportedLayer where the backend does."""
        made = self._backend.trainer(workload, weights, device, settings)
        self._refuse(made_fault("trainer", made, TRAINER))
        return _Checked(made, self._whose, {"wait": _progress_fault, "weights": _weights_fault})

    def predictor(self, workload: Workload, weights: Weights, device: str, settings: Settings) -> Predictor:
        """Raises PluginError for what is no predictor, and UnsupportedLayer where the backend does."""
        made = self._backend.predictor(workload, weights, device, settings)
        self._refuse(made_fault("predictor", made, PREDICTOR))
        return _Checked(made, self._whose, {"wait": _probabilities_fault})

    def _refuse(self, fault: str) -> None:
        if fault:
            raise PluginError(f"{self._whose}: {fault}")


class _Checked:
    """A trainer or predictor; the first answer of some of its methods is checked."""

    def __init__(self, made: Any, whose: str, faults: dict[str, Callable[[object], str]]) -> None:
        self._made, self._whose, self._faults = made, f"{whose}, {type(made).__qualname__}", faults
        self.stage, self.run = made.stage, made.run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)

    def wait(self, pending: Any) -> Any:
        """As the plugin's own."""
        return self._first("wait", pending)

    def weights(self) -> Weights:
        """As the plugin's own."""
        found: Weights = self._first("weights")
        return found

    def _first(self, method: str, *given: Any) -> Any:
        call = getattr(self._made, method)
        answer = call(*given)
        if fault := self._faults[method](answer):
            raise PluginError(f"{self._whose}: {method}() gave {fault}")
        vars(self)[method] = call  # from now on the plugin's own, at no cost
        return answer


def name_of(made: object) -> str:
    """The class of a trainer or predictor, with its module, for messages."""
    own = type(made._made if isinstance(made, _Checked) else made)
    return f"{own.__module__}.{own.__qualname__}"


def _progress_fault(answer: object) -> str:
    if not isinstance(answer, Progress):
        return f"{kind(answer)}, expected a Progress"
    if not _is_array(answer.losses, 1):
        return f"a Progress whose losses are {_form(answer.losses)}, expected an array of numbers (steps,)"
    if not isinstance(answer.witness, Real):
        return f"a Progress whose witness is {kind(answer.witness)}, expected a float"
    return ""


def _weights_fault(answer: object) -> str:
    if not isinstance(answer, Mapping) or not all(isinstance(name, str) for name in answer):
        return f"{kind(answer)}, expected a mapping from tensor name to array"
    wrong = next((name for name, value in answer.items() if not _is_array(value)), None)
    return "" if wrong is None else f"{_form(answer[wrong])} for the tensor '{wrong}', expected an array of numbers"


def _probabilities_fault(answer: object) -> str:
    return "" if _is_array(answer, 2) else f"{_form(answer)}, expected an array of probabilities (batch, classes)"


def _is_array(value: object, dimensions: int | None = None) -> bool:
    import numpy as np

    return (
        isinstance(value, np.ndarray)
        and np.issubdtype(value.dtype, np.floating)
        and dimensions in {None, value.ndim}
    )  # fmt: skip


def _form(value: object) -> str:
    import numpy as np

    return f"an array of {value.dtype} {value.shape}" if isinstance(value, np.ndarray) else kind(value)


def raised_in(error: BaseException, module: str) -> str:
    """Name the function of the plugin's package in which an exception began, as ``Training.run of my_package.backend``.

    It is the one that the harness called. Empty where the exception began elsewhere.
    """
    package, trace = module.split(".", maxsplit=1)[0], error.__traceback__
    while trace is not None:
        found = trace.tb_frame.f_globals.get("__name__", "")
        if found.split(".")[0] == package:
            return f"{trace.tb_frame.f_code.co_qualname} of {found}"
        trace = trace.tb_next
    return ""
