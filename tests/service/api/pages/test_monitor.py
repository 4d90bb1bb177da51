"""The monitor page in Chromium: what it says of decisions, answers, drift and the shadow, and when it knows nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import insert

from feedback.database.tables import shadow
from feedback.measures.measurements import add_measurements
from tests.service.api.pages.reviewing import Recording
from tests.service.api.pages.visitor import OpenPage

pytestmark = pytest.mark.slow


@pytest.fixture
def decided(recorded: Recording) -> Recording:
    """Twelve decisions, all accepted and audited, none answered."""
    recorded.forget()
    recorded.decide(12, brightest=140)
    return recorded


def card(page: Page, name: str) -> Any:
    return page.get_by_role("region", name=name, exact=True)


def measure(recorded: Recording, *, statistic: float, alarm: bool) -> None:
    """Writes what `python -m feedback watch` would: precision, and drift with what is new."""
    new = [
        {name: review[name] for name in ("id", "request_id", "head", "label", "image_sha256")}
        for review in recorded.reviews(limit=3, lease=0)
    ]
    drift = {
        "from": datetime.now(UTC).isoformat(),
        "to": datetime.now(UTC).isoformat(),
        "last_id": 1,
        "decisions": 500,
        "statistic": statistic,
        "threshold": 0.05,
        "alarm": alarm,
        "rate": 0.001,
        "parts": {},
        "new": new if alarm else [],
    }
    shade = recorded.get("/v1/monitor").document["heads"]["shade"]
    with recorded.database.writing() as connection:
        add_measurements(connection, "tiny", {("drift", None): drift, ("precision", "shade"): shade})


def test_without_decisions_the_page_says_that_it_knows_nothing(open_page: OpenPage, recorded: Recording) -> None:
    recorded.forget()
    page = open_page(f"{recorded.url}/monitor")
    expect(page.locator("#figures .empty")).to_contain_text("Nothing has been decided yet")
    expect(card(page, "Drift")).to_contain_text("Nothing is known yet")
    expect(card(page, "Shadow")).to_contain_text("No other version decides beside this one.")


def test_before_anything_is_answered_the_page_says_so_and_leads_to_what_waits(
    open_page: OpenPage, decided: Recording
) -> None:
    page = open_page(f"{decided.url}/monitor")
    shade = card(page, "Head shade")
    expect(shade.locator(".facts dd")).to_have_text(["12", "100.0 %", "12", "0", "0"])
    expect(shade).to_contain_text("none of 12 audits has been answered")
    expect(page.locator("#unwatched")).to_contain_text("python -m feedback watch does not run")
    shade.get_by_role("link", name="Answer what waits").click()
    expect(page.locator("#question")).to_have_text("shade")


def test_a_head_that_names_a_number_has_no_precision(open_page: OpenPage, recorded: Recording) -> None:
    recorded.forget()
    recorded.decide(1, "?heads=level", brightest=140)
    page = open_page(f"{recorded.url}/monitor")
    expect(card(page, "Head level")).to_contain_text("It names a number, of which no share is right.")
    expect(card(page, "Head level")).not_to_contain_text("Live precision")
    (review,) = recorded.reviews(head="level", lease=0)
    assert recorded.answer(review, value=review["value"] + 0.5).status == 201
    page.reload()
    expect(card(page, "Head level")).to_contain_text("By the answered audits, its mean absolute error is 0.5.")


def test_answers_give_a_precision_with_its_interval_in_all_and_of_each_class(
    open_page: OpenPage, decided: Recording
) -> None:
    for number, review in enumerate(decided.reviews(limit=12, lease=0)):
        wrong = "dark" if review["label"] != "dark" else "mid"
        assert decided.answer(review, label=wrong if number == 0 else review["label"]).status == 201
    page = open_page(f"{decided.url}/monitor")
    found = decided.get("/v1/monitor").document["heads"]["shade"]["precision"]
    shade = card(page, "Head shade")
    expect(shade.locator(".headline")).to_contain_text("91.7 %")
    expect(shade.locator(".headline .aside")).to_have_text(
        f"{100 * found['lower']:.1f} % to {100 * found['upper']:.1f} %"
    )
    expect(shade.get_by_role("img").first).to_be_visible()
    shade.get_by_text("Each class, the worst first").click()
    expect(shade.locator("tbody th")).to_have_count(2)
    answers = shade.locator("tbody td:last-child").all_inner_texts()
    assert sum(map(int, answers)) == 12


def test_an_alarm_is_told_and_what_is_new_is_shown(open_page: OpenPage, decided: Recording) -> None:
    measure(decided, statistic=0.02, alarm=False)
    measure(decided, statistic=0.08, alarm=True)
    page = open_page(f"{decided.url}/monitor")
    drift = card(page, "Drift")
    expect(drift.locator(".verdict")).to_have_text(
        "Alarm: the newest window of 500 decisions differs from the reference. "
        "The statistic is 0.08, its threshold 0.05."
    )
    expect(drift.get_by_role("img", name="Drift statistic over time; 1 of 2 windows are alarms.")).to_be_visible()
    pictures = drift.locator(".new img")
    expect(pictures).to_have_count(3)
    assert pictures.first.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    expect(page.locator("#unwatched")).to_be_hidden()


def test_the_shadow_is_shown_beside_the_champion(open_page: OpenPage, decided: Recording) -> None:
    reviews = decided.reviews(limit=12, lease=0)
    rows = [
        {"decision_id": review["id"], "model": "tiny@2", "label": "dark", "confidence": 0.9, "decision": "review"}
        for review in reviews
    ]
    with decided.database.writing() as connection:
        connection.execute(insert(shadow), rows)
    page = open_page(f"{decided.url}/monitor")
    found = card(page, "Shadow")
    expect(found).to_contain_text("tiny@2 decides unseen on the same images as tiny@1.")
    same = sum(review["label"] == "dark" for review in reviews) / 12
    expect(found.locator(".facts dd").nth(1)).to_have_text(f"{100 * same:.1f} %")
    expect(found.locator(".facts dd").nth(2)).to_have_text("0.0 %")
    expect(found.locator(".facts dd").nth(3)).to_have_text("100.0 %")
    expect(found.locator(".verdict")).not_to_be_empty()


def test_new_figures_come_by_themselves_and_what_is_open_stays_open(open_page: OpenPage, decided: Recording) -> None:
    review, *others = decided.reviews(limit=2, lease=0)
    decided.answer(review, label=review["label"])
    page = open_page(f"{decided.url}/monitor")
    page.clock.install()
    page.reload()
    opener = page.get_by_text("Each class, the worst first")
    opener.click()
    expect(page.locator("details[open]")).to_have_count(1)
    decided.answer(others[0], label=others[0]["label"])
    page.clock.fast_forward(30_000)
    expect(card(page, "Head shade").locator(".facts dd").nth(3)).to_have_text("2")
    expect(page.locator("details[open]")).to_have_count(1)
    expect(opener).to_be_focused()
