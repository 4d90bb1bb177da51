"""Where the images come from, and how they are encoded."""

import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from loadtests.inputs import fashion_images


def write_idx(path: Path, content: fashion_images.Pixels) -> None:
    header = struct.pack(f">HBB{content.ndim}I", 0, 8, content.ndim, *content.shape)
    path.write_bytes(gzip.compress(header + content.tobytes()))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_idx(tmp_path / fashion_images.IMAGES_FILE, np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28))
    write_idx(tmp_path / fashion_images.LABELS_FILE, np.array([9, 0, 7], dtype=np.uint8))
    return tmp_path


def test_the_folder_in_the_environment_is_used(dataset: Path) -> None:
    assert fashion_images.dataset_folder({"FASHION_MNIST_DIR": str(dataset)}) == dataset


def test_a_folder_without_the_test_set_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        fashion_images.dataset_folder({"FASHION_MNIST_DIR": str(tmp_path)})


def test_an_installed_test_set_is_read_with_its_class_names(dataset: Path) -> None:
    pixels, labels = fashion_images.read_test_set(dataset, limit=2)
    assert pixels.shape == (2, 28, 28)
    assert labels == ["Ankle boot", "T-shirt/top"]


def test_the_committed_sample_serves_where_no_data_set_is_installed() -> None:
    pixels, labels = fashion_images.read_test_set(None, limit=500)
    assert pixels.shape == (64, 28, 28)
    assert pixels.dtype == np.uint8
    assert set(labels) == set(fashion_images.CLASSES)


def test_an_idx_file_shorter_than_its_header_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.gz"
    path.write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 10) + b"123"))
    with pytest.raises(ValueError, match="3 bytes where its header promises 10"):
        fashion_images.read_idx(path, limit=10)


def test_an_idx_file_of_another_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "float.gz"
    path.write_bytes(gzip.compress(struct.pack(">HBBI", 0, 13, 1, 1) + b"1234"))
    with pytest.raises(ValueError, match="not an idx file of unsigned bytes"):
        fashion_images.read_idx(path, limit=1)


def test_a_small_image_keeps_its_pixels_as_png() -> None:
    pixels, labels = fashion_images.read_test_set(None, limit=1)
    [image] = fashion_images.small_images(pixels, labels)
    assert (image.media_type, image.label) == ("image/png", labels[0])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(image.body))), pixels[0])


def test_a_photo_is_a_jpeg_of_a_cameras_size() -> None:
    [image] = fashion_images.photos(*fashion_images.read_test_set(None, limit=1))
    photo = Image.open(io.BytesIO(image.body))
    assert (image.media_type, photo.format, photo.size) == ("image/jpeg", "JPEG", (640, 480))
