"""chunks ──▶ rows: actors of a Ray cluster. The only file that knows Ray."""

from __future__ import annotations

import logging
import os
import pickle
import queue
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from models.errors import DataError
from scoring.chunks import Chunk
from scoring.engines.scorer import Scorer
from scoring.engines.scorer_options import ScoredChunk, ScorerOptions, ScoringError
from scoring.without_pandas import allow_pandas

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # warns of what Ray Data itself does
allow_pandas()
try:
    import ray
    from ray.data import ActorPoolStrategy, DataContext
except ImportError as error:
    raise DataError(f"--engine ray needs Ray; pip install '.[scoring,ray]' ({error})") from error

_CPUS = 0.5
"""Of an actor. With 1, two actors on two cores leave none for Ray's own tasks, and it hangs without a word."""
_BLOCKS_PER_ACTOR = 4
_BLOCK_CHUNKS = 16
"""At most: a block comes back as a whole, and a stop loses those that are being scored."""
_WAVE_IMAGES, _WAVE_BYTES = 500_000, 256 * 1024 * 1024
"""What is given to Ray at once, so that the input is never in memory as a whole."""
_LONGEST_TEMPORARY = 40
"""Characters: Ray puts sockets there, whose paths end at 107 bytes."""
_LOOK_S = 0.25
_CONNECT_S = 5.0


class RayEngine:
    """Actors that score.

    Args:
        options: what is scored, and with what; bundle and images must be there on each machine of the cluster.
        workers: number of actors.
        address: of a running cluster; None to start one on this machine.
        gpus: of each actor.

    Raises:
        DataError: Ray cannot be reached or started.
    """

    def __init__(self, options: ScorerOptions, workers: int, address: str | None, gpus: float) -> None:
        self._options = options
        self._workers = workers
        self._gpus = gpus
        self._folder = None if address else _short_folder()
        common: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
        if self._folder:
            root = str(Path(__file__).parents[2])  # processes of this machine import the project from here
            paths = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
            common |= {"num_cpus": workers, "include_dashboard": False, "_temp_dir": self._folder}
            common |= {"runtime_env": {"env_vars": {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}}}
        try:
            _check_reachable(address)
            ray.init(address, **common)
        except Exception as error:  # Ray raises bare ones, too
            self.close(is_done=False)
            raise DataError(f"Ray at {address or 'this machine'} cannot be used: {_last_line(error)}") from error
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.verbose_stats_logs = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)

    def run(self, chunks: Iterator[Chunk], should_stop: Callable[[], bool]) -> Iterator[ScoredChunk]:
        """See `LocalEngine`.

        Raises:
            ScoringError: an actor cannot start, or Ray gave up.
        """
        while not should_stop() and (wave := list(_wave(chunks))):
            found: queue.Queue[ScoredChunk | Exception | None] = queue.Queue()
            threading.Thread(target=self._score, args=(wave, found), daemon=True).start()
            while not should_stop():
                try:
                    scored = found.get(timeout=_LOOK_S)
                except queue.Empty:
                    continue
                if scored is None:
                    break
                if isinstance(scored, Exception):
                    raise ScoringError(f"Ray gave up: {_last_line(scored)}") from scored
                yield scored

    def close(self, *, is_done: bool) -> None:  # noqa: ARG002 (Ray ends actors either way)
        """Ends the actors, and the cluster if it was started here."""
        ray.shutdown()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _score(self, wave: list[Chunk], found: queue.Queue[ScoredChunk | Exception | None]) -> None:
        """Scores chunks in the order that suits Ray; puts None behind the last one."""
        blocks = max(self._workers * _BLOCKS_PER_ACTOR, len(wave) // _BLOCK_CHUNKS)
        rows = [{"chunk": pickle.dumps(chunk)} for chunk in wave]
        try:
            scored = ray.data.from_items(rows, override_num_blocks=min(blocks, len(rows))).map_batches(
                _Actor,
                fn_constructor_args=(self._options,),
                compute=ActorPoolStrategy(size=self._workers),
                batch_size=None,
                num_cpus=_CPUS,
                num_gpus=self._gpus or None,
            )
            for row in scored.iter_rows():
                found.put(pickle.loads(row["scored"]))  # noqa: S301 (from our own actors)
        except Exception as error:
            found.put(error)
        found.put(None)


class _Actor:
    """One process of the cluster."""

    def __init__(self, options: ScorerOptions) -> None:
        self._scorer = Scorer(options)

    def __call__(self, block: dict[str, Any]) -> dict[str, list[bytes]]:
        """Scores the chunks of a block."""
        chunks = (pickle.loads(chunk) for chunk in block["chunk"])  # noqa: S301 (from the process that began)
        scored = [pickle.dumps(self._scorer.score(chunk)) for chunk in chunks]
        self._scorer.close()  # Ray ends actors without a word
        return {"scored": scored}


def _wave(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """As many chunks as Ray is given at once."""
    images = size = 0
    for chunk in chunks:
        yield chunk
        images += len(chunk.images)
        size += sum(len(image) for image in chunk.images if isinstance(image, bytes))
        if images >= _WAVE_IMAGES or size >= _WAVE_BYTES:
            return


def _short_folder() -> str:
    folder = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="ray-", dir=folder if len(folder) <= _LONGEST_TEMPORARY else "/tmp")  # noqa: S108


def _check_reachable(address: str | None) -> None:
    """Ray itself would try for ever.

    Raises:
        OSError: nobody listens there.
    """
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
