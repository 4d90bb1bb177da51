"""The table of what heads do on test rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.bundle.input_spec import InputSpec
from models.columns import Column
from models.runtime.embedding_files import EmbeddingCache
from tools.head_data import Bench
from tools.head_figures import Figures, block, main, measure, report
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.heads.registry import REGISTRY
from training.stages.prepare import prepare

ROWS, CLASSES, WIDTH = 240, 3, 6
SPEC = InputSpec(height=8, width=8, channels=1)


def bench_of(root: Path, *, is_number: bool = False, seen: int = 0) -> Bench:
    """Classes that lie apart, or their positions as numbers; the network has seen the first images."""
    random = np.random.default_rng(0)
    labels = random.permutation(ROWS) % CLASSES
    embedding = (np.eye(CLASSES, WIDTH)[labels] + random.normal(0, 0.3, (ROWS, WIDTH))).astype(np.float32)
    dataset = Dataset(
        name="tiny",
        images=random.integers(0, 256, (ROWS, 8, 8, 1), dtype=np.uint8),
        labels=labels.astype(np.float64) if is_number else labels,
        classes=() if is_number else ("a", "b", "c"),
        input=SPEC,
        columns=(Column(name="size", type="number"),),
        rows=[{"size": float(value)} for value in labels + random.normal(0, 1, ROWS)],
    )
    prepared = prepare(dataset, 0, root)
    prepared.seen[:seen] = True
    return Bench(prepared, embedding, EmbeddingCache(root, b"graph", SPEC))


def figures(*losses: float) -> list[Figures]:
    return [Figures(loss, 0.5, 1.0) for loss in losses]


def test_a_block_says_the_worst_ratio_of_any_seed_and_the_ratio_of_the_means() -> None:
    found = {"logistic_regression": figures(0.2, 0.2), "good": figures(0.1, 0.1), "mixed": figures(0.05, 0.3)}
    _, _, *lines, last, _ = block("title", found, "logistic_regression")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert [(name, *numbers) for name, _, *numbers, _ in cells] == [
        ("good", "0.1000", "2.000", "0.500"),
        ("mixed", "0.1750", "3.000", "1.500"),
        ("logistic_regression", "0.2000", "4.000", "1.000"),
    ]
    assert last == "best in the mean: good; ratios to it: good 1.000, mixed 1.750, logistic_regression 2.000"


def test_fewer_rows_are_drawn_by_the_seed_and_none_of_them_is_a_test_image(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    first, again, other = (bench.data(60, seed) for seed in (0, 0, 1))
    assert len(first.held_out) == 60
    assert not np.intersect1d(first.held_out, first.parts.test).size
    np.testing.assert_array_equal(first.held_out, again.held_out)
    assert not np.array_equal(first.held_out, other.held_out)


@pytest.mark.parametrize(
    ("rows", "seen_rows"),
    [pytest.param(50, 0, id="enough unseen images"), pytest.param(150, 58, id="too few unseen images")],
)
def test_images_that_the_network_has_seen_are_drawn_last_and_judge_nothing(
    tmp_path: Path, rows: int, seen_rows: int
) -> None:
    bench = bench_of(tmp_path, seen=100)
    data = bench.data(rows, 0)
    assert not bench.prepared.seen[data.held_out].any()
    assert max(len(source.seen) for source in data.sources.values()) == seen_rows
    assert len(data.held_out) == rows - seen_rows


def test_more_rows_than_there_are_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1000 rows are more than the \d+ that are no test images; ask for fewer"):
        bench_of(tmp_path).data(1000, 0)


def test_a_head_of_separable_classes_is_measured_as_good(tmp_path: Path) -> None:
    measured = measure(bench_of(tmp_path).data(None, 0), REGISTRY["logistic_regression"], 0)
    assert measured.accuracy > 0.9
    assert measured.loss < 0.3
    assert measured.seconds > 0


def test_the_report_of_numbers_has_a_block_for_each_count_and_a_line_for_each_head_that_is_skipped(
    tmp_path: Path,
) -> None:
    heads = ["logistic_regression", "linear_regression", "decision_tree"]
    skipped, *lines = report(bench_of(tmp_path, is_number=True), [60, 120], [0, 1], heads)
    assert skipped == "logistic_regression is skipped: it is no model for regression"
    titles = [line for line in lines if line.startswith("| tiny:")]
    assert [title.split("|")[1].strip() for title in titles] == [
        "tiny: 60 rows, 1 columns, seeds 0 to 1",
        "tiny: 120 rows, 1 columns, seeds 0 to 1",
    ]
    errors = [float(line.split("|")[3]) for line in lines if line.startswith("| linear_regression")]
    assert len(errors) == 2
    assert max(errors) < 0.5  # the median of the positions is off by 0.67


def test_heads_that_all_do_another_task_are_an_error(tmp_path: Path) -> None:
    lines = report(bench_of(tmp_path), [60], [0], ["linear_regression"])
    assert next(lines) == "linear_regression is skipped: it is no model for classification"
    with pytest.raises(DataError, match="none of the heads is a model for classification"):
        next(lines)


def test_a_missing_package_is_one_line_with_the_way_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert main(["textile"]) == 1
    assert (
        capsys.readouterr().err
        == "error: conformal-clip-data is not installed; pip install --no-deps conformal-clip-data\n"
    )
