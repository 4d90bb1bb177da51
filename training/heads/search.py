"""kinds ──▶ candidates for a head, the best first: hyperparameters are searched by out-of-fold answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from training.data.images import Indices
from training.exceptions import DataError
from training.heads.candidates import Candidate, Fitting, HeadFit, judge, sample_rows
from training.heads.crossfit import Lesson, Source
from training.heads.estimators.blend import blend
from training.heads.estimators.boosting import BoostedFit, boost
from training.heads.features.preparation import WEIGHTS, Preparation
from training.heads.features.views import can_root
from training.heads.fitted_head import Decider
from training.heads.head_choice import partners
from training.heads.registry import REGISTRY, Kind, blend_of
from training.progress import progress

_Key = TypeVar("_Key", str, float)
_FEW_ROWS = 5000
"""Below this no library gains by a second thread: all kinds on 300 rows take 8 s with one, and 57 s with two."""
_ROWS = 2500
"""Rows that judge, and seen ones beside them, by which views, weights and hinges are chosen; more choose the same ones.
All rows then choose the strength of the penalty and the rounds of trees."""


def fit_heads(kinds: Sequence[Kind], source: Source, fitting: Fitting, *, suffix: str = "") -> list[Candidate]:
    """Judges settings of each kind; the choices of the kinds come first, that of the least loss foremost.

    Args:
        kinds: of the registry.
        source: to fit on and to judge by; where nothing judges, the losses are NaN and each kind has one setting.
        fitting: how.
        suffix: behind the candidates' names.

    Raises:
        DataError: a kind is not installed, does another task, or takes no weights where classes are to weigh the same.
    """
    search = Search(source, fitting, suffix)
    search.choose(kinds)
    return search.candidates


def check_weights(kinds: Sequence[Kind]) -> None:
    """Whether kinds can weigh classes.

    Raises:
        DataError: one cannot.
    """
    if unable := [kind.name for kind in kinds if not kind.takes_weights]:
        raise DataError(f"{unable[0]} cannot weigh classes; take another head, or --balance none")


class Search:
    """Candidates on one source, each judged once.

    Args:
        source: to fit on and to judge by; where nothing judges, the losses are NaN and each kind has one setting.
        fitting: how.
        suffix: behind the candidates' names.
    """

    def __init__(self, source: Source, fitting: Fitting, suffix: str, *, is_part: bool = False) -> None:
        self._source = source
        self._fitting = fitting
        self._suffix = suffix
        self._is_part = is_part
        self._found: dict[tuple[str, str, Preparation], Candidate] = {}
        self._chosen: dict[str, Candidate] = {}
        self._asked: list[Candidate] = []

    @property
    def candidates(self) -> list[Candidate]:
        """The choices of the kinds come first, that of the least loss foremost; then what else was tried."""
        found = [replace(each, is_choice=any(each is asked for asked in self._asked)) for each in self._found.values()]
        return sorted(found, key=lambda each: (not each.is_choice, each.loss))

    def choose(self, kinds: Sequence[Kind]) -> None:
        """Searches for what each kind would serve.

        Raises:
            DataError: one is not installed, does another task, takes no weights where classes are to weigh the same, or
                looks at columns alone where there are none.
        """
        if self._fitting.is_balanced:
            check_weights(kinds)
        for kind in kinds:
            kind.check_columns(self._fitting.columns)
        # two threads wait for each other longer than they compute, but for trees on many rows
        with threadpool_limits(1, user_api=None if len(self._source.whole) < _FEW_ROWS else "blas"):
            for kind in progress(kinds, "fitting heads", "kind", part=True):
                self._asked.append(self._choice(kind))

    def blend(self) -> None:
        """Blends the two best kinds; the blend becomes a choice only if it clearly beats the best one."""
        choices = [each for each in self.candidates if each.is_choice]
        if not len(self._source.judged) or (pair := partners(choices)) is None:
            return
        blended = self._choice(blend_of(pair[0].kind, pair[1].kind))
        if blended.clearly_beats(pair[0]):
            self._asked.append(blended)

    def _choice(self, kind: Kind) -> Candidate:
        """What a kind would serve; a kind that others are put on is searched once."""
        if kind.name not in self._chosen:
            find = self._blended if kind.parts else self._boosted if kind.boosts else self._searched
            self._chosen[kind.name] = find(kind)
        return self._chosen[kind.name]

    def _blended(self, kind: Kind) -> Candidate:
        first, second = (self._choice(part) for part in kind.parts)
        found = blend(first, second, self._source, self._fitting)
        self._found[kind.name, found.setting, found.preparation] = found
        return found

    def _searched(self, kind: Kind) -> Candidate:
        """One hyperparameter after the other: view and setting, the weight of the columns, what is added to them."""
        first, can_judge = kind.first(self._fitting.task), len(self._source.judged) > 0
        if not can_judge:
            return self._judge(kind, first, kind.preparations[0])
        if self._part is not None:
            like = self._part._choice(kind)
            return self._settled(kind, like.setting, like.preparation)
        best = self._settled(kind, first, kind.preparations[0])
        others = kind.preparations[1:]
        has_roots = any(each.view == "roots" for each in others) and can_root(self._source.whole.embedding)
        for other in others:
            if other.view != "roots" or has_roots:
                best = min(best, self._settled(kind, best.setting, other), key=_loss)
        return self._weighed(kind, best) if kind.weighs and self._fitting.columns else best

    @cached_property
    def _part(self) -> Search | None:
        """A search on some of the rows; None where they are few."""
        source, seed = self._source, self._fitting.seed
        if self._is_part or len(source.judged) <= _ROWS:
            return None
        _, strata = np.unique([_strata(source.judged, self._fitting), source.folds], axis=1, return_inverse=True)
        judged = sample_rows(strata.ravel(), _ROWS, seed)  # of every fold, too
        seen = sample_rows(_strata(source.seen, self._fitting), _ROWS, seed)
        some = Source(
            source.judged.part(judged),
            source.folds[judged],
            source.seen.part(seen),
            source.units[judged],
            source.fitted[judged],
        )
        return Search(some, self._fitting, self._suffix, is_part=True)

    def _weighed(self, kind: Kind, plain: Candidate) -> Candidate:
        """The weight of the columns, then hinges and products, each only where it is clearly better."""
        best = plain

        def at(weight: float) -> Candidate:
            """The heavier the columns, the stronger the penalty that is best: each weight has one of its own."""
            nonlocal best
            found = self._settled(kind, best.setting, replace(plain.preparation, weight=weight))
            best = min(best, found, key=_loss)
            return found

        heavier = _climb(WEIGHTS, 1.0, at)
        best = heavier if heavier.clearly_beats(plain) else plain
        expanded = self._judge(kind, best.setting, replace(best.preparation, expands=True))
        return self._settled(kind, best.setting, expanded.preparation) if expanded.clearly_beats(best) else best

    def _settled(self, kind: Kind, begin: str, preparation: Preparation) -> Candidate:
        """The best setting with a preparation."""
        names = list(kind.makers(self._fitting.task))
        if not kind.is_ordered:
            return min((self._judge(kind, name, preparation) for name in names), key=_loss)
        best = _climb(names, begin, lambda name: self._judge(kind, name, preparation))
        inside = {names[0]: names[1], names[-1]: names[-2]}.get(best.setting)
        if inside and best.clearly_beats(self._found[kind.name, inside, preparation]):
            note = f"{best.setting} is at the edge of what was tried ({names[0]} to {names[-1]})"
            best = self._found[kind.name, best.setting, preparation] = replace(best, note=note)
        return best

    def _judge(self, kind: Kind, setting: str, preparation: Preparation) -> Candidate:
        key = kind.name, setting, preparation
        if key not in self._found:
            maker = kind.makers(self._fitting.task)[setting]
            fit = HeadFit(kind, maker, preparation, self._fitting)
            candidate = judge(fit, self._source, self._starts(kind, setting, preparation))
            self._found[key] = self._named(candidate, setting, preparation.title)
        return self._found[key]

    def _starts(self, kind: Kind, setting: str, preparation: Preparation) -> Mapping[int, Decider]:
        """The fitted heads of each fold that are nearest to a candidate, from which its fits may start."""
        names = list(kind.makers(self._fitting.task))
        near = [
            (abs(names.index(each.setting) - names.index(setting)) + _distance(each.preparation, preparation), order)
            for order, each in enumerate(self._found.values())
            if each.kind is kind and _is_part(each.preparation, preparation)
        ]
        return list(self._found.values())[min(near)[1]].crossed.deciders if near else {}

    def _boosted(self, kind: Kind) -> Candidate:
        """Trees on the best of the kind's base; they look at the embedding where there is nothing else, or it pays."""
        task = self._fitting.task
        if task in kind.bases:
            base = self._choice(REGISTRY[kind.bases[task]])
            can_see = self._source.judged.embedding.shape[1] > 0
        else:  # trees on nothing, which is no candidate of its own
            start = HeadFit(kind, kind.makers(task)[""], kind.preparations[0], self._fitting)
            base, can_see = judge(start, self._source, {}), False
        if can_see and self._part is not None:
            like = self._part._choice(kind).fit
            can_see = isinstance(like, BoostedFit) and like.ground.sees_embedding  # else more rows would not pay either
        plain = self._grown(kind, base, sees_embedding=False)
        if not can_see or not len(self._source.judged):
            return plain
        wider = self._grown(kind, base, sees_embedding=True)
        is_better = wider.clearly_beats(plain) if self._fitting.classes else wider.loss < plain.loss
        return wider if is_better else plain

    def _grown(self, kind: Kind, base: Candidate, *, sees_embedding: bool) -> Candidate:
        grown = boost(kind, base, self._source, self._fitting, sees_embedding=sees_embedding)
        details = base.setting, base.preparation.title, grown.setting, "seeing the embedding" if sees_embedding else ""
        setting = ", ".join(part for part in details if part)
        self._found[kind.name, setting, base.preparation] = named = self._named(grown, setting)
        return named

    def _named(self, candidate: Candidate, setting: str, *details: str) -> Candidate:
        told = (candidate.kind.title, setting, *details, self._suffix)
        return replace(candidate, setting=setting, name=", ".join(part for part in told if part))


def _climb(keys: Sequence[_Key], begin: _Key, judge: Callable[[_Key], Candidate]) -> Candidate:
    """The best of keys in order: tries its neighbours until none is better; losses have one valley as a rule."""
    tried = {begin: judge(begin)}
    while True:
        best = min(tried, key=lambda key: tried[key].loss)
        at = list(keys).index(best)
        new = [key for key in keys[max(0, at - 1) : at + 2] if key not in tried]
        if not new:
            return tried[best]
        tried.update((key, judge(key)) for key in new)


def _strata(rows: Lesson, fitting: Fitting) -> Indices:
    """Of which a part has as large shares as the whole, `[N]`."""
    return rows.labels if fitting.classes else np.zeros(len(rows), np.int64)


def _loss(candidate: Candidate) -> float:
    return candidate.loss


def _is_part(preparation: Preparation, other: Preparation) -> bool:
    """Whether it makes the same features as another one, but for their scale, or the first of them."""
    return preparation.view == other.view and preparation.expands <= other.expands


def _distance(preparation: Preparation, other: Preparation) -> float:
    """How far two scales of the columns are apart, in factors of e; expansion counts as one."""
    return abs(math.log(preparation.weight / other.weight)) + (preparation.expands != other.expands)
