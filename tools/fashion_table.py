"""Fashion-MNIST ──▶ a folder of PNG files and a table of them, with columns that were made up.

`python -m tools.fashion_table DIR` writes `DIR/fashion.csv` and the images beside it. Columns of the table:

- `image`: path of the PNG file; `split`: train, validation or test, as `python -m training fashion-mnist` splits them,
  so that validation images are ones that its network has not seen;
- `category`: the label; `family`: what the ten categories are kinds of;
- `weight_g`: synthetic. A normal number about a weight of each category's (`GRAMS`), of deviation 18 %; one in twenty
  is missing. A coat weighs 900 g and a shirt 250 g, which 28x28 pixels hardly show;
- `department`: synthetic. `outdoor`, `basics` or `office`, with a probability of each category's own (`DEPARTMENTS`);
  one in twenty is missing;
- `is_lined`: synthetic. True for most coats, ankle boots and bags, seldom for others (`LINED`);
- `price`: synthetic, a number to be named: about `PRICES` of the category, more where the image is bright, of deviation
  10 %.

The same seed gives the same table.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data import fashion_mnist
from training.data.dataset import Dataset
from training.data.split import split
from training.export.bundle_files import encode_png
from training.progress import progress

FAMILIES = {
    "T-shirt/top": "tops",
    "Trouser": "bottoms",
    "Pullover": "tops",
    "Dress": "dresses",
    "Coat": "outerwear",
    "Sandal": "footwear",
    "Shirt": "tops",
    "Sneaker": "footwear",
    "Bag": "bags",
    "Ankle boot": "footwear",
}
GRAMS = (160, 480, 420, 380, 900, 350, 250, 600, 700, 950)
"""Of each category, in the order of `fashion_mnist.CLASSES`."""
DEPARTMENTS = ("outdoor", "basics", "office")
DEPARTMENT_ODDS = (
    (0.05, 0.85, 0.10),
    (0.20, 0.40, 0.40),
    (0.30, 0.50, 0.20),
    (0.05, 0.25, 0.70),
    (0.70, 0.05, 0.25),
    (0.40, 0.50, 0.10),
    (0.05, 0.15, 0.80),
    (0.50, 0.45, 0.05),
    (0.30, 0.30, 0.40),
    (0.60, 0.10, 0.30),
)
LINED = (0.01, 0.05, 0.05, 0.15, 0.90, 0.02, 0.02, 0.20, 0.80, 0.75)
PRICES = (15, 40, 35, 60, 120, 30, 30, 70, 90, 110)
_MISSING = 0.05
_SPREAD = 0.18
_PRICE_SPREAD = 0.10
_HEADER = ("image", "split", "category", "family", "weight_g", "department", "is_lined", "price")


def main(argv: Sequence[str]) -> int:
    """Writes the table; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.fashion_table", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images")
    arguments = parser.parse_args(argv)
    file = write_table(fashion_mnist.load(), arguments.folder, arguments.limit)
    print(f"wrote {file}")
    return 0


def write_table(dataset: Dataset, folder: Path, limit: int | None = None, seed: int = 0) -> Path:
    """Writes images and table; returns the table's file."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    parts = np.empty(len(dataset.labels), object)
    for name in ("train", "validation", "test"):
        parts[getattr(split(dataset, 0), name)] = name
    rows = zip(range(limit or len(dataset.labels)), parts, made_up(dataset, seed), strict=False)
    file = folder / "fashion.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_HEADER)
        for position, part, columns in progress(list(rows), "writing", "image"):
            name = f"images/{position:05d}.png"
            (folder / name).write_bytes(encode_png(dataset.images[np.array([position])][0]))
            category = dataset.classes[int(dataset.labels[position])]
            writer.writerow((name, part, category, FAMILIES[category], *columns))
    return file


def made_up(dataset: Dataset, seed: int) -> list[tuple[str, str, str, str]]:
    """Weight, department, lining and price of each image, as the table has them."""
    random = np.random.default_rng(seed)
    labels, count = dataset.labels, len(dataset.labels)
    grams = np.array(GRAMS)[labels] * (1 + _SPREAD * random.normal(size=count)).clip(0.2)
    odds = np.array(DEPARTMENT_ODDS).cumsum(1)[labels]
    department = (random.random(count)[:, None] > odds).sum(1).clip(max=2)
    lined = random.random(count) < np.array(LINED)[labels]
    brightness = _brightness(dataset)
    price = np.array(PRICES)[labels] * (0.7 + brightness) * (1 + _PRICE_SPREAD * random.normal(size=count))
    no_grams, no_department = random.random((2, count)) < _MISSING
    return [
        (
            "" if no_grams[row] else f"{grams[row]:.0f}",
            "" if no_department[row] else DEPARTMENTS[department[row]],
            str(bool(lined[row])).lower(),
            f"{max(1.0, price[row]):.2f}",
        )
        for row in range(count)
    ]


def _brightness(dataset: Dataset) -> NDArray[np.float64]:
    """Mean of each image, in [0, 1]."""
    images = dataset.images[np.arange(len(dataset.labels))]
    return np.asarray(images.reshape(len(images), -1).mean(1) / 255)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
