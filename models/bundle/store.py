"""name and version ──▶ directory: `<root>/<name>/<version>/`, and the champion that serves.

Everything that changes is one rename: a version appears whole or not at all, and `champion` holds the old
or the new version, never a part of either. `history` keeps the earlier champions for `rollback`.
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
        """Versions of a model, ascending; empty where there is no such model."""
        folder = self.root / name
        if not folder.is_dir():
            return []
        return sorted(
            int(entry.name) for entry in folder.iterdir() if _VERSION.fullmatch(entry.name) and entry.is_dir()
        )

    def champion(self, name: str) -> int:
        """The version that serves.

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
        """Directory of a version, by default the champion's.

        Raises:
            StoreError: no such model or version.
        """
        version = self.champion(name) if version is None else version
        if version not in self.versions(name):
            raise StoreError(f"{name!r} has no version {version} in {self.root}; it has {self.versions(name)}")
        return self.root / name / str(version)

    def promote(self, name: str, version: int) -> None:
        """Makes a version the champion, remembering the one before it.

        Raises:
            StoreError: no such model or version.
        """
        self.path(name, version)
        earlier = self._history(name)
        if (self.root / name / CHAMPION).is_file() and (current := self.champion(name)) != version:
            self._replace(name, HISTORY, [*earlier, current])
        self._replace(name, CHAMPION, [version])

    def rollback(self, name: str) -> int:
        """Makes the champion before the present one champion again, and returns its version.

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
        """The version that the next bundle gets."""
        return max(self.versions(name), default=0) + 1

    def add(
        self, manifest: Manifest, files: Mapping[str, bytes], check: Callable[[Bundle], None] | None = None
    ) -> Path:
        """Writes a bundle in one rename and returns its directory; the first of its name becomes champion.

        Args:
            manifest: complete but for `files`, which is filled in here.
            files: every other file of the bundle, by its name inside it.
            check: is called with the bundle before it is in the store; what it raises keeps it out.

        Raises:
            StoreError: the version exists already.
            BundleError: what was written does not pass its own audit.
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
        """Atomically replaces a file that lists versions, one a line."""
        staging = self.root / name / f".{file}-{secrets.token_hex(8)}"
        _write(staging, "".join(f"{version}\n" for version in versions).encode())
        staging.replace(self.root / name / file)


def resolve(path: Path) -> Path:
    """The version's directory that a path names: itself, or the champion's where it is a store entry.

    Raises:
        StoreError: a store entry without a champion.
        BundleError: nothing of the kind is there.
    """
    if (path / MANIFEST).is_file():
        return path
    if (path / CHAMPION).is_file():
        return Store(path.parent).path(path.name)
    raise BundleError(f"{path}: neither a bundle (with {MANIFEST}) nor a store entry (with {CHAMPION}) is there")


def _move(staging: Path, target: Path) -> None:
    """One rename; of two writers of the same version the second is refused, as a full directory is never replaced."""
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
