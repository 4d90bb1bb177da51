"""`Comparison` ──▶ `compare.html`, one self-contained page, and `compare.md`, its tables in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from training.compare.report.comparison_rows import Comparison, Family, LeftOut, Row, champion
from training.reports import charts, html_page

TEMPLATE = "compare.html.jinja"
_CURVES = (
    Family.HYBRID,
    Family.NETWORK,
    Family.HOG,
    Family.PIXELS,
    Family.PRETRAINED,
    Family.HYBRID_COLUMNS,
    Family.COLUMNS,
)
_MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\|`*_<>[]"})
TIMED = (
    "Time an image: the median for one image alone on one thread, from decoded pixels to probabilities, features and "
    "network included. Size: of all ONNX graphs that are needed. Time to fit: wall time on all cores, from images to a "
    "calibrated model; a hybrid's contains its network's. Explains: pixels, by covering parts of the image; "
    "neighbours, the training images that it is nearest to; columns, their shares in the decision."
)
FAIR = (
    "Every model gets the same images and holds the same part of them out, a tenth where the data does not say, to "
    "be calibrated on; settings are the same for all data, or chosen by what is held out. Each size contains the "
    "smaller ones. Copies of an image, and images of a group, are never both fitted on and tested with. The pretrained "
    "network knows ImageNet and sees the same pixels as the others, enlarged. The limits of an accuracy hold with 95 % "
    "confidence for other images like these, and, where several seeds ran, for other seeds. The best of several is "
    "flattered a little by being the best; the verdict allows for it."
)


@dataclass(frozen=True)
class _Missing:
    """Models that are missing at one size for one reason."""

    size: int
    names: str
    reason: str


def html(comparison: Comparison) -> str:
    """The page; all text in it is escaped."""
    sizes = comparison.sizes
    values = {
        "comparison": comparison,
        "chart": Markup(_chart(comparison)) if sizes else "",  # noqa: S704 (its text is escaped by matplotlib and us)
        "champions": list(_champions(comparison)),
        "tables": [(size, comparison.at(size)) for size in reversed(sizes)],
        "gone": list(_missing(comparison.left_out)),
        "seeds": _seeds(comparison),
        "digits": 2 if comparison.test_images >= 1000 else 1,
        "timed": TIMED,
        "fair": FAIR,
    }
    return html_page.fill(TEMPLATE, values)


def markdown(comparison: Comparison) -> str:
    """The conclusion, one table for each size, what was left out, and where it was measured."""
    lines = [f"# {_plain(comparison.data)}: which model?", ""]
    lines += [f"- {_plain(sentence)}" for sentence in comparison.verdict]
    for size in reversed(comparison.sizes):
        lines += ["", f"## {size:,} training images", "", *_table(comparison.at(size))]
    if comparison.left_out:
        lines += ["", "## Left out", ""]
        lines += [
            f"- {each.size:,}: {_plain(each.names)}: {_plain(each.reason)}" for each in _missing(comparison.left_out)
        ]
    return "\n".join([*lines, "", "## How it was measured", "", FAIR, "", TIMED, "", *_made(comparison)]) + "\n"


def _chart(comparison: Comparison) -> str:
    curves = {}
    for family in _CURVES:
        best = [champion(comparison.at(size), family) for size in comparison.sizes]
        if points := [(row.size, row.accuracy) for row in best if row is not None]:
            curves[str(family)] = points
    return charts.learning_curves(curves, comparison.test_images)


def _champions(comparison: Comparison) -> Iterator[tuple[Family, list[Row | None]]]:
    """Each family's best row of each size."""
    for family in _CURVES:
        best = [champion(comparison.at(size), family) for size in comparison.sizes]
        if any(best):
            yield family, best


def _missing(left_out: Sequence[LeftOut]) -> Iterator[_Missing]:
    """What was left out, grouped by size and reason."""
    for size, reason in Counter((each.size, each.reason) for each in left_out):
        names = [each.name for each in left_out if (each.size, each.reason) == (size, reason)]
        yield _Missing(size, ", ".join(names), reason)


def _table(rows: Sequence[Row]) -> Iterator[str]:
    titles = ("accuracy", "95 % limits", "seeds", "log loss", "ECE", "time to fit", "time an image", "size")
    yield f"| model | kind | {' | '.join(titles)} | explains |"
    yield f"|---|---|{'---:|' * len(titles)}---|"
    for row in rows:
        yield (
            f"| {_plain(row.name)} | {row.family} | {row.accuracy:.4f} | {row.low:.4f} to {row.high:.4f} "
            f"| {len(row.right)} | {row.log_loss:.4f} | {row.ece:.4f} | {html_page.duration(row.fit_seconds)} "
            f"| {row.predict_us:,.0f} µs | {html_page.megabytes(row.size_bytes)} | {', '.join(row.explains)} |"
        )


def _made(comparison: Comparison) -> Iterator[str]:
    yield f"- test set: {comparison.test_images:,} images, {len(comparison.classes)} classes"
    if comparison.copied:
        yield f"- {comparison.copied:,} test images are left out, as other images have copies of them"
    yield f"- margin: {comparison.margin:g} points, confidence {comparison.confidence:.0%}"
    for network in comparison.networks:
        yield (
            f"- network of {network.size:,} images: {network.told} on {network.images:,} of them, "
            f"{html_page.duration(network.seconds)}"
        )
    stopped = ", interrupted" if comparison.interrupted else ""
    yield f"- {html_page.duration(comparison.seconds)} of a budget of {comparison.budget_minutes:g} min{stopped}"
    yield f"- hardware: {_plain(comparison.hardware)}"
    yield f"- versions: {', '.join(f'{name} {number}' for name, number in comparison.versions.items())}"
    yield f"- {_seeds(comparison)}; {comparison.created:%Y-%m-%d %H:%M} UTC"
    yield f"- command: `{comparison.command.replace('`', chr(39))}`"
    if comparison.skipped:
        yield f"- {len(comparison.skipped):,} files could not be read and are in no sample"


def _seeds(comparison: Comparison) -> str:
    """The seeds that models were fitted with."""
    last = comparison.seed + max([len(row.right) for row in comparison.rows], default=1) - 1
    return f"seed {comparison.seed}" if last == comparison.seed else f"seeds {comparison.seed} to {last}"


def _plain(text: str) -> str:
    """Text on one line, with Markdown and HTML escaped."""
    return " ".join(text.translate(_MARKDOWN).split())
