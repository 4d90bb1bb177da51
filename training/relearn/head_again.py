"""a head's entries in the manifest ──▶ how it is fitted again: the same kind, policy targets and seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from models.bundle.head_spec import HeadSpec
from models.bundle.kept_rows import KeptRows
from models.bundle.loading import MANIFEST, Bundle
from models.bundle.manifest import Manifest
from models.errors import BundleError
from training.exceptions import DataError
from training.heads.head_fit import Fitting
from training.heads.registry import BEST, REGISTRY, kind_named
from training.policy.costs import Costs
from training.policy.policies import PolicyTargets
from training.stages.head_plan import HeadPlan


def plan_again(spec: HeadSpec, entry: Mapping[str, Any]) -> HeadPlan:
    """The plan that a head was fitted by; for a blend the search among all kinds.

    Args:
        spec: the head's entry in the manifest.
        entry: the entry of its training.
    """
    default = PolicyTargets()
    targets = PolicyTargets(
        target_precision=entry.get("target precision", default.target_precision),
        confidence=entry.get("confidence", default.confidence),
        costs=Costs.model_validate(entry["costs"]) if "costs" in entry else None,
        false_alarms=entry.get("false alarms", default.false_alarms),
        max_missed=entry.get("max missed", {}),
        extrapolate=entry.get("extrapolate", False),
    )
    return HeadPlan(
        kind=spec.kind if spec.kind in REGISTRY else BEST,
        name=spec.name,
        targets=targets,
        examples=0,  # the old ones are renewed
        balance=entry.get("balance", "none"),
        target_transform=entry.get("target transform", "auto"),
        keep_rows_mib=0,  # the next version's rows are the old ones and the answers
        seed=int(entry.get("seed", 0)),
    )


def fitting_again(spec: HeadSpec, plan: HeadPlan) -> Fitting:
    """How heads of the plan are fitted."""
    return Fitting(
        len(spec.classes),
        spec.columns,
        plan.seed,
        is_balanced=plan.balance == "weights",
        is_log=plan.target_transform == "log",
    )


def takes_weights(spec: HeadSpec) -> bool:
    """Whether rows of the head's kind can have weights."""
    kind = kind_named(spec.kind)
    return all(each.takes_weights for each in (kind.parts or (kind,)))


def kept_rows(bundle: Bundle, spec: HeadSpec) -> KeptRows:
    """The rows that a bundle keeps of a head.

    Raises:
        DataError: it keeps none.
    """
    rows = bundle.kept_rows(spec)
    if rows is None or not len(rows):
        raise DataError(
            f"{bundle.manifest.model} keeps no rows of head {spec.name!r} to learn on from; `python -m training rows` "
            "adds them from the data that it was fitted on"
        )
    return rows


def networks_of(bundle: Bundle) -> Callable[[str], bool]:
    """Tells whether a model, `name@version`, has the bundle's network; one that is no longer in the store has not."""
    known: dict[str, bool] = {bundle.manifest.model: True}

    def is_same(model: str) -> bool:
        if model not in known:
            name, _, version = model.partition("@")
            known[model] = name == bundle.manifest.name and _has_network(bundle, bundle.path.parent / version)
        return known[model]

    return is_same


def _has_network(bundle: Bundle, path: Path) -> bool:
    try:
        other = Manifest.from_bytes((path / MANIFEST).read_bytes())
    except (OSError, BundleError):
        return False
    return bundle.manifest.has_embedder_of(other, "fp32")
