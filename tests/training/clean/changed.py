"""What people do to an image before it is in the data a second time."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance
from sklearn.datasets import load_sample_images

Change = Callable[[Image.Image], Image.Image]


def shifted(image: Image.Image) -> Image.Image:
    """By a pixel down and to the right; the border is repeated."""
    pixels = np.asarray(image)
    padding = ((1, 0), (1, 0), *(((0, 0),) * (pixels.ndim - 2)))
    height, width = pixels.shape[:2]
    return Image.fromarray(np.pad(pixels, padding, "edge")[:height, :width])


def cropped(image: Image.Image) -> Image.Image:
    """By 2 % of each side, at the top and the left."""
    width, height = image.size
    return image.resize(image.size, Image.Resampling.BICUBIC, box=(0.02 * width, 0.02 * height, width, height))


def saved(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=30)
    return Image.open(buffer)


def halved(image: Image.Image) -> Image.Image:
    """And made as large as before."""
    width, height = image.size
    return image.resize((width // 2, height // 2)).resize(image.size)


CHANGES: dict[str, Change] = {
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "shifted by a pixel": shifted,
    "cropped by 2 %": cropped,
    "10 % brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "10 % darker": lambda image: ImageEnhance.Brightness(image).enhance(0.9),
    "turned by 3 degrees": lambda image: image.rotate(3, Image.Resampling.BILINEAR),
    "turned by -3 degrees": lambda image: image.rotate(-3, Image.Resampling.BILINEAR),
    "JPEG of quality 30": saved,
    "half the size": halved,
}


def change(images: np.ndarray, how: Change) -> np.ndarray:
    """uint8 `[B, H, W, C]`, each of them changed."""
    pictures = (Image.fromarray(image[..., 0] if image.shape[2] == 1 else image) for image in images)
    return np.stack([np.asarray(how(picture)).reshape(images.shape[1:]) for picture in pictures])


def pieces(side: int) -> np.ndarray:
    """Pieces of scikit-learn's two photographs, uint8 `[B, side, side, 3]`; without those of bare sky; none overlap."""
    cut = [
        photo[y : y + 106, x : x + 106]
        for photo in load_sample_images().images
        for y in range(0, 424, 106)
        for x in range(0, 636, 106)
    ]
    resized = [
        Image.fromarray(piece).resize((side, side), Image.Resampling.BICUBIC) for piece in cut if piece.std() > 16
    ]
    return np.stack([np.asarray(image) for image in resized])
