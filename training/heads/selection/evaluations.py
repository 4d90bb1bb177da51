"""kinds and settings ──▶ `Evaluations`: every candidate that was cross-validated on one source, each only once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from training.heads.features.preparation import Preparation
from training.heads.fitted_head import FittedHead
from training.heads.head_fit import Fitting, HeadFit
from training.heads.kind import Kind
from training.heads.selection.candidates import Candidate, cross_validate
from training.heads.sources import Source

_Key = TypeVar("_Key", str, float)


class Evaluations:
    """Candidates on one source.

    Args:
        source: rows to fit on and to evaluate with.
        fitting: how heads are fitted.
        suffix: ends the candidates' names.
    """

    def __init__(self, source: Source, fitting: Fitting, suffix: str) -> None:
        self._source = source
        self._fitting = fitting
        self._suffix = suffix
        self._candidates: dict[tuple[str, str, Preparation], Candidate] = {}

    @property
    def candidates(self) -> list[Candidate]:
        """All of them, in the order in which they were evaluated."""
        return list(self._candidates.values())

    def add(self, candidate: Candidate) -> Candidate:
        """Adds a candidate, or replaces it, and returns it."""
        self._candidates[candidate.kind.name, candidate.setting, candidate.preparation] = candidate
        return candidate

    def named(self, candidate: Candidate, setting: str, *details: str) -> Candidate:
        """A candidate with a setting, and a name that says what it is."""
        name = ", ".join(part for part in (candidate.kind.title, setting, *details, self._suffix) if part)
        return replace(candidate, setting=setting, name=name)

    def evaluate(self, kind: Kind, setting: str, preparation: Preparation) -> Candidate:
        """Cross-validates a kind in one setting with one preparation, unless that has been done."""
        key = kind.name, setting, preparation
        if key not in self._candidates:
            fit = HeadFit(kind, kind.makers(self._fitting.task)[setting], preparation, self._fitting)
            candidate = cross_validate(fit, self._source, self._starts(kind, setting, preparation))
            self.add(self.named(candidate, setting, preparation.title))
        return self._candidates[key]

    def best_setting(self, kind: Kind, begin: str, preparation: Preparation) -> Candidate:
        """The best setting of a kind with a preparation; ordered settings are climbed from `begin`."""
        names = list(kind.makers(self._fitting.task))
        if not kind.is_ordered:
            return min((self.evaluate(kind, name, preparation) for name in names), key=lambda each: each.loss)
        best = climb(names, begin, lambda name: self.evaluate(kind, name, preparation))
        inside = {names[0]: names[1], names[-1]: names[-2]}.get(best.setting)
        if inside and not best.note and best.clearly_beats(self.evaluate(kind, inside, preparation)):
            note = f"{best.setting} is at the edge of what was tried ({names[0]} to {names[-1]})"
            best = self.add(replace(best, note=note))
        return best

    def _starts(self, kind: Kind, setting: str, preparation: Preparation) -> Mapping[int, FittedHead]:
        """The fitted heads, by fold, of the candidate nearest to a new one: its fits may start from them."""
        names = list(kind.makers(self._fitting.task))
        near = [
            (abs(names.index(each.setting) - names.index(setting)) + _distance(each.preparation, preparation), order)
            for order, each in enumerate(self.candidates)
            if each.kind is kind and _has_first_features(each.preparation, preparation)
        ]
        return self.candidates[min(near)[1]].crossed.heads if near else {}


def climb(keys: Sequence[_Key], begin: _Key, evaluate: Callable[[_Key], Candidate]) -> Candidate:
    """The best of ordered keys: tries the neighbours of the best one until none is better.

    That finds the best one where losses have one valley, as they usually do.
    """
    tried = {begin: evaluate(begin)}
    while True:
        best = min(tried, key=lambda key: tried[key].loss)
        at = list(keys).index(best)
        new = [key for key in keys[max(0, at - 1) : at + 2] if key not in tried]
        if not new:
            return tried[best]
        tried.update((key, evaluate(key)) for key in new)


def _has_first_features(preparation: Preparation, other: Preparation) -> bool:
    """Whether it makes the same features as another one except for their scale, or the first of them."""
    return preparation.view == other.view and preparation.expands <= other.expands


def _distance(preparation: Preparation, other: Preparation) -> float:
    """How far apart two weights of the columns are, in factors of e; an expansion counts as one."""
    return abs(math.log(preparation.weight / other.weight)) + (preparation.expands != other.expands)
