"""The pages are for everybody: on a phone, in the dark, by keyboard, by a screen reader."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.chaos.rig.servers import Server, until
from tests.service.api.pages.reviewing import Recording, buttons, progress, request_shown
from tests.service.api.pages.visitor import OpenPage, cards, choose, noise, png

pytestmark = pytest.mark.slow
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}


@pytest.mark.parametrize("path", ["/", "/playground"])
def test_a_page_fits_a_phone(open_page: OpenPage, server: Server, path: str) -> None:
    page = open_page(f"{server.url}{path}", **PHONE)
    if path == "/playground":
        page.get_by_label("priced").check()
        page.get_by_label("shift").fill("0")
        choose(page, png("a-long-name-of-a-file-that-goes-on-and-on-and-on-and-on.png"))
        expect(cards(page)).to_have_count(2)
        until(lambda: page.evaluate("scrollY > 100"), 10, "the answer comes into view")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    small = page.locator("button:visible, .button:visible, .choice:visible, select:visible").evaluate_all(
        "all => all.filter(one => one.getBoundingClientRect().height < 32).map(one => one.textContent)"
    )
    assert small == []


CONTRAST = """() => {
  const channel = (c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (one) => {
    const [r, g, b, a = 1] = rgb(getComputedStyle(one).backgroundColor);
    return a > 0 || !one.parentElement ? [r, g, b] : behind(one.parentElement);
  };
  const texts = [...document.querySelectorAll("body *")].filter(
    (one) => one.checkVisibility() && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return texts.map((one) => {
    const [a, b] = [light(rgb(getComputedStyle(one).color)), light(behind(one))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), one.className || one.tagName, one.textContent.slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(open_page: OpenPage, server: Server, scheme: str) -> None:
    page = open_page(f"{server.url}/playground", refusals=(400,), color_scheme=scheme)
    page.get_by_label("level").check()
    choose(page, png())
    expect(cards(page)).to_have_count(2)
    is_dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 19, 22)"
    assert is_dark == (scheme == "dark")
    assert page.evaluate(CONTRAST) == []
    choose(page, {"name": "cut.png", "mimeType": "image/png", "buffer": noise(30)[:-20]})
    expect(page.locator(".problem")).to_be_visible()
    assert page.evaluate(CONTRAST) == []
    page.goto(f"{server.url}/")
    assert page.evaluate(CONTRAST) == []


@pytest.fixture
def answered(recorded: Recording) -> Recording:
    """Six decisions wait, of a head with columns; one more is answered."""
    recorded.forget()
    recorded.decide(7, "?heads=priced", {"shift": 0.01, "force": "mid"}, brightest=130)
    (review,) = recorded.reviews(limit=1, lease=0)
    recorded.answer(review, label="mid")
    return recorded


def shown(open_page: OpenPage, recorded: Recording, path: str, **options: Any) -> Page:
    """A page of the record with all that it has to show."""
    page = open_page(f"{recorded.url}{path}", **options)
    if path == "/review":
        request_shown(page)
        expect(page.locator(".neighbours img")).to_have_count(3)
    else:
        page.get_by_text("Each class, the worst first").click()
    return page


@pytest.mark.parametrize("path", ["/review", "/monitor"])
class TestPagesOfTheRecord:
    def test_they_fit_a_phone(self, open_page: OpenPage, answered: Recording, path: str) -> None:
        page = shown(open_page, answered, path, **PHONE, is_mobile=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        small = page.locator("button:visible, select:visible").evaluate_all(
            "all => all.filter(one => one.getBoundingClientRect().height < 32).map(one => one.textContent)"
        )
        assert small == []

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_text_stands_out(self, open_page: OpenPage, answered: Recording, path: str, scheme: str) -> None:
        page = shown(open_page, answered, path, color_scheme=scheme)
        if path == "/review":
            page.get_by_role("button", name="Undo").evaluate("one => one.disabled = false")  # disabled ones may be pale
        assert page.evaluate(CONTRAST) == []

    def test_parts_have_names_and_headings_do_not_skip_a_level(
        self, open_page: OpenPage, answered: Recording, path: str
    ) -> None:
        page = shown(open_page, answered, path)
        assert skipped_levels(page) == []
        assert page.locator(FIELDS).evaluate_all(WITHOUT_NAME) == []


def test_on_a_phone_the_first_answers_are_in_view(open_page: OpenPage, answered: Recording) -> None:
    page = shown(open_page, answered, "/review", **PHONE, is_mobile=True)
    box = buttons(page).first.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 740
    buttons(page).first.tap()
    progress(page, "1 answered by you · 5 waiting")


def test_a_review_is_answered_with_the_tab_key_alone(open_page: OpenPage, answered: Recording) -> None:
    page = shown(open_page, answered, "/review")
    first = request_shown(page)
    page.keyboard.press("Tab")
    expect(buttons(page).first).to_be_focused()
    page.keyboard.press("Enter")
    progress(page, "1 answered by you · 5 waiting")
    assert request_shown(page) != first
    page.keyboard.press("Tab")  # from the new item, not from the top of the page
    expect(buttons(page).first).to_be_focused()


def test_the_keyboard_alone_is_enough(page: Page, tmp_path: Path) -> None:
    def tab_to(locator: Locator) -> None:
        for _ in range(20):
            page.keyboard.press("Tab")
            if locator.evaluate("one => one === document.activeElement"):
                style = locator.evaluate(
                    "one => getComputedStyle(one.matches('#file') ? one.nextElementSibling : one).outlineStyle"
                )
                assert style == "solid"  # the ring that shows where the focus is
                return
        pytest.fail(f"the tab key does not lead to {locator}")

    (tmp_path / "mid.png").write_bytes(png()["buffer"])
    tab_to(page.get_by_text("Skip to the answer"))
    tab_to(page.locator("#file"))
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(tmp_path / "mid.png")
    expect(page.locator(".headline")).to_contain_text("mid")
    tab_to(page.get_by_label("priced"))
    page.keyboard.press("Space")
    tab_to(page.get_by_label("shift"))
    page.keyboard.type("0.5")
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(2)
    expect(page.locator(".headline").nth(1)).to_contain_text("bright")
    tab_to(page.get_by_role("button", name="Copy curl"))


def test_parts_have_names_and_headings_do_not_skip_a_level(page: Page) -> None:
    choose(page, png())
    expect(cards(page)).to_have_count(1)
    assert skipped_levels(page) == []
    assert page.locator(FIELDS).evaluate_all(WITHOUT_NAME) == []


FIELDS = "input, select, button, [role=button]"
WITHOUT_NAME = "all => all.filter(one => !(one.labels?.length || one.textContent || one.ariaLabel)).map(one => one.id)"


def skipped_levels(page: Page) -> list[tuple[int, int]]:
    """Headings, the first one included, that are more than one level below the one before."""
    levels = page.locator(":is(h1, h2, h3, h4):visible").evaluate_all("all => all.map(one => +one.tagName[1])")
    return [(before, after) for before, after in itertools.pairwise([0, *levels]) if after > before + 1]
