"""`Figures` of a split ──▶ a file, so that hours of measuring go on where they ended.

The files lie in a folder named after the code that they are figures of; other code measures anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tools.proof.proof_page import Figures

ROOT = Path("build") / "proof"
_CODE = ("models", "training", "tools")


class KeptFigures:
    """Files of figures, one for each split of a data set.

    Args:
        settings: what else the figures depend on; part of the files' names.
        root: of the folders.
    """

    def __init__(self, settings: str, root: Path = ROOT) -> None:
        self._folder = root / code_hash()
        self._settings = settings

    def load(self, name: str, seed: int) -> dict[str, Figures] | None:
        """The figures of a split by way; None if it was not measured."""
        path = self._path(name, seed)
        if not path.is_file():
            return None
        return {way: _figures(entry) for way, entry in json.loads(path.read_text()).items()}

    def save(self, name: str, seed: int, found: Mapping[str, Figures]) -> None:
        """Keeps the figures of a whole split."""
        self._folder.mkdir(parents=True, exist_ok=True)
        entries = {way: _entry(figures) for way, figures in found.items()}
        self._path(name, seed).write_text(json.dumps(entries))

    def _path(self, name: str, seed: int) -> Path:
        return self._folder / f"{name}-{seed}-{self._settings}.json"


def code_hash() -> str:
    """Hash of the code that figures depend on."""
    found = hashlib.sha256()
    for path in sorted(path for folder in _CODE for path in Path(folder).rglob("*.py")):
        found.update(f"{path}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _entry(figures: Figures) -> dict[str, object]:
    entry = asdict(figures)
    return {**entry, **{key: "".join("01"[int(each)] for each in entry[key]) for key in ("hits", "accepted")}}


def _figures(entry: Mapping[str, object]) -> Figures:
    flags = {key: np.array([each == "1" for each in str(entry[key])], np.bool_) for key in ("hits", "accepted")}
    return Figures(**{**entry, **flags})  # type: ignore[arg-type]
