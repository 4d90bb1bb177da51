"""pyarrow imports pandas with its first array, which takes half a second of CPU; nothing here needs it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _NoPandas(MetaPathFinder):
    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is not used by scoring", name=fullname)
        return None


def forbid_pandas() -> None:
    """Lets this process do without pandas; only for processes that are ours alone."""
    sys.meta_path.insert(0, _NoPandas())


def allow_pandas() -> None:
    """Undoes `forbid_pandas`, for libraries that do need it."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _NoPandas)]
