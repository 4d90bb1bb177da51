"""fitted trees of a library ──▶ nodes of an ONNX graph whose splits are those of the library.

scikit-learn and LightGBM compare a float32 feature with a float64 threshold, the middle of two values. A graph holds
thresholds as float32. The nearest float32 may be larger: a value exactly there, such as a whole number between two
training values, would then go the other way. The largest float32 that is not above the threshold splits all float32
numbers as the float64 threshold does.

skl2onnx rounds so for decision trees and forests, but not for histogram boosting, nor does onnxmltools for LightGBM.
XGBoost's thresholds are float32, written as decimal numbers whose nearest float32 they are.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)

from training.heads.estimators.tree_splits import floor32, lightgbm_splits

Rounding = Callable[[NDArray[np.float64]], NDArray[np.float64]]


class _Library(NamedTuple):
    """Where a library's converter is, and how its thresholds are rounded; None if they are float32."""

    module: str
    converter: str
    rounded: Rounding | None = floor32


_FOREST = "skl2onnx.operator_converters.random_forest"
_XGBOOST = _Library("onnxmltools.convert.xgboost.operator_converters.XGBoost", "convert_xgboost", None)
_LIGHTGBM = _Library("onnxmltools.convert.lightgbm.operator_converters.LightGbm", "convert_lightgbm", lightgbm_splits)
_LIBRARIES = {
    "XGBClassifier": _XGBOOST,
    "XGBRegressor": _XGBOOST,
    "LGBMClassifier": _LIGHTGBM,
    "LGBMRegressor": _LIGHTGBM,
    "HistGradientBoostingClassifier": _Library(_FOREST, "convert_sklearn_random_forest_classifier"),
    "HistGradientBoostingRegressor": _Library(_FOREST, "convert_sklearn_random_forest_regressor_converter"),
}
_OPTIONS = {"zipmap": [True, False, "columns"], "nocl": [True, False], "raw_scores": [True, False]}


def register_converter(estimator: Any, *, is_classifier: bool) -> None:
    """Tells skl2onnx how to convert the estimator, if it does not know itself or would round thresholds up."""
    class_ = type(estimator)
    library = _LIBRARIES.get(class_.__name__)
    if library is None:
        return
    update_registered_converter(
        class_,
        f"Tandem{class_.__name__}",
        calculate_linear_classifier_output_shapes if is_classifier else calculate_linear_regressor_output_shapes,
        _converter(library),
        options=_OPTIONS if is_classifier else {},
        overwrite=True,
    )


def _converter(library: _Library) -> Callable[[Any, Any, Any], None]:
    """The library's converter, with thresholds rounded down."""
    convert: Callable[..., None] = getattr(importlib.import_module(library.module), library.converter)
    rounded, is_forest = library.rounded, library.module == _FOREST
    if rounded is None:
        return convert

    def converted(scope: Any, operator: Any, container: Any) -> None:
        (features,) = operator.inputs
        kept = features.type
        if is_forest:  # which, for float32 features, would round thresholds before it adds the node
            features.set_type(DoubleTensorType(kept.shape))
        options = {"op_version": 3} if is_forest else {}  # lower versions round them, too
        convert(scope, operator, _RoundingContainer(container, rounded), **options)
        features.set_type(kept)

    return converted


class _RoundingContainer:
    """A container of skl2onnx that rounds the thresholds of the nodes that are added to it."""

    def __init__(self, container: Any, rounded: Rounding) -> None:
        self._container, self._rounded = container, rounded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, *names: Any, **attributes: Any) -> None:
        """Adds a node, as skl2onnx's container does."""
        if "nodes_values" in attributes:
            attributes["nodes_values"] = self._rounded(np.asarray(attributes["nodes_values"], np.float64)).tolist()
        self._container.add_node(*names, **attributes)
