"""Fashion-MNIST test set ──▶ encoded images with the label that each should get.

The installed data set is used if there is one, else a committed sample of 64 test images.
"""

import gzip
import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
COMMITTED_SAMPLE = Path(__file__).parents[1] / "data" / "fashion-mnist-test-64.npz"
IMAGES_FILE = "t10k-images-idx3-ubyte.gz"
LABELS_FILE = "t10k-labels-idx1-ubyte.gz"

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class LabelledImage:
    """One encoded image to send.

    Attributes:
        body: The image file.
        media_type: Its media type, e.g. ``image/png``.
        label: Class that the data set gives it; empty where none is known.
    """

    body: bytes
    media_type: str
    label: str

    def describe(self) -> str:
        """Describe the image, e.g. ``28x28 PNG of 498 bytes``."""
        with Image.open(io.BytesIO(self.body)) as image:
            return f"{image.width}x{image.height} {image.format} of {len(self.body):,} bytes"


def dataset_folder(environ: Mapping[str, str]) -> Path | None:
    """Find the installed data set: in ``FASHION_MNIST_DIR``, if that is set, else in the folder of Debian's package.

    Returns:
        The folder with the idx files; None if the data set is not installed.

    Raises:
        FileNotFoundError: ``FASHION_MNIST_DIR`` names a folder without the test set.
    """
    if named := environ.get("FASHION_MNIST_DIR"):
        if not (Path(named) / IMAGES_FILE).is_file():
            raise FileNotFoundError(f"FASHION_MNIST_DIR={named} has no {IMAGES_FILE}; correct it or unset it")
        return Path(named)
    return DEBIAN_FOLDER if (DEBIAN_FOLDER / IMAGES_FILE).is_file() else None


def read_idx(path: Path, limit: int) -> Pixels:
    """Read the first items of a gzipped idx file of unsigned bytes (yann.lecun.com/exdb/mnist).

    Returns:
        uint8 ``[N, ...]`` with ``N`` at most ``limit`` and at most what the file holds.

    Raises:
        ValueError: Not an idx file of unsigned bytes, or shorter than its header says.
    """
    with gzip.open(path) as stream:
        zeros, kind, axes = struct.unpack(">HBB", stream.read(4))
        if zeros != 0 or kind != 8 or axes == 0:
            raise ValueError(f"{path}: not an idx file of unsigned bytes (starts with {zeros}, {kind})")
        count, *shape = struct.unpack(f">{axes}I", stream.read(4 * axes))
        kept = min(count, limit)
        size = kept * int(np.prod(shape))
        content = stream.read(size)
    if len(content) != size:
        raise ValueError(f"{path}: {len(content)} bytes where its header promises {size}")
    return np.frombuffer(content, dtype=np.uint8).reshape(kept, *shape)


def read_test_set(folder: Path | None, limit: int) -> tuple[Pixels, list[str]]:
    """Read test images, of the committed sample if ``folder`` is None.

    Returns:
        Pixels, uint8 ``[N, 28, 28]``, and the ``N`` class names; ``N`` is at most ``limit``.
    """
    if folder is None:
        with np.load(COMMITTED_SAMPLE, allow_pickle=False) as sample:
            pixels, labels = sample["pixels"][:limit], sample["labels"][:limit]
    else:
        pixels, labels = (read_idx(folder / IMAGES_FILE, limit), read_idx(folder / LABELS_FILE, limit))
    return pixels, [CLASSES[label] for label in labels]


def small_images(pixels: Pixels, labels: list[str]) -> list[LabelledImage]:
    """Encode each image, uint8 ``[N, H, W]``, as a PNG of its own size."""
    return [
        LabelledImage(_encoded(Image.fromarray(image), "PNG"), "image/png", label)
        for image, label in zip(pixels, labels, strict=True)
    ]


def photos(pixels: Pixels, labels: list[str]) -> list[LabelledImage]:
    """Enlarge each image, uint8 ``[N, H, W]``, on a black photo of 640 by 480, a JPEG of quality 85."""
    images = []
    for image, label in zip(pixels, labels, strict=True):
        canvas = Image.new("RGB", (640, 480))
        canvas.paste(Image.fromarray(image).resize((480, 480), Image.Resampling.BICUBIC), (80, 0))
        images.append(LabelledImage(_encoded(canvas, "JPEG", quality=85), "image/jpeg", label))
    return images


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    return stream.getvalue()
