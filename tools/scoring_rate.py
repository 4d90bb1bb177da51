"""`python -m tools.scoring_rate`: images a second of `python -m scoring` beside a plain loop of as many processes."""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from models.bundle.store import DEFAULT_ROOT
from models.imaging.decode import decode, read_checked_header
from models.runtime.cores import available_cores
from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput

IMAGES = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
_HEADER_BYTES, _SIDE = 16, 28
_BATCH = 64


def main(argv: Sequence[str] | None = None) -> int:
    """Measures both by turns, from the start of the processes to the last row; prints medians."""
    parser = argparse.ArgumentParser(prog="python -m tools.scoring_rate", description=main.__doc__)
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=available_cores())
    parser.add_argument("--python", default=sys.executable, help="of an environment with Ray, for --engine ray")
    parser.add_argument("--engine", choices=["local", "ray"], default="local")
    parser.add_argument("--loop", type=Path, metavar="DIR", help="run the plain loop alone, on the images of a folder")
    words = parser.parse_args(argv)
    if words.loop:
        run_loops(words.loop, words.workers)
        return 0
    with tempfile.TemporaryDirectory(prefix="scoring-rate-") as folder:
        images = Path(folder) / "images"
        write_images(images, words.images)
        took_s: dict[str, list[float]] = {"loop": [], "scoring": []}
        for number in range(words.rounds):
            options, out = ["--workers", str(words.workers)], f"{folder}/out-{number}"
            took_s["loop"].append(time_command([sys.executable, "-m", __spec__.name, "--loop", str(images), *options]))
            scoring = [words.python, "-m", "scoring", str(images), out, "--cache", f"{out}.cache", *options]
            took_s["scoring"].append(time_command([*scoring, "--engine", words.engine]))
    of_loop, of_scoring = (statistics.median(took_s[name]) for name in ("loop", "scoring"))
    for name, median in (("loop", of_loop), ("scoring", of_scoring)):
        shown = ", ".join(f"{seconds:.2f}" for seconds in took_s[name])
        print(f"{name}: {words.images / median:,.0f} images/s; {median:.2f} s, median of {shown}")
    print(f"scoring / loop: {of_loop / of_scoring:.3f}")
    return 0


def write_images(folder: Path, count: int) -> None:
    """Writes images of Fashion-MNIST as PNG files."""
    pixels = np.frombuffer(gzip.decompress(IMAGES.read_bytes()), np.uint8, offset=_HEADER_BYTES)
    folder.mkdir()
    for number, image in enumerate(pixels.reshape(-1, _SIDE, _SIDE)[:count]):
        Image.fromarray(image).save(folder / f"{number:05}.png")


def run_loops(images: Path, workers: int) -> None:
    """Reads, decodes, embeds and decides in processes, with nothing around it."""
    files = sorted(map(str, images.iterdir()))
    context = multiprocessing.get_context("spawn")
    loops = [context.Process(target=loop, args=(files[index::workers],)) for index in range(workers)]
    for each in loops:
        each.start()
    for each in loops:
        each.join()
        if each.exitcode:
            raise RuntimeError(f"a loop ended with status {each.exitcode}")


def loop(files: Sequence[str]) -> None:
    """One process of the plain loop."""
    engine = Engine.load(DEFAULT_ROOT / "fashion-mnist", device="cpu", max_batch=_BATCH)
    spec, asked = engine.manifest.input, engine.manifest.check_columns(engine.default, {})
    for start in range(0, len(files), engine.max_batch):
        inputs = []
        for file in files[start : start + engine.max_batch]:
            data = Path(file).read_bytes()
            inputs.append(EngineInput(decode(data, spec, read_checked_header(data)), asked))
        engine.run(inputs, [0.0] * len(inputs))


def time_command(command: Sequence[str]) -> float:
    """Seconds of a command, its start included."""
    started = time.perf_counter()
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {ended.returncode}: {ended.stderr[-2000:]}")
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
