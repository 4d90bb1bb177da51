"""Name of a peer ──pip──▶ Python of an environment of its own, with just what that peer needs, pinned.

Packages that a peer shares with the service (ONNX Runtime, numpy, the decoders, uvicorn) have the service's versions,
from ``constraints.txt``. Nothing is installed into the environment of the load test.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from loadtests.load.server_process import REPOSITORY, last_lines

FOLDER = REPOSITORY / "build" / "peers"
REQUIREMENTS = Path(__file__).parents[1] / "peers" / "requirements"
CONSTRAINTS = REPOSITORY / "constraints.txt"
_STAMP = "installed"
_VERSIONS = (
    "import importlib.metadata as m, json, sys; print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
)


class EnvironmentBuildError(Exception):
    """A peer cannot be installed."""


def peer_python(name: str, *, folder: Path = FOLDER, requirements: Path = REQUIREMENTS) -> Path:
    """Return the interpreter of a peer's environment, which is built where it is missing or outdated.

    Args:
        name: Peer with a file ``<name>.txt`` in ``requirements``.
        folder: Takes the environments.
        requirements: Folder with the peers' requirements.

    Raises:
        EnvironmentBuildError: pip could not install it; with the last lines of its log.
    """
    wanted = requirements / f"{name}.txt"
    home = folder / name
    python, stamp = home / "bin" / "python", home / _STAMP
    state = hashlib.sha256(wanted.read_bytes() + CONSTRAINTS.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == state:
        return python
    print(f"installing {name} into {home}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    with log.open("w") as output:
        _run([sys.executable, "-m", "venv", "--clear", str(home)], name, log, output.fileno())
        install = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "-c", str(CONSTRAINTS)]
        _run([*install, "-r", str(wanted)], name, log, output.fileno())
    stamp.write_text(state)
    return python


def versions(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of packages that an interpreter has."""
    answer = subprocess.run([python, "-c", _VERSIONS, *packages], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(answer.stdout)
    return found


def _run(command: list[str], name: str, log: Path, output: int) -> None:
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False)
    if ended.returncode != 0:
        raise EnvironmentBuildError(
            f"{name} cannot be installed: {command[1:4]} ended with status {ended.returncode}; "
            f"{log} ends with:\n{last_lines(log)}"
        )
