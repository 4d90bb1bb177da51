"""Name of a payload, or a file ──▶ the images to send.

``small`` is a test image of Fashion-MNIST, a 28x28 PNG; ``photo`` is a JPEG of 640x427 from scikit-learn.
"""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

from loadtests.inputs.fashion_images import LabelledImage, dataset_folder, read_test_set, small_images

_PHOTOS = ("china.jpg", "flower.jpg")
_MEDIA_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


class PayloadError(Exception):
    """There is no such image."""


def small(count: int) -> list[LabelledImage]:
    """Return the first ``count`` test images; they repeat where there are fewer."""
    return _repeated(small_images(*read_test_set(dataset_folder(os.environ), count)), count)


def photo(count: int) -> list[LabelledImage]:
    """Return scikit-learn's two photos in turn, without importing scikit-learn.

    Raises:
        PayloadError: scikit-learn is not installed.
    """
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        raise PayloadError("the photo comes with scikit-learn, which is not installed; name one with --image")
    folder = Path(found.origin).parent / "datasets" / "images"
    return _repeated([image_file(folder / name) for name in _PHOTOS], count)


PAYLOADS: dict[str, Callable[[int], list[LabelledImage]]] = {"small": small, "photo": photo}


def image_file(path: Path) -> LabelledImage:
    """Read an image file; its suffix gives the media type.

    Raises:
        PayloadError: There is no such file, or the service does not take its type.
    """
    if path.suffix.lower() not in _MEDIA_TYPES or not path.is_file():
        raise PayloadError(f"{path}: not a file that ends in {', '.join(_MEDIA_TYPES)}")
    return LabelledImage(path.read_bytes(), _MEDIA_TYPES[path.suffix.lower()], "")


def read_images(payload: str, file: Path | None, count: int) -> list[LabelledImage]:
    """Return ``count`` images: the file's where there is one, or those of a payload in ``PAYLOADS``.

    Raises:
        PayloadError: There is no such image.
    """
    return [image_file(file)] * count if file else PAYLOADS[payload](count)


def _repeated(images: list[LabelledImage], count: int) -> list[LabelledImage]:
    return [images[index % len(images)] for index in range(count)]
