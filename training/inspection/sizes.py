"""`Picture`s ──▶ `Sizes`: how large images are, and of which types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from training.data.picture import Picture


@dataclass(frozen=True)
class Sizes:
    """Width and height in pixels, upright, of the smallest, the median and the largest image, by area.

    Attributes:
        smallest: one of the smallest.
        median: one that half of the others are at most as large as.
        largest: one of the largest.
        formats: images by type, the most frequent first.
    """

    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]
    formats: Mapping[str, int]

    @classmethod
    def of(cls, pictures: Sequence[Picture]) -> Sizes | None:
        """Of some pictures; None where there are none."""
        if not pictures:
            return None
        sides = sorted(((each.width, each.height) for each in pictures), key=lambda side: (side[0] * side[1], side))
        formats = dict(Counter(each.format for each in pictures).most_common())
        return cls(sides[0], sides[len(sides) // 2], sides[-1], formats)

    def lines(self) -> Iterator[str]:
        """For the console."""
        if self.smallest == self.largest:
            yield f"all images have {_by(self.median)} pixels"
        else:
            yield (
                f"images have {_by(self.smallest)} to {_by(self.largest)} pixels, half of them at most "
                f"{_by(self.median)}"
            )
        yield f"types of the files: {', '.join(f'{count:,} {name.upper()}' for name, count in self.formats.items())}"


def _by(side: tuple[int, int]) -> str:
    return f"{side[0]}x{side[1]}"
