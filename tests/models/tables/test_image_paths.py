"""The files that a table's cells name."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import DataError
from models.tables.image_paths import find_images


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data" / "sub dir").mkdir(parents=True)
    for name in ("a.png", "sub dir/b.png", "100%.png", "caf\u00e9.png", "back\\slash.png"):
        (tmp_path / "data" / name).write_bytes(b"")
    (tmp_path / "outside.png").write_bytes(b"")
    (tmp_path / "data" / "link.png").symlink_to(tmp_path / "outside.png")
    (tmp_path / "data" / "folder").symlink_to(tmp_path / "data" / "sub dir")
    return tmp_path / "data"


def refusal(root: Path, cells: list[str | None], *, follow: bool = True) -> str:
    with pytest.raises(DataError) as caught:
        find_images(root, cells, range(2, len(cells) + 2), follow=follow)
    return str(caught.value)


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("a.png", "a.png"),
        ("./sub dir/../a.png", "a.png"),
        ("sub dir\\b.png", "sub dir/b.png"),
        (".\\sub dir\\b.png", "sub dir/b.png"),
        ("back\\slash.png", "back\\slash.png"),
        ("file://ROOT/sub%20dir/b.png", "sub dir/b.png"),
        ("file://localhostROOT/caf%C3%A9.png", "caf\u00e9.png"),
        ("FILE://ROOT/a.png", "a.png"),
        ("100%.png", "100%.png"),
        ("ROOT/a.png", "a.png"),
        ("link.png", "link.png"),
        ("folder/b.png", "folder/b.png"),
    ],
    ids=["relative", "with dots", "backslashes", "a dot and backslashes", "a backslash in a name", "a file URL",
         "a file URL with a host", "a file URL in capitals", "a percent sign", "absolute", "a link", "behind a link"],
)  # fmt: skip
def test_a_cell_names_a_file_in_the_folder(root: Path, cell: str, name: str) -> None:
    cell = cell.replace("ROOT", str(root))
    assert find_images(root, [cell, "a.png", cell], [2, 3, 4]) == [root / name, root / "a.png", root / name]


@pytest.mark.parametrize(
    "cell",
    ["../outside.png", "..\\outside.png", "sub dir/../../outside.png", "/etc/hostname", "file:///etc/hostname",
     "file://ROOT/%2e%2e/outside.png"],
)  # fmt: skip
def test_a_path_out_of_the_folder_is_refused(root: Path, cell: str) -> None:
    cell = cell.replace("ROOT", str(root))
    assert f"row 2: {cell!r} leaves the folder of images, {root}; name the folder" in refusal(root, [cell])


@pytest.mark.parametrize("cell", ["link.png", "folder/b.png"])
def test_links_may_be_forbidden(root: Path, cell: str) -> None:
    assert f"row 3: {cell!r} is, or lies behind, a symbolic link" in refusal(root, ["a.png", cell], follow=False)


@pytest.mark.parametrize("cell", ["https://example.com/a.png", "s3://bucket/a.png", "file://server/share/a.png"])
def test_an_address_is_no_file(root: Path, cell: str) -> None:
    assert f"row 2: {cell!r} is no file on this machine; download the images" in refusal(root, [cell])


@pytest.mark.parametrize("cell", [None, ""])
def test_a_row_without_an_image_is_named(root: Path, cell: str | None) -> None:
    assert refusal(root, ["a.png", cell]) == "row 3 names no image"


@pytest.mark.parametrize(
    ("cell", "near"),
    [
        ("A.PNG", "a.png"),
        ("a.jpg", "a.png"),
        ("a", "a.png"),
        ("cafe\u0301.png", "caf\u00e9.png"),
        ("sub dir/B.jpeg", "b.png"),
    ],
    ids=["other case", "another extension", "none", "another Unicode form", "in a folder"],
)
def test_a_file_that_is_named_alike_is_pointed_out(root: Path, cell: str, near: str) -> None:
    assert f"1 of 2 images are not in {root}: {cell} (row 3; there is {near})" in refusal(root, ["a.png", cell])


def test_missing_files_are_counted_and_some_are_named(root: Path) -> None:
    cells: list[str | None] = [f"{row}.png" for row in range(7)]
    assert refusal(root, cells) == (
        f"7 of 7 images are not in {root}: 0.png (row 2), 1.png (row 3), 2.png (row 4), 3.png (row 5), 4.png (row 6) "
        "and 2 more; if paths are relative to another folder, name it with --images-root"
    )


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("x" * 256, "File name too long"),
        ("x" * 9900, "File name too long"),
        ("iVBORw0KGgo" * 900, "File name too long"),
        ("sub dir\\" + "x" * 256, "File name too long"),
        ("file://[/a.png", "Invalid IPv6 URL"),
    ],
    ids=["a character too many", "thousands of characters", "an image in base64", "with a backslash",
         "a URL with half a host"],
)  # fmt: skip
@pytest.mark.parametrize("follow", [True, False], ids=["links followed", "links forbidden"])
def test_a_cell_that_can_be_no_path_is_named_in_short(root: Path, cell: str, why: str, follow: bool) -> None:
    notes = refusal(root, ["a.png", cell], follow=follow)
    assert notes.startswith(f"row 3: {cell[:10]!r}"[:-1])
    assert f"{len(cell):,} characters, is no path of a file: {why}; write images into files" in notes
    assert len(notes) < 500


@pytest.mark.parametrize("cell", ["/9j/" + "4AAQ/" * 900, "../" * 900, "a\0b.png", "x/" * 900], ids=repr)
def test_no_cell_makes_a_long_error(root: Path, cell: str) -> None:
    assert len(refusal(root, [cell])) < 700


def test_a_folder_is_no_image(root: Path) -> None:
    assert f"1 of 2 images are not in {root}: sub dir (row 3; it is a folder)" in refusal(root, ["a.png", "sub dir"])


def test_an_image_in_a_cell_is_no_file(root: Path) -> None:
    notes = refusal(root, ["data:image/png;base64," + "iVBOR/w0KGgo" * 90])
    assert notes.startswith("row 2: 'data:image/png;base64,iVBOR/")
    assert notes.endswith("' is an image itself; write images into files, and name these")
    assert len(notes) < 250
