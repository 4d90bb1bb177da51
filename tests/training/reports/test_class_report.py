"""What a person finds on a bundle's page."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from models.bundle.manifest import Variant
from training.network.history import History
from training.policy.promise import Promise
from training.reports.class_report import Counts, HeadChoice, Mistake, Report, render
from training.reports.coverage import Coverage
from training.reports.evaluation_metrics import Reliability, Scores

SERVED = "gradient boosting on the embedding (served)"
VOID = {"meta", "link", "img", "br"}


def history(epochs: int) -> History:
    return History(
        loss=[1.25 * 0.98**epoch for epoch in range(epochs)],
        validation_accuracy=[0.95 - 0.13 * 0.95**epoch for epoch in range(epochs)],
        seconds=[28.75] * epochs,
    )


def mistake(height: int = 28, width: int = 28, channels: int = 1) -> Mistake:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Mistake(noise, label="Shirt", predicted="T-shirt/top", confidence=0.987)


def choice(name: str, log_loss: float, accuracy: float, chosen: bool) -> HeadChoice:
    return HeadChoice(name, {"log loss": log_loss, "accuracy": accuracy}, chosen)


def covering(min_confidence: float | None, share: float, accuracy: float, *, images: int = 10_000) -> Coverage:
    """Of images whose confidence rises evenly, and of which only the least confident twentieth is wrong."""
    confidence = np.linspace(0.3, 1.0, images).astype(np.float32)
    hits = np.arange(images) >= images // 20
    return Coverage(min_confidence, 12.5, share, accuracy, 0.02, confidence, hits)


def measured(accuracy: float, log_loss: float, ms: float, size_bytes: float) -> dict[str, float]:
    return {"held_out_accuracy": accuracy, "held_out_log_loss": log_loss, "ms_per_image": ms, "size_bytes": size_bytes}


def fashion() -> Report:
    confusion = np.full((10, 10), 3, np.int64)
    np.fill_diagonal(confusion, 941)
    confusion[6, 0] = 117
    return Report(
        model="fashion-mnist@1",
        head="category",
        created=datetime(2025, 6, 1, 9, 30, tzinfo=UTC),
        classes=("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot"),
        hardware="1 x cpu, bf16-mixed",
        settings={"preset": "best", "widths": [32, 64], "head": {"learning_rate": 0.0625}},
        counts=Counts(train=54_001, validation=5_999, test=10_000),
        scores={
            "CNN softmax": Scores(0.9491, 0.1803, 0.0213),
            "logistic regression on the embedding": Scores(0.9475, 0.1755, 0.0102),
            SERVED: Scores(0.9479, 0.1689, 0.0071),
        },
        served=SERVED,
        confusion=confusion,
        reliability=Reliability(
            confidence=np.array([np.nan, 0.372, 0.591, 0.783, 0.984]),
            accuracy=np.array([np.nan, 0.312, 0.604, 0.801, 0.991]),
            count=np.array([0, 77, 543, 1_380, 8_000]),
        ),
        coverage=covering(0.713, 0.9012, 0.9834),
        history=history(120),
        steps={"fit the network": 3480.2, "embed": 41.7},
        sizes={"embedder.onnx": 1_243_221, "head-category.onnx": 87_654},
        mistakes=[mistake()] * 24,
        head_choices=[choice("depth 3", 0.1642, 0.9488, True), choice("depth 6", 0.1701, 0.9482, False)],
        variants=[
            Variant(precision="fp32", kept=True, metrics=measured(0.9479, 0.1689, 4.613, 13_421_075)),
            Variant(
                precision="int8", kept=False, reason="<too slow>", metrics=measured(0.9474, 0.1702, 5.927, 3_738_974)
            ),
            Variant(precision="fp16", kept=False, reason="no rule for Sigmoid"),
        ],
        skipped=tuple(f"tops/{index}.jpg: truncated" for index in range(73)),
    )


def smallest() -> Report:
    return Report(
        model="pets@12",
        head="species",
        created=datetime(2025, 6, 1, tzinfo=UTC),
        classes=("cat", "dog"),
        hardware="1 x cuda, bf16-mixed",
        settings={},
        counts=Counts(train=8, validation=1, test=4),
        scores={SERVED: Scores(1.0, 0.02, 0.01)},
        served=SERVED,
        confusion=np.array([[4, 0], [0, 0]]),
        reliability=Reliability(np.array([np.nan, 0.99]), np.array([np.nan, 1.0]), np.array([0, 4])),
        coverage=covering(1.0, 0.0, float("nan"), images=4),
        history=history(1),
        steps={},
        sizes={},
    )


def page(report: Report) -> str:
    return render(report).decode().replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def fashion_page() -> str:
    return page(fashion())


class Tags(HTMLParser):
    """Collects tags and attributes, and fails on one that is closed without having been opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def values(self, *names: str) -> list[str]:
        return [value for name, value in self.attributes if name in names]


@pytest.mark.parametrize("report", [fashion(), smallest()], ids=["fashion", "smallest"])
def test_every_tag_is_closed_and_every_id_is_unique(report: Report) -> None:
    ids = Tags(page(report)).values("id")
    assert len(ids) == len(set(ids))


def test_every_reference_inside_the_page_leads_somewhere(fashion_page: str) -> None:
    tags = Tags(fashion_page)
    targets = [value.removeprefix("#") for value in tags.values("xlink:href", "aria-labelledby", "aria-describedby")]
    targets += re.findall(r"url\(#([^)]+)\)", fashion_page)
    assert targets
    assert set(targets) <= set(tags.values("id"))


def test_nothing_is_fetched_and_nothing_runs(fashion_page: str) -> None:
    tags = Tags(fashion_page)
    assert "script" not in tags.tags
    assert all(value.startswith(("data:", "#")) for value in tags.values("src", "href", "xlink:href", "srcset"))
    assert not re.search(r"https?://|//\w+\.|@import|url\((?!#)", fashion_page)
    assert not [name for name, _ in tags.attributes if name.startswith("on")]


def test_every_picture_has_a_text_in_its_place(fashion_page: str) -> None:
    tags = Tags(fashion_page)
    assert len(tags.values("alt")) == tags.tags.count("img") == 24
    assert len(tags.values("aria-label")) >= tags.tags.count("svg") == 4


@pytest.fixture(scope="module")
def hostile_page() -> str:
    return page(
        replace(
            fashion(),
            model="<model>@1",
            classes=("<class>", *fashion().classes[1:]),
            hardware="<hardware>",
            settings={"<setting>": {"inner": "<value>"}},
            scores={"<row>": Scores(1, 0, 0), **fashion().scores},
            steps={"<step>": 1.0},
            sizes={"<file>": 1},
            skipped=("<skipped>.jpg: broken",),
            head_choices=[choice("<choice>", 1, 0, True)],
            mistakes=[replace(mistake(), label='"<label>', predicted='"<predicted>')],
        )
    )


@pytest.mark.parametrize(
    "source",
    [
        "model",
        "class",
        "hardware",
        "setting",
        "value",
        "row",
        "step",
        "file",
        "skipped",
        "choice",
        "label",
        "predicted",
    ],
)
def test_text_from_the_data_is_escaped(hostile_page: str, source: str) -> None:
    assert f"&lt;{source}&gt;" in hostile_page
    assert f"<{source}>" not in hostile_page


def test_a_quote_in_a_class_name_does_not_end_an_attribute(hostile_page: str) -> None:
    assert 'Test image of "<label>, taken for "<predicted>' in Tags(hostile_page).values("alt")


@pytest.mark.parametrize(
    "number",
    [
        *("94.91 %", "0.1803", "0.0213", "94.75 %", "0.1755", "0.0102", "94.79 %", "0.1689", "0.0071"),
        *("94.34 %", "95.21 %", "521", "12 more right", "4 fewer right"),
        *("54,001", "5,999", "10,000", "1 x cpu, bf16-mixed", "2025-06-01 09:30 UTC"),
        *("0.713", "90.12 %", "98.34 %", "8,862", "150", "988"),
        *("941", "117", "Shirt taken for T-shirt/top (117)", "87.0 %", "97.2 %"),
        *("0.372", "0.312", "77", "1,380", "0.984", "0.991"),
        *("0.1129", "94.97 %", "28.8"),
        *("0.987", "0.1642", "94.88 %", "0.1701", "94.82 %"),
        *("58 min 00 s", "41.7 s", "1,243,221", "87,654", "1,330,875"),
        *("13.42 MB", "4.613 ms", "3.74 MB", "5.927 ms", "94.74 %", "0.1702"),
        *("head.learning_rate", "0.0625", "32, 64", "Files left out (73)", "tops/49.jpg", "and 23 more"),
    ],
)
def test_a_number_of_the_report_is_on_the_page(fashion_page: str, number: str) -> None:
    assert re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d])", fashion_page)


def test_the_page_opens_with_the_model_and_what_is_served(fashion_page: str) -> None:
    head = fashion_page[fashion_page.index("<header>") : fashion_page.index("</header>")]
    wanted = ["fashion-mnist@1", "94.79 % of 10,000", "bf16-mixed", SERVED, "94.91 %", "94.75 %"]
    positions = [head.index(text) for text in wanted]
    assert positions == sorted(positions)


def test_only_the_first_of_many_skipped_files_are_listed(fashion_page: str) -> None:
    assert fashion_page.count(".jpg: truncated") == 50


def test_the_same_report_gives_the_same_bytes(fashion_page: str) -> None:
    assert page(fashion()) == fashion_page


def test_the_page_of_a_large_report_is_small(fashion_page: str) -> None:
    assert len(fashion_page.encode()) <= 200_000


def test_a_small_data_set_has_no_empty_sections() -> None:
    text = page(smallest())
    assert "mistakes</h2>" not in text
    assert "left out" not in text
    assert "Choice of the head" not in text
    assert "Precisions" not in text
    assert "none of the test images" in text
    assert "nan" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL).lower()


@pytest.mark.parametrize(
    ("picture", "kind"),
    [
        pytest.param(mistake(), "png", id="small grey"),
        pytest.param(mistake(32, 32, 3), "png", id="small colour"),
        pytest.param(mistake(224, 180, 3), "jpeg", id="large colour"),
        pytest.param(mistake(96, 96), "jpeg", id="large grey"),
    ],
)
def test_small_mistakes_are_kept_pixel_by_pixel_and_large_ones_reduced(picture: Mistake, kind: str) -> None:
    text = page(replace(smallest(), mistakes=[picture]))
    assert f'src="data:image/{kind};base64,' in text
    assert ('class="pixelated"' in text) == (kind == "png")


def test_a_precision_that_was_not_kept_says_why(fashion_page: str) -> None:
    section = fashion_page[fashion_page.index('id="precisions"') : fashion_page.index('id="made"')]
    assert "no: &lt;too slow&gt;" in section
    assert "no: no rule for Sigmoid" in section
    assert section.count(">yes<") == 1


def test_a_precision_that_is_kept_has_its_test_accuracy_beside_the_one_that_judged() -> None:
    variant = fashion().variants[0]
    kept = variant.model_copy(update={"metrics": {**variant.metrics, "test_accuracy": 0.9123}})
    text = page(replace(fashion(), variants=[kept, fashion().variants[1]]))
    assert "<td>94.79 %</td><td>0.1689</td><td>91.23 %</td>" in text
    assert "<td>94.74 %</td><td>0.1702</td><td>\N{EN DASH}</td>" in text


def test_a_network_that_was_not_trained_has_no_curves() -> None:
    text = page(replace(fashion(), history=None))
    Tags(text)
    assert "Training of the network" not in text
    assert text.count("<svg") == 2


def many(classes: int, *, confused: int) -> Report:
    """Of so many classes, of which the first few are taken for the next one as often as said."""
    names = tuple(f"class {index}" for index in range(classes))
    confusion = np.diag(np.full(classes, 50))
    for index in range(min(5, classes - 1)):
        confusion[index, index + 1] = confused
    return replace(smallest(), classes=names, confusion=confusion)


def test_a_matrix_of_a_dozen_classes_is_shown() -> None:
    text = page(many(12, confused=2))
    assert '<table class="confusion"' in text
    assert "The whole matrix" not in text


def test_more_classes_have_the_confused_pairs_first_and_the_matrix_on_demand() -> None:
    text = page(many(13, confused=2))
    section = text[text.index('id="confusion"') : text.index('id="reliability"')]
    order = [section.index(">class 0</th>"), section.index("<details><summary>The whole matrix of 13 classes")]
    order += [section.index('<table class="confusion"'), section.index("</details>")]
    assert order == sorted(order)
    assert section[: order[1]].count("<td>2</td><td>3.8 %</td>") == 5


def test_very_many_classes_have_pairs_and_no_matrix() -> None:
    text = page(many(200, confused=0))
    assert '<table class="confusion"' not in text
    assert "every test image was classified right" in text
    assert all(f">class {index}</th>" in text for index in range(200))
    assert len(text) < 200_000


@pytest.mark.parametrize("classes", [4, 13, 200])
def test_what_happened_once_is_not_most_often(classes: int) -> None:
    text = page(many(classes, confused=1))
    assert "Most often" not in text
    assert f"None more than once: the {min(5, classes - 1)} errors are of as many kinds." in text


def test_a_single_error_beside_frequent_ones_is_not_most_often() -> None:
    report = many(4, confused=2)
    report.confusion[3, 0] = 1
    assert "class 0 taken for class 1 (2), class 1 taken for class 2 (2), class 2 taken for class 3 (2).<" in page(
        report
    )


def test_each_class_has_its_figures_with_intervals() -> None:
    text = page(
        replace(smallest(), confusion=np.array([[8, 2], [0, 0]]), scores={SERVED: Scores(0.8, 0.02, 0.01, 0.1234)})
    )
    rows = re.findall(r"<tr>.*?</tr>", text[text.index('id="classes"') : text.index('id="confusion"')], re.DOTALL)
    words = [" ".join(re.sub(r"<[^>]+>", " ", row).split()).replace("\N{EN DASH}", "-") for row in rows]
    assert words[1:] == [
        "cat 10 80.0 % 49.0 % - 94.3 % 100.0 % 67.6 % - 100.0 %",
        "dog 0 - - - - 0.0 % 0.0 % - 65.8 %",
    ]
    assert "Balanced accuracy, the mean recall of the classes, is 80.0 %" in text
    assert "the log loss with all classes counting alike is 0.1234" in text


def test_a_class_that_is_mostly_accepted_as_another_is_named() -> None:
    accepted = np.array([[90, 1], [7, 2]])
    report = replace(smallest(), coverage=replace(covering(0.7, 0.9, 0.9), accepted_confusion=accepted))
    text = page(report)
    assert "dog is mostly accepted as something else: 7 of its 9 accepted images, 7 of them as cat" in text
    assert "cat is mostly" not in text
    assert "accepted as another" in text


@pytest.mark.parametrize(
    ("promise", "opening"),
    [(Promise(0.99, 0.95, 3600, 0.41), "What is promised"), (Promise(0.99, 0.95, 46, 0.0), "Nothing is promised")],
    ids=["shown", "not shown"],
)
def test_the_page_says_what_is_promised(promise: Promise, opening: str) -> None:
    assert f"<b>{opening}:</b> {promise.sentence}.</p>" in page(replace(fashion(), promise=promise))
    assert "is promised:" not in page(fashion())


def test_a_head_that_accepts_nothing_says_so() -> None:
    text = page(replace(fashion(), coverage=covering(1.01, 0.0, float("nan"))))
    assert "No confidence is high enough for an answer to be accepted, even if the image is no farther" in text
    assert "1.010" not in text


def test_the_headline_is_without_copies_and_names_the_figure_with_them() -> None:
    report = replace(fashion(), copied=38, accuracy_with_copies=0.9512)
    header = page(report).partition("</header>")[0]
    assert "94.79 % of 10,000 test images" in header
    assert "no copy elsewhere; with the 38 that have one it is 95.12 %" in header


def test_who_judged_by_what_is_said_where_it_is_known() -> None:
    report = replace(fashion(), validation="Judged on OOF.", criterion="Least loss wins.", outliers="Far is far.")
    text = page(report)
    assert all(sentence in text for sentence in ("Judged on OOF.", "Least loss wins.", "Far is far."))
    assert "of the 5,999 validation images" not in text


def test_pictures_are_shown_in_their_proportions() -> None:
    text = page(replace(smallest(), mistakes=[replace(mistake(224, 224, 3), aspect=0.5)]))
    (source,) = [value for value in Tags(text).values("src") if value.startswith("data:image/")]
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as picture:
        assert picture.size == (64, 128)


def test_thousands_of_epochs_stay_readable() -> None:
    text = page(replace(fashion(), history=history(3000)))
    assert len(text) < 200_000
    assert "Some of the 3,000 epochs" in text
    assert ">3000</th>" in text


def test_perfect_validation_accuracy_can_be_drawn() -> None:
    perfect = History(loss=[0.5, 0.5], validation_accuracy=[1.0, 1.0], seconds=[1.0, 1.0])
    assert "100.00 %" in page(replace(fashion(), history=perfect))


def test_a_served_row_that_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError, match="nothing"):
        render(replace(fashion(), served="nothing"))
