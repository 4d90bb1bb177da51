"""`models.remote.bundle_cache`: downloaded once, followed, and never served when it differs from the URL."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

import pytest

from models.bundle.loading import Bundle
from models.bundle.store import Store, resolve
from models.errors import BundleError, StoreError
from models.remote.bundle_cache import BundleCache
from models.remote.bundle_transfer import push
from models.remote.remote_folder import RemoteFolder
from tests.tiny_bundle import tiny_bundle


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    """A store entry at a URL, with version 1 as champion."""
    push_version(tmp_path, 1)
    return tmp_path / "shared" / "tiny"


def push_version(tmp_path: Path, version: int, *, min_confidence: float = 0.0) -> None:
    made = tiny_bundle(tmp_path / f"made-{min_confidence}", version=version, min_confidence=min_confidence)
    push(Bundle.open(made), str(tmp_path / "shared" / "tiny"), promote=True)


def test_a_store_entry_is_served_as_one(entry: Path, home: Path) -> None:
    path = BundleCache.of_user(f"file://{entry}").refresh()
    assert path.name == "tiny"
    assert path.is_relative_to(home / "tandem" / "bundles")
    assert resolve(path) == path / "1"


def test_a_version_is_served_as_one(entry: Path) -> None:
    path = BundleCache.of_user(f"file://{entry}/1").refresh()
    assert (path.name, resolve(path)) == ("1", path)


def test_each_url_has_a_cache_of_its_own(entry: Path) -> None:
    caches = [BundleCache.of_user(url).refresh() for url in (f"{entry}", f"{entry}/", f"file://{entry}")]
    assert caches[0] == caches[1] != caches[2]


def test_only_the_user_can_write_to_it(entry: Path, home: Path) -> None:
    BundleCache.of_user(str(entry)).refresh()
    assert (home / "tandem" / "bundles").stat().st_mode & 0o077 == 0


def test_a_restart_downloads_nothing(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = BundleCache.of_user(str(entry)).refresh()
    monkeypatch.delattr(RemoteFolder, "download")
    assert BundleCache.of_user(str(entry)).refresh() == first


def test_a_restart_takes_the_champion_of_now(entry: Path, tmp_path: Path) -> None:
    BundleCache.of_user(str(entry)).refresh()
    push_version(tmp_path, 2)
    path = BundleCache.of_user(str(entry)).refresh()
    assert resolve(path).name == "2"
    (entry / "champion").write_text("1\n")
    assert resolve(BundleCache.of_user(str(entry)).refresh()).name == "1"


def test_following_downloads_a_new_champion_once(entry: Path, tmp_path: Path) -> None:
    cache = BundleCache.of_user(str(entry))
    path = cache.refresh()
    assert not cache.follow()
    push_version(tmp_path, 2)
    assert cache.follow()
    assert resolve(path).name == "2"
    assert not cache.follow()


def test_a_champion_that_cannot_be_downloaded_leaves_the_one_before(entry: Path, tmp_path: Path) -> None:
    cache = BundleCache.of_user(str(entry))
    path = cache.refresh()
    push_version(tmp_path, 2)
    (entry / "2" / "embedder.onnx").unlink()
    with pytest.raises(StoreError, match=r"embedder\.onnx"):
        cache.follow()
    assert resolve(path).name == "1"
    assert Store(path.parent).versions("tiny") == [1]


def test_a_version_has_nothing_to_follow(entry: Path) -> None:
    cache = BundleCache.of_user(f"{entry}/1")
    cache.refresh()
    assert not cache.follow()


def test_a_champion_file_that_can_no_longer_be_read_is_an_error(entry: Path) -> None:
    cache = BundleCache.of_user(str(entry))
    assert not cache.follow()
    (entry / "champion").unlink()
    with pytest.raises(StoreError, match="neither"):
        cache.follow()


def test_versions_that_served_long_ago_are_removed(entry: Path, tmp_path: Path) -> None:
    cache = BundleCache.of_user(str(entry))
    path = cache.refresh()
    for version in (2, 3, 4):
        push_version(tmp_path, version)
        cache.follow()
    assert Store(path.parent).versions("tiny") == [3, 4]


def test_a_damaged_copy_is_downloaded_again(entry: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = BundleCache.of_user(str(entry))
    copy = cache.refresh() / "1" / "embedder.onnx"
    copy.write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        cache.refresh()
    assert "the copy here is damaged: embedder.onnx: 7 bytes instead" in caplog.text
    assert Bundle.open(copy.parent)


def test_a_version_that_was_replaced_at_the_url_is_downloaded_again(
    entry: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = BundleCache.of_user(str(entry))
    before = Bundle.open(cache.refresh() / "1").manifest
    for file in (entry / "1").glob("manifest.json"):
        file.unlink()
    push_version(tmp_path, 1, min_confidence=0.5)
    with caplog.at_level(logging.WARNING):
        assert Bundle.open(cache.refresh() / "1").manifest != before
    assert "has changed since it was downloaded" in caplog.text


def test_a_damaged_manifest_is_named_with_its_url(entry: Path) -> None:
    (entry / "1" / "manifest.json").write_bytes(b"<html>")
    with pytest.raises(BundleError, match=rf"^{entry}/1: manifest\.json: not readable"):
        BundleCache.of_user(str(entry)).refresh()


def test_a_url_that_fails_is_an_error_though_there_is_a_copy(entry: Path) -> None:
    BundleCache.of_user(str(entry)).refresh()
    entry.rename(entry.parent / "gone")
    with pytest.raises(StoreError, match="neither"):
        BundleCache.of_user(str(entry)).refresh()


def test_without_a_place_to_write_a_sentence_says_what_to_set(
    entry: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    with pytest.raises(StoreError, match=r"no directory to keep the bundle in: .*; set XDG_CACHE_HOME"):
        BundleCache.of_user(str(entry))


def test_a_folder_that_others_can_write_to_is_passed_over(
    entry: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "tandem" / "bundles").mkdir(parents=True)
    (home / "tandem" / "bundles").chmod(0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = BundleCache.of_user(str(entry)).refresh()
    assert path.is_relative_to(tmp_path / f"tandem-bundles-{os.geteuid()}")
