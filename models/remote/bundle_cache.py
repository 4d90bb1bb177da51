"""URL ──▶ a path that can be served: its bundle in the user's cache, downloaded once.

The cache of a URL is a store of its own, with a `champion` file of its own, so that servers follow it like any store.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from pathlib import Path

from models.bundle.loading import MANIFEST, Bundle
from models.bundle.manifest import Manifest
from models.bundle.store import Store
from models.errors import BundleError, StoreError
from models.remote.bundle_transfer import find_version, pull_version, read_champion
from models.remote.file_systems import without_password
from models.remote.remote_folder import RemoteFolder
from models.user_cache import cache_roots, private

logger = logging.getLogger(__name__)

KIND = "bundles"
_KEPT = 2
"""Versions: the one that serves, and the one before it, which a worker may just be opening."""


class BundleCache:
    """The bundles of one URL on this machine.

    Args:
        url: of a store entry or of one version.
        root: a directory of this URL's own.
    """

    def __init__(self, url: str, root: Path) -> None:
        self._url = url
        self._store = Store(root)
        self._champion: int | None = None
        self._is_version = False

    @classmethod
    def of_user(cls, url: str) -> BundleCache:
        """The cache in the user's directory for such things, else in the temporary directory.

        Raises:
            StoreError: none of them can be written to.
        """
        refused = []
        for folder in cache_roots(KIND):
            root = folder / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16]
            try:
                private(folder)
                root.mkdir(mode=0o700, exist_ok=True)
                tempfile.TemporaryFile(dir=root).close()
            except OSError as error:
                refused.append(str(error))
                continue
            return cls(url, root)
        raise StoreError(
            f"{without_password(url)}: no directory to keep the bundle in: {'; '.join(refused)}; set XDG_CACHE_HOME"
        )

    def refresh(self) -> Path:
        """Downloads what the URL names if it is not there yet, and returns the path that serves it.

        Returns:
            A store entry for a store entry's URL, a version's directory for a version's URL.

        Raises:
            StoreError, BundleError: as `pull_version`.
        """
        entry = RemoteFolder.at(self._url)
        champion = read_champion(entry)
        remote = find_version(entry) if champion is None else entry / str(champion)
        self._forget_other(remote)
        path = pull_version(remote, self._store)
        self._is_version = champion is None
        if champion is None:
            return path
        if self._store.champion(path.parent.name) != champion:
            self._store.promote(path.parent.name, champion)
        self._champion = champion
        self._remove_old(path.parent.name)
        return path.parent

    def follow(self) -> bool:
        """Looks once whether the URL has another champion, and downloads it; returns whether it had.

        Raises:
            StoreError, BundleError: as `pull_version`.
        """
        before = self._champion
        if self._is_version or (before is not None and read_champion(RemoteFolder.at(self._url)) == before):
            return False
        self.refresh()
        return before is not None and self._champion != before

    def _forget_other(self, remote: RemoteFolder) -> None:
        """Removes what is here of this version and is damaged, or is another bundle than the URL has now."""
        try:
            manifest = Manifest.from_bytes(remote.read_if_allowed(MANIFEST) or b"")
        except BundleError:  # `pull_version` says so
            return
        path = self._store.root / manifest.name / str(manifest.version)
        if not path.exists():
            return
        try:
            if Bundle.open(path).manifest == manifest:
                return
            logger.warning("%s: has changed since it was downloaded, and is downloaded again", remote.url)
        except BundleError as error:
            logger.warning("%s: downloaded again, because the copy here is damaged: %s", remote.url, error)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".old-") as aside:
            path.rename(Path(aside) / path.name)

    def _remove_old(self, name: str) -> None:
        """Keeps the champion and the newest other version."""
        champion = self._store.champion(name)
        others = [version for version in self._store.versions(name) if version != champion]
        for version in others[: -(_KEPT - 1)]:
            shutil.rmtree(self._store.root / name / str(version), ignore_errors=True)
