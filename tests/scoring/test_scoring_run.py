"""`scoring.scoring_run`: the whole command, scoring in this process."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from scoring.engines.scorer_options import ScorerOptions
from tests.scoring.scored import DARK, InlineEngine, record_of, rows_of, write_greys
from tests.tiny_bundle import solid_image, tiny_bundle

Score = Callable[..., int]


def test_a_folder_becomes_a_data_set(tmp_path: Path, score: Score, capsys: pytest.CaptureFixture[str]) -> None:
    write_greys(tmp_path / "in", 300)
    assert score("in", "out") == 0
    rows = rows_of(tmp_path / "out")
    assert [row["path"] for row in rows] == [f"{number:04}.png" for number in range(300)]
    assert [*rows[0]] == ["path", "shade.label", "shade.confidence", "shade.decision", "shade.reasons", "model",
                          "error", "error_detail"]  # fmt: skip
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "300 images: 300 decided, 0 with an error"
    assert "300 images in in" in said.err


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_a_run_that_stopped_goes_on_and_has_every_row_once(
    tmp_path: Path, score: Score, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    write_greys(tmp_path / "in", 900)
    assert score("in", "whole") == 0
    with monkeypatch.context() as patched:
        patched.setattr(InlineEngine, "stop_after", stop_after)
        score("in", "out", "--rows-per-file", "300")
    assert len(rows_of(tmp_path / "out")) == stop_after * 256
    assert score("in", "out", "--rows-per-file", "300") == 0
    assert rows_of(tmp_path / "out") == rows_of(tmp_path / "whole")


def test_the_first_images_first_and_the_others_later(tmp_path: Path, score: Score) -> None:
    write_greys(tmp_path / "in", 30)
    assert score("in", "out", "--limit", "10") == 0
    assert len(rows_of(tmp_path / "out")) == 10
    assert score("in", "out") == 0
    assert [row["path"] for row in rows_of(tmp_path / "out")] == [f"{number:04}.png" for number in range(30)]


def test_a_finished_run_scores_nothing_and_describes_it_again(
    tmp_path: Path, score: Score, capsys: pytest.CaptureFixture[str]
) -> None:
    write_greys(tmp_path / "in", 5)
    score("in", "out")
    first = capsys.readouterr().out
    assert score("in", "out") == 0
    again = capsys.readouterr()
    assert again.out == first
    assert "5 of 5 images were scored before" in again.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--embeddings"], "embeddings was False and is True"),
        (["--precision", "fp32"], ""),
        (["--rows-per-file", "3", "--batch", "8", "--workers", "3", "--no-cache"], ""),
    ],
    ids=["other columns", "the same precision, named", "what changes no row"],
)
def test_other_options_on_the_same_output_are_refused(
    tmp_path: Path, score: Score, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    write_greys(tmp_path / "in", 5)
    score("in", "out", "--limit", "2")
    assert score("in", "out", *words) == (1 if said else 0)
    assert said in capsys.readouterr().err


def test_another_bundle_or_input_on_the_same_output_is_refused(
    tmp_path: Path, score: Score, capsys: pytest.CaptureFixture[str]
) -> None:
    write_greys(tmp_path / "in", 5)
    score("in", "out")
    assert score("in", "out", bundle=tiny_bundle(tmp_path / "store", name="other")) == 1
    assert "model was 'tiny@1' and is 'other@1'; run the same command again, or name" in capsys.readouterr().err
    write_greys(tmp_path / "in", 6)
    assert score("in", "out") == 1
    assert "the input is another one, or has changed" in capsys.readouterr().err


def test_a_folder_of_other_files_is_no_output(tmp_path: Path, score: Score, capsys: pytest.CaptureFixture[str]) -> None:
    write_greys(tmp_path / "in", 5)
    assert score("in", "in") == 1
    assert "the output has files, such as '0000.png', and no _run.json; name a new folder" in capsys.readouterr().err


def test_more_errors_than_allowed_end_with_status_3(
    tmp_path: Path, score: Score, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in write_greys(tmp_path / "in", 600)[:300]:
        file.write_bytes(b"no image")
    assert score("in", "out", "--max-errors", "299") == 3
    assert "images failed, more than --max-errors 299" in capsys.readouterr().err
    assert score("in", "out", "--max-errors", "300") == 0
    assert len(rows_of(tmp_path / "out")) == 600


def test_ctrl_c_keeps_what_is_done(
    tmp_path: Path, score: Score, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(InlineEngine):
        def __init__(self, options: ScorerOptions, workers: int) -> None:
            super().__init__(options, workers)
            kept = self._scorer.score
            self._scorer.score = lambda chunk: (os.kill(os.getpid(), signal.SIGINT), kept(chunk))[1]  # type: ignore[method-assign]

    write_greys(tmp_path / "in", 600)
    with monkeypatch.context() as patched:
        patched.setattr("scoring.scoring_run.LocalEngine", Interrupted)
        assert score("in", "out") == 130
    assert "interrupted; 256 of 600 images are scored, and the same command goes on" in capsys.readouterr().err
    assert len(rows_of(tmp_path / "out")) == 256
    assert score("in", "out") == 0
    assert len(rows_of(tmp_path / "out")) == 600


def test_bad_images_are_rows_with_codes_and_change_nothing_else(tmp_path: Path, score: Score) -> None:
    files = write_greys(tmp_path / "in", 1000)
    score("in", "before")
    for file in files[::100]:
        file.write_bytes(file.read_bytes()[:-10])
    files[1].write_bytes(solid_image(9, size=(8000, 7500)))
    files[2].write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    assert score("in", "after") == 0
    before, after = rows_of(tmp_path / "before"), rows_of(tmp_path / "after")
    assert {at: row["error"] for at, row in enumerate(after) if row["error"]} == {
        **dict.fromkeys(range(0, 1000, 100), "bad_image"),
        1: "too_large",
        2: "unsupported_type",
    }
    assert all(row == before[at] for at, row in enumerate(after) if not row["error"])


def test_a_table_gives_columns_and_what_is_to_be_kept(tmp_path: Path, score: Score, priced_path: Path) -> None:
    write_greys(tmp_path / "in", 3)
    table = "image,shift,id,shop\n0000.png,0.1,x1,north\n0001.png,?,x2,\n0002.png,,x3,south\n"
    (tmp_path / "in" / "t.csv").write_text(table)
    assert score("in/t.csv", "out", "--keep", "shop", bundle=priced_path) == 0
    rows = rows_of(tmp_path / "out")
    assert [(row["id"], row["shop"], row["error"]) for row in rows] == [
        ("x1", "north", None),
        ("x2", None, "bad_columns"),
        ("x3", "south", "bad_columns"),
    ]
    assert "got '?' in row 3" in rows[1]["error_detail"]
    assert record_of(tmp_path / "out")["heads"] == ["priced"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["in", "in/0000.png"], "in/0000.png is a file; name a folder for the output"),
        (["nowhere", "out"], "nowhere: no such file or folder"),
        (["nowhere.csv", "out"], "nowhere.csv is no file"),
        (["in", "out", "--heads", "colour"], "tiny@1 has no head 'colour'; it has shade"),
        (["in", "out", "--columns", "a"], "in is no table, so that it has no columns"),
        (["in", "nowhere://out"], "nowhere://out: cannot be used (Protocol not known: nowhere)"),
        (["in", "out", "--precision", "int8"], "int8"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_line(
    tmp_path: Path, score: Score, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    write_greys(tmp_path / "in", 1)
    assert score(*words) == 1
    assert said in capsys.readouterr().err


def test_a_head_that_requires_columns_is_refused_for_a_folder(
    tmp_path: Path, score: Score, priced_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_greys(tmp_path / "in", 1)
    assert score("in", "out", bundle=priced_path) == 1
    assert "head 'priced' requires column 'shift', which only a table has" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_images_scored_once_are_not_embedded_again(
    tmp_path: Path, score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_greys(tmp_path / "in", 5)
    score("in", "out")
    assert (tmp_path / "build" / "embeddings").is_dir()
    shutil.rmtree(tmp_path / "build")
    score("in", "other", "--no-cache")
    assert not (tmp_path / "build").exists()


def test_an_image_in_a_folder_of_its_own_type_name(tmp_path: Path, score: Score) -> None:
    (tmp_path / "in.csv").mkdir()
    (tmp_path / "in.csv" / "a.png").write_bytes(DARK)
    assert score("in.csv", "out") == 0
