"""`training.policy.promise`: what is said of the answers accepted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from training.policy.missed_classes import MissedBound
from training.policy.promise import Promise

KEPT = Promise(target=0.99, confidence=0.95, held_out=6000, coverage=0.791)
BROKEN = Promise(0.99, 0.95, 46, 0.0, enough=315, fewest=299, instead=(0.9, 0.62))
RARE = MissedBound("rare", 0.05, 10, 59, 0.0)


@pytest.mark.parametrize(
    ("promise", "sentence"),
    [
        pytest.param(
            KEPT,
            "accepts 79.1 % of 6,000 held-out images; 99 % right among those accepted, at 95 % confidence",
            id="kept",
        ),
        pytest.param(
            replace(KEPT, alone=tuple("abcdefg"), never=("a",)),
            "accepts 79.1 % of 6,000 held-out images; 99 % right among those accepted, at 95 % confidence; "
            "that holds for 'a', 'b', 'c', 'd', 'e' and 2 others, each by itself; nothing can be accepted as 'a'",
            id="kept by each class",
        ),
        pytest.param(
            BROKEN,
            "accepts nothing: with 46 held-out images no threshold can show 99 % right among those accepted, at 95 % "
            "confidence; about 320 would be enough; 90 % right can be shown, for 62 % of the images",
            id="too few images",
        ),
        pytest.param(
            replace(BROKEN, enough=None, instead=None),
            "accepts nothing: with 46 held-out images no threshold can show 99 % right among those accepted, at 95 % "
            "confidence; it takes a better head, and at least 299 accepted ones without a mistake",
            id="too bad a head",
        ),
        pytest.param(
            replace(BROKEN, target=1.0, enough=None, fewest=None, instead=None),
            "accepts nothing: with 46 held-out images no threshold can show 100 % right among those accepted, at 95 % "
            "confidence; no number of them would be enough",
            id="no mistake at all",
        ),
        pytest.param(
            replace(BROKEN, target=1.5, of_costs=True, instead=(3.0, 0.62), missed=(RARE,)),
            f"accepts nothing: not to miss a class comes before all else; {RARE.sentence}",
            id="costs, and a class not to be missed",
        ),
    ],
)
def test_what_is_said(promise: Promise, sentence: str) -> None:
    assert promise.sentence == sentence
    assert promise.sentence.startswith("accepts nothing: ") != promise.shown


def test_the_manifest_has_the_figures() -> None:
    assert BROKEN.as_metrics() == {"target": 0.99, "confidence": 0.95, "judged_on": 46, "shown": False}
