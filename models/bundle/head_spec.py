"""`HeadSpec`: one named head of a bundle, and the check of the columns it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from models.columns import Column, ColumnValue
from models.errors import BadColumns, BundleError
from models.frozen import Frozen, is_empty, is_none
from models.policy import Policy

INTERVAL = "interval"
"""The graph's output with the lower and upper bounds of a regression."""

Task = Literal["classification", "regression"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$")]
Metrics = dict[str, float | dict[str, bool | int | float]]
"""Figures by name. A figure for each class is a dict by class."""


class HeadSpec(Frozen):
    """One head: a classical model that decides from the embedding and, where it has columns, from those too."""

    name: Name
    kind: str
    """The fitted estimator, for example `hist_gradient_boosting`."""
    task: Task = Field(default="classification", exclude_if=lambda task: task == "classification")
    classes: tuple[str, ...] = ()
    """At least two for classification, none for regression."""
    columns: tuple[Column, ...] = ()
    policy: Policy = Policy()
    interval_coverage: float | None = Field(default=None, gt=0, lt=1, exclude_if=is_none)
    """Share of unseen values that the output `interval` covers; None if the graph has no such output."""
    explain_rows: int = Field(default=0, ge=0, le=4096, exclude_if=is_empty)
    """Most rows that one explanation runs through the graph; 0 if the bundle has no examples to explain with."""
    metrics: Metrics = Field(default={})

    @model_validator(mode="before")
    @classmethod
    def _refuse_old_intervals(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "interval" in fields:
            raise BundleError(
                f"manifest.json: head {fields.get('name')!r} has intervals of one width, {fields['interval']!r} to "
                "either side, which are no longer served; train it again"
            )
        return fields

    @model_validator(mode="after")
    def _consistent(self) -> HeadSpec:
        inputs = ["embedding", *(column.name for column in self.columns)]
        for what, names in (("class", self.classes), ("input", inputs)):
            if len(set(names)) != len(names):
                raise ValueError(f"{what} names repeat: {names}")
        if (self.task == "classification") != (len(self.classes) >= 2):
            raise ValueError(f"a head of the task {self.task} cannot have {len(self.classes)} classes")
        if unknown := (set(self.policy.review_from) | set(self.policy.min_confidence_of)) - set(self.classes):
            raise ValueError(f"the policy names classes that are not there: {sorted(unknown)}")
        if self.task == "classification" and self.interval_coverage is not None:
            raise ValueError("a head of classes cannot have an interval")
        if unknown := {*self.policy.expected_columns, *self.policy.range_columns} - set(inputs):
            raise ValueError(f"the policy looks at columns that are not there: {sorted(unknown)}")
        return self

    @property
    def output(self) -> str:
        """Name of the graph's main output."""
        return "probabilities" if self.task == "classification" else "value"

    @property
    def width(self) -> int:
        """Columns of the main output."""
        return len(self.classes) or 1

    @property
    def file(self) -> str:
        """File of the head's graph."""
        return f"head-{self.name}.onnx"

    @property
    def outlier_file(self) -> str | None:
        """File of the head's outlier detector; None if it has none. Heads fitted on the same data have equal files."""
        return f"novelty-{self.name}.onnx" if self.policy.max_distance is not None else None

    @property
    def examples_folder(self) -> str | None:
        """Folder of the examples that explanations need; None if the head has none."""
        return f"examples-{self.name}" if self.explain_rows else None

    @property
    def rows_file(self) -> str:
        """File of the labelled embeddings that a refit starts from; a bundle may lack it."""
        return f"rows-{self.name}.npz"

    @property
    def stored(self) -> HeadSpec:
        """The same head for columns as a bundle stores them: a date is a number, its days since 1970-01-01."""
        columns = [c.model_copy(update={"type": "number"}) if c.type == "date" else c for c in self.columns]
        return self.model_copy(update={"columns": tuple(columns)})

    def check_columns(self, columns: Mapping[str, Any]) -> dict[str, ColumnValue]:
        """Checks one image's columns and returns those that the head takes; a missing one is None.

        Raises:
            BadColumns: a required column is missing, or a value is refused by `Column.check`.
        """
        return {column.name: self._value(column, columns.get(column.name)) for column in self.columns}

    def _value(self, column: Column, given: object) -> ColumnValue:
        value = None if given is None else column.check(given)
        if value is None and column.required:
            raise BadColumns(f"required column {column.name!r} of head {self.name!r} is missing")
        return value

    def missing(self, columns: Mapping[str, ColumnValue]) -> Sequence[str]:
        """Names of the policy's expected columns that are missing."""
        expected = self.policy.expected_columns
        return [name for name in expected if columns[name] is None] if expected else ()

    def outside(self, columns: Mapping[str, ColumnValue]) -> Sequence[str]:
        """Names of the policy's range columns whose value is outside the range seen in training."""
        return [column.name for column in self.range_columns if column.is_outside(columns[column.name])]

    @cached_property
    def range_columns(self) -> tuple[Column, ...]:
        """The policy's range columns."""
        return tuple(column for column in self.columns if column.name in self.policy.range_columns)
