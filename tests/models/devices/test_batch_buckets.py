"""Batch-size buckets in bound buffers, on the CPU: sizes, results, threads, captured graphs."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from models.bundle.loading import Bundle
from models.devices.batch_buckets import DEVICE_ERRORS, BucketEmbedder, bucket_sizes
from models.errors import DeviceError
from models.runtime.sessions import Embedder, cpu_session
from tests.models.devices.gpus import GraphSession


@pytest.fixture(scope="module")
def bundle(tiny_path: Path) -> Bundle:
    return Bundle.open(tiny_path)


def session_of(bundle: Bundle, fault: str = "") -> GraphSession:
    return GraphSession(cpu_session(bundle.embedder("fp32")), fault=fault)


def warmed_up(session: GraphSession, bundle: Bundle, max_batch: int = 8, *, graphs: bool = True) -> BucketEmbedder:
    embedder = BucketEmbedder(session, bundle.manifest, max_batch, memory="cpu")
    embedder.warm_up(graphs=graphs)
    return embedder


def images(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 8, 8, 1), np.uint8)


@pytest.mark.parametrize(
    ("max_batch", "sizes"),
    [(1, (1,)), (2, (1, 2)), (6, (1, 2, 4, 6)), (8, (1, 2, 4, 8)), (9, (1, 2, 4, 8, 9))],
)
def test_sizes_are_powers_of_two_up_to_the_largest_batch(max_batch: int, sizes: tuple[int, ...]) -> None:
    assert bucket_sizes(max_batch) == sizes


@pytest.mark.parametrize("graphs", [True, False], ids=["with CUDA graphs", "without"])
@pytest.mark.parametrize(
    ("count", "runs"), [(1, [1]), (2, [2]), (3, [4]), (5, [8]), (8, [8]), (9, [8, 1]), (21, [8, 8, 8])]
)
def test_batches_run_in_sizes_seen_at_start_and_lose_their_padding(
    bundle: Bundle, count: int, runs: list[int], graphs: bool
) -> None:
    session = session_of(bundle)
    embedder = warmed_up(session, bundle, graphs=graphs)
    session.runs.clear()
    found = embedder(images(count))
    assert session.runs == [f"replay {size}" if graphs else "run -1" for size in runs]
    np.testing.assert_allclose(found, Embedder(cpu_session(bundle.embedder("fp32")))(images(count)), atol=1e-6)


def test_a_result_is_not_overwritten_by_the_next_batch(bundle: Bundle) -> None:
    embedder = warmed_up(session_of(bundle), bundle)
    first = embedder(images(4))
    kept = first.copy()
    embedder(np.zeros_like(images(4)))
    np.testing.assert_array_equal(first, kept)


def test_every_size_is_captured_and_replayed_before_the_first_request(bundle: Bundle) -> None:
    session = session_of(bundle)
    assert warmed_up(session, bundle, 4).graphs
    assert session.runs == [run for size in (1, 2, 4) for run in ("run -1", f"capture {size}", f"replay {size}")]


def test_without_graphs_every_size_is_run_before_the_first_request(bundle: Bundle) -> None:
    session = session_of(bundle)
    assert not warmed_up(session, bundle, 4, graphs=False).graphs
    assert session.runs == ["run -1"] * 3


def test_one_thread_captures_and_replays_whoever_calls(bundle: Bundle) -> None:
    session = session_of(bundle)
    embedder = warmed_up(session, bundle)
    with ThreadPoolExecutor(4) as callers:
        list(callers.map(lambda count: embedder(images(count)), [1, 3, 8, 5] * 5))
    assert len(session.threads) == 1
    assert threading.get_ident() not in session.threads
    assert sum(run.startswith("capture") for run in session.runs) == len(embedder.sizes)


def test_an_embedder_that_is_gone_leaves_no_thread(bundle: Bundle) -> None:
    before = set(threading.enumerate())
    embedder = warmed_up(session_of(bundle), bundle)
    (thread,) = set(threading.enumerate()) - before
    del embedder
    thread.join(10)
    assert not thread.is_alive()


def test_a_graph_that_the_runtime_did_not_capture_is_an_error(bundle: Bundle) -> None:
    with pytest.raises(DeviceError, match="no CUDA graph was captured for batches of 1"):
        warmed_up(session_of(bundle, "none captured"), bundle)


@pytest.mark.parametrize("fault", ["replay does nothing", "replay is stale"])
def test_a_replay_that_computes_something_else_is_an_error(bundle: Bundle, fault: str) -> None:
    with pytest.raises(DeviceError, match="the CUDA graph for batches of 1 computes something else"):
        warmed_up(session_of(bundle, fault), bundle)


def test_a_capture_that_fails_raises_what_the_runtime_said(bundle: Bundle) -> None:
    with pytest.raises(DEVICE_ERRORS, match="stream is capturing"):
        warmed_up(session_of(bundle, "capture fails"), bundle)
