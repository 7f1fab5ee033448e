"""The accelbench that runs here, as a wheel: what is added to other environments is exactly it, whichever way it was installed."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import bench

NAME = "accelbench"


def pack(folder: Path) -> Path:
    """Write the harness that runs here, with the plugins that come with it, as a wheel into ``folder``; return the file.

    The modules come from where they are imported from: a release, a source folder installed with ``-e``, or any other.
    """
    own = distribution(NAME)
    root = Path(bench.__file__).resolve().parents[1]
    stem = f"{NAME}-{own.version}"
    texts = {
        "METADATA": own.read_text("METADATA") or own.read_text("PKG-INFO") or "",
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: {NAME}\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "entry_points.txt": own.read_text("entry_points.txt") or "",
        "top_level.txt": own.read_text("top_level.txt") or "bench\n",
    }
    contents = {str(file.relative_to(root)): file.read_bytes() for file in _files(root, texts["top_level.txt"].split())}
    contents |= {f"{stem}.dist-info/{name}": text.encode() for name, text in texts.items()}
    listed = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in contents.items()]
    listed.append(f"{stem}.dist-info/RECORD,,")
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
        archive.writestr(f"{stem}.dist-info/RECORD", "\n".join(listed) + "\n")
    return wheel


def is_packed(installed: Distribution, wheel: Path) -> bool:
    """Whether what is installed holds the very files of a packed wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
        listed = archive.read(name).decode().splitlines()
    return set(listed) <= set((installed.read_text("RECORD") or "").splitlines())


def _files(root: Path, names: list[str]) -> Iterator[Path]:
    """The files of top-level packages and modules; without what Python compiled from them."""
    for name in names:
        if (root / f"{name}.py").is_file():
            yield root / f"{name}.py"
        found = sorted((root / name).rglob("*"))
        yield from (file for file in found if file.is_file() and file.suffix != ".pyc")


def _digest(content: bytes) -> str:
    """A digest as the format of wheels has it: URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
