"""One request's images ──decode──▶ ──embed──▶ ──decide──▶ predictions, over and over, with no server around them.

No server that does this work can answer more images a second. Prints JSON: images, images a second, and CPU seconds of
all processes.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from loadtests.peers.peer_inference import Work


def compute(work: Work, bodies: Sequence[bytes], max_batch: int) -> list[dict[str, Any]]:
    """Predict all images of one request, at most ``max_batch`` in one run of the embedder."""
    starts = range(0, len(bodies), max_batch)
    return [prediction for start in starts for prediction in work.predict(bodies[start : start + max_batch])]


def repeat(options: argparse.Namespace, together: Barrier, done: Any) -> None:
    """Compute one request for ``options.seconds``, once all processes are ready, and put the figures into ``done``."""
    work, bodies = Work.open(options.bundle), [file.read_bytes() for file in options.images]
    compute(work, bodies, options.max_batch)
    together.wait()
    requests, started_s, cpu_s = 0, time.perf_counter(), time.process_time()
    while (elapsed_s := time.perf_counter() - started_s) < options.seconds:
        compute(work, bodies, options.max_batch)
        requests += 1
    done.put((requests * len(bodies), elapsed_s, time.process_time() - cpu_s))


def main() -> None:
    """Run as many processes as a server has, and add up their figures."""
    program = argparse.ArgumentParser(description=__doc__)
    program.add_argument("--bundle", type=Path, required=True)
    program.add_argument("--workers", type=int, required=True)
    program.add_argument("--max-batch", type=int, required=True)
    program.add_argument("--seconds", type=float, required=True)
    program.add_argument("images", type=Path, nargs="+", help="the images of one request")
    options = program.parse_args()
    context = multiprocessing.get_context("spawn")
    together, done = context.Barrier(options.workers), context.SimpleQueue()
    processes = [context.Process(target=repeat, args=(options, together, done)) for _ in range(options.workers)]
    for process in processes:
        process.start()
    results = [done.get() for _ in processes]
    for process in processes:
        process.join()
    images = [images for images, _, _ in results]
    rates = [images / seconds for images, seconds, _ in results]
    print(json.dumps({"images": sum(images), "images_per_s": sum(rates), "cpu_s": sum(cpu for _, _, cpu in results)}))


if __name__ == "__main__":
    main()
