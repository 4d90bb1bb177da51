"""`training.data.folder`: anyone's images, whatever lies between them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.bundle.input_spec import InputSpec
from models.imaging.decode import decode
from tests.models import encoded
from tests.training.squares import write_image, write_squares
from training.data import folder
from training.data.dataset import Dataset
from training.data.images import Encoded
from training.exceptions import DataError

RED = np.full((6, 9, 3), (200, 30, 40), np.uint8)
GREY = np.full((6, 9), 120, np.uint8)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three classes of three small PNG files."""
    return write_squares(tmp_path / "images", 9)


def load(path: Path, image_size: int = 8) -> Dataset:
    return folder.load(path, name="pictures", image_size=image_size)


def test_sub_folders_are_the_classes(images: Path) -> None:
    dataset = load(images)
    assert dataset.classes == ("blue", "green", "red")
    assert dataset.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert dataset.images.shape == (9, 8, 8, 3)
    assert dataset.images.mean((1, 2)).argmax(1).tolist() == [2] * 3 + [1] * 3 + [0] * 3
    assert dataset.skipped == ()
    assert dataset.files[:4] == ("blue/000.png", "blue/003.png", "blue/006.png", "green/001.png")


@pytest.mark.parametrize("name", ["a.jpg", "b.jpeg", "c.png", "d.webp", "E.JPG", "F.PNG", "g.WebP"])
def test_every_type_is_read_whatever_the_case_of_its_suffix(images: Path, name: str) -> None:
    write_image(images / "red" / name, RED)
    assert len(load(images).labels) == 10


def test_other_files_and_hidden_folders_are_no_images_and_no_classes(images: Path) -> None:
    (images / "red" / "notes.txt").write_text("red")
    (images / "README.md").write_text("squares")
    (images / ".ipynb_checkpoints").mkdir()
    dataset = load(images)
    assert (len(dataset.labels), dataset.classes, dataset.skipped) == (9, ("blue", "green", "red"), ())


def test_pixels_are_those_that_the_service_decodes(images: Path) -> None:
    dataset = load(images, image_size=5)
    file = sorted((images / "green").iterdir())[0]
    np.testing.assert_array_equal(dataset.images[3], decode(file.read_bytes(), dataset.input))


def test_a_turned_photo_is_put_upright(images: Path) -> None:
    (images / "red" / "zz.jpg").write_bytes(encoded.oriented("JPEG", 6, quality=95))
    with Image.open(images / "red" / "zz.jpg") as image:
        upright = np.asarray(image.convert("RGB").rotate(-90, expand=True).resize((8, 8), Image.Resampling.BILINEAR))
    difference = load(images).images[-1].astype(int) - upright
    assert np.abs(difference).max() <= 6  # decoded at half its size


def test_large_photos_are_decoded_at_a_fraction(images: Path) -> None:
    assert load(images).input.decoder == "fraction"


def test_unreadable_files_are_skipped_and_listed(images: Path) -> None:
    whole = (images / "red" / "002.png").read_bytes()
    (images / "red" / "empty.png").write_bytes(b"")
    (images / "red" / "half.png").write_bytes(whole[: len(whole) // 2])
    (images / "red" / "text.jpg").write_text("not an image")
    (images / "red" / "nowhere.webp").symlink_to(images / "gone.webp")
    (images / "red" / "animated.webp").write_bytes(encoded.animated("WEBP"))
    dataset = load(images)
    assert len(dataset.labels) == 9
    named = [Path(reason.partition(": ")[0]).name for reason in dataset.skipped]
    assert named == ["animated.webp", "empty.png", "half.png", "nowhere.webp", "text.jpg"]


def test_a_file_name_that_is_not_utf_8_can_be_reported(images: Path) -> None:
    Path(os.fsdecode(os.fsencode(images / "red") + b"/caf\xe9.png")).write_bytes(b"")
    (reason,) = load(images).skipped
    assert "caf\\udce9.png" in reason.encode().decode()


def test_a_class_name_that_is_not_utf_8_is_refused(images: Path) -> None:
    write_image(Path(os.fsdecode(os.fsencode(images) + b"/caf\xe9")) / "0.png", RED)
    with pytest.raises(DataError, match=r"caf.*is not UTF-8; rename it"):
        load(images)


def test_grey_images_give_one_channel(tmp_path: Path) -> None:
    for index in range(4):
        write_image(tmp_path / "ab"[index % 2] / f"{index}.jpg", GREY + np.uint8(index))
        write_image(tmp_path / "ab"[index % 2] / f"{index}.png", np.repeat(GREY[..., None], 3, 2))
    dataset = load(tmp_path)
    assert (dataset.images.shape, dataset.input.channels) == ((8, 8, 8, 1), 1)
    file = tmp_path / "a" / "0.jpg"
    np.testing.assert_array_equal(dataset.images[0], decode(file.read_bytes(), dataset.input))


def test_one_coloured_pixel_makes_three_channels(tmp_path: Path) -> None:
    for index in range(4):
        write_image(tmp_path / "ab"[index % 2] / f"{index}.png", np.full((8, 8, 3), 90, np.uint8))
    spot = np.full((8, 8, 3), 90, np.uint8)
    spot[3, 3, 0] = 91
    write_image(tmp_path / "a" / "spot.png", spot)
    assert load(tmp_path).input.channels == 3


def test_classes_of_less_than_two_images_are_named(images: Path) -> None:
    (images / "empty").mkdir()
    write_image(images / "single" / "0.png", RED)
    write_image(images / "damaged" / "0.png", RED)
    (images / "damaged" / "1.png").write_bytes(b"")
    expected = r"fewer than 2 readable images .*: damaged \(1\), single \(1\); .*\(1 files could not be read\)"
    with pytest.raises(DataError, match=expected):
        load(images)


def test_two_images_a_class_are_enough(tmp_path: Path) -> None:
    assert len(load(write_squares(tmp_path, 6)).labels) == 6


def test_what_is_not_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(DataError, match=f"{path} is not a directory; name one that holds a sub-folder"):
            load(path)


@pytest.mark.parametrize("classes", [0, 1])
def test_less_than_two_classes_are_refused(tmp_path: Path, classes: int) -> None:
    write_squares(tmp_path, 3 * classes, classes=max(1, classes))
    with pytest.raises(DataError, match=f"has {classes} class folders; at least 2 are needed"):
        load(tmp_path)


def test_streamed_images_are_the_same_as_those_in_memory(images: Path) -> None:
    (images / "red" / "empty.png").write_bytes(b"")
    loaded = load(images)
    streamed = folder.stream(images, name="pictures", spec=loaded.input)
    assert isinstance(streamed.images, Encoded)
    assert streamed.fingerprint() == loaded.fingerprint()
    assert (streamed.classes, streamed.skipped, streamed.input) == (loaded.classes, loaded.skipped, loaded.input)
    np.testing.assert_array_equal(streamed.labels, loaded.labels)


def test_streamed_images_take_any_input(images: Path) -> None:
    spec = InputSpec(height=5, width=9, channels=1)
    assert folder.stream(images, name="pictures", spec=spec).images[np.arange(2)].shape == (2, 5, 9, 1)
