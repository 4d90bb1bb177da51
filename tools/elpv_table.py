"""ELPV, photographs of solar cells ──▶ a folder of its PNG files and a table of them, for `python -m training table`.

`python -m tools.elpv_table DIR` writes `DIR/elpv.csv` and copies the images beside it. The 2,624 cells come with the
package `elpv-dataset` (Deitsch et al. 2019, https://doi.org/10.1016/j.solener.2019.02.067; data under CC BY-NC-SA 4.0,
not for commercial use), which has to be installed. Columns of the table:

- `image`: path of the PNG file, 300x300 grey pixels;
- `defect`: `yes` where the experts' probability of a defect is above one half, else `no`;
- `cell`: `mono` or `poly`, the kind of silicon.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_PACKAGE = "elpv_dataset"
_HEADER = ("image", "defect", "cell")


def main(argv: Sequence[str]) -> int:
    """Writes the table; returns 0, or 1 after one line on stderr where the package is missing."""
    parser = argparse.ArgumentParser(prog="python -m tools.elpv_table", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    arguments = parser.parse_args(argv)
    source = find_data()
    if source is None:
        print("error: the package elpv-dataset is not installed; pip install elpv-dataset", file=sys.stderr)
        return 1
    print(f"wrote {write_table(source, arguments.folder)}")
    return 0


def find_data() -> Path | None:
    """The folder of the installed package that has `labels.csv` and the images; None where it is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def write_table(source: Path, folder: Path) -> Path:
    """Copies the images and writes the table; returns the table's file."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    file = folder / "elpv.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_HEADER)
        for image, probability, cell in _rows(source):
            shutil.copyfile(source / image, folder / "images" / Path(image).name)
            writer.writerow((f"images/{Path(image).name}", "yes" if probability > 0.5 else "no", cell))
    return file


def _rows(source: Path) -> Iterator[tuple[str, float, str]]:
    for line in (source / "labels.csv").read_text(encoding="utf-8").splitlines():
        image, probability, cell = line.split()
        yield image, float(probability), cell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
