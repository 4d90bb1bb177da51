"""`python -m scoring` in this process, and the rows that it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import dataset

from scoring.__main__ import main
from scoring.chunks import Chunk
from scoring.engines.scorer import Scorer
from scoring.engines.scorer_options import ScoredChunk, ScorerOptions
from tests.tiny_bundle import GREYS, solid_image


class InlineEngine:
    """Scores in this process, which starts in no time; stops by itself after some chunks if it is told to."""

    stop_after: int | None = None

    def __init__(self, options: ScorerOptions, _: int) -> None:
        self._scorer = Scorer(options)

    def run(self, chunks: Iterator[Chunk], should_stop: Callable[[], bool]) -> Iterator[ScoredChunk]:
        for count, chunk in enumerate(chunks):
            if should_stop() or count == self.stop_after:
                return
            yield self._scorer.score(chunk)

    def close(self, *, is_done: bool) -> None:
        self._scorer.close()


@pytest.fixture
def score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_path: Path) -> Callable[..., int]:
    """Runs the command without processes, on the tiny bundle; `tmp_path` is the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scoring.scoring_run.LocalEngine", InlineEngine)

    def run(*words: str | Path, bundle: Path = tiny_path) -> int:
        return main([*map(str, words), "--bundle", str(bundle), "--device", "cpu"])

    return run


def rows_of(output: Path | str) -> list[dict[str, Any]]:
    """The rows of a data set, in the order of its files."""
    rows: list[dict[str, Any]] = dataset.dataset(str(output), format="parquet").to_table().to_pylist()
    return rows


def record_of(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / "_run.json").read_text())
    return found


def write_greys(folder: Path, count: int) -> list[Path]:
    """Writes plain images of many greys."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number:04}.png" for number in range(count)]
    for number, file in enumerate(files):
        file.write_bytes(solid_image(number * 7 % 256))
    return files


DARK, BRIGHT = solid_image(GREYS["dark"]), solid_image(GREYS["bright"])
