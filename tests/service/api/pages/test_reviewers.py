"""Several reviewers, in Chromium and by HTTP: nobody is given what another one has, and a key has to allow it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.chaos.rig.servers import Server, until
from tests.service.api.pages.reviewing import Recording, buttons, progress, recording, request_shown
from tests.service.api.pages.visitor import KEY, OpenPage, enter
from tests.tiny_bundle import tiny_bundle

pytestmark = pytest.mark.slow

OTHER_KEY = "another key with 256 random bits"


# ---------------------------------------------------------------- several people, leases


def test_two_reviewers_at_once_never_get_the_same_item(open_page: OpenPage, recorded: Recording) -> None:
    recorded.forget()
    recorded.decide(24)
    pages = [open_page(f"{recorded.url}/review") for _ in range(2)]
    shown: list[list[str]] = [[], []]
    for _ in range(30):
        for page, seen in zip(pages, shown, strict=True):
            expect(page.locator("#item:not([hidden]) #class-list button, #empty:not([hidden])").first).to_be_visible()
            if page.locator("#item").is_visible():
                seen.append(request_shown(page))
                page.keyboard.press("1")
                expect(page.locator("#progress")).to_contain_text(f"{len(seen)} answered by you")
    assert min(map(len, shown)) >= 5, "both had something to do"
    assert len(set(shown[0] + shown[1])) == len(shown[0] + shown[1]) == len(recorded.answers()) == 24


def test_by_http_reviewers_get_different_items_and_their_own_again(waiting: Recording) -> None:
    first, second = (waiting.reviews(limit=3, reviewer=name) for name in ("one", "two"))
    mine = {review["id"] for review in first}
    assert len(mine | {review["id"] for review in second}) == 6
    assert {review["id"] for review in waiting.reviews(limit=3, reviewer="one")} == mine


def test_by_http_a_lease_runs_out(waiting: Recording) -> None:
    mine = {review["id"] for review in waiting.reviews(limit=8, reviewer="one", lease=1)}
    assert waiting.reviews(reviewer="two") == []
    until(lambda: len(waiting.reviews(reviewer="two")) == 8, 10, "the lease has run out", poll_s=0.2)
    assert {review["id"] for review in waiting.reviews(reviewer="two")} == mine


def test_a_lease_that_runs_out_is_told_and_taken_again(open_page: OpenPage, hurried: Recording) -> None:
    hurried.forget()
    hurried.decide(3)
    page = open_page(f"{hurried.url}/review")
    first = request_shown(page)
    again = page.get_by_role("button", name="Take it again")
    expect(again).to_be_focused()
    page.keyboard.press("1")  # answers nothing
    expect(buttons(page).first).to_be_disabled()
    page.keyboard.press("Enter")
    expect(again).to_be_hidden()
    assert request_shown(page) == first
    page.keyboard.press("1")
    progress(page, "1 answered by you · 2 waiting")
    assert [answer["request_id"] for answer in hurried.answers()] == [first]


def test_a_lease_that_somebody_else_has_taken_meanwhile_leads_to_the_next_item(
    open_page: OpenPage, hurried: Recording
) -> None:
    hurried.forget()
    hurried.decide(3)
    page = open_page(f"{hurried.url}/review")
    first = request_shown(page)
    expect(page.get_by_role("button", name="Take it again")).to_be_visible()
    assert len(hurried.reviews(reviewer="other", lease=60)) == 3
    page.get_by_role("button", name="Take it again").click()
    expect(page.locator("#empty-title")).to_have_text("The rest is with others")
    assert hurried.answers() == []
    assert first


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize("path", ["review", "monitor"])
def test_a_server_that_records_nothing_says_so(open_page: OpenPage, server: Server, path: str) -> None:
    page = open_page(f"{server.url}/{path}", refusals=(404,))
    expect(page.locator("#trouble")).to_contain_text("TANDEM_FEEDBACK_URL")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    """A server with a key that may do everything, and one that may only predict; its bundle has no examples."""
    folder = tmp_path_factory.mktemp("guarded")
    keys = {"all": (KEY, "predict,review"), "robot": (OTHER_KEY, "predict")}
    lines = [
        f"{name} sha256:{hashlib.sha256(key.encode()).hexdigest()} {scopes}\n" for name, (key, scopes) in keys.items()
    ]
    (folder / "keys").write_text("".join(lines))
    headers = {"Authorization": f"Bearer {KEY}"}
    settings: dict[str, Path] = {"api_keys_file": folder / "keys", "feedback_images": folder / "images"}
    with recording(folder, tiny_bundle(folder / "store"), headers, **settings) as started:
        yield started


@pytest.mark.parametrize(
    "path", ["/v1/reviews", "/v1/monitor", "/v1/reviews/1/explanation", f"/v1/reviews/images/{'0' * 64}"]
)
def test_by_http_a_key_without_the_scope_is_refused(guarded: Recording, path: str) -> None:
    answer = guarded.server.request(path, headers={"Authorization": f"Bearer {OTHER_KEY}"})
    assert (answer.status, answer.code) == (403, "forbidden")
    assert guarded.server.request(path).status == 401


@pytest.mark.parametrize("path", ["review", "monitor"])
def test_a_key_without_the_scope_is_told_and_another_one_asked_for(
    open_page: OpenPage, guarded: Recording, path: str
) -> None:
    guarded.forget()
    guarded.decide(1)
    page = open_page(f"{guarded.url}/{path}", refusals=(401, 403))
    enter(page, OTHER_KEY)
    expect(page.locator("#key-error")).to_contain_text("needs an API key with the scope 'review'")
    enter(page, KEY)
    expect(page.locator("#item, .figure-card").first).to_be_visible()
    assert KEY not in page.content()


def test_pictures_are_shown_where_keys_are_asked_for_and_the_answer_is_the_keys(
    open_page: OpenPage, guarded: Recording
) -> None:
    guarded.forget()
    guarded.decide(1)
    page = open_page(f"{guarded.url}/review", refusals=(401,))
    enter(page, KEY)
    expect(page.locator("#picture")).to_be_visible()
    expect(page.locator("#why .bars li")).to_have_count(3)
    expect(page.locator("#why")).to_contain_text("No explanation: the bundle has no examples for this head.")
    request_shown(page)
    page.keyboard.press("1")
    until(lambda: len(guarded.answers()) == 1, 10, "it is answered")
    assert guarded.answers()[0]["by"] == "all"
