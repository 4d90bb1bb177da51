"""`python -m training clean`: from a folder or a table to a page and two lists."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import training.__main__ as command
from models.bundle.loading import Bundle
from tests.tiny_bundle import tiny_bundle
from tests.training.squares import write_squares
from training.clean.copies.duplicates import find_copies
from training.data import folder
from training.data.split import split, tie
from training.data.split_parts import PARTS

HERE = Path("build") / "clean" / "images"


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """60 images in 3 classes, one of them damaged and one of them there twice; the working directory is beside them."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    folder = write_squares(tmp_path / "images", 60)
    (folder / "red" / "damaged.png").write_bytes(b"no image")
    shutil.copy(folder / "blue" / "000.png", folder / "green" / "copy.png")
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


def test_a_folder_gives_a_page_two_lists_and_sentences(
    images: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["clean", "folder", str(images), "--bundle", str(bundle)]) == 0
    assert sorted(path.name for path in HERE.iterdir()) == ["clean.csv", "clean.html", "clean.json"]
    found = json.loads((HERE / "clean.json").read_text())
    copies = {entry["file"] for entry in found["findings"] if entry["kind"] in ("duplicates", "leakage")}
    assert copies == {"blue/000.png", "green/copy.png"}
    assert found["images"] == 61
    assert "damaged.png" in found["unreadable"][0]
    output = capsys.readouterr().out
    assert "1 image has copies with contradicting labels." in output
    assert f"wrote clean.html, clean.csv and clean.json to {HERE}" in output


def test_a_table_with_its_parts_gives_the_leak(images: Path, bundle: Path) -> None:
    files = sorted(path.relative_to(images) for path in images.rglob("*.png") if path.name != "damaged.png")
    lines = [f"{file},{file.parent},{'test' if file.name == 'copy.png' else 'train'}" for file in files]
    (images / "list.csv").write_text("\n".join(["file,colour,part", *lines]))
    columns = ["--image-column", "file", "--label-column", "colour", "--split-column", "part"]
    table = str(images / "list.csv")
    assert command.main(["clean", "table", table, *columns, "--bundle", str(bundle), "--out", "found"]) == 0
    found = json.loads(Path("found/clean.json").read_text())["findings"]
    leaked = {(entry["file"], entry["part"], entry["dropped"]) for entry in found if entry["kind"] == "leakage"}
    assert leaked == {("blue/000.png", "train", True), ("green/copy.png", "test", False)}


@pytest.mark.parametrize("seed", [0, 5])
def test_parts_are_those_of_a_training_with_the_seed_and_copies_are_in_one(
    images: Path, bundle: Path, seed: int
) -> None:
    assert command.main(["clean", "folder", str(images), "--bundle", str(bundle), "--seed", str(seed)]) == 0
    dataset = folder.stream(images, name="images", spec=Bundle.open(bundle).manifest.input)
    copies = find_copies(dataset.images).groups
    parts = split(tie(dataset, [group.positions for group in copies]), seed)
    content = json.loads((HERE / "clean.json").read_text())
    found = {entry["file"]: entry["part"] for entry in content["findings"]}
    expected = {dataset.files[row]: name for name in PARTS for row in getattr(parts, name).tolist()}
    assert found == {file: expected[file] for file in found}
    assert found["blue/000.png"] == found["green/copy.png"]
    assert content["leakage"]["test"] == {"images": len(parts.test), "copied": 0}


def test_a_limit_takes_a_part(images: Path, bundle: Path) -> None:
    assert command.main(["clean", "folder", str(images), "--bundle", str(bundle), "--limit", "30", "--out", "o"]) == 0
    assert json.loads(Path("o/clean.json").read_text())["images"] == 30


def test_what_is_no_bundle_is_refused_in_one_line(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["clean", "folder", str(images), "--bundle", "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("error: nowhere: neither a bundle")
    assert not HERE.exists()


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--limit", "0", "'0' is not a whole number within 1 and"),
        ("--seed", "x", "'x' is not a whole number within 0 and 4294967295"),
    ],
)
def test_a_number_out_of_range_gets_a_sentence(
    option: str, value: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.main(["clean", "folder", "images", option, value])
    assert sentence in capsys.readouterr().err


def test_things_that_share_a_photo_are_copies(images: Path, bundle: Path) -> None:
    files = sorted(path.relative_to(images) for path in images.rglob("0*.png"))
    rows = [f"{one};{other},{one.parent}" for one, other in zip(files[::2], files[1::2], strict=True)]
    rows.append(f"{files[-1]};{files[0]},{files[-1].parent}")
    (images / "list.csv").write_text("\n".join(["file,colour", *rows]))
    table = ["clean", "table", str(images / "list.csv"), "--image-column", "file", "--label-column", "colour"]
    assert command.main([*table, "--bundle", str(bundle), "--out", "found"]) == 0
    found = json.loads(Path("found/clean.json").read_text())
    assert found["images"] == len(rows)
    copies = {entry["file"] for entry in found["findings"] if entry["kind"] in ("duplicates", "leakage")}
    assert copies == {str(files[0]), str(files[-1]), str(files[-2])}
