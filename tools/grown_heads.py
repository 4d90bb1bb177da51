"""one bundle ──▶ a store of bundles like it, whose heads have ever more trees.

`python -m tools.grown_heads` makes what `python -m loadtests growth` serves to see what a larger head costs. The
heads are real ones, gradient boosting fitted on the embeddings of training images of Fashion-MNIST and exported as
training exports its own; only their accuracy is nobody's concern.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from models.bundle.loading import GOLDEN, Bundle
from models.bundle.store import DEFAULT_ROOT, Store, resolve
from models.errors import TandemError
from models.policy import Policy
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedder, Embedding, cpu_session
from training.data.fashion_mnist import load
from training.heads.fitted_head import FittedHead
from training.heads.graphs.head_export import export_head
from training.heads.registry import REGISTRY
from training.network.embedding_cache import embed

KIND = "hist_gradient_boosting"
DEFAULT_STORE = Path("build/grown-heads")
DEFAULT_TREES = (100, 250, 500, 1000, 2000)
_IMAGES = 10_000  # to fit on; more make no other trees as far as their cost goes
_SAMPLE = 2_000  # to compare graph and estimator on


def main(arguments: Sequence[str]) -> int:
    """Writes the store; 1 where the bundle or the data set cannot be had."""
    options = parser().parse_args(arguments)
    try:
        bundle = Bundle.open(resolve(options.bundle))
        dataset = load()
        embedder = Embedder(cpu_session(bundle.embedder("fp32")))
        embedding = embed(embedder, dataset.images[np.arange(_IMAGES)], "embedding")
        for trees in options.trees:
            print(grow(bundle, embedding, dataset.labels[:_IMAGES], trees, Store(options.store)))
    except TandemError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line of `python -m tools.grown_heads`."""
    program = argparse.ArgumentParser(prog="python -m tools.grown_heads", description=__doc__)
    program.add_argument("--bundle", metavar="DIR", type=Path, default=DEFAULT_ROOT / "fashion-mnist")
    program.add_argument("--store", metavar="DIR", type=Path, default=DEFAULT_STORE, help="written (%(default)s)")
    program.add_argument("--trees", metavar="N", type=int, nargs="+", default=DEFAULT_TREES, help="of all classes")
    return program


def grow(bundle: Bundle, embedding: Embedding, labels: NDArray[np.int64], trees: int, store: Store) -> Path:
    """Adds the bundle `trees-<trees>` to a store, unless it is there.

    Args:
        bundle: gives everything but the head.
        embedding: float32 `[N, D]` to fit on.
        labels: class positions `[N]`.
        trees: of all classes together; rounded down to as many for each class.
        store: takes the bundle.

    Raises:
        BundleError, ExportError: what was made does not pass its checks.
    """
    name = f"trees-{trees}"
    if store.versions(name):
        return store.path(name)
    plain = {"metrics": {}, "kind": KIND, "policy": Policy(), "explain_rows": 0}
    spec = bundle.manifest.default_head.model_copy(update=plain)
    estimator = HistGradientBoostingClassifier(
        max_iter=max(1, trees // len(spec.classes)), max_leaf_nodes=8, learning_rate=0.08, early_stopping=False
    ).fit(embedding, labels)
    classes = np.unique(labels)
    head = FittedHead(REGISTRY[KIND], estimator, present=classes, classes=len(classes))
    graph = export_head(head, spec, embedding[:_SAMPLE])
    files = {file: data for file, data in bundle.files.items() if not _is_of_a_head(file)}
    files[spec.file] = graph
    files[f"{GOLDEN}/probabilities-{spec.name}.npy"] = _npy(
        Head(cpu_session(graph), spec)(bundle.golden_array("embedding"))
    )
    changed = {"name": name, "version": 1, "heads": (spec,)}
    return store.add(bundle.manifest.model_copy(update=changed), files)


def _is_of_a_head(file: str) -> bool:
    parts = ("head-", "novelty-", "examples-", f"{GOLDEN}/probabilities-", f"{GOLDEN}/value-", f"{GOLDEN}/distance-")
    return file.startswith(parts)


def _npy(array: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
