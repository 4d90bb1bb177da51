"""seed ──▶ 500 small photographs of washers and a table of them: `python docs/examples/washers.py DIR`.

Nothing is downloaded: the pictures are drawn. `DIR/washers.csv` has a row for each photograph:

- `photo`: its file, a JPEG of 64x64 pixels;
- `weight_g` and `supplier`: what a scale and the order say;
- `state`: the label. `fine`; `scratched`, which the photograph shows; `hollow`, which only the weight shows;
- `price`: a number to predict, which follows the size in the photograph and the supplier.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

STATES = ("fine", "fine", "scratched", "hollow")  # half of them are fine
SUPPLIERS = {"north": 1.0, "south": 1.3}  # and what they charge, relative to each other
SIDE = 64  # pixels


def draw(random: np.random.Generator, radius: float, *, scratched: bool) -> Image.Image:
    """Return a photograph of one washer; `radius` is in pixels, 16 to 28."""
    background, metal = int(random.integers(25, 60)), int(random.integers(130, 190))
    photo = Image.new("RGB", (SIDE, SIDE), (background, background, background + 10))
    pen = ImageDraw.Draw(photo)
    x, y = SIDE / 2 + random.normal(0, 2, 2)
    for size, grey in ((radius, metal), (radius * 0.4, background)):
        pen.ellipse((x - size, y - size, x + size, y + size), fill=(grey, grey, grey + 5))
    if scratched:
        angle, ring = random.uniform(0, 2 * math.pi), radius * 0.7
        middle_x, middle_y = x + ring * math.cos(angle), y + ring * math.sin(angle)
        tilt, half = random.uniform(0, math.pi), radius * 0.3
        along_x, along_y = half * math.cos(tilt), half * math.sin(tilt)
        line = (middle_x - along_x, middle_y - along_y, middle_x + along_x, middle_y + along_y)
        pen.line(line, fill=(metal - int(random.integers(45, 110)),) * 3, width=2)
    pixels = np.asarray(photo.filter(ImageFilter.GaussianBlur(0.6))) + random.normal(0, 4, (SIDE, SIDE, 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def make(folder: Path, count: int = 500, seed: int = 0) -> Path:
    """Write `count` photographs and their table; return the table's path. The same seed makes the same ones."""
    random = np.random.default_rng(seed)
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    table = folder / "washers.csv"
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("photo", "weight_g", "supplier", "state", "price"))
        for number in range(count):
            state, supplier = str(random.choice(STATES)), str(random.choice(list(SUPPLIERS)))
            radius = random.uniform(16, 28)
            name = f"photos/{number:03d}.jpg"
            draw(random, radius, scratched=state == "scratched").save(folder / name, quality=90)
            weight_g = 12 * (0.7 if state == "hollow" else 1.0) * random.normal(1, 0.05)
            price = radius / 10 * SUPPLIERS[supplier] * random.normal(1, 0.03)
            writer.writerow((name, f"{weight_g:.1f}", supplier, state, f"{price:.2f}"))
    return table


if __name__ == "__main__":
    print(f"wrote {make(Path(sys.argv[1]))}")
