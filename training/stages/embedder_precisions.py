"""float32 embedder and head ──▶ the embedder in other precisions, compared by what the head answers."""

from __future__ import annotations

from collections.abc import Sequence

from models.bundle.manifest import Precision
from models.runtime.head_sessions import Head
from training.heads.selection.candidates import Candidate
from training.heads.sources import Source
from training.quantization.precision_trial import OTHERS, Trial, Variants
from training.quantization.variants import calibration_images, make_variants
from training.stages.training_data import TrainingData


def make_precisions(
    graph: bytes,
    data: TrainingData,
    head: Head,
    candidate: Candidate,
    source: Source,
    *,
    seed: int,
    precisions: Sequence[Precision] = OTHERS,
) -> Variants:
    """Makes the embedder in other precisions and keeps those that are worth it.

    Args:
        graph: the embedder, float32.
        data: held-out images decide what is kept; test images are only measured.
        head: the one that serves; answers on test images.
        candidate: the same head, which answers out of fold on held-out images.
        source: of the candidate.
        seed: of the choice of held-out images, if they are many.
        precisions: which to make.
    """
    held_out, test, pooling = data.images_at(data.held_out), data.uncopied_test, data.pooling
    return make_variants(
        graph,
        calibration_images(data.dataset.images, data.parts.known, data.dataset.input),
        Trial.held_out(held_out, candidate, source, seed=seed, pooling=pooling),
        Trial.test(data.images_at(test), head, data.at(test), pooling),
        precisions,
    )
