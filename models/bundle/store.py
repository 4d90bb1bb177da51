"""name and version ──▶ directory: `<root>/<name>/<version>/`, the champion that serves, and the shadow beside it.

Every change is one rename: a version appears whole or not at all, and `champion` holds either the old or the new
version. `history` keeps the earlier champions for `rollback`. `shadow` holds a version and a share of the traffic, on
which the version decides unseen, beside the champion.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.bundle.loading import MANIFEST, Bundle, file_entries
from models.bundle.manifest import Manifest
from models.bundle.model_card import CARD, model_card
from models.errors import BundleError, StoreError

DEFAULT_ROOT = Path(__file__).parents[1] / "store"

CHAMPION = "champion"
HISTORY = "history"
SHADOW = "shadow"

_VERSION = re.compile(r"[1-9][0-9]*", re.ASCII)
_SHARE = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True)
class Shadow:
    """A version that decides beside the champion.

    Attributes:
        version: which one.
        share: of the traffic that it decides on, in (0, 1].
    """

    version: int
    share: float = 1.0


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

    def shadow(self, name: str) -> Shadow | None:
        """Returns the version that decides beside the champion; None if there is none.

        Raises:
            StoreError: the file holds something else.
        """
        if not (words := self._shadow_words(name)):
            return None
        version, *rest = words
        share = rest[0] if len(rest) == 1 and _SHARE.fullmatch(rest[0]) else "0"
        if not _VERSION.fullmatch(version) or not 0 < float(share) <= 1:
            raise StoreError(
                f"{self.root / name / SHADOW}: holds {' '.join(words)[:40]!r}, not a version, a space and a share "
                "above 0 and at most 1; remove the file"
            )
        return Shadow(int(version), float(share))

    def set_shadow(self, name: str, version: int, share: float = 1.0) -> None:
        """Makes a version decide beside the champion, on a share of the traffic.

        Raises:
            StoreError: no such model or version, it is the champion, or the share is not above 0 and at most 1.
        """
        self.path(name, version)
        if version == self.champion(name):
            raise StoreError(f"{name!r}: version {version} is the champion, so it cannot be its own shadow")
        if not 0 < share <= 1:
            raise StoreError(f"a share of {share:g} is not above 0 and at most 1")
        self._replace(name, SHADOW, f"{version} {share:.6f}\n")

    def clear_shadow(self, name: str) -> int | None:
        """Ends the shadow; returns its version, or None if there was none."""
        words = self._shadow_words(name)
        (self.root / name / SHADOW).unlink(missing_ok=True)
        return int(words[0]) if words and _VERSION.fullmatch(words[0]) else None

    def promote(self, name: str, version: int) -> None:
        """Makes a version the champion and keeps the previous one in the history; its own shadow ends.

        Raises:
            StoreError: no such model or version.
        """
        self.path(name, version)
        earlier = self._history(name)
        if (self.root / name / CHAMPION).is_file() and (current := self.champion(name)) != version:
            self._replace(name, HISTORY, _lines([*earlier, current]))
        self._replace(name, CHAMPION, _lines([version]))
        if self._shadow_words(name)[:1] == [str(version)]:
            self.clear_shadow(name)

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
        self._replace(name, CHAMPION, _lines(earlier[-1:]))
        self._replace(name, HISTORY, _lines(earlier[:-1]))
        return earlier[-1]

    def next_version(self, name: str) -> int:
        """The version number of the next bundle."""
        return max(self.versions(name), default=0) + 1

    def add(
        self, manifest: Manifest, files: Mapping[str, bytes], check: Callable[[Bundle], None] | None = None
    ) -> Path:
        """Adds a bundle in one rename, with its model card, and returns its directory.

        Args:
            manifest: complete except for `files`, which is filled in here.
            files: all other files, by their names in the bundle.
            check: called with the bundle before it is added; if it raises, the bundle is not added.

        Raises:
            StoreError: the version exists already.
            BundleError: the bundle does not pass its audit.
        """
        files = {**files, CARD: model_card(manifest).encode()}
        with self.new_version(manifest.name, manifest.version) as staging:
            complete = manifest.model_copy(update={"files": file_entries(files)})
            for name, data in {**files, MANIFEST: complete.to_bytes()}.items():
                _write(staging / name, data)
            written = Bundle.open(staging)
            if check is not None:
                check(written)
        return self.root / manifest.name / str(manifest.version)

    @contextlib.contextmanager
    def new_version(self, name: str, version: int) -> Iterator[Path]:
        """Gives an empty directory that becomes the version in one rename, unless the block raises.

        The first version of a name becomes champion.

        Raises:
            StoreError: the version exists already.
        """
        folder = self.root / name
        target = folder / str(version)
        if target.exists():
            raise StoreError(f"{target} exists already; versions are never overwritten")
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=folder))
        try:
            yield staging
            staging.chmod(0o755)
            _move(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        if not (folder / CHAMPION).is_file():
            self.promote(name, version)

    def _shadow_words(self, name: str) -> list[str]:
        """What the shadow file holds; an empty list if there is no file."""
        try:
            return (self.root / name / SHADOW).read_text(errors="replace").split() or [""]  # empty, it is damaged
        except FileNotFoundError:
            return []

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

    def _replace(self, name: str, file: str, text: str) -> None:
        """Replaces a file atomically."""
        staging = self.root / name / f".{file}-{secrets.token_hex(8)}"
        _write(staging, text.encode())
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


def _lines(versions: list[int]) -> str:
    return "".join(f"{version}\n" for version in versions)


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
