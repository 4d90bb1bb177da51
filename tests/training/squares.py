"""Synthetic data that a network learns in a second: squares of noisy blue, green or red."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.bundle.input_spec import InputSpec
from training.data.dataset import Dataset
from training.network.presets import Hyperparameters

CLASSES = ("blue", "green", "red")
TINY = Hyperparameters(epochs=3, min_steps=30, stem_width=8, widths=(8,), depths=(1,), embedding_width=8, ema_decay=0.9)
"""Passes through every station in about a second."""


def squares(count: int, *, size: int = 8, seed: int = 0, classes: int = 3) -> Dataset:
    """`count` images of `size` x `size` x 3, the classes in turn."""
    images, labels = _pixels(count, size, seed, classes)
    spec = InputSpec(height=size, width=size, channels=3)
    return Dataset("squares", images, labels, CLASSES[:classes], spec)


def write_squares(folder: Path, count: int, *, size: int = 8, classes: int = 3) -> Path:
    """The same as PNG files in `folder/<class>/`; returns the folder."""
    for index, (image, label) in enumerate(zip(*_pixels(count, size, 0, classes), strict=True)):
        write_image(folder / CLASSES[label] / f"{index:03d}.png", image)
    return folder


def write_image(path: Path, image: NDArray[np.uint8], **options: Any) -> Path:
    """An image `[H, W, C]` or `[H, W]`, in the format that the file's suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)
    return path


@contextmanager
def signal_when_there(file: Path, signal_number: signal.Signals, *, changed_from: int | None = None) -> Iterator[None]:
    """Sends this process a signal as soon as the file exists, and its inode is another one than `changed_from`."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            if file.exists() and file.stat().st_ino != changed_from:
                os.kill(os.getpid(), signal_number)
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _pixels(count: int, size: int, seed: int, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    labels = np.arange(count) % classes
    images = np.random.default_rng(seed).integers(0, 90, (count, size, size, 3), dtype=np.uint8)
    images[np.arange(count), :, :, 2 - labels] += 150
    return images, labels
