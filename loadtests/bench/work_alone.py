"""Images of a request ──▶ what the machine computes with no server around it: the upper bound of every server.

``loadtests/peers/no_server.py`` runs in the service's own environment; nothing of it is imported here.
"""

import itertools
import json
import os
import subprocess
from collections.abc import Mapping

from loadtests.bench.bench_settings import Settings
from loadtests.bench.systems import MAX_BATCH, SERVICE_PYTHON
from loadtests.load.closed_loop import CPU_US
from loadtests.load.server_process import REPOSITORY

IMAGES_PER_S = "images/s"
_FINISH_WITHIN_S = 60


class WorkAloneError(Exception):
    """The program failed."""


def measure(settings: Settings, count: int = 1, environ: Mapping[str, str] | None = None) -> dict[str, float]:
    """Decode, embed and decide the ``count`` images of one request over and over, in as many processes as a system has.

    Returns:
        ``IMAGES_PER_S`` of all processes; ``CPU_US`` of one image, microseconds.

    Raises:
        WorkAloneError: The program failed.
    """
    images = list(itertools.islice(itertools.cycle(settings.images), count))
    files = [settings.out.resolve() / f"work-alone-{index}.image" for index in range(count)]
    for file, image in zip(files, images, strict=True):
        file.write_bytes(image.body)
    command = [str(SERVICE_PYTHON), "-m", "loadtests.peers.no_server", "--bundle", str(settings.bundle)]
    command += ["--workers", str(settings.workers), "--max-batch", str(MAX_BATCH), "--seconds", str(settings.seconds)]
    ended = subprocess.run(
        [*command, *map(str, files)],
        cwd=REPOSITORY,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=settings.seconds + _FINISH_WITHIN_S,
    )
    if ended.returncode != 0:
        raise WorkAloneError(f"the work alone ended with status {ended.returncode}: {ended.stderr.strip()[-500:]}")
    found = json.loads(ended.stdout)
    return {IMAGES_PER_S: found["images_per_s"], CPU_US: found["cpu_s"] / found["images"] * 1e6}
