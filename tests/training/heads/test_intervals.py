"""Intervals that are wide where a head is often far off, and narrow where it is not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from models.bundle.head_spec import HeadSpec
from models.columns import Column
from models.runtime.head_sessions import Head
from models.runtime.sessions import cpu_session
from training.heads.calibration import LOGS, Rescaling
from training.heads.features.encoding import Rows
from training.heads.fitted_head import FittedHead
from training.heads.graphs.head_export import export_head
from training.heads.head_fit import Fitting, HeadFit
from training.heads.intervals import COVERED, Scale, fit_intervals
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.registry import REGISTRY

EMBEDDED = 32
DECAY = np.exp(-np.arange(EMBEDDED) / 12)  # the directions of real embeddings are not of one size, either
PRICED = HeadSpec(name="price", kind="linear_regression", task="regression", interval_coverage=COVERED)
NOISE = Column(name="noise", type="number")


@dataclass(frozen=True)
class World:
    """Data to fit and to test on.

    Attributes:
        is_price: whether the numbers are log-normal, with noise of one size on the log scale.
        in_column: whether the noise follows a column; else it follows the embedding.
    """

    is_price: bool = False
    in_column: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        return (NOISE,) if self.in_column else ()

    def draw(self, rows: int, random: np.random.Generator) -> tuple[LabelledEmbeddings, np.ndarray]:
        """Rows, and what their noise follows; it is 10 times as large in the noisiest fifth as in the quietest."""
        embedding = random.normal(size=(rows, EMBEDDED)).astype(np.float32)
        grade = random.uniform(-0.5, 0.5, rows)
        beside: Rows = [{"noise": value} for value in grade.tolist()] if self.in_column else ()
        if not self.in_column:
            embedding[:, 5] = grade * np.sqrt(12)
        signal = embedding[:, :5].sum(1) / np.sqrt(5)
        noise = 0.4 if self.is_price else 0.4 * 10 ** (grade / 0.8)  # fifths' centres are 0.8 apart
        labels = signal + noise * random.normal(size=rows)
        embedding *= DECAY.astype(np.float32)
        return LabelledEmbeddings(embedding, np.exp(0.8 * labels) if self.is_price else labels, beside), grade

    def fit(self, labelled: LabelledEmbeddings, *, seed: int, is_log: bool = False) -> FittedHead:
        """A head with a scale, as trainings fit it."""
        folds = np.random.default_rng(seed).permutation(np.arange(len(labelled)) % 5)
        values = np.empty(len(labelled))
        for fold in range(5):
            head = self._fit(labelled.part(np.flatnonzero(folds != fold)), is_log=is_log)
            held = labelled.part(np.flatnonzero(folds == fold))
            values[folds == fold] = head(held.embedding, held.rows)[:, 0]
        head = self._fit(labelled, is_log=is_log)
        rescaling = head.calibration
        assert isinstance(rescaling, Rescaling)
        features = head.encoder(labelled.embedding, labelled.rows)
        undone = rescaling.undo(values), rescaling.undo(labelled.labels)
        return replace(head, scale=fit_intervals(features, *undone, folds, width=EMBEDDED))

    def _fit(self, labelled: LabelledEmbeddings, *, is_log: bool) -> FittedHead:
        kind = REGISTRY["linear_regression"]
        rescaling = Rescaling.of(labelled.labels, is_log=is_log)
        scaled = replace(labelled, labels=rescaling.undo(labelled.labels))
        head = HeadFit(kind, kind.regressors["alpha = 10"], kind.preparations[0], Fitting(columns=self.columns))(scaled)
        return replace(head, calibration=rescaling)


def by_fifths(key: np.ndarray, what: np.ndarray) -> np.ndarray:
    return np.array([what[part].mean() for part in np.array_split(np.argsort(key, kind="stable"), 5)])


def measure(world: World, rows: int, seeds: int, *, is_log: bool = False) -> dict[str, np.ndarray]:
    """Mean coverage and width on 4,000 fresh rows a seed, by fifths of the noise and of the number named."""
    found: dict[str, list[np.ndarray]] = {}
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        head = world.fit(world.draw(rows, random)[0], seed=seed, is_log=is_log)
        fresh, grade = world.draw(4000, random)
        bounds = head.interval(fresh.embedding, fresh.rows)
        assert bounds is not None
        values, widths = head(fresh.embedding, fresh.rows)[:, 0], bounds[:, 1] - bounds[:, 0]
        covered = (bounds[:, 0] <= fresh.labels) & (fresh.labels <= bounds[:, 1])
        for name, each in {
            "covered": by_fifths(grade, covered),
            "covered by value": by_fifths(values, covered),
            "width": by_fifths(grade, widths),
            "width by value": by_fifths(values, widths),
            "negative": np.array([(bounds[:, 0] < 0).mean()]),
        }.items():
            found.setdefault(name, []).append(each)
    return {name: np.mean(each, axis=0) for name, each in found.items()}


def show(title: str, figures: dict[str, np.ndarray]) -> None:
    print(f"\n{title}: ", "; ".join(f"{name} {np.array2string(each, precision=3)}" for name, each in figures.items()))


WORLDS = [pytest.param(False, id="the embedding alone"), pytest.param(True, id="with columns")]


@pytest.mark.parametrize("in_column", WORLDS)
def test_intervals_are_wide_where_numbers_are_noisy(in_column: bool) -> None:
    figures = measure(World(in_column=in_column), 1000, 2)
    assert figures["covered"].min() > 0.8
    assert figures["covered"].mean() == pytest.approx(COVERED, abs=0.04)
    assert figures["width"][4] > 4 * figures["width"][0]
    assert np.isfinite(figures["width"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("in_column", WORLDS)
def test_every_fifth_of_unequal_noise_is_covered(in_column: bool) -> None:
    figures = measure(World(in_column=in_column), 1000, 40)
    show("1,000 rows, noise 1 to 10", figures)
    assert figures["covered"].min() >= 0.84
    assert figures["covered by value"].min() >= 0.84
    assert figures["covered"].mean() < 0.94
    assert figures["width"][4] > 4 * figures["width"][0]
    # that of a perfect interval is 2 * 1.645 * 0.4, 10 times as wide in the last fifth as in the first
    assert figures["width"].mean() < 1.25 * 2 * 1.645 * 0.4 * np.mean(10 ** (np.linspace(-0.5, 0.5, 1001) / 0.8))


@pytest.mark.slow
@pytest.mark.parametrize("in_column", WORLDS)
def test_every_fifth_of_log_normal_prices_is_covered(in_column: bool) -> None:
    figures = measure(World(is_price=True, in_column=in_column), 1000, 40, is_log=True)
    show("1,000 rows, log-normal", figures)
    assert figures["covered"].min() >= 0.84
    assert figures["covered by value"].min() >= 0.84
    assert figures["covered"].mean() < 0.94
    assert figures["negative"][0] == 0
    assert figures["width by value"][4] > 2 * figures["width by value"][0]


@pytest.mark.slow
@pytest.mark.parametrize("rows", [20, 60, 120, 300])
def test_few_rows_keep_the_share_that_is_covered(rows: int) -> None:
    figures = measure(World(), rows, 60)
    show(f"{rows} rows, noise 1 to 10", figures)
    assert COVERED - 0.02 <= figures["covered"].mean() <= 0.97


def fitted(rows: int, *, off: float = 1.0) -> Scale | None:
    random = np.random.default_rng(0)
    features, values = random.normal(size=(rows, 3)).astype(np.float32), random.normal(size=rows)
    labels = values + off * random.normal(size=rows)
    return fit_intervals(features, values, labels, np.arange(rows) % 5, width=2)


def test_with_fewer_than_nine_rows_there_is_no_interval() -> None:
    assert fitted(8) is None
    assert fitted(9) is not None


@pytest.mark.parametrize("rows", [99, 2000], ids=["few rows", "noise of one size"])
def test_where_no_other_width_is_shown_to_be_better_all_are_alike(rows: int) -> None:
    scale = fitted(rows)
    assert scale is not None
    assert scale.is_constant
    bounds = scale.bounds(np.zeros((2, 3), np.float32), np.array([0, 5], np.float32))
    np.testing.assert_allclose(bounds[1] - bounds[0], 5, rtol=1e-6)
    assert bounds[0, 1] == pytest.approx(1.645, rel=0.15)  # of a normal distribution


def test_numbers_that_are_all_right_have_intervals_of_no_width() -> None:
    scale = fitted(200, off=0)
    assert scale is not None
    np.testing.assert_array_equal(scale.bounds(np.ones((1, 3), np.float32), np.array([2], np.float32)), [[2, 2]])


def test_a_strange_image_has_no_wider_interval_than_training_had() -> None:
    random = np.random.default_rng(0)
    labelled, _ = World().draw(1000, random)
    head = World().fit(labelled, seed=0)
    assert head.scale is not None
    features, values = labelled.embedding, head.scores(labelled.embedding)
    usual = np.diff(head.scale.bounds(features, values))
    strange = np.diff(head.scale.bounds(1e4 * features, values))
    assert not head.scale.is_constant
    assert strange.max() <= 1.5 * usual.max()
    assert (strange > 0).all()


@pytest.mark.parametrize("in_column", WORLDS)
@pytest.mark.parametrize("is_log", [False, True], ids=["as they are", "logarithms"])
def test_the_graph_gives_the_same_intervals(in_column: bool, is_log: bool) -> None:
    world = World(is_price=is_log, in_column=in_column)
    random = np.random.default_rng(0)
    head = world.fit(world.draw(1000, random)[0], seed=0, is_log=is_log)
    fresh, _ = world.draw(500, random)
    spec = PRICED.model_copy(update={"columns": world.columns})
    graph = export_head(head, spec, fresh.embedding, fresh.rows)
    values, bounds = Head.checked(cpu_session(graph), spec, EMBEDDED).answer(fresh.embedding, fresh.rows)
    assert bounds is not None
    assert (bounds[:, 0] < values[:, 0]).all()
    assert (values[:, 0] < bounds[:, 1]).all()
    np.testing.assert_allclose(values, head(fresh.embedding, fresh.rows), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(bounds, head.interval(fresh.embedding, fresh.rows), rtol=1e-3, atol=1e-4)


def test_a_logarithm_beyond_what_float32_holds_gives_a_number_all_the_same() -> None:
    random = np.random.default_rng(0)
    world = World(is_price=True)
    fitted = world.fit(world.draw(300, random)[0], seed=0, is_log=True)
    fresh = world.draw(50, random)[0].embedding
    head = Head(cpu_session(export_head(fitted, PRICED, fresh)), PRICED)
    values, bounds = head.answer((1e5 * fresh).astype(np.float32))
    assert bounds is not None
    assert np.isfinite(values).all()
    assert np.isfinite(bounds).all()
    assert values.max() == pytest.approx(np.exp(LOGS[1]))


def test_a_head_of_constant_width_is_exported_as_any_other() -> None:
    random = np.random.default_rng(0)
    labelled, _ = World().draw(50, random)
    fitted = World().fit(labelled, seed=0)
    assert fitted.scale is not None
    assert fitted.scale.is_constant
    head = Head(cpu_session(export_head(fitted, PRICED, labelled.embedding)), PRICED)
    np.testing.assert_allclose(head.answer(labelled.embedding)[1], fitted.interval(labelled.embedding), atol=1e-5)


@pytest.mark.parametrize("folds", [1, 5], ids=["one fold holds all rows", "five folds"])
def test_a_width_that_follows_the_image_needs_several_folds(folds: int) -> None:
    """With one fold no regression of the width has left a row out that could show whether it is better."""
    random = np.random.default_rng(0)
    labelled, _ = World().draw(1000, random)
    head = World().fit(labelled, seed=0)
    values = head.scores(labelled.embedding)
    assert isinstance(head.calibration, Rescaling)
    labels = head.calibration.undo(labelled.labels)
    scale = fit_intervals(labelled.embedding, values, labels, np.arange(1000) % folds, width=EMBEDDED)
    assert scale is not None
    assert scale.is_constant == (folds == 1)
    bounds = scale.bounds(labelled.embedding, values)
    assert np.mean((bounds[:, 0] <= labels) & (labels <= bounds[:, 1])) == pytest.approx(COVERED, abs=0.02)
