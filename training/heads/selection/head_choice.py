"""the best candidate of each kind ──▶ the one that serves: the cheapest of those that are as good as the best."""

from __future__ import annotations

from collections.abc import Sequence

from training.heads.selection.candidates import Candidate


def cheapest_as_good(choices: Sequence[Candidate]) -> Candidate:
    """The cheapest candidate that the best one does not clearly beat; if several are as cheap, the best of them.

    This is the one-standard-error rule (Breiman et al. 1984, section 3.4.3), on paired differences.

    Args:
        choices: at least one, evaluated with the same rows; without held-out rows, all are as good.
    """
    best = min(choices, key=lambda each: each.loss)
    as_good = [each for each in choices if each is best or not best.clearly_beats(each)]
    return min(as_good, key=lambda each: (each.kind.row_us, each.loss))


def partners(choices: Sequence[Candidate]) -> tuple[Candidate, Candidate] | None:
    """The two best candidates to blend; None if there are no two.

    A boosted candidate that does not clearly beat its base counts as the same model.

    Args:
        choices: of different kinds, the best first.
    """
    others = (each for each in choices[1:] if not _is_related(choices[0], each) or choices[0].clearly_beats(each))
    second = next(others, None)
    return None if second is None else (choices[0], second)


def _is_related(first: Candidate, second: Candidate) -> bool:
    """Whether one is the base of the other."""
    return first.kind.name in second.kind.bases.values() or second.kind.name in first.kind.bases.values()
