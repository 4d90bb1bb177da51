"""a file of the corpus ──decode──▶ what is wrong with what the project's decoder says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from models.bundle.input_spec import InputSpec
from models.errors import ClientError
from models.imaging.decode import decode
from tests.imaging_corpus.files import File
from tests.imaging_corpus.second_decoder import expected

PNG_LEVELS = 1.0  # largest difference of a PNG's pixel, beside the rounding of what is compared with
MEAN_LEVELS = 1.5  # mean difference of a JPEG's or WebP's pixels
_ROUNDING = 0.5 + 1e-6


@dataclass
class Verdicts:
    """What came of the files so far."""

    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    worst: dict[str, float] = field(default_factory=dict)
    """Largest difference in levels by kind: of any pixel for PNG, on average over a file for the others."""

    def table(self) -> str:
        """A line for each kind."""
        return "\n".join(
            f"{kind:<24}{count:>5}  {f'worst {self.worst[kind]:.2f}' if kind in self.worst else 'refused'}"
            for kind, count in sorted(self.counts.items())
        )


def judge(files: Iterable[File], channels: tuple[int, ...] = (3, 1)) -> Verdicts:
    """Decodes each file and compares."""
    found = Verdicts()
    for file in files:
        found.counts[file.kind] += 1
        for each in channels:
            difference, complaint = _judge_one(file, each)
            if complaint:
                found.wrong.append(f"{file.kind}: {file.name}: {complaint}")
                break
            if not file.codes:
                found.worst[file.kind] = max(found.worst.get(file.kind, 0.0), difference)
    return found


def _judge_one(file: File, channels: int) -> tuple[float, str]:
    """Difference in levels, and what is wrong."""
    if file.codes:
        return 0.0, _complaint_of_refusal(file, channels)
    wanted = expected(file, channels)
    spec = InputSpec(height=wanted.shape[0], width=wanted.shape[1], channels=channels)
    try:
        pixels = decode(file.data, spec)
    except ClientError as error:
        return 0.0, f"refused as {error.code}: {error.detail}"
    except Exception as error:
        return 0.0, f"raised {error!r}"
    apart = np.abs(pixels - wanted)
    difference = float(apart.mean() if file.levels is None else apart.max())
    if difference > (MEAN_LEVELS if file.levels is None else PNG_LEVELS + _ROUNDING):
        return difference, f"{difference:.2f} levels apart"
    return difference, ""


def _complaint_of_refusal(file: File, channels: int) -> str:
    try:
        decode(file.data, InputSpec(height=16, width=16, channels=channels))
    except ClientError as error:
        return "" if error.code in file.codes else f"refused as {error.code}: {error.detail}"
    except Exception as error:
        return f"raised {error!r}"
    return f"accepted; right is {sorted(file.codes)}"
