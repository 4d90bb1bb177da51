"""A champion that is promoted at the URL reaches the cache; what cannot be followed is said once."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from models.bundle.loading import Bundle
from models.bundle.store import resolve
from models.remote.bundle_cache import BundleCache
from models.remote.bundle_transfer import push
from service.process import bundle_follower
from service.process.bundle_follower import BundleFollower
from tests.tiny_bundle import tiny_bundle


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    """A store entry at a URL with the champion 1."""
    promote(tmp_path, 1)
    return tmp_path / "shared" / "tiny"


@pytest.fixture
def cache(tmp_path: Path, entry: Path) -> BundleCache:
    cache = BundleCache(str(entry), tmp_path / "cache")
    cache.refresh()
    return cache


def promote(tmp_path: Path, version: int) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path / "made", version=version))
    push(bundle, str(tmp_path / "shared" / "tiny"), promote=True)


def served(tmp_path: Path) -> str:
    return resolve(tmp_path / "cache" / "tiny").name


def test_a_new_champion_is_downloaded_and_logged(
    entry: Path, cache: BundleCache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    follower = BundleFollower(str(entry), cache)
    promote(tmp_path, 2)
    with caplog.at_level(logging.WARNING):
        follower.look()
        follower.look()
    assert served(tmp_path) == "2"
    assert [record.getMessage() for record in caplog.records] == [f"{entry}: its champion is downloaded"]


def test_what_goes_wrong_is_logged_once_and_again_after_it_went_well(
    entry: Path, cache: BundleCache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    follower = BundleFollower(str(entry), cache)
    with caplog.at_level(logging.ERROR):
        for text in ("latest\n", "latest\n", "1\n", "latest\n"):
            (entry / "champion").write_text(text)
            follower.look()
    assert served(tmp_path) == "1"
    reasons = [record.getMessage() for record in caplog.records]
    assert len(reasons) == 2
    assert "is not followed now, what was downloaded keeps serving: " in reasons[0]
    assert "champion: holds 'latest'" in reasons[0]


def test_it_looks_again_and_again(entry: Path, cache: BundleCache, monkeypatch: pytest.MonkeyPatch) -> None:
    class EnoughError(Exception):
        pass

    looked = []

    def look(follower: BundleFollower) -> None:
        looked.append(follower)
        if len(looked) == 3:
            raise EnoughError

    monkeypatch.setattr(bundle_follower, "FOLLOW_S", 0.001)
    monkeypatch.setattr(BundleFollower, "look", look)
    with pytest.raises(EnoughError):
        BundleFollower(str(entry), cache).run()
