"""`Chunk` ──read──▶ ──decode──▶ ──engine──▶ rows: what one process does, each image on its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from models.bundle.loading import Bundle
from models.devices.placement import place
from models.errors import ClientError, DataError
from models.imaging.decode import decode, read_checked_header
from models.runtime.embedding_files import EmbeddingCache, EmbeddingWriter, key_of
from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput, Result
from scoring.chunks import Chunk, Columns, Failed, first_error
from scoring.engines.result_rows import Scored, to_rows
from scoring.engines.scorer_options import ScoredChunk, ScorerOptions
from scoring.sources.image_reading import Found, open_reader


class Scorer:
    """A bundle on this process' device.

    Args:
        options: what is scored, and with what.

    Raises:
        BundleError, StoreError, DeviceError: as `Engine.load`.
        DataError: a file of kept embeddings is damaged.
    """

    def __init__(self, options: ScorerOptions) -> None:
        bundle = Bundle.open(options.bundle)
        placement = place(bundle, options.device, options.precision, max_batch=options.batch)
        self.engine = Engine(bundle, placement, max_batch=options.batch)
        self._options = options
        manifest = bundle.manifest
        self._heads = manifest.chosen_heads(options.heads)
        self._stored = tuple(head.stored for head in self._heads)
        self._explained = [head for head in self._heads if head.name in self.engine.explainers]
        self._reader = open_reader(options.protocol)
        self._kept = None
        if options.cache is not None:
            graph = bundle.embedder(placement.precision)
            self._kept = EmbeddingCache(options.cache, graph, manifest.input, with_thumbnails=False)
            self._writer = EmbeddingWriter(self._kept)

    def score(self, chunk: Chunk) -> ScoredChunk:
        """Scores the images of a chunk.

        Raises:
            DataError: embeddings cannot be kept.
        """
        columns: Sequence[Columns] = chunk.columns or [{}] * len(chunk.images)
        images = zip(self._reader.read(chunk.images), columns, strict=True)
        scored: list[Scored] = []
        while batch := list(itertools.islice(images, self.engine.max_batch)):
            scored += self._score(batch)
        manifest = self.engine.manifest
        rows = to_rows(scored, self._heads, self._options.asked, manifest.model, manifest.embedding_width)
        return ScoredChunk(chunk.first, rows, self.engine.precision)

    def close(self) -> None:
        """Writes the embeddings that are to be kept.

        Raises:
            DataError: they cannot be written.
        """
        if self._kept is not None:
            with self._naming_cache():
                self._writer.finish()

    def _score(self, batch: Sequence[tuple[Found, Columns]]) -> Iterator[Scored]:
        """One run of the engine, for the images that can be decoded."""
        keys = [key_of(image) if self._kept is not None and isinstance(image, bytes) else b"" for image, _ in batch]
        found = [self._input(*each, key) for each, key in zip(batch, keys, strict=True)]
        results = iter(self._run([each for each in found if isinstance(each, EngineInput)]))
        scored = [next(results) if isinstance(each, EngineInput) else each for each in found]
        if self._kept is not None:
            self._keep(keys, found, scored)
        return (self._with_explanation(each) for each in scored)

    def _input(self, image: Found, columns: Columns, key: bytes) -> EngineInput | Failed:
        """Checks and decodes one image as the service does."""
        if isinstance(image, Failed):
            return image
        embedding = None if self._kept is None else self._kept.get(key)
        manifest, pixels = self.engine.manifest, None
        try:
            if embedding is None:
                header = read_checked_header(image)
            if columns and (error := first_error(columns)):
                raise error
            asked = manifest.check_columns(self._stored, columns)
            if embedding is None:
                pixels = decode(image, manifest.input, header)
        except ClientError as error:
            return Failed(error.code, error.detail)
        return EngineInput(pixels, asked, embedding)

    def _run(self, inputs: Sequence[EngineInput]) -> list[Scored]:
        """Runs the engine; an image for which a head gives no number fails alone."""
        if not inputs:
            return []
        try:
            return list(self.engine.run(inputs, [0.0] * len(inputs)))
        except ArithmeticError as error:
            if len(inputs) == 1:
                return [Failed("internal", str(error))]
            return [each for one in inputs for each in self._run([one])]

    def _keep(self, keys: Sequence[bytes], found: Sequence[EngineInput | Failed], scored: Sequence[Scored]) -> None:
        """Keeps the embeddings that were computed now."""
        new: Mapping[bytes, NDArray[np.float32]] = {
            key: result.embedding
            for key, given, result in zip(keys, found, scored, strict=True)
            if isinstance(result, Result) and isinstance(given, EngineInput) and given.embedding is None
        }
        if new:
            with self._naming_cache():
                self._writer.add(list(new), np.stack(list(new.values())), [b""] * len(new))

    @contextmanager
    def _naming_cache(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataError(
                f"embeddings cannot be kept in {self._options.cache}: {error}; name another with --cache, or use "
                "--no-cache"
            ) from error

    def _with_explanation(self, scored: Scored) -> Scored:
        if not self._options.asked.explain or isinstance(scored, Failed) or not self._explained:
            return scored
        return self.engine.explain(scored, self._explained)
