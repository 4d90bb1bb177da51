"""a sample and a number of seconds ──▶ the network fitted on its images, the network's graph and embeddings."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.runtime.sessions import Embedder, Embedding, Probabilities, cpu_session
from training.compare.report.comparison_rows import Network
from training.compare.report.nested_samples import Sample
from training.data.dataset import Dataset
from training.data.split import Split
from training.export.network_export import export_embedder
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.network.augmentation import augmented_images
from training.network.embedding_cache import embed
from training.network.fit import fit
from training.network.network import EmbeddingNetwork
from training.network.optimization import schedule
from training.network.presets import PRESETS, Hyperparameters

_LONGEST = PRESETS["best"]
_PILOT_IMAGES = 5120  # enough for batches of 256
_PILOT_EPOCHS = 2  # the first one warms up
_VARIANT_ROWS, _MOST_VARIANTS = 4000, 8
_PLANNED_SHARE = 0.92
"""Share of the time that is planned for: a network slower than its pilot would end early, at a high learning rate."""
_SAMPLE = 500  # images on which graph and network are compared


@dataclass(frozen=True)
class Trained:
    """A fitted network, and the embeddings that its heads are fitted on and tested with.

    Attributes:
        note: how it was fitted.
        graph: the embedder as it would be served.
        weights: of its last layer, for the last L numbers of the embedding, float32 `[L, K]`.
        bias: of the same, float32 `[K]`.
        train: embeddings of random variants of the images it was fitted on; the images themselves it knows too well.
        held_out: embeddings of the held-out images.
        test: embeddings of the test images.
        overhead: seconds for export and embeddings.
    """

    note: Network
    graph: bytes
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    train: LabelledEmbeddings
    held_out: LabelledEmbeddings
    test: LabelledEmbeddings
    overhead: float

    def softmax(self, embedding: Embedding) -> Probabilities:
        """The network's own probabilities, float32 `[N, K]`."""
        logits = embedding[:, -len(self.weights) :] @ self.weights + self.bias
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)


class Trainer:
    """Fits networks in a given time, and learns from each fit how long an image takes.

    Attributes:
        hyperparameters: of the network; their number of epochs is not used.
        image_seconds: seconds for one image in one epoch, by batch size, as far as measured.
        longest: hyperparameters whose number of epochs is never exceeded, however much time there is.
    """

    def __init__(
        self,
        dataset: Dataset,
        seed: int,
        *,
        hyperparameters: Hyperparameters = PRESETS["quick"],
        image_seconds: Mapping[int, float] | None = None,
    ) -> None:
        self.dataset = dataset
        self.seed = seed
        self.hyperparameters = replace(hyperparameters, min_steps=0, growing_sides=())  # epochs that take as long
        self.image_seconds = dict(image_seconds or {})
        self.longest = _LONGEST

    def __call__(self, sample: Sample, seconds: float, turn: int = 0) -> Trained | str:
        """Fits for at most about `seconds`, or says why there is no time for one epoch.

        `turn` is added to the seed.
        """
        seed = self.seed + turn
        count = len(sample.parts.train)
        epoch = count * self._seconds_per_image(sample)
        epochs = min(int(_PLANNED_SHARE * seconds / epoch), schedule(count, self.longest)[0])
        if epochs < 1:
            return f"one epoch of the network takes about {epoch:.0f} s, and {max(0.0, seconds):.0f} s are left for it"
        started = time.perf_counter()
        hyperparameters = replace(self.hyperparameters, epochs=epochs)
        with tempfile.TemporaryDirectory() as work:
            fitted = fit(self.dataset, sample.parts, hyperparameters, seed=seed, work=Path(work), max_seconds=seconds)
        took = time.perf_counter() - started
        self.image_seconds[schedule(count, hyperparameters)[1]] = float(np.median(fitted.history.seconds)) / count
        note = Network(size=sample.size, images=count, epochs=len(fitted.history.loss), planned=epochs, seconds=took)
        return self._embedded(sample, fitted.network, hyperparameters, note, seed)

    def _seconds_per_image(self, sample: Sample) -> float:
        """Seconds for one image; measured on a few images if no network with this batch size has been fitted."""
        batch_size = schedule(len(sample.parts.train), self.hyperparameters)[1]
        if batch_size not in self.image_seconds:
            pilot = replace(sample.parts, train=_spread(sample.parts.train, _PILOT_IMAGES))
            hyperparameters = replace(self.hyperparameters, epochs=_PILOT_EPOCHS)
            with tempfile.TemporaryDirectory() as work:
                fitted = fit(self.dataset, pilot, hyperparameters, seed=self.seed, work=Path(work))
            self.image_seconds[batch_size] = fitted.history.seconds[-1] / len(pilot.train)
        return self.image_seconds[batch_size]

    def _embedded(
        self, sample: Sample, network: EmbeddingNetwork, hyperparameters: Hyperparameters, note: Network, seed: int
    ) -> Trained:
        started = time.perf_counter()
        dataset, parts = self.dataset, sample.parts
        graph = export_embedder(network, network.classifier, dataset.images[_spread(parts.train, _SAMPLE)])
        embedder = Embedder(cpu_session(graph, threads=os.cpu_count() or 1))
        labelled = self._variant_embeddings(parts, network, embedder, hyperparameters, seed)
        held_out, test = (
            LabelledEmbeddings(embed(embedder, dataset.images[at], "embedding"), dataset.labels[at], dataset.beside(at))
            for at in (parts.validation, parts.test)
        )
        weights, bias = (each.detach().numpy() for each in (network.classifier.weight.T, network.classifier.bias))
        return Trained(note, graph, weights, bias, labelled, held_out, test, time.perf_counter() - started)

    def _variant_embeddings(
        self, parts: Split, network: EmbeddingNetwork, embedder: Embedder, hyperparameters: Hyperparameters, seed: int
    ) -> LabelledEmbeddings:
        """Embeddings of random variants: one of each image, or several where few images would let heads overfit."""
        dataset, at = self.dataset, parts.train
        rounds = int(np.clip(_VARIANT_ROWS // len(at), 1, _MOST_VARIANTS))
        variants = (augmented_images(dataset, parts, network, hyperparameters, seed + turn) for turn in range(rounds))
        embedding = np.concatenate([embed(embedder, images, "embedding variants") for images in variants])
        return LabelledEmbeddings(embedding, np.tile(dataset.labels[at], rounds), list(dataset.beside(at)) * rounds)


def train(trainer: Trainer, sample: Sample, seconds: float, turn: int) -> tuple[Trained | str, Mapping[int, float]]:
    """Calls a trainer in another process, and returns what it has learned about the seconds for an image as well."""
    return trainer(sample, seconds, turn), trainer.image_seconds


def _spread(positions: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """At most `count` of the positions, evenly spread."""
    if len(positions) <= count:
        return positions
    return np.asarray(positions[np.linspace(0, len(positions) - 1, count).round().astype(int)], np.int64)
