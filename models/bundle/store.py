"""name and version ──▶ directory: `<root>/<name>/<version>/`, and the champion that serves.

Every change is one rename: a version appears whole or not at all, and `champion` holds either the old or the new
version. `history` keeps the earlier champions for `rollback`.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from models.bundle.loading import MANIFEST, Bundle, file_entries
from models.bundle.manifest import Manifest
from models.errors import BundleError, StoreError

DEFAULT_ROOT = Path(__file__).parents[1] / "store"

CHAMPION = "champion"
HISTORY = "history"

_VERSION = re.compile(r"[1-9][0-9]*", re.ASCII)


class Store:
    """Bundles under one root directory."""

    def __init__(self, root: Path = DEFAULT_ROOT) -> None:
        self.root = root

    def names(self) -> list[str]:
        """Models that have at least one version, sorted."""
        if not self.root.is_dir():
            return []
        return sorted(entry.name for entry in self.root.iterdir() if entry.is_dir() and self.versions(entry.name))

    def versions(self, name: str) -> list[int]:
        """Versions of a model, ascending; empty if there is no such model."""
        folder = self.root / name
        if not folder.is_dir():
            return []
        return sorted(
            int(entry.name) for entry in folder.iterdir() if _VERSION.fullmatch(entry.name) and entry.is_dir()
        )

    def champion(self, name: str) -> int:
        """Returns the version that serves.

        Raises:
            StoreError: no such model, or none was promoted.
        """
        file = self.root / name / CHAMPION
        if not file.is_file():
            known = ", ".join(self.names()) or "none"
            raise StoreError(f"{name!r} has no champion in {self.root}; models there: {known}")
        listed = self._listed(file)
        if len(listed) != 1:
            raise StoreError(f"{file}: holds {len(listed)} versions, not one; write one of {self.versions(name)} there")
        return listed[0]

    def path(self, name: str, version: int | None = None) -> Path:
        """Returns the directory of a version, by default the champion's.

        Raises:
            StoreError: no such model or version.
        """
        version = self.champion(name) if version is None else version
        if version not in self.versions(name):
            raise StoreError(f"{name!r} has no version {version} in {self.root}; it has {self.versions(name)}")
        return self.root / name / str(version)

    def promote(self, name: str, version: int) -> None:
        """Makes a version the champion and keeps the previous one in the history.

        Raises:
            StoreError: no such model or version.
        """
        self.path(name, version)
        earlier = self._history(name)
        if (self.root / name / CHAMPION).is_file() and (current := self.champion(name)) != version:
            self._replace(name, HISTORY, [*earlier, current])
        self._replace(name, CHAMPION, [version])

    def rollback(self, name: str) -> int:
        """Makes the previous champion the champion again and returns its version.

        Raises:
            StoreError: no such model, or there was no earlier champion.
        """
        current = self.champion(name)
        earlier = [version for version in self._history(name) if version in self.versions(name)]
        while earlier and earlier[-1] == current:
            earlier.pop()
        if not earlier:
            raise StoreError(
                f"{name!r} has had no champion before version {current}, so there is nothing to roll back to"
            )
        self._replace(name, CHAMPION, earlier[-1:])
        self._replace(name, HISTORY, earlier[:-1])
        return earlier[-1]

    def next_version(self, name: str) -> int:
        """The version number of the next bundle."""
        return max(self.versions(name), default=0) + 1

    def add(
        self, manifest: Manifest, files: Mapping[str, bytes], check: Callable[[Bundle], None] | None = None
    ) -> Path:
        """Adds a bundle in one rename and returns its directory; the first of its name becomes champion.

        Args:
            manifest: complete except for `files`, which is filled in here.
            files: all other files, by their names in the bundle.
            check: called with the bundle before it is added; if it raises, the bundle is not added.

        Raises:
            StoreError: the version exists already.
            BundleError: the bundle does not pass its audit.
        """
        folder = self.root / manifest.name
        target = folder / str(manifest.version)
        if target.exists():
            raise StoreError(f"{target} exists already; versions are never overwritten")
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{manifest.version}-", dir=folder))
        try:
            complete = manifest.model_copy(update={"files": file_entries(files)})
            for name, data in {**files, MANIFEST: complete.to_bytes()}.items():
                _write(staging / name, data)
            written = Bundle.open(staging)
            if check is not None:
                check(written)
            staging.chmod(0o755)
            _move(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        if not (folder / CHAMPION).is_file():
            self.promote(manifest.name, manifest.version)
        return target

    def _history(self, name: str) -> list[int]:
        file = self.root / name / HISTORY
        return self._listed(file) if file.is_file() else []

    def _listed(self, file: Path) -> list[int]:
        words = file.read_text(errors="replace").split()
        for word in words:
            if not _VERSION.fullmatch(word):
                raise StoreError(
                    f"{file}: {word!r} is not a version number; write one a line there, or remove the file"
                )
        return [int(word) for word in words]

    def _replace(self, name: str, file: str, versions: list[int]) -> None:
        """Replaces a file of versions, one on each line, atomically."""
        staging = self.root / name / f".{file}-{secrets.token_hex(8)}"
        _write(staging, "".join(f"{version}\n" for version in versions).encode())
        staging.replace(self.root / name / file)


def resolve(path: Path) -> Path:
    """Returns the path itself if it is a bundle, or the champion's directory if it is a store entry.

    Raises:
        StoreError: the store entry's champion is invalid.
        BundleError: the path is neither.
    """
    if (path / MANIFEST).is_file():
        return path
    if (path / CHAMPION).is_file():
        return Store(path.parent).path(path.name)
    raise BundleError(f"{path}: neither a bundle (with {MANIFEST}) nor a store entry (with {CHAMPION}) is there")


def _move(staging: Path, target: Path) -> None:
    """Renames; the second of two writers of one version is refused, because rename never replaces a full directory."""
    try:
        staging.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise StoreError(f"{target} exists already; versions are never overwritten") from error


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
