"""pixels (and columns) ──embedder──▶ embedding ──heads──▶ probabilities: one bundle on one device."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from models.bundle.golden import check_golden
from models.bundle.head_spec import HeadSpec
from models.bundle.loading import Bundle
from models.bundle.manifest import Manifest, Precision
from models.bundle.store import resolve
from models.columns import ColumnValue
from models.devices.placement import Device, Placement, place
from models.pooling import pool_alone
from models.runtime.batch_size import MIN_RUNS, MIN_TIMED_S, best_batch
from models.runtime.engine_types import EngineInput, Instance, Result
from models.runtime.explanation import Explainer, Explanation
from models.runtime.head_sessions import Head
from models.runtime.head_set import HeadSet
from models.runtime.photo_weights import photo_effects
from models.runtime.sessions import Embedding


class Engine:
    """An embedder on its device and the heads on the CPU, checked against the golden results."""

    def __init__(self, bundle: Bundle, placement: Placement, *, max_batch: int) -> None:
        self.manifest: Manifest = bundle.manifest
        self.device: Device = placement.device
        self.precision: Precision = placement.precision
        self._embedder = placement.embedder
        self.head_set = HeadSet.open(bundle)
        check_golden(bundle, self._embedder, self.head_set, placement.precision)
        examples = {name: bundle.examples(head.spec) for name, head in self.heads.items()}
        self.explainers = {name: Explainer(self.heads[name], own) for name, own in examples.items() if own is not None}
        """By the names of the heads that can be explained."""
        self.default: tuple[HeadSpec, ...] = (bundle.manifest.default_head,)
        """The heads that answer when a request names none."""
        self.image_s = self._time_batch(1)
        """Seconds to embed and decide on one image alone."""
        self.explain_s = self._time_explaining()
        """Seconds to explain the answers of all heads on one image."""
        self.max_batch = (
            max_batch if placement.device != "cpu" else best_batch(self._time_batch, self.image_s, max_batch)
        )
        """Images in one run."""

    @property
    def heads(self) -> Mapping[str, Head]:
        """By their names."""
        return self.head_set.heads

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        device: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto",
        precision: str = "auto",
        max_batch: int = 32,
        threads: int = 1,
        verify_key: Path | None = None,
    ) -> Engine:
        """Opens a bundle on a device.

        Args:
            path: a version's directory, or a store entry, whose champion is opened.
            device: `auto` takes CUDA if it works, else the CPU.
            precision: `auto` takes the fastest variant of the embedder that the bundle has for the device.
            max_batch: most images in one run.
            threads: of one run of the embedder, on a CPU.
            verify_key: PEM file of a public key; a bundle that its owner has not signed is refused.

        Raises:
            BundleError, StoreError: the bundle is damaged, missing, not signed or computes something else.
            DeviceError: the device or the precision cannot be used.
        """
        bundle = Bundle.open(resolve(path), verify_key)
        return cls(bundle, place(bundle, device, precision, max_batch=max_batch, threads=threads), max_batch=max_batch)

    def run(self, inputs: Sequence[EngineInput], waited_s: Sequence[float]) -> list[Result]:
        """Computes one batch; where the bundle pools, each image is an instance of its own.

        Args:
            inputs: the images.
            waited_s: seconds that each of them waited, passed on to its result.

        Raises:
            ArithmeticError: a head gave NaN or infinity for one of the images; compute the others without it.
        """
        started = time.perf_counter()
        embedding = self._embed(inputs)
        embedded = time.perf_counter()
        rows = pool_alone(embedding, self.manifest.pooling)
        outputs = self.head_set.decide(rows, [each.asked for each in inputs])
        decided = time.perf_counter()
        embed_s, decide_s = embedded - started, decided - embedded
        results = [
            Result(row, of_heads, each.decode_s, waited, 0.0 if each.pixels is None else embed_s, decide_s)
            for each, row, of_heads, waited in zip(inputs, embedding, outputs, waited_s, strict=True)
        ]
        if not self.manifest.pooling:
            return results
        return [result._replace(pooled=row) for result, row in zip(results, rows, strict=True)]

    def decide(self, instances: Sequence[Instance], waited_s: Sequence[float]) -> list[Result]:
        """Decides on instances whose images were embedded; the bundle must pool.

        Args:
            instances: each with the results of its images.
            waited_s: seconds that each of them waited since then.

        Raises:
            ArithmeticError: as `run`.
        """
        started = time.perf_counter()
        photos = [np.stack([photo.embedding for photo in instance.photos]) for instance in instances]
        rows = np.stack([self.head_set.pooling.row(each) for each in photos])
        outputs = self.head_set.decide(rows, [instance.asked for instance in instances])
        decide_s = time.perf_counter() - started
        return [
            _of_instance(instance, waited, decide_s)._replace(
                decisions=of_heads, pooled=row, photos=embeddings if len(embeddings) > 1 else None
            )
            for instance, row, embeddings, of_heads, waited in zip(
                instances, rows, photos, outputs, waited_s, strict=True
            )
        ]

    def explain(self, result: Result, heads: Sequence[HeadSpec]) -> Result:
        """Adds explanations to a result; each of `heads` must be in `explainers`."""
        return result._replace(explanations={head.name: self._explanation(result, head) for head in heads})

    def _explanation(self, result: Result, head: HeadSpec) -> Explanation:
        columns = result.decisions[head.name].columns
        explanation = self.explainers[head.name](result.row, columns)
        if result.photos is not None:
            pooling = self.head_set.pooling
            explanation["images"] = photo_effects(self.heads[head.name], result.photos, pooling, columns)
        return explanation

    def _embed(self, inputs: Sequence[EngineInput]) -> Embedding:
        pixels = [each.pixels for each in inputs if each.pixels is not None]
        if len(pixels) == len(inputs):
            return self._embedder(pixels[0][None] if len(pixels) == 1 else np.stack(pixels))
        embedding = np.empty((len(inputs), self.manifest.embedding_width), np.float32)
        if pixels:
            embedding[[each.pixels is not None for each in inputs]] = self._embedder(np.stack(pixels))
        for row, each in enumerate(inputs):
            if each.embedding is not None:
                embedding[row] = each.embedding
        return embedding

    def _time_batch(self, size: int) -> float:
        """Seconds of the quickest of several runs with the default head."""
        spec, head = self.manifest.input, self.manifest.default_head
        black = np.zeros((spec.height, spec.width, spec.channels), np.uint8)
        image = EngineInput(black, {head.name: _no_columns(head)})
        took_s: list[float] = []
        while len(took_s) < MIN_RUNS or sum(took_s) < MIN_TIMED_S:
            result = self.run([image] * size, [0.0] * size)[0]
            took_s.append(result.embed_s + result.decide_s)
        return min(took_s)

    def _time_explaining(self) -> float:
        """Seconds of the quicker of two explanations by all heads; 0 if no head can be explained."""
        row = np.zeros(self.manifest.instance_width, np.float32)
        took_s = []
        for _ in range(2):
            started = time.perf_counter()
            for name, explainer in self.explainers.items():
                explainer(row, _no_columns(self.heads[name].spec))
            took_s.append(time.perf_counter() - started)
        return min(took_s) if self.explainers else 0.0


def _no_columns(head: HeadSpec) -> dict[str, ColumnValue]:
    return dict.fromkeys((column.name for column in head.columns), None)


def _of_instance(instance: Instance, waited_s: float, decide_s: float) -> Result:
    """The times of an instance: of its images, and of its own way from there.

    Images of one batch have the same time of embedding, which counts once. What a later batch waits for the one before
    it is in that time, too.
    """
    photos = instance.photos
    return photos[0]._replace(
        decode_s=sum(photo.decode_s for photo in photos),
        queue_s=min(photo.queue_s for photo in photos) + waited_s,
        embed_s=sum({photo.embed_s for photo in photos}),
        decide_s=decide_s,
    )
