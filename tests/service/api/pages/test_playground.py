"""The playground in Chromium: how a person brings an image, fills in the form and reads the answer."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.chaos.rig.servers import Server, until
from tests.service.api.pages.visitor import OpenPage, cards, choose, code, noise, png

pytestmark = pytest.mark.slow


# ---------------------------------------------------------------- ways to bring an image


def test_a_chosen_file_is_decided_on_at_once(page: Page) -> None:
    choose(page, png())
    expect(cards(page)).to_have_count(1)
    expect(page.locator(".headline")).to_contain_text("mid")
    expect(page.locator(".pill")).to_have_text("Accept")
    expect(page.locator(".bars").first.locator("li")).to_have_count(3)
    expect(page.locator("#status")).to_contain_text("shade: mid, ")
    expect(page.locator("#file-name")).to_contain_text("mid.png · ")
    expect(page.get_by_alt_text("Your image, 64 by 48 pixels")).to_be_visible()


def test_an_explanation_shows_neighbours_with_pictures_and_contributions(page: Page) -> None:
    choose(page, png())
    expect(page.locator(".neighbours li")).to_have_count(3)
    expect(page.locator(".neighbours li").first).to_contain_text("mid")
    assert page.locator(".neighbours img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    expect(page.locator(".split li")).to_have_text([re.compile(r"Image\s*[^\d\s]\d")])
    page.get_by_label("Explain the answer").uncheck()
    page.get_by_role("button", name="Get decision").click()
    expect(page.locator(".neighbours")).to_have_count(0)


def test_an_image_is_pasted_from_the_clipboard(open_page: OpenPage, server: Server) -> None:
    page = open_page(f"{server.url}/playground", permissions=["clipboard-read", "clipboard-write"])
    expect(page.locator("#work")).to_be_visible()
    page.evaluate(
        """bytes => navigator.clipboard.write(
            [new ClipboardItem({"image/png": new Blob([new Uint8Array(bytes)], {type: "image/png"})})])""",
        list(png()["buffer"]),
    )
    page.keyboard.press("Control+V")
    expect(page.locator(".headline")).to_contain_text("mid")


def test_pasted_text_is_no_image_and_says_so(open_page: OpenPage, server: Server) -> None:
    page = open_page(f"{server.url}/playground", permissions=["clipboard-read", "clipboard-write"])
    expect(page.locator("#work")).to_be_visible()
    page.evaluate("navigator.clipboard.writeText('https://shop.example/a.png')")
    page.keyboard.press("Control+V")
    expect(page.locator("#image-note")).to_have_text("Nothing was taken: the clipboard holds no file.")


def drop(page: Page, count: int) -> None:
    """Drops so many images."""
    transfer = page.evaluate_handle(
        """([bytes, count]) => {
            const transfer = new DataTransfer();
            for (let i = 0; i < count; i++)
                transfer.items.add(new File([new Uint8Array(bytes)], `${i}.png`, {type: "image/png"}));
            return transfer;
        }""",
        [list(png(grey="bright")["buffer"]), count],
    )
    page.dispatch_event("#drop", "dragenter", {"dataTransfer": transfer})
    expect(page.locator("#drop")).to_have_class(re.compile("over"))
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    expect(page.locator("#drop")).not_to_have_class(re.compile("over"))


def test_an_image_is_dropped(page: Page) -> None:
    drop(page, 1)
    expect(page.locator(".headline")).to_contain_text("bright")


def test_of_several_dropped_images_the_first_is_taken_and_the_page_says_so(page: Page) -> None:
    drop(page, 3)
    expect(page.locator("#image-note")).to_have_text("One image at a time: took 0.png, left out 2.")
    expect(page.locator(".headline")).to_contain_text("bright")


def test_a_dropped_link_is_no_image_and_says_so(page: Page) -> None:
    page.dispatch_event("#drop", "drop", {"dataTransfer": page.evaluate_handle("new DataTransfer()")})
    expect(page.locator("#image-note")).to_have_text("Nothing was taken: what was dropped holds no file.")


def test_the_camera_takes_one(page: Page) -> None:
    page.get_by_role("button", name="Use camera").click()
    until(lambda: page.evaluate("document.querySelector('video').videoWidth > 0"), 10, "the camera films")
    page.get_by_role("button", name="Take photo").click()
    expect(page.locator("#file-name")).to_contain_text("camera.jpg")
    expect(cards(page)).to_have_count(1)
    assert page.evaluate("document.querySelector('video').srcObject.getTracks()[0].readyState") == "ended"


# ---------------------------------------------------------------- heads and columns


def test_the_form_is_made_of_the_manifest(page: Page) -> None:
    expect(page.get_by_role("group", name="Columns")).to_be_hidden()
    page.get_by_label("priced").check()
    assert page.locator(".field label").all_inner_texts() == [
        "shift\nrequired",
        "force\noptional",
        "invert\noptional",
        "bought\noptional",
    ]
    expect(page.locator("#column-0-hint")).to_have_text("-1 to 1 in training")
    expect(page.locator("#column-1-hint")).to_have_text("Seen in training: dark, bright")
    expect(page.locator("#column-3-hint")).to_have_text("1970-01-01 to 2024-10-04 in training; UTC")
    assert page.locator("#column-1-options option").evaluate_all("all => all.map(one => one.value)") == [
        "dark",
        "bright",
    ]
    assert page.locator("[data-column]").evaluate_all("all => all.map(one => one.type)") == [
        "number",
        "text",
        "select-one",
        "date",
    ]


def test_without_a_required_column_nothing_is_sent(page: Page) -> None:
    page.get_by_label("priced").check()
    choose(page, png())
    page.get_by_role("button", name="Get decision").click()
    expect(page.get_by_label("shift")).to_be_focused()
    expect(cards(page)).to_have_count(0)


def test_without_an_image_nothing_is_sent(page: Page) -> None:
    page.get_by_role("button", name="Get decision").click()
    expect(page.locator("#image-note")).to_have_text("Choose an image first.")
    expect(page.locator("#file")).to_be_focused()


def test_columns_of_each_kind_reach_the_head(page: Page) -> None:
    page.get_by_label("shade").uncheck()
    page.get_by_label("priced").check()
    page.get_by_label("shift").fill("-0.1")
    page.get_by_label("invert").select_option("True")
    page.get_by_label("bought").fill("1970-03-01")
    choose(page, png(grey="bright"))
    expect(page.locator(".headline")).to_contain_text("dark")
    expect(page.locator(".split .name")).to_have_text(["Image", "shift", "force", "invert", "bought"])
    assert '"shift":-0.1,"invert":true,"bought":"1970-03-01"' in code(page, "curl")
    page.get_by_label("force").fill("bright")
    page.keyboard.press("Enter")
    expect(page.locator(".headline")).to_contain_text("bright")


def test_an_unusual_value_is_named_before_it_is_sent(page: Page) -> None:
    page.get_by_label("priced").check()
    page.get_by_label("shift").fill("1.5")
    expect(page.locator("#column-0-note")).to_have_text("Outside the range of training; it counts as the nearer end.")
    page.get_by_label("force").fill("purple")
    expect(page.locator("#column-1-note")).to_have_text("Not seen in training; it counts as none of the known ones.")
    page.get_by_label("force").fill("dark")
    expect(page.locator("#column-1-note")).to_be_empty()


def test_what_was_typed_stays_while_heads_change(page: Page) -> None:
    page.get_by_label("priced").check()
    page.get_by_label("shift").fill("0.25")
    page.get_by_label("priced").uncheck()
    page.get_by_label("priced").check()
    expect(page.get_by_label("shift")).to_have_value("0.25")


def test_several_heads_have_a_card_each_and_a_number_has_its_interval(page: Page) -> None:
    page.get_by_label("level").check()
    choose(page, png(grey="bright"))
    expect(cards(page)).to_have_count(2)
    number = cards(page).nth(1)
    expect(number.locator(".headline")).to_have_text(re.compile(r"^0\.882350\.44118 to 1\.7647$"))
    expect(number.locator(".ends")).to_have_text("0.441181.7647")
    expect(number).to_contain_text("Made to hold 90")
    assert "?heads=shade,level&explain=1" in code(page, "curl")


def test_without_any_head_nothing_is_sent(page: Page) -> None:
    page.get_by_label("shade").uncheck()
    choose(page, png())
    page.get_by_role("button", name="Get decision").click()
    assert page.get_by_label("shade").evaluate("box => box.validationMessage") == "Choose at least one head."
    expect(cards(page)).to_have_count(0)


# ---------------------------------------------------------------- the request as code


@pytest.mark.parametrize("language", ["curl", "Python"])
@pytest.mark.parametrize("head", ["shade", "priced"])
@pytest.mark.parametrize("name", ["mid.png", 'it\'s "my" photo, é;1.png'], ids=["a plain name", "a name to quote"])
def test_the_code_sends_the_same_request(page: Page, tmp_path: Path, language: str, head: str, name: str) -> None:
    if head == "priced":
        page.get_by_label("shade").uncheck()
        page.get_by_label("priced").check()
        page.get_by_label("shift").fill("0.01")
        page.get_by_label("force").fill('it\'s; a "test" é')
    page.get_by_label("Explain").uncheck()
    choose(page, png(name))
    expect(page.locator(".headline")).to_contain_text("mid")
    (tmp_path / name).write_bytes(png()["buffer"])
    program = ["bash", "-c"] if language == "curl" else [sys.executable, "-c"]
    done = subprocess.run([*program, code(page, language)], cwd=tmp_path, capture_output=True, text=True, check=True)
    answer: Any = json.loads(done.stdout) if language == "curl" else eval(done.stdout)
    shown = json.loads(page.locator(".raw pre").text_content() or "")
    assert (answer["predictions"][0] if head == "priced" else answer) == shown


def test_the_code_is_copied(open_page: OpenPage, server: Server) -> None:
    page = open_page(f"{server.url}/playground", permissions=["clipboard-read", "clipboard-write"])
    choose(page, png())
    page.get_by_role("button", name="Copy Python").click()
    expect(page.locator(".copied").nth(1)).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == code(page, "Python")


# ---------------------------------------------------------------- errors


def heic() -> bytes:
    body = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 64))).save(body)
    return body.getvalue()


@pytest.mark.parametrize(
    ("name", "body", "status", "said", "problem"),
    [
        ("cut.png", noise(30)[:-20], 400, r"Damaged png image of \d+ bytes", "bad_image"),
        ("empty.png", b"", 400, "[Ee]mpty", "bad_"),
        ("photo.heic", heic(), 415, "HEIC", "unsupported_type"),
        ("notes.txt", b"hello there", 415, "the first bytes are b'hello there'", "unsupported_type"),
        ("large.png", noise(1200), 413, "the limit is 1000000", "too_large"),
    ],
    ids=["cut short", "empty", "HEIC", "a text", "too large"],
)
def test_an_error_is_a_sentence_with_its_code(
    open_page: OpenPage, server: Server, name: str, body: bytes, status: int, said: str, problem: str
) -> None:
    page = open_page(f"{server.url}/playground", refusals=(status,))
    expect(page.locator("#work")).to_be_visible()
    choose(page, {"name": name, "mimeType": "", "buffer": body})
    expect(page.locator(".problem p").first).to_have_text(re.compile(rf"^(?=[A-Z]).*{said}.*[.!?]$"))
    expect(page.locator(".problem code")).to_contain_text(problem)
    expect(page.locator("#status")).to_have_text(re.compile("^Error. "))
    choose(page, png())  # and the page goes on
    expect(page.locator(".headline")).to_contain_text("mid")


def test_a_server_that_is_gone_is_told(open_page: OpenPage, server: Server) -> None:
    page = open_page(f"{server.url}/playground", refusals=("net::ERR_FAILED",))
    expect(page.locator("#work")).to_be_visible()
    page.route("**/v1/predict*", lambda route: route.abort())
    choose(page, png())
    expect(page.locator(".problem")).to_contain_text("The server cannot be reached")


def test_names_of_a_file_are_text(page: Page) -> None:
    choose(page, png("<img src=x onerror=alert(1)>.png"))
    expect(page.locator("#file-name")).to_contain_text("<img src=x onerror=alert(1)>.png")
    assert page.locator("#file-name img").count() == 0
