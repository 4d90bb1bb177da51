"""images, head and a precision's embeddings ──▶ the figures by which precisions are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from models.bundle.manifest import Precision, Variant
from models.pooling import ALONE, Pooling, pool_alone
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedder, Embedding, Probabilities
from training.data.images import Images, select
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.selection.candidates import Candidate
from training.heads.sources import Source
from training.instances.instance_photos import Photos
from training.network.embedding_cache import embed
from training.reports.evaluation_metrics import errors, rounded, score

OTHERS: tuple[Precision, ...] = ("int8", "fp16")
_MAX_HELD_OUT = 2000  # images: 12 s in fp32 if an image takes 6 ms


@dataclass(frozen=True)
class Trial:
    """Images on which precisions are compared.

    Attributes:
        name: prefix of the figures: `held_out` or `test`.
        images: uint8 `[T, H, W, C]`, or the photos of T instances.
        rows: their float32 embeddings, labels and columns.
        answer: gives the head's answers for embeddings and columns.
        pooling: of the photos of an instance.
    """

    name: str
    images: Images | Photos
    rows: LabelledEmbeddings
    answer: Callable[[LabelledEmbeddings], Probabilities]
    pooling: Pooling = ALONE

    @classmethod
    def held_out(
        cls,
        images: Images | Photos,
        candidate: Candidate,
        source: Source,
        *,
        seed: int,
        pooling: Pooling = ALONE,
    ) -> Trial:
        """The held-out images, answered out of fold; some of them if they are many.

        Args:
            images: uint8 `[J, H, W, C]`, or the photos of J instances.
            candidate: the head.
            source: the candidate's, with the held-out rows.
            seed: of the choice of images.
            pooling: of the photos of an instance.
        """
        count = min(len(source.held_out), _MAX_HELD_OUT)
        positions = np.sort(np.random.default_rng(seed).permutation(len(source.held_out))[:count])
        rows = source.held_out.part(positions)
        chosen = images.of(positions) if isinstance(images, Photos) else select(images, positions)
        return cls("held_out", chosen, rows, lambda labelled: candidate.answer(labelled, positions), pooling)

    @classmethod
    def test(cls, images: Images | Photos, head: Head, test: LabelledEmbeddings, pooling: Pooling = ALONE) -> Trial:
        """The test images, answered by the head that serves."""
        return cls("test", images, test, lambda labelled: head(labelled.embedding, labelled.rows), pooling)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """H, W and C."""
        images = self.images.images if isinstance(self.images, Photos) else self.images
        return images.shape[1:]

    def embedded(self, embedder: Embedder, title: str) -> Embedding:
        """Embeds the images, and pools the photos of each instance, float32 `[T, W]`."""
        if isinstance(self.images, Photos):
            return self.pooling.each(embed(embedder, self.images.images, title), self.images.counts.tolist())
        return pool_alone(embed(embedder, self.images, title), self.pooling.kinds)

    def figures(self, embedding: Embedding) -> dict[str, float]:
        """Figures of the head's answers for embeddings `[T, W]` of the instances; empty if there are none."""
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
