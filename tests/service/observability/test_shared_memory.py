"""Numbers that several processes count together, some of which are killed."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.observability import shared_memory
from service.observability.shared_memory import SUFFIX, Tally, TallyError, fold_departed, read_totals

ROOT = Path(__file__).parents[3]
PATIENCE_S = 30.0

# A worker that counts, says so, and lives until it is killed, or until the test has ended.
WORKER = """
import sys
from pathlib import Path
from service.observability.shared_memory import Tally
tally = Tally.open(Path(sys.argv[1]))
tally.counter("images", ("ok",)).inc(3)
histogram = tally.histogram("seconds", (), (0.5, 1.0))
histogram.observe(0.5)
histogram.observe(5.0)
tally.counter("ready", (), "livesum").set(1)
tally.counter("wait", (), "livemax").set(2)
print("counted", flush=True)
sys.stdin.read()
"""
OF_ONE = {
    ("images", ("ok",)): [3.0],
    ("seconds", ()): [1.0, 0.0, 1.0, 5.5],
    ("ready", ()): [1.0],
    ("wait", ()): [2.0],
}


def counting_worker(directory: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(directory)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "counted\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE_S)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = counting_worker(tmp_path)
    try:
        yield process
    finally:
        kill(process)


def files(directory: Path) -> list[Path]:
    return list(directory.glob(f"*{SUFFIX}"))


def test_processes_are_added_by_their_rules(tmp_path: Path, worker: subprocess.Popen[str]) -> None:
    assert read_totals(tmp_path).numbers == OF_ONE
    other = Tally.open(tmp_path)
    other.counter("ready", (), "livesum").set(1)
    other.counter("wait", (), "livemax").set(7)
    other.counter("images", ("ok",)).inc()
    numbers = read_totals(tmp_path).numbers
    other.close()
    assert [numbers[key] for key in (("ready", ()), ("wait", ()), ("images", ("ok",)))] == [[2.0], [7.0], [4.0]]


def test_a_kill_loses_no_count_and_leaves_no_gauge(tmp_path: Path, worker: subprocess.Popen[str]) -> None:
    kill(worker)
    expected = {key: numbers for key, numbers in OF_ONE.items() if key[0] in ("images", "seconds")}
    for _ in range(2):  # folded by the first reading, read from the sums by the second
        assert read_totals(tmp_path).numbers == expected
    assert files(tmp_path) == []


def test_the_files_of_many_dead_are_folded_into_one_and_stay_quick_to_read(tmp_path: Path) -> None:
    survivor = counting_worker(tmp_path)
    for _ in range(5):
        kill(counting_worker(tmp_path))
    assert len(files(tmp_path)) <= 2  # each start folds what died before it
    assert read_totals(tmp_path).numbers[("images", ("ok",))] == [18.0]
    assert len(files(tmp_path)) == 1
    kill(survivor)


def test_a_file_is_dead_by_its_lock_and_not_by_the_process_id_in_its_name(tmp_path: Path) -> None:
    tally = Tally.open(tmp_path)
    tally.counter("ready", (), "livesum").set(1)
    impostor = tally.path.with_name(f"{os.getpid()}-reused{SUFFIX}")  # of a dead process whose id is ours now
    impostor.write_bytes(tally.path.read_bytes())
    foreign = tally.path.with_name(f"999999999-other{SUFFIX}")  # lives, with an id of another container
    foreign.write_bytes(tally.path.read_bytes())
    with foreign.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert read_totals(tmp_path).numbers == {("ready", ()): [2.0]}
    assert not impostor.exists()
    tally.close()


def test_a_kill_between_summing_and_removing_counts_nothing_twice(tmp_path: Path) -> None:
    kill(counting_worker(tmp_path))
    (dead,) = files(tmp_path)
    kept = dead.read_bytes()
    fold_departed(tmp_path)
    dead.write_bytes(kept)  # as if the kill had come before the file was removed
    assert read_totals(tmp_path).numbers[("images", ("ok",))] == [3.0]
    assert not dead.exists()
    kill(counting_worker(tmp_path))
    assert read_totals(tmp_path).numbers[("images", ("ok",))] == [6.0]


def test_while_another_process_folds_the_dead_are_read_where_they_are(tmp_path: Path) -> None:
    kill(counting_worker(tmp_path))
    with (tmp_path / "fold.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert read_totals(tmp_path).numbers[("images", ("ok",))] == [3.0]
        assert len(files(tmp_path)) == 1


def test_totals_never_go_down_while_processes_die_and_others_read(tmp_path: Path) -> None:
    reader = (
        "import sys; from pathlib import Path; from service.observability.shared_memory import read_totals\n"
        "last = 0.0\n"
        "print('reading', flush=True)\n"
        "while last < 12.0:\n"
        "    now = read_totals(Path(sys.argv[1])).numbers.get(('images', ('ok',)), [0.0])[0]\n"
        "    assert now >= last, (now, last)\n"
        "    last = now\n"
    )
    readers = [
        subprocess.Popen([sys.executable, "-c", reader, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        for process in readers:
            assert process.stdout is not None
            assert process.stdout.readline() == "reading\n"
        for _ in range(4):
            kill(counting_worker(tmp_path))
        assert [process.wait(PATIENCE_S) for process in readers] == [0, 0]
    finally:
        for process in readers:
            kill(process)


def test_what_does_not_fit_costs_no_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_memory, "_SLOTS", 4)
    tally = Tally.open(tmp_path)
    tally.histogram("fits", (), (1.0,)).observe(2.0)
    lost = tally.histogram("lost", (), (1.0,))
    lost.observe(2.0)
    tally.counter("also_lost", ("a",), "total").inc()
    tally.close()
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["the metrics' file is full"]


def test_where_nothing_can_be_written_the_start_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TallyError, match=r"the metrics need \d+ bytes in .*nowhere: No such file"):
        Tally.open(tmp_path / "nowhere")


def test_reading_stays_quick_after_twenty_crashes(tmp_path: Path) -> None:
    living = [counting_worker(tmp_path) for _ in range(2)]
    try:
        (bytes_of_one,) = {path.read_bytes() for path in files(tmp_path)[:1]}
        for number in range(20):
            (tmp_path / f"{number}-dead{SUFFIX}").write_bytes(bytes_of_one)
        started = time.thread_time()  # not disturbed by what else runs here
        assert read_totals(tmp_path).numbers[("images", ("ok",))] == [66.0]
        assert time.thread_time() - started < 0.05
        assert len(files(tmp_path)) == 2
    finally:
        for process in living:
            kill(process)
