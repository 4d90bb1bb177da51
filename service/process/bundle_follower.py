"""URL of a store entry ──▶ the cache that workers serve from: a champion that is promoted at the URL is downloaded.

One thread in the supervisor asks for all workers. They notice the new champion in the cache as in any store.
"""

from __future__ import annotations

import logging
import threading
import time

from models.errors import TandemError
from models.remote.bundle_cache import BundleCache
from models.remote.file_systems import without_password

logger = logging.getLogger(__name__)

FOLLOW_S = 10.0  # one small read at the URL; a promotion there is seldom and not urgent


class BundleFollower:
    """Follows one URL.

    Args:
        url: of the store entry or version that serves.
        cache: what it was downloaded to.
    """

    def __init__(self, url: str, cache: BundleCache) -> None:
        self._url = without_password(url)
        self._cache = cache
        self._fault = ""

    @classmethod
    def start(cls, url: str) -> None:
        """Begins to follow, until the process ends.

        Raises:
            StoreError: there is no cache that can be written to.
        """
        follower = cls(url, BundleCache.of_user(url))
        threading.Thread(target=follower.run, name="bundle-follower", daemon=True).start()

    def run(self) -> None:
        """Looks every `FOLLOW_S`."""
        while True:
            time.sleep(FOLLOW_S)
            self.look()

    def look(self) -> None:
        """Looks once; what goes wrong is logged once, and the bundle that serves goes on."""
        fault = ""
        try:
            if self._cache.follow():
                logger.warning("%s: its champion is downloaded", self._url)
        except (TandemError, OSError) as error:
            fault = " ".join(str(error).split())
        if fault and fault != self._fault:
            logger.error("%s is not followed now, what was downloaded keeps serving: %s", self._url, fault)
        self._fault = fault
