"""The review page in Chromium: what an item shows, how it is answered, undone and skipped, and what goes wrong."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, Route, expect

from tests.service.api.pages.reviewing import Recording, buttons, progress, request_shown
from tests.service.api.pages.visitor import OpenPage

pytestmark = pytest.mark.slow


@pytest.fixture
def page(open_page: OpenPage, waiting: Recording) -> Page:
    page = open_page(f"{waiting.url}/review")
    expect(buttons(page).first).to_be_visible()
    return page


# ---------------------------------------------------------------- one item after the other


def test_an_item_shows_its_picture_what_the_model_thinks_and_why(page: Page) -> None:
    progress(page, "0 answered by you · 8 waiting")
    picture = page.locator("#picture")
    expect(picture).to_have_attribute("alt", "The image, 64 by 48 pixels")
    expect(page.locator("#question")).to_have_text("shade")
    expect(page.locator("#why .bars").first.locator("li")).to_have_count(3)
    expect(page.locator(".neighbours img")).to_have_count(3)
    label = page.locator("#thought .headline").inner_text()
    assert label.startswith(buttons(page).first.locator("span").inner_text())


def test_audits_and_reviews_say_why_they_are_asked(page: Page) -> None:
    said = {}
    for number in range(8):
        request_shown(page)
        said[page.locator("#kind").inner_text()] = page.locator("#thought .reasons").inner_text()
        page.keyboard.press("1")
        progress(page, f"{number + 1} answered by you · {7 - number} waiting")
    assert said == {
        "Audit": "The model accepted this one. It was drawn at random, to measure how often that is right.",
        "Review": "The image is unlike those of the training.",
    }


def test_key_1_answers_with_the_likeliest_class_and_the_next_item_comes(page: Page, waiting: Recording) -> None:
    first = request_shown(page)
    label = buttons(page).first.locator("span").inner_text()
    page.keyboard.press("1")
    progress(page, "1 answered by you · 7 waiting")
    assert request_shown(page) != first
    (answer,) = waiting.answers()
    assert (answer["request_id"], answer["label"], answer["source"], answer["cannot_tell"]) == (
        first,
        label,
        "page",
        False,
    )
    assert answer["by"].startswith("page-")


def test_all_are_shown_once_and_then_the_page_says_that_nothing_waits(page: Page, waiting: Recording) -> None:
    shown = []
    for number in range(8):
        shown.append(request_shown(page))
        page.keyboard.press("2" if number % 2 else "x")
        progress(page, f"{number + 1} answered by you · {7 - number} waiting")
    expect(page.locator("#empty-title")).to_have_text("Nothing waits for you")
    assert len(set(shown)) == 8
    answers = waiting.answers()
    assert [answer["request_id"] for answer in answers] == shown
    assert sum(answer["cannot_tell"] for answer in answers) == 4


def test_a_key_that_is_held_down_answers_once(page: Page, waiting: Recording) -> None:
    page.keyboard.down("1")
    for _ in range(5):
        page.keyboard.down("1")
    page.keyboard.up("1")
    progress(page, "1 answered by you · 7 waiting")
    assert len(waiting.answers()) == 1


def test_keys_can_be_switched_off(page: Page, waiting: Recording) -> None:
    page.get_by_label("Answer by keys").uncheck()
    page.keyboard.press("1")
    page.keyboard.press("x")
    buttons(page).nth(1).click()
    progress(page, "1 answered by you · 7 waiting")
    assert len(waiting.answers()) == 1


def test_new_decisions_come_by_themselves(open_page: OpenPage, recorded: Recording) -> None:
    recorded.forget()
    page = open_page(f"{recorded.url}/review")
    page.clock.install()
    page.reload()
    expect(page.locator("#empty-title")).to_have_text("Nothing waits for you")
    recorded.decide(1)
    page.clock.fast_forward(20_000)
    expect(buttons(page).first).to_be_visible()
    progress(page, "0 answered by you · 1 waiting")


# ---------------------------------------------------------------- undo and skip


@pytest.mark.parametrize("key", ["u", "Control+z"])
def test_undo_brings_the_item_back_and_takes_the_answer_away(page: Page, waiting: Recording, key: str) -> None:
    first = request_shown(page)
    page.keyboard.press("1")
    progress(page, "1 answered by you · 7 waiting")
    second = request_shown(page)
    page.keyboard.press(key)
    progress(page, "0 answered by you · 8 waiting")
    assert request_shown(page) == first
    assert waiting.answers() == []
    page.keyboard.press("2")
    progress(page, "1 answered by you · 7 waiting")
    assert request_shown(page) == second


def test_several_answers_are_undone_the_newest_first(page: Page, waiting: Recording) -> None:
    shown = []
    for number in range(3):
        shown.append(request_shown(page))
        page.keyboard.press("1")
        progress(page, f"{number + 1} answered by you · {7 - number} waiting")
    for number in reversed(range(3)):
        page.get_by_role("button", name="Undo").click()
        progress(page, f"{number} answered by you · {8 - number} waiting")
        assert request_shown(page) == shown[number]
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    assert waiting.answers() == []


def test_by_http_an_answer_is_undone_once(waiting: Recording) -> None:
    (review,) = waiting.reviews(limit=1, reviewer="one")
    answer = waiting.answer(review, label="mid", source="page")
    assert (answer.status, waiting.waiting()) == (201, 7)
    path = f"/v1/feedback/{answer.document['id']}"
    assert waiting.server.request(path, method="DELETE").status == 204
    assert waiting.waiting() == 8
    assert waiting.server.request(path, method="DELETE").status == 404


def test_skipped_items_come_again_only_when_asked_for(page: Page, waiting: Recording) -> None:
    skipped = []
    for _ in range(3):
        skipped.append(request_shown(page))
        page.keyboard.press("s")
        expect(page.locator("#thought .about")).not_to_contain_text(skipped[-1])
    for number in range(5):
        assert request_shown(page) not in skipped
        page.keyboard.press("1")
        progress(page, f"{number + 1} answered by you · {7 - number} waiting")
    expect(page.locator("#empty-title")).to_have_text("Only what you skipped is left")
    page.get_by_role("button", name="Show the 3 skipped again").click()
    assert request_shown(page) == skipped[0]
    assert len(waiting.answers()) == 5


# ---------------------------------------------------------------- what can be answered


def test_of_many_classes_one_is_found_by_typing(open_page: OpenPage, hurried: Recording) -> None:
    hurried.forget()
    hurried.decide(2)
    page = open_page(f"{hurried.url}/review")
    expect(buttons(page)).to_have_count(32)
    expect(page.locator("#picture-note")).to_have_text("The image was not kept.")
    expect(page.locator("#find-note")).to_have_text("8 more: type to find them.")
    page.keyboard.press("/")
    page.keyboard.type("SS 37")
    expect(buttons(page)).to_have_count(1)
    page.keyboard.press("Enter")
    progress(page, "1 answered by you · 1 waiting")
    expect(page.get_by_label("Find a class")).to_be_focused()
    page.keyboard.type("nothing of this name")
    expect(page.locator("#find-note")).to_have_text("No class has this in its name.")
    page.keyboard.press("Enter")
    assert [answer["label"] for answer in hurried.answers()] == ["class 37"]


def test_a_head_that_names_a_number_takes_a_number(open_page: OpenPage, recorded: Recording) -> None:
    recorded.forget()
    recorded.decide(3, "?heads=level")
    page = open_page(f"{recorded.url}/review")
    field = page.get_by_label("The right number")
    expect(field).to_be_focused()
    page.keyboard.type("0.25")
    page.keyboard.press("Enter")
    progress(page, "1 answered by you · 2 waiting")
    expect(field).to_have_value("")
    page.keyboard.press("x")
    progress(page, "2 answered by you · 1 waiting")
    found = [(answer["value"], answer["label"], answer["cannot_tell"]) for answer in recorded.answers()]
    assert found == [(0.25, None, False), (None, None, True)]


@pytest.mark.parametrize(("typed", "value"), [("1,5", 1.5), ("-.25e1", -2.5), ("+1500", 1500.0)])
def test_a_number_is_read_alike_with_a_point_and_a_comma(
    open_page: OpenPage, recorded: Recording, typed: str, value: float
) -> None:
    recorded.forget()
    recorded.decide(1, "?heads=level")
    page = open_page(f"{recorded.url}/review")
    page.get_by_label("The right number").fill(typed)
    page.keyboard.press("Enter")
    progress(page, "1 answered by you · 0 waiting")
    assert [answer["value"] for answer in recorded.answers()] == [value]


def test_what_is_not_a_plain_number_is_refused_in_a_sentence(open_page: OpenPage, recorded: Recording) -> None:
    recorded.forget()
    recorded.decide(1, "?heads=level")
    page = open_page(f"{recorded.url}/review")
    field, error = page.get_by_label("The right number"), page.locator("#value-error")
    for typed in ("1.234,5", "1,234,5", "0x10", "1e999", "Infinity", "1 5", "5.", "e5", "--1", "ten", " "):
        field.fill(typed)
        expect(error).to_be_empty()
        page.keyboard.press("Enter")
        expect(error).to_have_text(
            f"“{typed.strip()}” is not a plain number: write digits, with one “.” or “,” before the decimals."
        )
        expect(field).to_have_attribute("aria-invalid", "true")
    assert recorded.answers() == []
    progress(page, "0 answered by you · 1 waiting")


def test_columns_are_shown_and_a_head_is_chosen(open_page: OpenPage, recorded: Recording) -> None:
    recorded.forget()
    recorded.decide(2)
    recorded.decide(1, "?heads=priced", {"shift": 0.25, "force": "dark"})
    page = open_page(f"{recorded.url}/review?head=priced")
    expect(page.locator("#columns tr")).to_have_text(["shift0.25", "forcedark"])
    progress(page, "0 answered by you · 1 waiting")
    page.get_by_label("Head").select_option("shade")
    expect(page.locator("#question")).to_have_text("shade")
    progress(page, "0 answered by you · 2 waiting")
    page.get_by_label("Head").select_option("All")
    progress(page, "0 answered by you · 3 waiting")


# ---------------------------------------------------------------- errors, keys


def test_an_item_that_was_erased_meanwhile_is_told_and_the_next_one_comes(
    open_page: OpenPage, recorded: Recording
) -> None:
    recorded.forget()
    recorded.decide(2)
    page = open_page(f"{recorded.url}/review", refusals=(404,))
    request_shown(page)
    recorded.forget()
    page.keyboard.press("1")
    expect(page.locator("#trouble")).to_contain_text("is recorded")
    expect(page.locator("#thought .about")).to_be_visible()


def test_a_database_that_fails_is_told_and_the_answer_can_be_given_again(
    open_page: OpenPage, waiting: Recording
) -> None:
    page = open_page(f"{waiting.url}/review", refusals=(503,))
    first = request_shown(page)
    problem = {"status": 503, "title": "Service Unavailable", "code": "not_ready", "detail": "the database is away"}

    def refuse(route: Route) -> None:
        route.fulfill(status=503, body=json.dumps(problem), content_type="application/problem+json")

    page.route("**/v1/feedback", refuse)
    page.keyboard.press("1")
    expect(page.locator("#trouble")).to_have_text("The database is away.")
    assert request_shown(page) == first
    page.unroute("**/v1/feedback")
    page.keyboard.press("1")
    progress(page, "1 answered by you · 7 waiting")
    expect(page.locator("#trouble")).to_be_empty()
