"""photos of things, labels ──▶ a graph that weighs each photo in the mean of its instance.

Attention-based pooling: Ilse, Tomczak, Welling 2018, https://arxiv.org/abs/1802.04712. A small network gives every
photo the logarithm of its weight; it is fitted together with a linear model on the weighted means, which is then thrown
away.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from models.bundle.manifest import SEQUENCE
from models.runtime.photo_weights import PhotoWeigher
from models.runtime.sessions import Embedding, cpu_session
from training.data.images import Indices
from training.data.split import make_folds
from training.export.agreement import check
from training.export.graph_builder import GraphBuilder
from training.export.onnx_graph import strip

_HIDDEN = 16
_EPOCHS, _LEAST_STEPS = 60, 1500
_PATIENCE = 0.2
"""After this share of the epochs without a better one the fit ends."""
_BATCH = 64
_RATE = 2e-3
_WEIGHT_DECAY = 0.05
_FOLDS = 5
"""One of this many folds chooses the epoch."""
_TOLERANCE = 1e-4  # of the largest logarithm


def fit_weigher(
    embedding: Embedding, counts: Indices, labels: NDArray[np.generic], classes: int, *, units: Indices, seed: int
) -> bytes:
    """Fits the weights of photos; returns the graph, `embedding` float32 `[P, D]` to `weight` float32 `[P]`.

    Args:
        embedding: of all photos of N instances, one instance's after the other's, float32 `[M, D]`.
        counts: how many photos each instance has, `[N]`.
        labels: class positions, or numbers if there are no `classes`, `[N]`.
        classes: how many there are; 0 for numbers.
        units: what stays on one side of a split, int64 `[N]`.
        seed: of the first weights, and of the order of the instances.

    Raises:
        ExportError: the graph computes something else.
    """
    torch.manual_seed(seed)
    strata = labels.astype(np.int64) if classes else np.zeros(len(labels), np.int64)
    is_validation = make_folds(strata, units, _FOLDS, seed) == 0
    model = _Attention(embedding, max(1, classes))
    if len(np.unique(is_validation)) == 2:  # else of one group alone nothing can be learned: a plain mean
        model = _fitted(model, _Photos(embedding, counts, labels, classes), is_validation, seed)
    return _export(model, embedding)


def _fitted(model: _Attention, data: _Photos, is_validation: NDArray[np.bool_], seed: int) -> _Attention:
    """The model after the epoch that was best on the validation instances."""
    random = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=_WEIGHT_DECAY)
    fit, validation = np.flatnonzero(~is_validation), np.flatnonzero(is_validation)
    best, least, best_epoch = model, np.inf, 0
    epochs = max(_EPOCHS, _LEAST_STEPS * _BATCH // len(fit))
    for epoch in range(epochs):
        shuffled = random.permutation(fit)
        for start in range(0, len(shuffled), _BATCH):
            optimizer.zero_grad()
            data.loss(model, shuffled[start : start + _BATCH]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            loss = float(data.loss(model, validation))
        if loss < least:
            best, least, best_epoch = copy.deepcopy(model), loss, epoch
        elif epoch - best_epoch > _PATIENCE * epochs:
            break
    return best


class _Attention(nn.Module):
    """Scaled embeddings of photos to the answers for their instances."""

    def __init__(self, embedding: Embedding, outputs: int) -> None:
        super().__init__()
        self.mean = embedding.mean(0)
        self.factor = np.float32(1 / (float(np.square(embedding - self.mean).mean()) ** 0.5 or 1.0))
        self.hidden = nn.Linear(embedding.shape[1], _HIDDEN)
        self.weight = nn.Linear(_HIDDEN, 1, bias=False)
        nn.init.zeros_(self.weight.weight)  # a plain mean
        self.answer = nn.Linear(embedding.shape[1], outputs)

    def logarithms(self, photos: Tensor) -> Tensor:
        return self.weight(torch.tanh(self.hidden(photos)))[:, 0]  # type: ignore[no-any-return]

    def forward(self, photos: Tensor, instance: Tensor, count: int) -> Tensor:
        logarithms = self.logarithms(photos)
        weights = torch.exp(logarithms - logarithms.max())  # of one batch; they differ by little
        sums = torch.zeros(count).index_add(0, instance, weights)
        shares = (weights / sums[instance])[:, None]
        pooled = torch.zeros(count, photos.shape[1]).index_add(0, instance, shares * photos)
        return self.answer(pooled)  # type: ignore[no-any-return]


class _Photos:
    """Embeddings and labels of instances, as a model is fitted to them."""

    def __init__(self, embedding: Embedding, counts: Indices, labels: NDArray[np.generic], classes: int) -> None:
        self._embedding, self._counts, self._is_class = embedding, counts, bool(classes)
        self._first = np.cumsum(counts) - counts
        if classes:
            self._labels = torch.from_numpy(labels.astype(np.int64))
        else:
            numbers = labels.astype(np.float64)
            self._labels = torch.from_numpy((numbers - numbers.mean()) / (numbers.std() or 1.0)).float()

    def loss(self, model: _Attention, instances: Indices) -> Tensor:
        counts = self._counts[instances]
        spans = zip(self._first[instances].tolist(), counts.tolist(), strict=True)
        photos = np.concatenate([self._embedding[first : first + count] for first, count in spans])
        scaled = torch.from_numpy((photos - model.mean) * model.factor)
        instance = torch.from_numpy(np.repeat(np.arange(len(instances)), counts))
        answers, labels = model(scaled, instance, len(instances)), self._labels[instances]
        if self._is_class:
            return nn.functional.cross_entropy(answers, labels)
        return nn.functional.mse_loss(answers[:, 0], labels)


def _export(model: _Attention, embedding: Embedding) -> bytes:
    build = GraphBuilder("")
    hidden, weight = (layer.weight.detach().numpy().T for layer in (model.hidden, model.weight))
    bias = model.hidden.bias.detach().numpy()
    centred = build.node("Sub", "embedding", build.constant(model.mean))
    scaled = build.node("Mul", centred, build.constant(model.factor))
    inner = build.node("Tanh", build.node("Gemm", scaled, build.constant(hidden), build.constant(bias)))
    column = build.node("MatMul", inner, build.constant(weight))
    build.node("Squeeze", column, build.constant([1], np.int64), output="weight")
    inputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["P", embedding.shape[1]])]
    outputs = [helper.make_tensor_value_info("weight", TensorProto.FLOAT, ["P"])]
    graph = build.model(inputs, outputs)
    strip(graph)
    data: bytes = graph.SerializeToString()
    sample = embedding[:_BATCH]
    with torch.no_grad():
        expected = model.logarithms(torch.from_numpy((sample - model.mean) * model.factor)).numpy()
    found = PhotoWeigher(cpu_session(data))(sample)
    check(SEQUENCE, float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max())), _TOLERANCE)
    return data
