"""`ScoringOptions` ──▶ a data set: input, engine and output put together."""

from __future__ import annotations

import dataclasses
import hashlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from models.bundle.head_spec import HeadSpec
from models.bundle.loading import MANIFEST
from models.bundle.manifest import Manifest
from models.bundle.store import resolve
from scoring.chunks import Chunk
from scoring.engines.local_engine import LocalEngine
from scoring.engines.scorer_options import ScoredChunk, ScorerOptions
from scoring.scoring_options import ScoringOptions
from scoring.scoring_progress import ScoringProgress
from scoring.sources.storage import protocol_of

if TYPE_CHECKING:
    from scoring.output.output_folder import OutputFolder
    from scoring.sources.source import Source

FINISHED, TOO_MANY_ERRORS, INTERRUPTED = 0, 3, 130


class ScoringEngine(Protocol):
    """What scores chunks: see `LocalEngine`."""

    def run(self, chunks: Iterator[Chunk], should_stop: Callable[[], bool]) -> Iterator[ScoredChunk]:
        """See `LocalEngine`."""

    def close(self, *, is_done: bool) -> None:
        """See `LocalEngine`."""


class Stop:
    """Why a run is to stop: a signal, or too many errors."""

    def __init__(self, max_errors: int | None) -> None:
        self._max_errors = max_errors
        self.errors = 0
        self.is_signalled = False

    def __call__(self) -> bool:
        """Whether it is to stop."""
        return self.is_signalled or self.has_too_many

    @property
    def has_too_many(self) -> bool:
        """Whether more images failed than may."""
        return self._max_errors is not None and self.errors > self._max_errors

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Notes SIGINT and SIGTERM while it lasts, so that no part is given up halfway; a second one interrupts."""
        before = {each: signal.signal(each, self._note) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _note(self, *_: object) -> None:
        if self.is_signalled:
            raise KeyboardInterrupt
        self.is_signalled = True


def score_all(options: ScoringOptions) -> int:
    """Scores what is not scored yet; returns the exit status.

    Raises:
        TandemError: input, bundle, output or options are wrong.
        KeyboardInterrupt: it was stopped before it began to score, or stopped twice.
    """
    path = resolve(options.bundle)
    manifest = Manifest.from_bytes((path / MANIFEST).read_bytes())
    heads = manifest.chosen_heads(options.heads) if options.heads else (manifest.default_head,)
    run = _Run(options, manifest, heads, Stop(options.max_errors))
    engine = open_engine(options, scorer_options(options, path, heads))  # first, as processes take a second to start
    is_done = False
    try:
        status = run.score(engine)
        is_done = status == FINISHED
    finally:
        engine.close(is_done=is_done)
    return status


def scorer_options(options: ScoringOptions, bundle: Path, heads: Sequence[HeadSpec]) -> ScorerOptions:
    """What a process needs of the options."""
    return ScorerOptions(
        bundle=bundle.absolute(),
        heads=tuple(head.name for head in heads),
        asked=options.asked,
        device=options.device,
        precision=options.precision,
        batch=options.batch,
        cache=options.cache and options.cache.absolute(),
        protocol=protocol_of(options.table.images_root or options.source),
    )


def open_engine(options: ScoringOptions, scorer: ScorerOptions) -> ScoringEngine:
    """The engine that is asked for."""
    if options.cluster is None:
        return LocalEngine(scorer, options.workers)
    from scoring.engines.ray_engine import RayEngine  # noqa: PLC0415 (Ray takes seconds, and is seldom installed)

    return RayEngine(scorer, options.workers, options.cluster.address, options.cluster.gpus_per_actor)


class _Run:
    """One run of the command."""

    def __init__(self, options: ScoringOptions, manifest: Manifest, heads: Sequence[HeadSpec], stop: Stop) -> None:
        self._options = options
        self._manifest = manifest
        self._heads = heads
        self._stop = stop

    def score(self, engine: ScoringEngine) -> int:
        """Scores what is left, and describes the whole output."""
        # Imported here, so that processes start before pyarrow is loaded
        from scoring.output.output_folder import open_folder  # noqa: PLC0415
        from scoring.sources.opening import open_source  # noqa: PLC0415

        options = self._options
        folder = open_folder(options.output)
        with open_source(options.source, options.table, self._heads) as source, folder.locked():
            tell("; ".join((source.described, *source.notes)))
            total = min(len(source), options.limit or len(source))
            done = self._fill(engine, source, folder, total)
        if self._stop.is_signalled:
            tell(f"interrupted; {done:,} of {total:,} images are scored, and the same command goes on from there")
            return INTERRUPTED
        return self._describe(folder)

    def _fill(self, engine: ScoringEngine, source: Source, folder: OutputFolder, total: int) -> int:
        """Scores the images that no part has; returns how many parts have now."""
        from scoring.output.part_files import PartWriter, spans_left  # noqa: PLC0415
        from scoring.output.run_record import check_record, write_record  # noqa: PLC0415

        record = self._record(source)
        has_record = check_record(folder, record)
        spans = spans_left(folder.names(), total, len(source))
        left = sum(end - first for first, end in spans)
        progress = ScoringProgress(total, total - left)
        if progress.done:
            tell(f"{progress.done:,} of {total:,} images were scored before")
        writer = PartWriter(folder, source.kept, spans, self._options.rows_per_file)
        try:
            with self._stop.on_signals():
                for scored in engine.run(source.chunks(spans), self._stop) if spans else ():
                    of_engine = record | {"precision": scored.precision}
                    if not has_record:
                        write_record(folder, of_engine)
                    elif not progress.is_begun:
                        check_record(folder, of_engine)
                    has_record = True
                    writer.add(scored.first, scored.rows)
                    self._stop.errors += scored.rows.num_rows - scored.rows["error"].null_count
                    progress.add(scored.rows.num_rows)
        finally:
            progress.close()
            writer.finish()
        tell(progress.summary)
        return progress.done

    def _record(self, source: Source) -> dict[str, Any]:
        """What the rows are made of."""
        of_table = dataclasses.asdict(self._options.table) if source.is_table else None
        return {
            "model": self._manifest.model,
            "manifest_sha256": hashlib.sha256(self._manifest.to_bytes()).hexdigest(),
            "input": source.fingerprint,
            "rows": len(source),
            "heads": [head.name for head in self._heads],
            "table": of_table,
            **self._options.asked._asdict(),
        }

    def _describe(self, folder: OutputFolder) -> int:
        from scoring.output.scoring_summary import sentences, summarize  # noqa: PLC0415

        summary = summarize(folder, self._heads)
        for sentence in sentences(summary, self._manifest):
            print(sentence)
        failed, most = summary.errors.total(), self._options.max_errors
        if most is None or failed <= most:
            return FINISHED
        tell(f"error: {failed:,} images failed, more than --max-errors {most}")
        return TOO_MANY_ERRORS


def tell(text: str) -> None:
    """Writes a line to stderr."""
    print(text, file=sys.stderr, flush=True)
