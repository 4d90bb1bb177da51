"""`models.tables.file_links`: which paths belong to a folder, and which of them lead through symbolic links."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.tables.file_links import inside, passes_link


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("a/x.jpg", "a/x.jpg", id="a path below the folder is taken"),
        pytest.param("./a//b/../x.jpg", "a/x.jpg", id="dots are resolved by name"),
        pytest.param("../x.jpg", None, id="a path out of the folder is refused"),
        pytest.param("a/../../data/x.jpg", "x.jpg", id="a path that leaves and comes back is inside"),
        pytest.param("../database/x.jpg", None, id="a folder whose name begins alike is another one"),
        pytest.param("/etc/passwd", None, id="an absolute path elsewhere is refused"),
        pytest.param("link/x.jpg", "link/x.jpg", id="a link belongs to the folder wherever it leads"),
        pytest.param("link/../x.jpg", "x.jpg", id="the parent of a link is the folder that the link is in"),
    ],
)
def test_names_decide_what_is_inside(tmp_path: Path, written: str, expected: str | None) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to("/")
    found = inside(Path(written), tmp_path / "data")
    assert found == (None if expected is None else tmp_path / "data" / expected)


@pytest.mark.parametrize("named", ["alias", "real"])
def test_an_absolute_path_may_name_a_linked_folder_either_way(tmp_path: Path, named: str) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    assert inside(tmp_path / named / "x.jpg", tmp_path / "alias") == tmp_path / "alias" / "x.jpg"


def test_a_relative_folder_is_that_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert inside(Path("x.jpg"), Path("data")) == tmp_path / "data" / "x.jpg"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("a/x.jpg", False, id="a plain file"),
        pytest.param("a/link.jpg", True, id="a link to a file"),
        pytest.param("linked/x.jpg", True, id="a file in a linked folder"),
        pytest.param("a/broken.jpg", True, id="a link that leads nowhere"),
        pytest.param("a/missing.jpg", False, id="a file that is not there"),
    ],
)
def test_links_below_the_folder_are_seen(tmp_path: Path, path: str, expected: bool) -> None:
    (tmp_path / "real" / "a").mkdir(parents=True)
    (tmp_path / "real" / "a" / "x.jpg").write_bytes(b"x")
    (tmp_path / "real" / "a" / "link.jpg").symlink_to("x.jpg")
    (tmp_path / "real" / "a" / "broken.jpg").symlink_to("gone.jpg")
    (tmp_path / "real" / "linked").symlink_to("a")
    (tmp_path / "data").symlink_to("real")  # the folder itself may be a link
    found = inside(Path(path), tmp_path / "data")
    assert found is not None
    assert passes_link(found, tmp_path / "data") is expected
