"""kinds ──▶ candidates for a head, the best first: hyperparameters are searched by out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from training.exceptions import DataError
from training.heads.features.preparation import WEIGHTS
from training.heads.features.views import can_root
from training.heads.head_fit import Fitting, HeadFit, sample_rows
from training.heads.kind import Kind, blend_of
from training.heads.registry import REGISTRY, check_task
from training.heads.selection.blending import blend
from training.heads.selection.boosting import BoostedFit, boost
from training.heads.selection.candidates import Candidate, cross_validate
from training.heads.selection.evaluations import Evaluations, climb
from training.heads.selection.head_choice import partners
from training.heads.sources import Source
from training.progress import progress

_FEW_ROWS = 5000
"""Below this no library gains by a second thread: all kinds on 300 rows take 8 s with one, and 57 s with two."""
_SUBSET_ROWS = 2500
"""Held-out rows, and seen rows beside them, that choose views, weights and hinges; more rows choose the same ones. All
rows then choose the strength of the penalty and the rounds of trees."""


def fit_heads(kinds: Sequence[Kind], source: Source, fitting: Fitting, *, suffix: str = "") -> list[Candidate]:
    """Evaluates settings of each kind.

    Args:
        kinds: of the registry.
        source: rows to fit on and to evaluate with. Without held-out rows losses are NaN, and kinds have one setting.
        fitting: how.
        suffix: ends the candidates' names.

    Returns:
        The choices of the kinds, the least loss first, then what else was tried.

    Raises:
        DataError: a kind is not installed, is for the other task, or takes no weights where classes have them.
    """
    search = Search(source, fitting, suffix)
    search.choose(kinds)
    return search.candidates


def check_weights(kinds: Sequence[Kind]) -> None:
    """Checks that kinds can weigh classes.

    Raises:
        DataError: one cannot.
    """
    if unable := [kind.name for kind in kinds if not kind.takes_weights]:
        raise DataError(f"{unable[0]} cannot weigh classes; take another head, or --balance none")


class Search:
    """The search for heads on one source.

    Args:
        source: rows to fit on and to evaluate with. Without held-out rows losses are NaN, and kinds have one setting.
        fitting: how.
        suffix: ends the candidates' names.
    """

    def __init__(self, source: Source, fitting: Fitting, suffix: str, *, is_subset: bool = False) -> None:
        self._source = source
        self._fitting = fitting
        self._suffix = suffix
        self._is_subset = is_subset
        self._evaluations = Evaluations(source, fitting, suffix)
        self._best: dict[str, Candidate] = {}
        self._choices: list[Candidate] = []

    @property
    def candidates(self) -> list[Candidate]:
        """The choices of the kinds, the least loss first, then what else was tried."""
        found = [
            replace(each, is_choice=any(each is choice for choice in self._choices))
            for each in self._evaluations.candidates
        ]
        return sorted(found, key=lambda each: (not each.is_choice, each.loss))

    def choose(self, kinds: Sequence[Kind]) -> None:
        """Searches for the best candidate of each kind.

        Raises:
            DataError: a kind is not installed, is for the other task, takes no weights where classes have them, or
                needs columns where there are none.
        """
        if self._fitting.is_balanced:
            check_weights(kinds)
        for kind in kinds:
            kind.check_columns(self._fitting.columns)
        # two threads wait for each other longer than they compute, except for trees on many rows
        with threadpool_limits(1, user_api=None if len(self._source.whole) < _FEW_ROWS else "blas"):
            for kind in progress(kinds, "fitting heads", "kind", part=True):
                self._choices.append(self._best_of(kind))

    def blend(self) -> None:
        """Blends the two best kinds; the blend becomes a choice only if it clearly beats the best one."""
        choices = [each for each in self.candidates if each.is_choice]
        if not len(self._source.held_out) or (pair := partners(choices)) is None:
            return
        blended = self._best_of(blend_of(pair[0].kind, pair[1].kind))
        if blended.clearly_beats(pair[0]):
            self._choices.append(blended)

    def _best_of(self, kind: Kind) -> Candidate:
        """The best candidate of a kind; each kind is searched once, even if others are built on it."""
        if kind.name not in self._best:
            find = self._blended if kind.parts else self._boosted if kind.boosts else self._searched
            self._best[kind.name] = find(kind)
        return self._best[kind.name]

    def _blended(self, kind: Kind) -> Candidate:
        first, second = (self._best_of(part) for part in kind.parts)
        return self._evaluations.add(blend(first, second, self._source, self._fitting))

    def _searched(self, kind: Kind) -> Candidate:
        """One hyperparameter after the other: view, setting, weight of the columns, hinges and products."""
        check_task(kind, self._fitting.task)
        first, plain, evaluations = kind.default_setting(self._fitting.task), kind.preparations[0], self._evaluations
        if not len(self._source.held_out):
            return evaluations.evaluate(kind, first, plain)
        if self._subset is not None:
            like = self._subset._best_of(kind)
            return evaluations.best_setting(kind, like.setting, like.preparation)
        best = evaluations.best_setting(kind, first, plain)
        others = kind.preparations[1:]
        has_roots = any(each.view == "roots" for each in others) and can_root(self._source.whole.embedding)
        for other in others:
            if other.view != "roots" or has_roots:
                best = _better(best, evaluations.best_setting(kind, best.setting, other))
        return self._weighed(kind, best) if kind.weighs and self._fitting.columns else best

    @cached_property
    def _subset(self) -> Search | None:
        """A search on some of the rows; None if there are few."""
        source, seed, classes = self._source, self._fitting.seed, self._fitting.classes
        if self._is_subset or len(source.held_out) <= _SUBSET_ROWS:
            return None
        _, strata = np.unique([source.held_out.strata(classes), source.folds], axis=1, return_inverse=True)
        held_out = sample_rows(strata.ravel(), _SUBSET_ROWS, seed)  # of every fold, too
        seen = sample_rows(source.seen.strata(classes), _SUBSET_ROWS, seed)
        some = Source(
            source.held_out.part(held_out),
            source.folds[held_out],
            source.seen.part(seen),
            source.units[held_out],
            source.fitted[held_out],
        )
        return Search(some, self._fitting, self._suffix, is_subset=True)

    def _weighed(self, kind: Kind, plain: Candidate) -> Candidate:
        """Tries weights of the columns, then hinges and products; each is kept only if it is clearly better."""
        best = plain

        def at(weight: float) -> Candidate:
            """The best setting with a weight: heavier columns need a stronger penalty, so each weight has its own."""
            nonlocal best
            found = self._evaluations.best_setting(kind, best.setting, replace(plain.preparation, weight=weight))
            best = _better(best, found)
            return found

        heavier = climb(WEIGHTS, 1.0, at)
        best = heavier if heavier.clearly_beats(plain) else plain
        expanded = self._evaluations.evaluate(kind, best.setting, replace(best.preparation, expands=True))
        if not expanded.clearly_beats(best):
            return best
        return self._evaluations.best_setting(kind, best.setting, expanded.preparation)

    def _boosted(self, kind: Kind) -> Candidate:
        """Trees on the best of the kind's base; they see the embedding if that is better."""
        task = self._fitting.task
        check_task(kind, task)
        if task in kind.bases:
            base = self._best_of(REGISTRY[kind.bases[task]])
            can_see = self._source.held_out.embedding.shape[1] > 0
        else:  # trees on nothing, which is no candidate by itself
            start = HeadFit(kind, kind.makers(task)[""], kind.preparations[0], self._fitting)
            base, can_see = cross_validate(start, self._source, {}), False
        if can_see and self._subset is not None:
            like = self._subset._best_of(kind).fit
            can_see = isinstance(like, BoostedFit) and like.data.sees_embedding  # if not, more rows change nothing
        plain = self._with_trees(kind, base, sees_embedding=False)
        if not can_see or not len(self._source.held_out):
            return plain
        wider = self._with_trees(kind, base, sees_embedding=True)
        is_better = wider.clearly_beats(plain) if self._fitting.classes else wider.loss < plain.loss
        return wider if is_better else plain

    def _with_trees(self, kind: Kind, base: Candidate, *, sees_embedding: bool) -> Candidate:
        boosted = boost(kind, base, self._source, self._fitting, sees_embedding=sees_embedding)
        details = (
            base.setting,
            base.preparation.title,
            boosted.setting,
            "seeing the embedding" if sees_embedding else "",
        )
        return self._evaluations.add(self._evaluations.named(boosted, ", ".join(part for part in details if part)))


def _better(first: Candidate, second: Candidate) -> Candidate:
    """The one with the lower loss; the first if they are equal."""
    return second if second.loss < first.loss else first
