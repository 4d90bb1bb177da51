"""Answers ──▶ the one of each decision that counts: the newest."""

from __future__ import annotations

from sqlalchemy import Subquery, func, select

from feedback.database.tables import feedback


def newest_answers() -> Subquery:
    """The rows of `feedback` that count, one for each answered decision, to be joined by `decision_id`."""
    newest = select(func.max(feedback.c.id)).group_by(feedback.c.decision_id)
    return select(feedback).where(feedback.c.id.in_(newest)).subquery("newest_answer")
