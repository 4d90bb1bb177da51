"""chunks ──▶ rows: processes of this machine, with one ONNX Runtime session and one thread each."""

from __future__ import annotations

import logging
import multiprocessing
import queue
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from models.errors import TandemError
from scoring.chunks import Chunk
from scoring.engines.scorer_options import ScoredChunk, ScorerOptions, ScoringError
from scoring.without_pandas import forbid_pandas

AHEAD = 2
"""Chunks that a process has: one that it scores, and the next."""
STOP_S = 2.5
"""How long a stop waits for chunks that are being scored."""
_FINISH_S = 10.0
"""How long processes may take to write the embeddings that they keep."""
_GIVE_UP_S = 1.0
"""The same after a stop."""
_LOOK_S = 0.25
"""How often it is asked whether to stop."""
_MOST_DEATHS = 2
"""Of processes, over one chunk."""


class LocalEngine:
    """Processes that score.

    Args:
        options: what is scored, and with what.
        workers: number of processes.
    """

    def __init__(self, options: ScorerOptions, workers: int) -> None:
        self._options = options
        self._context = multiprocessing.get_context("spawn")  # forks of a process with threads may hang
        self._workers = [_Worker(self._context, options) for _ in range(workers)]
        self._deaths: dict[int, int] = {}

    def run(self, chunks: Iterator[Chunk], should_stop: Callable[[], bool]) -> Iterator[ScoredChunk]:
        """Scores chunks; gives their rows in the order in which they are done.

        Args:
            chunks: in ascending order.
            should_stop: asked a few times a second; then no more chunks are handed out.

        Raises:
            ScoringError: a process cannot start, or dies over the same chunk again.
        """
        again: deque[Chunk] = deque()
        stop_at = float("inf")
        while time.monotonic() < stop_at:
            if stop_at == float("inf") and should_stop():
                stop_at = time.monotonic() + STOP_S
            if stop_at == float("inf"):
                self._hand_out(again, chunks)
            if not any(worker.chunks for worker in self._workers):
                return
            yield from self._collect(again)

    def close(self, *, is_done: bool) -> None:
        """Ends the processes, which write the embeddings that they keep if the run is done."""
        for worker in self._workers:
            worker.pipe.close()
        end = time.monotonic() + (_FINISH_S if is_done else _GIVE_UP_S)
        for worker in self._workers:
            worker.end(max(0.0, end - time.monotonic()))

    def _hand_out(self, again: deque[Chunk], chunks: Iterator[Chunk]) -> None:
        for count in range(1, AHEAD + 1):  # each has one before any has two
            for worker in self._workers:
                if len(worker.chunks) < count:
                    chunk = again.popleft() if again else next(chunks, None)
                    if chunk is None:
                        return
                    worker.send(chunk)

    def _collect(self, again: deque[Chunk]) -> Iterator[ScoredChunk]:
        """The chunks that are done now; those of a process that died are to be scored again."""
        by_pipe = {worker.pipe: worker for worker in self._workers}
        for pipe in wait(list(by_pipe), timeout=_LOOK_S):
            worker = by_pipe[pipe]
            try:
                found = worker.receive()
            except (EOFError, OSError):
                self._replace(worker)
                again.extend(worker.chunks)
            else:
                yield found

    def _replace(self, dead: _Worker) -> None:
        dead.end(1.0)
        first = dead.chunks[0].first if dead.chunks else -1
        self._deaths[first] = self._deaths.get(first, 0) + 1
        if self._deaths[first] >= _MOST_DEATHS:
            what = f"at the images from row {first + 1}" if dead.chunks else "before it had images"
            raise ScoringError(
                f"a process ended twice {what}, with {_ending(dead.exit_code)}; if memory is short, use fewer --workers"
            )
        self._workers[self._workers.index(dead)] = _Worker(self._context, self._options)


class _Worker:
    """One process, and the chunks that it has."""

    def __init__(self, context: Any, options: ScorerOptions) -> None:
        self.pipe, theirs = context.Pipe()
        self.chunks: deque[Chunk] = deque()
        self._process: SpawnProcess = context.Process(target=_serve, args=(theirs, options), daemon=True)
        # A terminal signals all processes, but the one that began decides. These begin with signals blocked
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()  # so that its end is seen here

    @property
    def exit_code(self) -> int | None:
        return self._process.exitcode

    def send(self, chunk: Chunk) -> None:
        """Hands out a chunk; that the process is dead is seen when its rows are to be received."""
        self.chunks.append(chunk)
        try:
            self.pipe.send(chunk)
        except OSError:
            return

    def receive(self) -> ScoredChunk:
        """The rows of the chunk that it had first.

        Raises:
            ScoringError: the process cannot score anything.
            EOFError, OSError: it died.
        """
        found: ScoredChunk | str = self.pipe.recv()
        if isinstance(found, str):
            raise ScoringError(found)
        self.chunks.popleft()
        return found

    def end(self, patience_s: float) -> None:
        """Closes the pipe, upon which the process ends by itself; kills it after some seconds."""
        self.pipe.close()
        self._process.join(patience_s)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(pipe: Connection, options: ScorerOptions) -> None:
    """The process: scores chunks until the pipe is closed."""
    logging.disable(logging.WARNING)  # each process would say that it is on the CPU
    forbid_pandas()
    from scoring.engines.scorer import Scorer  # noqa: PLC0415 (the process that began needs none of it)

    chunks: queue.SimpleQueue[Chunk | None] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, chunks), daemon=True).start()
    try:
        scorer = Scorer(options)
        while (chunk := chunks.get()) and _sent(pipe, scorer.score(chunk)):
            pass
        scorer.close()
    except (TandemError, OSError) as error:
        if not _sent(pipe, str(error)):  # all rows are there, but not all embeddings are kept
            print(f"warning: {error}", file=sys.stderr)


def _sent(pipe: Connection, found: ScoredChunk | str) -> bool:
    """Whether the process that began could be told: not if it has closed the pipe, or is gone."""
    try:
        pipe.send(found)
    except OSError:
        return False
    return True


def _receive(pipe: Connection, chunks: queue.SimpleQueue[Chunk | None]) -> None:
    """Takes chunks at any time, so that two processes that send each other much do not wait for one another."""
    with suppress(EOFError, OSError):
        while True:
            chunks.put(pipe.recv())
    chunks.put(None)


def _ending(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {signal.Signals(-exit_code).name}"
    return f"exit status {exit_code}"
