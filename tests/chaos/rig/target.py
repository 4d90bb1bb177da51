"""A server for hostile input, and what its processes hold: memory, descriptors, temporary files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.chaos.inputs.fuzz_corpus import Case, post
from tests.chaos.inputs.pictures import SNEAKER
from tests.chaos.rig.servers import HOST, Server, serving
from tests.chaos.rig.wire import Exchange, exchange, send_and_leave

WORKERS = 2
TOLERANCE = 2e-6  # of a probability: batches add in another order, and answers have six digits


@dataclass(frozen=True)
class Target:
    """A server that is ready, and the folder for its temporary files."""

    server: Server
    temporary: Path
    answer: dict[str, Any]
    """To the known good request, by a server that nobody has bothered yet."""

    @property
    def address(self) -> tuple[str, int]:
        return HOST, self.server.port

    def send(self, data: bytes, patience_s: float = 5.0) -> Exchange:
        """One input on a connection of its own."""
        return exchange(self.address, data, patience_s)

    def play(self, case: Case) -> Exchange:
        """One case of the corpus, as it says it is to be sent."""
        if case.leaves:
            return send_and_leave(self.address, case.data)
        return exchange(self.address, case.data, piece_bytes=case.piece_bytes)

    def workers(self) -> list[psutil.Process]:
        """The processes that answer, by id."""
        return [psutil.Process(pid) for pid in sorted(self.server.workers())]

    def worker_ids(self) -> list[tuple[int, float]]:
        """Ids and start times: equal before and after where no worker has died."""
        return [(process.pid, process.create_time()) for process in self.workers()]

    def memory_bytes(self) -> int:
        """Resident memory of all workers."""
        return sum(int(process.memory_info().rss) for process in self.workers())

    def descriptors(self) -> int:
        """Open files and sockets of all workers."""
        return sum(int(process.num_fds()) for process in self.workers())

    def temporary_files(self) -> list[str]:
        """What lies in the server's folder for temporary files."""
        return sorted(str(path.relative_to(self.temporary)) for path in self.temporary.rglob("*"))

    def tells_right(self) -> str:
        """Sends the known good request; empty where its answer is right, else what was wrong."""
        found = self.send(post(SNEAKER))
        if found.wrong or [response.status for response in found.responses] != [200]:
            return f"the good request was answered with {found.wrong or found.received[:300]!r}"
        answer = found.responses[0].json()
        return "" if is_same(answer, self.answer) else f"the good request was answered with {answer}"


def is_same(answer: Any, wanted: Any) -> bool:
    """Equal, but for the last digit of floats."""
    if isinstance(wanted, dict):
        return set(answer) == set(wanted) and all(is_same(answer[key], wanted[key]) for key in wanted)
    if isinstance(wanted, float):
        return bool(abs(answer - wanted) <= TOLERANCE)
    return bool(answer == wanted)


@contextlib.contextmanager
def serving_target(folder: Path) -> Iterator[Target]:
    """Starts two workers with the committed bundle and the default limits, temporary files in a folder of their own."""
    temporary = folder / "tmp"
    temporary.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        patch.setenv("BENTOML_HOME", str(folder / "bentoml"))
        with serving(folder, workers=WORKERS) as server:
            answer = Target(server, temporary, {}).send(post(SNEAKER)).responses[0].json()
            assert answer["label"] == "Sneaker", json.dumps(answer)
            yield Target(server, temporary, answer)
