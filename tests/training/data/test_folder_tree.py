"""`training.data.folder_tree` and `training.data.folder_walk`: what in a folder is an image of which class, and what is
not used and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.image_trees import plant
from training.data.file_reading import counted
from training.data.folder_tree import scan
from training.exceptions import DataError

TWO = ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]


def found(root: Path, paths: list[str], *, follow: bool = True) -> tuple[dict[str, str], dict[str, int]]:
    """Class, with the part before it, by file; and the counts of what is not used."""
    tree = scan(plant(root / "data", paths), follow=follow)
    files = {
        str(file.path.relative_to(root / "data")): "/".join(word for word in (file.part, file.folder) if word)
        for file in tree.files
    }
    return files, counted(tree.not_used)


@pytest.mark.parametrize(
    ("paths", "expected", "not_used"),
    [
        pytest.param(["a/1.png", "b/1.png"], {"a/1.png": "a", "b/1.png": "b"}, {}, id="each folder is a class"),
        pytest.param(
            ["a/session1/1.png", "a/session2/day/1.png", "b/1.png"],
            {"a/session1/1.png": "a", "a/session2/day/1.png": "a", "b/1.png": "b"},
            {},
            id="nested folders belong to the class above, and names may come again in each",
        ),
        pytest.param(
            ["a/1.png", "b/1.png", "3.png", "README.md"],
            {"a/1.png": "a", "b/1.png": "b"},
            {"no class": 1, "extension": 1},
            id="images beside the classes have no class",
        ),
        pytest.param(
            ["a/1.png", "b/1.JPG", "b/2.tiff", "b/3.HEIC", "b/4.jfif", "b/5.cr2", "b/6", "b/7.png.txt"],
            {"a/1.png": "a", "b/1.JPG": "b", "b/2.tiff": "b", "b/3.HEIC": "b", "b/4.jfif": "b"},
            {"extension": 3},
            id="files are images by their extension, whatever its case",
        ),
        pytest.param(
            ["a/1.png", "a/.DS_Store", "a/._1.png", "a/Thumbs.db", "b/desktop.ini", "b/1.png", ".git/config",
             "__MACOSX/a/._1.png", "__MACOSX/a/._2.png", "b/.ipynb_checkpoints/1.png"],
            {"a/1.png": "a", "b/1.png": "b"},
            {"hidden": 8},
            id="what systems leave behind is hidden, file by file",
        ),
        pytest.param(
            ["a/1.png", "a/none/", "b/1.png", "c/", "d/e/f/"],
            {"a/1.png": "a", "b/1.png": "b"},
            {"empty folder": 3},
            id="empty folders are no classes",
        ),
        pytest.param(
            ["a/1.png", "b/1.png", "docs/read.me", "docs/x.pdf"],
            {"a/1.png": "a", "b/1.png": "b"},
            {"extension": 2},
            id="a folder without images is no class",
        ),
        pytest.param(
            ["a/1.png", "b/1.png", "b/2.png | pipe", "b/3.png | socket"],
            {"a/1.png": "a", "b/1.png": "b"},
            {"no file": 2},
            id="pipes and sockets are no files",
        ),
        pytest.param(
            ["a/x.png", "a/X.PNG", "a/caf\u00e9.png", "a/cafe\u0301.png", "a/s/X.png", "b/x.png"],
            {"a/X.PNG": "a", "a/cafe\u0301.png": "a", "a/s/X.png": "a", "b/x.png": "b"},
            {"duplicate name": 2},
            id="names in one folder that differ in case or Unicode form only are one name",
        ),
    ],
)  # fmt: skip
def test_what_is_an_image_of_which_class(
    tmp_path: Path, paths: list[str], expected: dict[str, str], not_used: dict[str, int]
) -> None:
    files, left_out = found(tmp_path, paths)
    assert files == expected
    assert left_out == not_used


@pytest.mark.parametrize(
    ("links", "expected", "not_used"),
    [
        pytest.param(["a/9.png -> ../../out/1.png"], {"a/9.png": "a"}, {}, id="a link to a file outside is followed"),
        pytest.param(["a/out -> ../../out"], {"a/out/1.png": "a", "a/out/in/2.png": "a"}, {},
                     id="a link to a folder outside is followed"),
        pytest.param(["c -> ../out"], {"c/1.png": "c", "c/in/2.png": "c"}, {}, id="a class may be a link"),
        pytest.param(["a/round -> ."], {}, {"link loop": 1}, id="a link to its own folder ends"),
        pytest.param(["a/round -> .."], {}, {"link loop": 1}, id="a link to the folder of all classes ends"),
        pytest.param(["a/round -> /"], {}, {"link loop": 1}, id="a link to the root of the file system ends"),
        pytest.param(["round -> ."], {}, {"link loop": 1}, id="a link beside the classes to their folder is no class"),
        pytest.param(["a/s/3.png", "a/s/up -> ../t", "a/t/up -> ../s"], {"a/s/3.png": "a"},
                     {"duplicate name": 2}, id="links that lead to each other end"),
        pytest.param(["a/again -> s", "a/s/3.png"], {"a/s/3.png": "a"}, {"duplicate name": 1},
                     id="a folder is read once, by its own name"),
        pytest.param(["a/again.png -> 1.png"], {}, {"duplicate name": 1}, id="a file is read once for a class"),
        pytest.param(["b/again.png -> ../a/1.png"], {"b/again.png": "b"}, {},
                     id="a file of two classes is of both, which copies tell later"),
        pytest.param(["a/gone.png -> nowhere.png"], {}, {"broken link": 1}, id="a link to nothing is broken"),
        pytest.param(["a/me.png -> me.png"], {}, {"broken link": 1}, id="a link to itself is broken"),
        pytest.param(["gone -> nowhere"], {}, {"broken link": 1}, id="a class that leads to nothing is broken"),
    ],
)  # fmt: skip
def test_links_are_followed_wherever_they_lead(
    tmp_path: Path, links: list[str], expected: dict[str, str], not_used: dict[str, int]
) -> None:
    plant(tmp_path / "out", ["1.png", "in/2.png"])
    files, left_out = found(tmp_path, [*TWO, *links])
    assert files == {"a/1.png": "a", "a/2.png": "a", "b/1.png": "b", "b/2.png": "b", **expected}
    assert left_out == not_used


def test_no_link_is_followed_if_it_is_not_to_be(tmp_path: Path) -> None:
    plant(tmp_path / "out", ["1.png"])
    links = ["a/9.png -> ../../out/1.png", "a/8.png -> 1.png", "a/out -> ../../out", "c -> ../out", "d -> nowhere"]
    files, left_out = found(tmp_path, [*TWO, *links], follow=False)
    assert (sorted(files), left_out) == (TWO, {"symbolic link": 5})


def test_the_folder_itself_may_be_a_link_nobody_follows(tmp_path: Path) -> None:
    plant(tmp_path / "data", TWO)
    (tmp_path / "alias").symlink_to("data")
    assert len(scan(tmp_path / "alias", follow=False).files) == 4


def test_hard_links_are_one_file(tmp_path: Path) -> None:
    root = plant(tmp_path / "data", TWO)
    (root / "a" / "3.png").hardlink_to(root / "a" / "1.png")
    assert counted(scan(root).not_used) == {"duplicate name": 1}


@pytest.mark.parametrize(
    ("paths", "expected", "note"),
    [
        pytest.param(
            ["train/a/1.png", "test/a/2.png", "train/b/s/3.png"],
            {"train/a/1.png": "train/a", "test/a/2.png": "test/a", "train/b/s/3.png": "train/b"},
            "test is test, train is train",
            id="train and test above the classes are a split",
        ),
        pytest.param(
            ["Training/a/1.png", "dev/a/2.png", "VAL/a/3.png", "test/b/4.png"],
            {"Training/a/1.png": "train/a", "dev/a/2.png": "validation/a", "VAL/a/3.png": "validation/a",
             "test/b/4.png": "test/b"},
            "Training is train, VAL is validation, dev is validation, test is test",
            id="parts go by several names, in any case",
        ),
        pytest.param(
            ["train/a/1.png", "valid/a/2.png"],
            {"train/a/1.png": "train/a", "valid/a/2.png": "validation/a"},
            "there is no test folder, so test images are taken from train at random",
            id="without a test folder test images are taken from train",
        ),
        pytest.param(
            ["train/a/1.png", "test/a/2.png", "__MACOSX/x.png", "notes/read.me", "empty/"],
            {"train/a/1.png": "train/a", "test/a/2.png": "test/a"},
            "test is test, train is train",
            id="what holds no image does not stand beside a split",
        ),
        pytest.param(
            ["train/1.png", "bus/2.png", "car/3.png"],
            {"train/1.png": "train", "bus/2.png": "bus", "car/3.png": "car"},
            "train is taken for a class, as bus, car stands beside it",
            id="train is a class beside other vehicles",
        ),
        pytest.param(
            ["train/1.png", "test/2.png", "car/3.png"],
            {"train/1.png": "train", "test/2.png": "test", "car/3.png": "car"},
            "test, train are taken for classes, as car stands beside it",
            id="folders of images called train and test are classes beside others",
        ),
    ],
)  # fmt: skip
def test_folders_called_like_parts(tmp_path: Path, paths: list[str], expected: dict[str, str], note: str) -> None:
    files, _ = found(tmp_path, paths)
    assert files == expected
    assert any(note in each for each in scan(tmp_path / "data").notes)


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        pytest.param(["train/a/1.png", "test/a/2.png", "extra/3.png"],
                     "test, train in .*/data are called like parts of a split, but extra beside them is not; move one",
                     id="a class beside a split is named"),
        pytest.param(["train/1.png", "test/2.png"],
                     "holds only test, train, and no folders of classes in them; put images into test/<class>/, or",
                     id="parts without classes"),
        pytest.param(["train/a/1.png", "train/b/2.png"],
                     "holds nothing but train, which is one part of a split; name .*/data/train to have its images",
                     id="nothing but train"),
        pytest.param(["val/a/1.png", "test/b/2.png"], "holds test, val, which are parts of a split, but no train",
                     id="no training images"),
        pytest.param(["train/a/1.png", "training/b/2.png"], "but no test or validation; add it",
                     id="two folders of training images and nothing else"),
    ],
)  # fmt: skip
def test_half_a_split_is_refused_with_the_way_out(tmp_path: Path, paths: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        scan(plant(tmp_path / "data", paths))


def test_a_deep_tree_is_read_to_its_end(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 300)
    assert len(scan(plant(tmp_path / "data", [*TWO, f"a/{deep}/3.png"])).files) == 5
