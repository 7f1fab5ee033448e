"""Finding plugins by the entry points in installed packages' metadata; nothing is imported."""

from __future__ import annotations

import msgspec

from bench.errors import PluginError

GROUP = "bench"


class PluginRef(msgspec.Struct, frozen=True):
    """An entry point of the group ``bench``."""

    name: str
    module: str
    distribution: str = ""


def find_plugins() -> list[PluginRef]:
    """Every entry point of the group, sorted by name. Raises PluginError where two packages claim one name."""
    from importlib.metadata import entry_points

    found: dict[str, PluginRef] = {}
    for point in entry_points(group=GROUP):
        ref = PluginRef(point.name, point.value, point.dist.name if point.dist else "")
        other = found.get(ref.name)
        if other is not None and other.distribution != ref.distribution:
            raise PluginError(
                f"two plugins are called '{ref.name}': {other.module} of {other.distribution} and {ref.module} of "
                f"{ref.distribution}; uninstall one of them"
            )
        found[ref.name] = ref
    return [found[name] for name in sorted(found)]
