"""name of a data set ──▶ `Bench`: its images, split, and their embeddings, from which rows to fit on are drawn.

`clothes` and `price` are Fashion-MNIST on the default bundle's embedding, beside the columns that `tools.fashion_table`
makes up. The others are on EfficientNet-Lite0: `solar`, `elpv-dataset` with the cell type as a column; `textile`, the
photographs of `conformal-clip-data` (defects that are global, local or none); `digits`, scikit-learn's.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from models.bundle.loading import Bundle
from models.bundle.store import DEFAULT_ROOT as STORE
from models.bundle.store import resolve
from models.columns import Column, ColumnValue
from models.runtime.embedding_files import DEFAULT_ROOT, EmbeddingCache
from models.runtime.sessions import Embedder, Embedding, cpu_session
from tools import elpv_table
from tools.fashion_table import made_up
from training.backbones.efficientnet_lite import input_of
from training.backbones.names import DEFAULT, load_backbone
from training.data import fashion_mnist, folder
from training.data.dataset import Dataset
from training.data.images import Encoded
from training.data.split import split
from training.exceptions import DataError
from training.export.bundle_files import encode_png
from training.export.network_export import export_embedder
from training.network.embedding_cache import embed_all
from training.stages.prepare import Prepared, prepare
from training.stages.training_data import Embedded, TrainingData, label_embeddings
from training.tables import tabular
from training.tables.table import TableLayout, read

_ELPV = Path("build") / "elpv"
_EXPORT_SAMPLE = 32  # images on which the exported graph is compared with the network
_DIGIT_LEVELS = 16
_ON_BUNDLE = ("clothes", "price")
_CLOTHES_COLUMNS = (
    Column(name="weight_g", type="number", required=False),
    Column(name="department", type="category", required=False),
    Column(name="is_lined", type="boolean", required=False),
)


@dataclass(frozen=True)
class Bench:
    """A data set and the embeddings of all its images.

    Attributes:
        prepared: the images, and which of them the network was fitted on.
        embedding: float32 `[N, D]`.
        cache: that it comes from.
    """

    prepared: Prepared
    embedding: Embedding
    cache: EmbeddingCache

    def data(self, rows: int | None, seed: int) -> TrainingData:
        """The test images, and some of the others to fit on.

        Args:
            rows: how many to fit on, None for all. Images that the network was fitted on are drawn only where there
                are not enough others, and are never held out.
            seed: of the draw, of the folds and, where no test images are published, of the test images (20 %).

        Raises:
            DataError: there are fewer rows, or too few to fit on.
        """
        seen = self.prepared.seen
        parts = split(self.prepared.dataset, seed, seen)
        if rows is not None and rows > len(parts.known):
            raise DataError(f"{rows} rows are more than the {len(parts.known)} that are no test images; ask for fewer")
        shuffled = np.random.default_rng(seed).permutation(parts.known)
        unseen_first = shuffled[np.argsort(seen[shuffled], kind="stable")]
        drawn = replace(parts, train=np.sort(unseen_first[:rows]), validation=unseen_first[:0])
        embedded = Embedded(self.embedding, self.cache)
        return label_embeddings(replace(self.prepared, parts=drawn), embedded, seed=seed)


def open_bench(name: str, *, with_columns: bool = True, root: Path = DEFAULT_ROOT) -> Bench:
    """Loads a data set and embeds its images, unless their embeddings are kept.

    Args:
        name: of `DATA`.
        with_columns: whether heads are given the columns beside the images.
        root: where embeddings are kept.

    Raises:
        DataError: a package that the images or the network come with is not installed.
    """
    dataset = DATA[name]()
    if not with_columns:
        dataset = replace(dataset, columns=(), rows=())
    bundle = Bundle.open(resolve(STORE / fashion_mnist.NAME)) if name in _ON_BUNDLE else None
    graph = bundle.embedder("fp32") if bundle else _pretrained(dataset)
    cache = EmbeddingCache(root, graph, dataset.input)
    embedder = Embedder(cpu_session(graph, threads=os.cpu_count() or 1))
    return Bench(prepare(dataset, 0, root, bundle), embed_all(cache, embedder, dataset), cache)


def _pretrained(dataset: Dataset) -> bytes:
    network = load_backbone(DEFAULT).network
    return export_embedder(network, network.classifier, dataset.images[np.arange(_EXPORT_SAMPLE)])


def _clothes() -> Dataset:
    dataset = fashion_mnist.load()
    rows = [_clothes_row(*texts[:3]) for texts in made_up(dataset, 0)]
    return replace(dataset, name="clothes", columns=_CLOTHES_COLUMNS, rows=rows)


def _clothes_row(weight: str, department: str, is_lined: str) -> Mapping[str, ColumnValue]:
    return {
        "weight_g": float(weight) if weight else None,
        "department": department or None,
        "is_lined": is_lined == "true",
    }


def _price() -> Dataset:
    clothes = _clothes()
    prices = np.array([float(price) for *_, price in made_up(clothes, 0)])
    return replace(clothes, name="price", labels=prices, classes=())


def _solar() -> Dataset:
    source = elpv_table.find_data()
    if source is None:
        raise DataError("elpv-dataset is not installed; pip install elpv-dataset")
    table = elpv_table.write_table(source, _ELPV)
    return tabular.stream(
        read(table, TableLayout(image="image", label="defect", columns=("cell",))), name="solar", spec=input_of(DEFAULT)
    )


def _textile() -> Dataset:
    spec = importlib.util.find_spec("conformal_clip_data")
    if spec is None or not spec.submodule_search_locations:
        raise DataError("conformal-clip-data is not installed; pip install --no-deps conformal-clip-data")
    images = Path(next(iter(spec.submodule_search_locations))) / "data" / "textile_images" / "simulated"
    return folder.stream(images, name="textile", spec=input_of(DEFAULT))


def _digits() -> Dataset:
    digits = load_digits()
    pixels = np.rint(digits.images[..., None] * (255 / _DIGIT_LEVELS)).astype(np.uint8)
    spec = input_of(DEFAULT).model_copy(update={"background": 0})  # light on black
    return Dataset(
        name="digits",
        images=Encoded(lambda position: encode_png(pixels[position]), np.arange(len(pixels)), spec),
        labels=digits.target.astype(np.int64),
        classes=tuple(str(name) for name in digits.target_names),
        input=spec,
    )


DATA: Mapping[str, Callable[[], Dataset]] = {
    "clothes": _clothes,
    "price": _price,
    "solar": _solar,
    "textile": _textile,
    "digits": _digits,
}
