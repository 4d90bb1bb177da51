"""Images of a request → what the machine does with them when there is no server: the most that any server can.

Runs ``loadtests/peers/no_server.py`` in the service's own environment; nothing of it is imported here.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.bench.systems import MAX_BATCH, SERVICE_PYTHON
from loadtests.inputs.fashion_images import Specimen
from loadtests.load.server_process import REPOSITORY

_FINISH_WITHIN_S = 60


class CeilingError(Exception):
    """The program broke down."""


@dataclass(frozen=True)
class Ceiling:
    """What was computed without a server.

    Attributes:
        images_per_s: Of all processes.
        cpu_us: CPU time an image, microseconds.
    """

    images_per_s: float
    cpu_us: float


def measure(
    bundle: Path,
    specimens: Sequence[Specimen],
    out: Path,
    *,
    workers: int,
    seconds: int,
    environ: Mapping[str, str] | None = None,
) -> Ceiling:
    """Compute a request of these images over and over, in ``workers`` processes; ``environ`` holds variables for them.

    Raises:
        CeilingError: The program broke down.
    """
    files = [out / f"ceiling-{index}.image" for index in range(len(specimens))]
    for file, specimen in zip(files, specimens, strict=True):
        file.write_bytes(specimen.body)
    command = [str(SERVICE_PYTHON), "-m", "loadtests.peers.no_server", "--bundle", str(bundle)]
    command += ["--workers", str(workers), "--max-batch", str(MAX_BATCH), "--seconds", str(seconds)]
    outcome = subprocess.run(
        [*command, *map(str, files)],
        cwd=REPOSITORY,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + _FINISH_WITHIN_S,
    )
    if outcome.returncode != 0:
        raise CeilingError(
            f"the work without a server ended with {outcome.returncode}: {outcome.stderr.strip()[-500:]}"
        )
    found = json.loads(outcome.stdout)
    return Ceiling(found["images_per_s"], found["cpu_s"] / found["images"] * 1e6)
