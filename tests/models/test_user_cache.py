"""Where a user's cache is, and who may write to it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from models.user_cache import cache_roots, private


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "home"


def test_the_users_cache_comes_before_the_temporary_directory(home: Path, tmp_path: Path) -> None:
    assert list(cache_roots("things")) == [
        home / ".cache" / "tandem" / "things",
        tmp_path / f"tandem-things-{os.geteuid()}",
    ]


def test_xdg_cache_home_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert next(cache_roots("things")) == tmp_path / "xdg" / "tandem" / "things"


def test_nothing_is_made_before_it_is_asked_for(home: Path) -> None:
    root = next(cache_roots("things"))
    assert not home.exists()
    assert private(root) == root
    assert root.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o707], ids=["by the group", "by others"])
def test_a_folder_that_can_be_written_to_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(mode)
    with pytest.raises(PermissionError, match="no folder that only its user can write to"):
        private(tmp_path / "open")


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(PermissionError, match="link is no folder"):
        private(tmp_path / "link")
