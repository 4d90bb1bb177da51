"""a candidate ──▶ the same kind and setting on another source, fitted once for each fold, without a search."""

from __future__ import annotations

from dataclasses import replace

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from training.heads.features.preparation import Preparation
from training.heads.head_fit import Fitting, HeadFit
from training.heads.selection.blending import BlendFit, blend
from training.heads.selection.boosting import BoostedFit, boost
from training.heads.selection.candidates import Candidate, cross_validate
from training.heads.sources import Source


def repeat(candidate: Candidate, source: Source, fitting: Fitting) -> Candidate:
    """Evaluates a candidate's kind and setting again, with the same number of rounds of trees.

    Args:
        candidate: as the search found it; the share of a blend is chosen again.
        source: rows to fit on and to evaluate with, perhaps without the embedding or without columns.
        fitting: how, with the columns that the source has.
    """
    with threadpool_limits(1, user_api="blas"):  # as in the search
        found = _repeated(candidate, source, fitting)
    return replace(found, setting=candidate.setting, name=candidate.name)


def _repeated(candidate: Candidate, source: Source, fitting: Fitting) -> Candidate:
    fit, has_embedding = candidate.fit, source.held_out.embedding.shape[1] > 0
    if isinstance(fit, BlendFit):
        first, second = (_repeated(part, source, fitting) for part in fit.parts)
        return blend(first, second, source, fitting)
    if isinstance(fit, BoostedFit):
        base, sees = _repeated(fit.base, source, fitting), fit.data.sees_embedding and has_embedding
        return boost(candidate.kind, base, source, fitting, sees_embedding=sees, rounds=fit.rounds)
    assert isinstance(fit, HeadFit)
    preparation = _restricted(fit.preparation, has_embedding=has_embedding, has_columns=bool(fitting.columns))
    return cross_validate(replace(fit, preparation=preparation, fitting=fitting), source, {})


def _restricted(preparation: Preparation, *, has_embedding: bool, has_columns: bool) -> Preparation:
    """A preparation that uses neither the embedding nor the columns if there are none."""
    if not has_embedding:
        preparation = replace(preparation, view="whole")
    return preparation if has_columns else replace(preparation, weight=1.0, expands=False)
