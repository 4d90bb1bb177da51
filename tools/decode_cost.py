"""two commits ──▶ what decoding an image costs after, as a share of before: CPU time, in interleaved runs.

`python -m tools.decode_cost BEFORE AFTER` checks both out, keeps a process on each, and lets them decode the same image
in turn, a few milliseconds at a time, so that whatever else the machine does meets both. What is compared is the tenth
percentile of each commit's rounds, which were disturbed least; beside it stands the median of the ratios, round by
round. The same commit twice tells what is noise.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
ROUNDS = 1000
_ROUND_S = 0.004
_SPECS = {28: {"height": 28, "width": 28, "channels": 1}, 640: {"height": 224, "width": 224, "channels": 3}}
IMAGES = {
    "28x28 PNG": (28, 28, "PNG"),
    "28x28 JPEG": (28, 28, "JPEG"),
    "28x28 WebP": (28, 28, "WEBP"),
    "640x427 JPEG": (640, 427, "JPEG"),
}
"""Width, height and format; the small ones are grey and decoded at their size, the photograph at a fraction."""


def main(arguments: Sequence[str]) -> int:
    """Prints a line for each image; 1 where a ratio is over the limit."""
    options = parser().parse_args(arguments)
    over = False
    with checkout(options.before) as before, checkout(options.after) as after:
        for name in IMAGES:
            cost = compare((before, after), name, options.rounds)
            over |= options.limit is not None and cost.ratio > options.limit
            print(f"{name:<14}{cost.describe()}", flush=True)
    return int(over)


def parser() -> argparse.ArgumentParser:
    """The command line of `python -m tools.decode_cost`."""
    program = argparse.ArgumentParser(prog="python -m tools.decode_cost", description=__doc__)
    program.add_argument("before", metavar="BEFORE", help="a commit")
    program.add_argument("after", metavar="AFTER", help="another one")
    program.add_argument("--rounds", metavar="N", type=int, default=ROUNDS, help="for each image (%(default)s)")
    program.add_argument("--limit", metavar="RATIO", type=float, help="exit with status 1 over it")
    return program


@dataclass(frozen=True)
class Cost:
    """CPU time of one image, seconds, of each round."""

    before: list[float]
    after: list[float]

    @property
    def ratio(self) -> float:
        """After to before, of rounds that were disturbed little."""
        return _undisturbed(self.after) / _undisturbed(self.before)

    def describe(self) -> str:
        """One line for a person."""
        each = statistics.median(after / before for before, after in zip(self.before, self.after, strict=True))
        microseconds = _undisturbed(self.before) * 1e6
        return f"{self.ratio:.3f} x {microseconds:.1f} us (median of {len(self.before)} rounds {each:.3f} x)"


def _undisturbed(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=10)[0]


@contextlib.contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A temporary work tree of a commit.

    Raises:
        CalledProcessError: git does not know it.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(tree), commit], cwd=ROOT, check=True)  # noqa: S607
        try:
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)  # noqa: S607


def compare(trees: tuple[Path, Path], name: str, rounds: int) -> Cost:
    """Decodes an image in both trees in turn; who begins changes from round to round."""
    with worker(trees[0], name) as before, worker(trees[1], name) as after:
        count = max(1, round(_ROUND_S / min(before(1), before(1))))
        found: dict[Callable[[int], float], list[float]] = {before: [], after: []}
        for number in range(rounds):
            for run in (before, after) if number % 2 else (after, before):
                found[run].append(run(count) / count)
    return Cost(found[before], found[after])


@contextlib.contextmanager
def worker(tree: Path, name: str) -> Iterator[Callable[[int], float]]:
    """A process that decodes an image with the modules in `tree` so many times, and says what CPU time that took."""
    command = [sys.executable, str(Path(__file__).resolve()), name]
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, env=environment, cwd=tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def run(count: int) -> float:
            print(count, file=stdin, flush=True)
            return float(stdout.readline())

        yield run
        stdin.close()


def work(name: str) -> None:
    """Decodes as often as each line of standard input says, and writes CPU seconds of it for each line."""
    read, decode, input_spec = _modules()
    data, spec = encode(name), input_spec(**_SPECS[IMAGES[name][0]], decoder="fraction")
    for line in sys.stdin:
        started = time.process_time()
        for _ in range(int(line)):
            decode(data, spec, read(data))
        print(time.process_time() - started, flush=True)


def _modules() -> tuple[Any, Any, Any]:
    """Header reader, decoder and input spec of the commit in the working directory."""
    has_folder = Path("models/imaging").is_dir()  # which imaging has not always had
    names = ("models.imaging.decode", "models.imaging.decode") if has_folder else ("models.headers", "models.pixels")
    headers, pixels, manifest = (import_module(name) for name in (*names, "models.bundle.manifest"))
    for module in (headers, pixels, manifest):  # and of none that is installed beside it
        assert Path(str(module.__file__)).is_relative_to(Path.cwd()), f"{module} is not of {Path.cwd()}"
    return (
        getattr(headers, "read_checked_header", None) or pixels.read_checked_header,
        pixels.decode,
        manifest.InputSpec,
    )


def encode(name: str) -> bytes:
    """The image: soft shapes, as photographs have."""
    width, height, format_ = IMAGES[name]
    shapes = np.random.default_rng(0).integers(0, 256, (height // 48 + 4, width // 48 + 4, 3), dtype=np.uint8)
    image = Image.fromarray(shapes).resize((width, height), Image.Resampling.BICUBIC)
    body = io.BytesIO()
    (image.convert("L") if width == 28 else image).save(body, format_, quality=90)
    return body.getvalue()


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in IMAGES:
        work(sys.argv[1])
    else:
        sys.exit(main(sys.argv[1:]))
