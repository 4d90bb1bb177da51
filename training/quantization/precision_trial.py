"""images, head and a precision's embeddings ──▶ the figures by which precisions are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from models.bundle.manifest import Precision, Variant
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedding, Probabilities
from training.data.images import Images, select
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.selection.candidates import Candidate
from training.heads.sources import Source
from training.reports.evaluation_metrics import errors, rounded, score

OTHERS: tuple[Precision, ...] = ("int8", "fp16")
_MAX_HELD_OUT = 2000  # images: 12 s in fp32 if an image takes 6 ms


@dataclass(frozen=True)
class Trial:
    """Images on which precisions are compared.

    Attributes:
        name: prefix of the figures: `held_out` or `test`.
        images: uint8 `[T, H, W, C]`.
        rows: their float32 embeddings, labels and columns.
        answer: gives the head's answers for embeddings and columns.
    """

    name: str
    images: Images
    rows: LabelledEmbeddings
    answer: Callable[[LabelledEmbeddings], Probabilities]

    @classmethod
    def held_out(cls, images: Images, candidate: Candidate, source: Source, *, seed: int) -> Trial:
        """The held-out images, answered out of fold; some of them if they are many.

        Args:
            images: uint8 `[J, H, W, C]`.
            candidate: the head.
            source: the candidate's, with the held-out rows.
            seed: of the choice of images.
        """
        count = min(len(source.held_out), _MAX_HELD_OUT)
        positions = np.sort(np.random.default_rng(seed).permutation(len(source.held_out))[:count])
        rows = source.held_out.part(positions)
        return cls("held_out", select(images, positions), rows, lambda labelled: candidate.answer(labelled, positions))

    @classmethod
    def test(cls, images: Images, head: Head, test: LabelledEmbeddings) -> Trial:
        """The test images, answered by the head that serves."""
        return cls("test", images, test, lambda labelled: head(labelled.embedding, labelled.rows))

    def figures(self, embedding: Embedding) -> dict[str, float]:
        """Figures of the head's answers for embeddings `[T, D]` of the images; empty if there are no images."""
        if not len(self.rows):
            return {}
        found = self.answer(replace(self.rows, embedding=embedding))
        measure = score if self.rows.labels.dtype.kind == "i" else errors
        figures = asdict(measure(found, self.rows.labels))
        return {f"{self.name}_{name}": value for name, value in rounded(figures).items()}


@dataclass(frozen=True)
class Variants:
    """Figures of each precision, float32 first, and the graphs of those that are kept."""

    specs: tuple[Variant, ...]
    graphs: Mapping[Precision, bytes]

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """The precisions that are kept."""
        return tuple(spec.precision for spec in self.specs if spec.kept)
