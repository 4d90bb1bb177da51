"""`RawColumn`: the cells of one column as the file has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.notation.number_notation import DecimalRule
from models.tables.missing_values import SURE, Cells, Missing
from models.tables.table_file import ValueType


@dataclass(frozen=True)
class RawColumn:
    """The cells of one column, as `TableFile.rows` gives them.

    Attributes:
        name: of the column.
        cells: one for each row.
        lines: numbers of the rows.
        type: the type that the file names; None to find it from the cells.
        missing: which words stand for a missing value.
        decimals: what is known about the file's numbers.
    """

    name: str
    cells: Cells
    lines: Sequence[int]
    type: ValueType | None
    missing: Missing
    decimals: DecimalRule

    def of(self, positions: Sequence[int]) -> RawColumn:
        """The same column of some rows."""
        return replace(
            self,
            cells=[self.cells[position] for position in positions],
            lines=[self.lines[position] for position in positions],
        )

    @property
    def texts(self) -> list[str | None]:
        """The cells without marks."""
        return [cell and cell.removeprefix(SURE) for cell in self.cells]

    def at(self, text: str) -> str:
        """A cell, and the first row that has it."""
        rows = (line for cell, line in zip(self.cells, self.lines, strict=True)
                if cell is not None and cell.removeprefix(SURE) == text)  # fmt: skip
        return f"{text[:60]!r} in row {next(rows)}"
