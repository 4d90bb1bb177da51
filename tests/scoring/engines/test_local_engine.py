"""`scoring.engines.local_engine`: processes score, and one that dies costs nothing but its chunk."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scoring.chunks import Chunk
from scoring.engines.local_engine import LocalEngine
from scoring.engines.scorer_options import Asked, ScoredChunk, ScorerOptions, ScoringError
from tests.scoring.scored import BRIGHT, DARK

SIZE = 10


def chunks(count: int) -> Iterator[Chunk]:
    return (Chunk(number * SIZE, [DARK, BRIGHT] * (SIZE // 2), []) for number in range(count))


@pytest.fixture
def engine(tiny_path: Path) -> Iterator[LocalEngine]:
    opened = LocalEngine(ScorerOptions(tiny_path, ("shade",), device="cpu"), workers=2)
    yield opened
    opened.close(is_done=False)
    assert not multiprocessing.active_children()


def check(found: list[ScoredChunk], count: int) -> None:
    assert sorted(each.first for each in found) == [number * SIZE for number in range(count)]
    assert all(each.rows["shade.label"].to_pylist() == ["dark", "bright"] * (SIZE // 2) for each in found)


def test_every_chunk_is_scored_once_though_a_process_is_killed(engine: LocalEngine) -> None:
    found = []
    for each in engine.run(chunks(40), lambda: False):
        found.append(each)
        if len(found) == 5:
            victim = multiprocessing.active_children()[0]
            assert victim.pid is not None
            os.kill(victim.pid, signal.SIGKILL)
    check(found, 40)


def test_a_process_that_dies_again_over_a_chunk_stops_the_run(engine: LocalEngine) -> None:
    def killing() -> bool:
        for process in multiprocessing.active_children():
            process.kill()
        return False

    with pytest.raises(
        ScoringError, match=r"a process ended twice at the images from row \d+, with signal SIGKILL; if"
    ):
        list(engine.run(chunks(40), killing))


def test_a_stop_gives_what_is_being_scored_and_hands_out_no_more(engine: LocalEngine) -> None:
    found: list[ScoredChunk] = []
    started = time.monotonic()
    found.extend(engine.run(chunks(100_000), lambda: len(found) > 0 or time.monotonic() - started > 5))
    assert 0 < len(found) < 100_000
    check(sorted(found, key=lambda each: each.first), len(found))


def test_large_chunks_and_large_rows_do_not_wait_for_one_another(tiny_path: Path) -> None:
    options = ScorerOptions(tiny_path, ("shade",), Asked(embeddings=True, probabilities=True), device="cpu")
    engine = LocalEngine(options, workers=1)
    large = [DARK + bytes(2000)] * 5000  # megabytes either way, more than a pipe takes
    found = list(engine.run((Chunk(number, large, []) for number in range(4)), lambda: False))
    engine.close(is_done=True)
    assert [each.rows.num_rows for each in found] == [5000] * 4


def test_a_folder_that_can_keep_no_embeddings_is_named(
    tiny_path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache").touch()
    engine = LocalEngine(ScorerOptions(tiny_path, ("shade",), device="cpu", cache=tmp_path / "cache"), workers=1)
    check(list(engine.run(chunks(2), lambda: False)), 2)
    engine.close(is_done=True)
    assert "warning: embeddings cannot be kept in" in capfd.readouterr().err


def test_a_bundle_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    engine = LocalEngine(ScorerOptions(tmp_path / "nowhere", ("shade",), device="cpu"), workers=1)
    with pytest.raises(ScoringError, match=r"nowhere: no manifest\.json there, so this is not a bundle"):
        list(engine.run(chunks(1), lambda: False))
    engine.close(is_done=False)
