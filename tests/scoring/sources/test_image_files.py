"""`scoring.sources.image_files`: what a folder or a glob holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.errors import DataError
from scoring.sources.image_files import list_folder, list_glob
from scoring.sources.source import Source


def fill(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def paths(source: Source) -> list[str]:
    found: list[str] = source.kept["path"].to_pylist()
    return found


def test_images_at_any_depth_are_listed_by_their_paths(tmp_path: Path) -> None:
    fill(tmp_path, "b.png", "a/z.JPG", "a/b/c.webp", "a/d.heic")
    source = list_folder(str(tmp_path))
    assert paths(source) == ["a/b/c.webp", "a/d.heic", "a/z.JPG", "b.png"]
    assert source.images((1, 3)) == [str(tmp_path / "a/d.heic"), str(tmp_path / "a/z.JPG")]


def test_other_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "notes.txt", ".hidden.png", ".cache/b.png")
    source = list_folder(str(tmp_path))
    assert paths(source) == ["a.png"]
    assert source.notes == ("1 other files left out",)


def test_links_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", "a.png")
    fill(tmp_path / "images", "b.png")
    (tmp_path / "images" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "images" / "again").symlink_to(tmp_path / "images")
    (tmp_path / "images" / "broken.png").symlink_to(tmp_path / "nowhere.png")
    assert paths(list_folder(str(tmp_path / "images"))) == ["b.png", "broken.png", "linked/a.png"]


def test_a_name_that_is_no_utf8_is_shown_escaped_and_read(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    source = list_folder(str(tmp_path))
    assert paths(source) == ["\\udcff.png"]
    (image,) = source.images((0, 1))
    assert isinstance(image, str)
    assert Path(image).is_file()


def test_the_fingerprint_changes_with_names_and_sizes_alone(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b.png")
    before = list_folder(str(tmp_path)).fingerprint
    os.utime(tmp_path / "a.png", (1, 1))
    assert list_folder(str(tmp_path)).fingerprint == before
    (tmp_path / "a.png").write_bytes(b"xy")
    assert list_folder(str(tmp_path)).fingerprint != before


def test_a_glob_takes_whatever_matches_it(tmp_path: Path) -> None:
    fill(tmp_path, "2024/a.png", "2025/deep/b.png", "2025/c.scan", "other/d.png")
    assert paths(list_glob(f"{tmp_path}/202*/**/*")) == ["2024/a.png", "2025/c.scan", "2025/deep/b.png"]


def test_a_folder_without_an_image_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, "a.txt")
    with pytest.raises(DataError, match=r"holds no image: 1 files, none of them named \.jpg"):
        list_folder(str(tmp_path))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: no such file or folder"):
        list_folder(str(tmp_path / "nowhere"))


def test_a_glob_without_a_match_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file matches .*\*\.png"):
        list_glob(f"{tmp_path}/*.png")
