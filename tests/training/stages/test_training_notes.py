"""What console, report and manifest say of a training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle.loading import Bundle
from tests.training.squares import squares
from tests.training.worlds import World, training_data
from training.cli.console_summary import summary
from training.exceptions import DataError
from training.heads.registry import AUTO
from training.heads.selection.candidates import Candidate
from training.policy.costs import Costs
from training.policy.policies import PolicyTargets
from training.reports.class_figures import accepted_as_another
from training.reports.evaluation_metrics import errors
from training.stages.ablation import Ablation, Part, ablate
from training.stages.head_plan import HeadPlan
from training.stages.model_selection import select_head
from training.stages.training_data import TrainingData
from training.stages.training_notes import adding_nothing, on_selection


@pytest.fixture(scope="module")
def bundle(transferred: Path) -> Bundle:
    return Bundle.open(transferred / "store" / "squares" / "1")


def test_a_head_that_accepts_nothing_says_so_and_what_would_be_enough(bundle: Bundle) -> None:
    notes = bundle.manifest.training["notes"]
    assert notes[0].startswith("accepts nothing: with 72 held-out images no threshold can show 99 % right")
    assert "would be enough" in notes[0]
    assert notes[1] == (
        "72 images validated the head: with fewer than 300 images or 50 groups out-of-fold figures flatter it"
    )
    assert "of ordinary images are to be called unfamiliar: of 72 held-out ones it is" in notes[2]


def test_the_console_has_figures_classes_and_notes(bundle: Bundle) -> None:
    lines = list(summary(bundle.manifest, bundle.manifest.default_head))
    assert lines[0].startswith("squares@1, head category: test_accuracy 1.0000")
    assert lines[1] == f"chosen by out-of-fold log loss: {bundle.manifest.training['head']}"
    assert lines[2].split() == ["class", "precision", "recall", "test", "images"]
    assert [line.split()[0] for line in lines[3:6]] == ["blue", "green", "red"]
    assert lines[6:] == bundle.manifest.training["notes"]


def test_errors_of_any_size_are_told_with_four_digits(bundle: Bundle) -> None:
    metrics = {"test_mae": 0.000012345, "test_rmse": 1234567.8, "test_r2": 0.98765}
    update = {"task": "regression", "classes": (), "metrics": metrics}
    head = bundle.manifest.default_head.model_copy(update=update)
    first = next(summary(bundle.manifest, head))
    assert first == "squares@1, head category: test_mae 1.234e-05, test_rmse 1,235,000, test_r2 0.9877"


def test_a_class_that_is_mostly_accepted_as_another_is_named() -> None:
    (sentence,) = accepted_as_another(("common", "rare"), np.array([[500, 0], [7, 2]]))
    assert sentence == "rare is mostly accepted as something else: 7 of its 9 accepted images, 7 of them as common"


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (HeadPlan("nearest_neighbours", balance="weights"), "nearest_neighbours cannot weigh classes"),
        (HeadPlan("linear_regression"), "linear_regression is no model for classification"),
        (
            HeadPlan("svm", targets=PolicyTargets(max_missed={"pink": 0.1})),
            "'pink', which is none of the labels blue, green, red",
        ),
        (
            HeadPlan("svm", targets=PolicyTargets(costs=Costs(review=1, error=2, errors={"pink": {"red": 3}}))),
            "costs name 'pink'",
        ),
        (HeadPlan("svm", target_transform="log"), "--target-transform log is of numbers, but the labels are classes"),
    ],
    ids=["weights", "task", "a class not to be missed", "costs", "transform"],
)
def test_what_cannot_be_fitted_is_refused_before_anything_is(plan: HeadPlan, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        plan.check(squares(30))


def told_of(world: World, kind: str, folder: Path, *, classes: int = 0) -> list[str]:
    data = training_data(world, 400, folder, tested=50, classes=classes)
    selection = select_head(data, HeadPlan(kind, examples=0))
    return list(adding_nothing(selection.candidates, ablate(data, selection)))


@pytest.mark.parametrize(
    ("world", "begins"),
    [
        ("columns", ["the image adds nothing here: out-of-fold {} is "]),
        ("image", ["the columns add nothing here: out-of-fold {} is "]),
        ("both", []),
    ],
)
@pytest.mark.parametrize(
    ("classes", "figure"), [(0, "mean absolute error"), (3, "log loss")], ids=["a number", "classes"]
)
def test_what_adds_nothing_is_told(classes: int, figure: str, world: World, begins: list[str], tmp_path: Path) -> None:
    found = told_of(world, AUTO, tmp_path, classes=classes)
    assert len(found) == len(begins)
    for sentence, begin in zip(found, begins, strict=True):
        assert sentence.startswith(begin.format(figure))


def chosen(data: TrainingData, kind: str) -> Candidate:
    return select_head(data, HeadPlan(kind, examples=0)).candidates[0]


@pytest.mark.parametrize(
    ("kind", "classes", "told"),
    [
        (
            "logistic_regression",
            3,
            "naming the shares of the classes would be as good as this head is, ",
        ),
        ("linear_regression", 0, "naming the mean of all images would be as near to the numbers as this head is"),
    ],
    ids=["classes", "numbers"],
)
def test_a_head_that_has_learnt_nothing_says_so_and_nothing_of_its_parts(
    kind: str, classes: int, told: str, tmp_path: Path
) -> None:
    data = training_data("nothing", 400, tmp_path, tested=50, classes=classes)
    head = chosen(data, kind)
    (sentence,) = on_selection([head], [part_of("image", head, 0.0), part_of("columns", head, 0.0)], 400)
    assert sentence.startswith(told)
    assert sentence.endswith("it has learnt nothing")


def part_of(part: Part, head: Candidate, gain: float) -> Ablation:
    """As good as the head but for a gain of each row's loss."""
    return Ablation(part, replace(head, losses=head.losses - gain, loss=head.loss - gain), head.answers)


@pytest.mark.parametrize(
    ("part", "gain", "told"),
    [
        ("image", 0.0, "the columns add nothing here: "),
        ("image", 0.01, "the columns make it worse: out-of-fold log loss is "),
        ("columns", 0.01, "the image makes it worse: "),
    ],
    ids=["as good without columns", "better without columns", "better without the image"],
)
def test_what_only_harms_is_told(part: Part, gain: float, told: str, tmp_path: Path) -> None:
    head = chosen(training_data("both", 400, tmp_path, tested=50, classes=3), "logistic_regression")
    (sentence,) = on_selection([head], [part_of(part, head, gain)], 400)
    assert sentence.startswith(told)


@pytest.mark.parametrize(
    ("rows", "units", "told"),
    [
        (
            299,
            299,
            ["299 images validated the head: with fewer than 300 images or 50 groups out-of-fold "],
        ),
        (400, 49, ["400 images in 49 groups validated the head: "]),
        (300, 50, []),
    ],
    ids=["few images", "few groups", "enough of both"],
)
def test_figures_of_few_rows_are_called_so(rows: int, units: int, told: list[str], tmp_path: Path) -> None:
    head = chosen(training_data("both", 100, tmp_path, tested=50, classes=3), "logistic_regression")
    head = replace(head, losses=np.zeros(units))
    for sentence, begin in zip(on_selection([head], [], rows), told, strict=True):
        assert sentence.startswith(begin)


def test_few_rows_make_intervals_too_narrow(tmp_path: Path) -> None:
    head = chosen(training_data("both", 60, tmp_path, tested=50), "linear_regression")
    (sentence,) = on_selection([head], [], 60)
    assert sentence.endswith("figures flatter it, and intervals hold fewer than nine of ten")


def test_a_head_of_columns_alone_that_was_asked_for_is_no_news(tmp_path: Path) -> None:
    assert told_of("columns", "boosted_columns", tmp_path) == []


def test_the_figures_are_those_of_out_of_fold_answers(tmp_path: Path) -> None:
    data = training_data("image", 200, tmp_path, tested=50)
    selection = select_head(data, HeadPlan("linear_regression", examples=0))
    image, columns = ablate(data, selection)
    (sentence,) = adding_nothing(selection.candidates, (image, columns))
    of_image, of_both = (errors(each.answers, data.dataset.labels[:200]).mae
                         for each in (image.candidate, selection.candidates[0]))  # fmt: skip
    assert sentence.endswith(f"is {of_image:,.4g} with the image alone, {of_both:,.4g} with both")
    assert image.answers.shape == columns.answers.shape == (50, 1)
