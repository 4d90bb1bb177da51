"""Images are kept by their SHA-256, each once and whole, on disk and in object storage alike."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from feedback.recording.image_store import ImageStore
from models.errors import StoreError
from tests.tiny_bundle import solid_image

IMAGE = solid_image(100)
NAME = hashlib.sha256(IMAGE).hexdigest()


@pytest.fixture(params=["a folder", "a file URL", "an object store"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ImageStore:
    urls = {"a folder": f"{tmp_path}/kept", "a file URL": f"file://{tmp_path}/kept"}
    return ImageStore(urls.get(request.param, f"memory://{tmp_path}/kept"))


def test_an_image_is_read_as_it_was_written_until_it_is_deleted(store: ImageStore) -> None:
    assert store.open(NAME) is None
    store.write({NAME: IMAGE})
    store.write({NAME: IMAGE})
    assert store.open(NAME) == IMAGE
    assert store.delete(NAME)
    assert store.open(NAME) is None
    assert not store.delete(NAME)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", NAME.upper(), NAME[:-1], NAME + "\n", "z" * 64])
def test_what_is_no_sha256_names_no_file(store: ImageStore, name: str) -> None:
    for use in (store.open, store.delete):
        with pytest.raises(StoreError, match="is no SHA-256 of an image: 64 digits"):
            use(name)


@pytest.mark.parametrize(("format_", "suffix"), [("PNG", "png"), ("JPEG", "jpeg"), ("WEBP", "webp")])
def test_a_file_is_named_for_the_type_of_its_bytes_and_has_its_place_by_the_first_digits(
    tmp_path: Path, format_: str, suffix: str
) -> None:
    image = solid_image(9, format_=format_)
    name = hashlib.sha256(image).hexdigest()
    ImageStore(str(tmp_path)).write({name: image})
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert file.relative_to(tmp_path).as_posix() == f"{name[:2]}/{name}.{suffix}"
    assert ImageStore(str(tmp_path)).open(name) == image


def test_a_folder_that_cannot_be_written_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("no folder")
    with pytest.raises(StoreError, match="cannot be written"):
        ImageStore(f"{tmp_path}/kept").write({NAME: IMAGE})


def test_a_protocol_that_nobody_knows_is_refused_before_anything_is_written() -> None:
    with pytest.raises(StoreError, match="known are s3, gs, az"):
        ImageStore("ftps3://bucket/kept")
