"""a session ──▶ which of its nodes run where; a DeviceError where the network's own work is not on the GPU."""

from __future__ import annotations

import logging
from collections import Counter

import onnxruntime as ort

from models.errors import DeviceError

logger = logging.getLogger(__name__)

# The arithmetic of shapes, a few integers an image batch, which ONNX Runtime puts on the CPU on purpose. All of them
# have CUDA kernels for tensors of numbers, so one of these on the CPU does not hold part of the network.
SHAPE_OPERATORS = frozenset(
    ("Concat", "Constant", "ConstantOfShape", "Gather", "Range", "Shape", "Size", "Slice", "Squeeze", "Unsqueeze")
)
_ON_GPU = ("CUDAExecutionProvider", "TensorrtExecutionProvider")


def check_assignment(session: ort.InferenceSession, device: str, provider: str, file: str) -> None:
    """Logs where the nodes run, and refuses a network that is not on the GPU.

    Args:
        session: opened with `session.record_ep_graph_assignment_info`; the nodes are those before fusion.
        device: as asked for, for the texts.
        provider: the one that must run at least one node.
        file: the graph's file, for the texts.

    Raises:
        DeviceError: no node runs on `provider`, or a node that is no arithmetic of shapes runs on no GPU.
    """
    nodes = assigned(session)
    counts = Counter(name for name, _ in nodes)
    if not counts[provider]:
        raise DeviceError(f"device {device!r} was asked for, but no node of {file} runs on {provider}")
    elsewhere = Counter(operator for name, operator in nodes if name not in _ON_GPU)
    described = _described(elsewhere)
    if elsewhere.keys() - SHAPE_OPERATORS:
        raise DeviceError(
            f"device {device!r} was asked for, but {elsewhere.total()} of {len(nodes)} nodes of {file} run on the "
            f"CPU ({described}); export the embedder with operators that {provider} has, or use device 'cpu'"
        )
    logger.info("device %r: %s: nodes on %s; on the CPU: %s", device, file, _described(counts), described or "none")


def assigned(session: ort.InferenceSession) -> list[tuple[str, str]]:
    """(provider, operator) of every node."""
    return [
        (part.ep_name, node.op_type)
        for part in session.get_provider_graph_assignment_info()
        for node in part.get_nodes()
    ]


def _described(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
