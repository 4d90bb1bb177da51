"""a candidate ──▶ the same kind and setting on another source, fitted once for each fold, with no search."""

from __future__ import annotations

from dataclasses import replace

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from training.heads.candidates import Candidate, Fitting, HeadFit, judge
from training.heads.crossfit import Source
from training.heads.estimators.blend import BlendFit, blend
from training.heads.estimators.boosting import BoostedFit, boost
from training.heads.features.preparation import Preparation


def repeat(candidate: Candidate, source: Source, fitting: Fitting) -> Candidate:
    """Judges a candidate's kind again, in its setting and with as many rounds of trees.

    Args:
        candidate: as the search found it; of a blend the share is weighed anew.
        source: to fit on and to judge by, perhaps without the embedding or without columns.
        fitting: how, with the columns that the source has.
    """
    with threadpool_limits(1, user_api="blas"):  # as in the search
        found = _repeated(candidate, source, fitting)
    return replace(found, setting=candidate.setting, name=candidate.name)


def _repeated(candidate: Candidate, source: Source, fitting: Fitting) -> Candidate:
    fit, has_embedding = candidate.fit, source.judged.embedding.shape[1] > 0
    if isinstance(fit, BlendFit):
        first, second = (_repeated(part, source, fitting) for part in fit.parts)
        return blend(first, second, source, fitting)
    if isinstance(fit, BoostedFit):
        base, sees = _repeated(fit.base, source, fitting), fit.ground.sees_embedding and has_embedding
        return boost(candidate.kind, base, source, fitting, sees_embedding=sees, rounds=fit.rounds)
    assert isinstance(fit, HeadFit)
    preparation = _suited(fit.preparation, has_embedding=has_embedding, has_columns=bool(fitting.columns))
    return judge(replace(fit, preparation=preparation, fitting=fitting), source, {})


def _suited(preparation: Preparation, *, has_embedding: bool, has_columns: bool) -> Preparation:
    """A preparation without what there is no part of: an embedding, or columns."""
    if not has_embedding:
        preparation = replace(preparation, view="whole")
    return preparation if has_columns else replace(preparation, weight=1.0, expands=False)
