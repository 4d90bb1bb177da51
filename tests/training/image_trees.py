"""Folder trees for tests, written as a list of paths."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.data.folder_walk import is_image
from training.export.bundle_files import encode_png


def plant(root: Path, paths: Sequence[str]) -> Path:
    """Makes files and folders below `root`, which is made too; returns it.

    `a/x.png` is a small image, and no two are alike; `a/notes.txt` holds text; `a/` is an empty folder;
    `a/x.png -> ../b` is a symbolic link; `a/x.png | pipe`, `| socket`, `| text`, `| half` and `| huge` are such files.
    """
    root.mkdir(parents=True, exist_ok=True)
    for number, line in enumerate(paths):
        name, _, target = line.partition(" -> ")
        name, _, kind = name.partition(" | ")
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if target:
            path.symlink_to(target)
        elif name.endswith("/"):
            path.mkdir(exist_ok=True)
        else:
            _write(path, kind or ("image" if is_image(path) else "text"), number)
    return root


def image_of(number: int) -> bytes:
    """A PNG file of 12 x 12 pixels of noise, another one for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return encode_png(pixels)


def _write(path: Path, kind: str, number: int) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            here = os.open(path.parent, os.O_RDONLY)  # names of sockets are short
            listener.bind(f"/proc/self/fd/{here}/{path.name}")
            os.close(here)
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(4 * 1024**3)  # a hole, which takes no room
    else:
        image = image_of(number)
        path.write_bytes({"image": image, "text": b"a text", "half": image[: len(image) // 2]}[kind])
