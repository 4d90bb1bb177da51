"""a session ──▶ the device of each node, or a DeviceError if part of the network runs on the CPU."""

from __future__ import annotations

import logging
from collections import Counter

import onnxruntime as ort

from models.errors import DeviceError

logger = logging.getLogger(__name__)

# ONNX Runtime puts arithmetic on shapes, a few integers a batch, on the CPU on purpose. These operators have CUDA
# kernels for tensors of data, so one that runs on the CPU is not part of the network's own computation.
SHAPE_OPERATORS = frozenset(
    ("Concat", "Constant", "ConstantOfShape", "Gather", "Range", "Shape", "Size", "Slice", "Squeeze", "Unsqueeze")
)
_ON_GPU = ("CUDAExecutionProvider", "TensorrtExecutionProvider")


def check_assignment(session: ort.InferenceSession, device: str, provider: str, file: str) -> None:
    """Logs where the nodes run and refuses a network that is not on the GPU.

    Args:
        session: opened with `session.record_ep_graph_assignment_info`; its nodes are those before fusion.
        device: as asked for; for messages.
        provider: must run at least one node.
        file: the graph's file; for messages.

    Raises:
        DeviceError: no node runs on `provider`, or a node other than arithmetic on shapes does not run on a GPU.
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
    """Provider and operator of every node."""
    return [
        (part.ep_name, node.op_type)
        for part in session.get_provider_graph_assignment_info()
        for node in part.get_nodes()
    ]


def _described(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
