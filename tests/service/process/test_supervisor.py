"""Who starts the workers, replaces those that die, and gives up where none can start."""

from __future__ import annotations

import asyncio
import importlib
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from bentoml.serving import create_watcher
from circus.sockets import CircusSocket

from service import coordination
from service.process import hooks
from service.process import supervisor as module
from service.process.supervisor import KILLED_AFTER_S, MAX_FAILURES, Supervisor, grace_of
from tests.chaos.rig.servers import free_port
from tests.service.rig.callers import GET, HOST, Caller
from tests.service.serving import PATIENCE_S

# circus reaps a worker by `waitpid` behind the back of its `Popen`, which may then be collected unaware of the end.
pytestmark = pytest.mark.filterwarnings(r"ignore:subprocess \d+ is still running:ResourceWarning")

WORKER = """
import os, pathlib, signal, sys
folder = pathlib.Path(sys.argv[1])
with (folder / "runs").open("a") as runs:
    runs.write("x")
    runs.flush()
    run = runs.tell()
def ready():
    (folder / f"{os.getpid()}.ready").touch()
def stay():
    ready()
    signal.pause()
def fail(reason):
    (folder / f"{os.getpid()}.failed").write_text(reason)
    sys.exit(1)
def wait_for(name):
    while not (folder / name).exists():
        pass
"""


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_S", 0.02)
    monkeypatch.setattr(module, "STOP_RETRY_S", 0.005)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The event loop that circus will find."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    yield made
    asyncio.set_event_loop(None)
    made.close()


class Company:
    """A supervisor, and workers that do as they are told by a script."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop, script: str, workers: int) -> None:
        self.folder, self.loop = folder, loop
        worker = ["-I", "-S", "-c", WORKER + script, str(folder)]
        self.watcher = create_watcher(name="service", args=worker, numprocesses=workers, working_dir=str(folder))
        self.listener = CircusSocket(name="listener", host=HOST, port=free_port())
        self.supervisor = Supervisor(
            [self.watcher], endpoint="tcp://127.0.0.1:1", pubsub_endpoint="tcp://127.0.0.1:2", sockets=[self.listener]
        )

    @property
    def runs(self) -> int:
        """How often a worker was started."""
        path = self.folder / "runs"
        return path.stat().st_size if path.exists() else 0

    @property
    def ready(self) -> set[int]:
        return coordination.ready_workers(self.watcher.get_active_pids())

    async def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            await asyncio.sleep(0.01)

    async def ask(self, path: bytes = b"readyz") -> int:
        """The status that a caller gets."""
        caller = await Caller.connect(self.listener.getsockname()[1])
        try:
            return (await caller.ask(GET % path)).status
        finally:
            await caller.leave()

    def run(self, test: Callable[[Company], Awaitable[None]]) -> None:
        """Runs the server until the test has ended, or the server has by itself."""

        async def then_stop() -> None:
            try:
                await test(self)
            finally:
                self.supervisor.stop()

        testing = self.loop.create_task(then_stop())
        self.supervisor.start()
        testing.result()

    def run_to_the_end(self) -> None:
        """Runs the server until it ends by itself."""
        late = self.loop.call_later(PATIENCE_S, self.supervisor.stop)
        self.supervisor.start()
        late.cancel()


@pytest.fixture
def company(shared: Path, loop: asyncio.AbstractEventLoop) -> Callable[..., Company]:
    return lambda script, workers=1: Company(shared, loop, script, workers)


# ---------------------------------------------------------------- how it is made


def test_bentoml_makes_a_supervisor_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    bentoml_circus = importlib.import_module(hooks.ARBITER[0])
    monkeypatch.setattr(bentoml_circus, "Arbiter", bentoml_circus.Arbiter)
    hooks.supervise()
    assert bentoml_circus.Arbiter is Supervisor


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        pytest.param(["-m", "worker", "--timeout-graceful-shutdown", "7", "--x"], 7.0, id="as it was told"),
        pytest.param(["-m", "worker"], 86400.0, id="a day, as BentoML has it"),
    ],
)
def test_the_grace_is_that_of_the_workers(arguments: list[str], seconds: float) -> None:
    assert grace_of(arguments) == seconds


def test_workers_are_replaced_in_a_container_too_and_given_their_grace(
    company: Callable[..., Company], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENTOML_CONTAINERIZED", "true")
    made = company("stay()")

    async def test(made: Company) -> None:
        assert made.watcher.respawn
        assert made.watcher.graceful_timeout == 86400.0 + KILLED_AFTER_S

    made.run(test)


def test_it_is_controlled_from_its_own_directory_and_not_by_a_port(
    company: Callable[..., Company], shared: Path
) -> None:
    async def test(made: Company) -> None:
        assert (made.supervisor.endpoint, made.supervisor.pubsub_endpoint) == (
            f"ipc://{shared}/control",
            f"ipc://{shared}/events",
        )
        assert (shared / "control").is_socket()

    company("stay()").run(test)


# ---------------------------------------------------------------- workers that die


def test_a_killed_worker_is_replaced(company: Callable[..., Company], caplog: pytest.LogCaptureFixture) -> None:
    async def test(made: Company) -> None:
        await made.until(lambda: len(made.ready) == 1)
        (killed,) = made.ready
        made.watcher.send_signal(killed, signal.SIGKILL)
        await made.until(lambda: len(made.ready) == 1 and killed not in made.ready)
        assert f"worker {killed} ended with signal 9" in caplog.messages

    company("stay()").run(test)


def test_workers_that_cannot_start_end_the_server_with_the_reason_they_gave(company: Callable[..., Company]) -> None:
    with pytest.raises(SystemExit, match=r"^tandem cannot start: the bundle is damaged$"):
        company("fail('the bundle is damaged')").run_to_the_end()


@pytest.mark.parametrize(
    ("script", "how"),
    [
        pytest.param("sys.exit(3)", "status 3", id="an exit"),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", "signal 9", id="a signal"),
    ],
)
def test_workers_that_cannot_start_and_do_not_say_why_end_the_server_with_how_they_ended(
    script: str, how: str, company: Callable[..., Company], caplog: pytest.LogCaptureFixture
) -> None:
    reason = f"^tandem cannot start: 3 workers in a row ended before they were ready, by {how}$"
    with pytest.raises(SystemExit, match=reason):
        company(script).run_to_the_end()
    assert sum(f"ended with {how} before it was ready" in message for message in caplog.messages) == MAX_FAILURES


def test_a_worker_that_becomes_ready_in_between_lets_the_count_begin_anew(company: Callable[..., Company]) -> None:
    async def test(made: Company) -> None:
        await made.until(lambda: made.runs == 3 and len(made.ready) == 1)
        await asyncio.sleep(10 * module.CHECK_S)
        (made.folder / "seen").touch()
        await made.until(lambda: made.runs == 6 and len(made.ready) == 1)

    script = "(ready(), wait_for('seen')) if run == 3 else stay() if run == 6 else sys.exit(1)"
    company(script).run(test)


def test_a_server_of_which_a_worker_is_ready_goes_on_whatever_becomes_of_the_others(
    company: Callable[..., Company],
) -> None:
    async def test(made: Company) -> None:
        await made.until(lambda: len(made.ready) == 1)
        (made.folder / "go").touch()
        await made.until(lambda: made.runs > 2 * MAX_FAILURES)
        assert len(made.ready) == 1

    company("stay() if run == 1 else (wait_for('go'), sys.exit(1))", 2).run(test)


# ---------------------------------------------------------------- callers meanwhile


def test_callers_are_refused_until_a_worker_listens(company: Callable[..., Company]) -> None:
    async def test(made: Company) -> None:
        await made.until(lambda: made.runs == 1)
        with pytest.raises(ConnectionRefusedError):
            await made.ask()

    company("wait_for('go')\nstay()").run(test)


def test_callers_are_answered_while_all_workers_are_gone_and_left_to_the_next_one(
    company: Callable[..., Company],
) -> None:
    async def test(made: Company) -> None:
        await made.until(lambda: len(made.ready) == 1)
        made.watcher.send_signal(made.ready.pop(), signal.SIGKILL)
        await made.until((made.folder / "fallback").exists)
        assert await made.ask() == 503
        assert await made.ask(b"livez") == 200
        (made.folder / "go").touch()
        await made.until(lambda: len(made.ready) == 1)
        await made.until(lambda: not (made.folder / "fallback").exists())

    company("stay() if run == 1 else (wait_for('go'), stay())").run(test)


# ---------------------------------------------------------------- SIGHUP


def test_workers_are_replaced_one_by_one_and_none_before_its_successor_is_ready(
    company: Callable[..., Company],
) -> None:
    async def test(made: Company) -> None:
        await made.until(lambda: len(made.ready) == 2)
        before, fewest, most = made.ready, [2], [2]

        def are_replaced() -> bool:
            fewest.append(len(made.ready))
            most.append(len(made.watcher.get_active_pids()))
            return len(made.ready - before) == 2 and len(made.watcher.get_active_pids()) == 2

        made.supervisor.reload()
        await made.until(are_replaced)
        assert (min(fewest), max(most), made.runs) == (2, 3, 4)

    company("stay()", 2).run(test)


def test_workers_are_replaced_once_more_where_that_is_asked_while_they_are_being_replaced(
    company: Callable[..., Company],
) -> None:
    async def test(made: Company) -> None:
        await made.until(lambda: len(made.ready) == 1)
        made.supervisor.reload()
        await made.until(lambda: made.runs == 2)
        made.supervisor.reload()
        made.supervisor.reload()  # both are one wish
        await made.until(lambda: made.runs == 3 and not made.supervisor._is_replacing)
        assert len(made.watcher.get_active_pids()) == 1

    company("stay()").run(test)


def test_a_worker_whose_successor_does_not_become_ready_stays(
    company: Callable[..., Company], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "REPLACED_WITHIN_S", 0.2)

    async def test(made: Company) -> None:
        await made.until(lambda: len(made.ready) == 1)
        before = made.ready
        made.supervisor.reload()
        await made.until(lambda: "its successor is not ready after" in caplog.text)
        await made.until(lambda: not made.supervisor._is_replacing)
        assert set(made.watcher.get_active_pids()) == made.ready == before

    company("stay() if run == 1 else wait_for('never')").run(test)


def test_the_end_comes_through_while_workers_are_replaced(company: Callable[..., Company]) -> None:
    async def test(made: Company) -> None:
        await made.until(lambda: len(made.ready) == 1)
        made.supervisor.reload()
        await made.until(lambda: made.runs == 2)

    made = company("stay() if run == 1 else wait_for('never')")
    made.run(test)
    assert not made.watcher.get_active_pids()


# ---------------------------------------------------------------- its end


def test_the_workers_are_told_that_the_whole_server_ends(company: Callable[..., Company], shared: Path) -> None:
    async def test(made: Company) -> None:
        await made.until(lambda: len(made.ready) == 1)
        assert not coordination.is_ending()

    made = company("stay()")
    made.run(test)
    assert coordination.is_ending()
    assert made.runs == 1
    assert not made.watcher.get_active_pids()


def test_a_second_end_changes_nothing(company: Callable[..., Company]) -> None:
    async def test(made: Company) -> None:
        await made.until(lambda: len(made.ready) == 1)
        made.supervisor.stop()
        await made.until(lambda: made.supervisor._is_ending)
        assert made.supervisor.stop() is None

    company("stay()").run(test)


def test_an_end_that_comes_while_it_looks_after_the_workers_is_not_forgotten(company: Callable[..., Company]) -> None:
    async def test(made: Company) -> None:
        made.supervisor._exclusive_running_command = "manage_watchers"
        assert made.supervisor.stop() is None
        assert not made.supervisor._is_ending
        made.supervisor._exclusive_running_command = None
        await made.until(lambda: made.supervisor._is_ending)

    company("stay()").run(test)


def test_workers_are_looked_after_later_where_circus_is_busy_with_them(company: Callable[..., Company]) -> None:
    async def test(made: Company) -> None:
        await made.until(lambda: len(made.ready) == 1)
        made.supervisor._exclusive_running_command = "arbiter_start_watchers"
        assert made.supervisor.manage_watchers() is None
        made.supervisor._exclusive_running_command = None

    company("stay()").run(test)
