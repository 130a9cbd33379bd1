"""A report of Google Analytics' Data API as rows that say what they mean: numbers are numbers, columns have names."""

import re
from collections.abc import Sequence
from typing import TypeAlias

from adapters._kit import AliasPath, Field, Result
from domain.errors import AnswerGarbled
from domain.json import Json

_NUMBER = re.compile(r"^-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?$")

Cell: TypeAlias = str | int | float


class Report(Result):
    """The rows of a report. Each row tells its dimensions as text and its metrics as numbers, by API name."""

    dimensions: list[str] = Field(description="Names of the columns of text.")
    metrics: list[str] = Field(description="Names of the columns of numbers.")
    rows: list[dict[str, Cell]]
    row_count: int = Field(description="How many rows there are in all, whatever `limit` was.")
    totals: list[dict[str, Cell]] = Field(
        default=[], description="Over all rows, one for each period; only when asked for."
    )
    currency: str | None = Field(default=None, description="Of metrics that are money (ISO 4217).")
    time_zone: str | None = Field(default=None, description="In which days begin.")
    is_sampled: bool = Field(default=False, description="Counted from a sample of the events.")
    is_thresholded: bool = Field(default=False, description="Rows about too few people are withheld.")
    is_cut: bool = Field(default=False, description="Rare values are rolled up in a row `(other)`.")
    daily_tokens_left: int | None = Field(default=None, description="What is left today of the property's quota.")


class Header(Result):
    """The name of a column."""

    name: str


class Value(Result):
    """What stands in a cell; Google leaves an empty one out."""

    value: str = ""


class Row(Result):
    """One row, as Google sends it."""

    dimensions: list[Value] = Field(default=[], validation_alias="dimensionValues")
    metrics: list[Value] = Field(default=[], validation_alias="metricValues")


class Table(Result):
    """A report, as Google sends it. What is empty or zero is left out there."""

    dimensions: list[Header] = Field(default=[], validation_alias="dimensionHeaders")
    metrics: list[Header] = Field(default=[], validation_alias="metricHeaders")
    rows: list[Row] = Field(default=[])
    totals: list[Row] = Field(default=[])
    row_count: int = Field(default=0, validation_alias="rowCount")
    currency: str | None = Field(default=None, validation_alias=AliasPath("metadata", "currencyCode"))
    time_zone: str | None = Field(default=None, validation_alias=AliasPath("metadata", "timeZone"))
    samples: list[dict[str, str]] = Field(default=[], validation_alias=AliasPath("metadata", "samplingMetadatas"))
    is_thresholded: bool = Field(default=False, validation_alias=AliasPath("metadata", "subjectToThresholding"))
    is_cut: bool = Field(default=False, validation_alias=AliasPath("metadata", "dataLossFromOtherRow"))
    daily_tokens_left: int | None = Field(
        default=None, validation_alias=AliasPath("propertyQuota", "tokensPerDay", "remaining")
    )

    def named(self, rows: Sequence[Row]) -> list[dict[str, Cell]]:
        """The rows with their columns' names. Raises AnswerGarbled when they do not have the columns promised."""
        return [self._named(row) for row in rows]

    def _named(self, row: Row) -> dict[str, Cell]:
        if len(row.dimensions) != len(self.dimensions) or len(row.metrics) != len(self.metrics):
            raise AnswerGarbled("A row of the report does not have the columns that its head names.")
        told: dict[str, Cell] = {
            head.name: cell.value for head, cell in zip(self.dimensions, row.dimensions, strict=True)
        }
        return told | {head.name: number(cell.value) for head, cell in zip(self.metrics, row.metrics, strict=True)}


def report(told: Json) -> Report:
    """A report as agents read it. Raises AnswerGarbled when it is not what Google describes."""
    table = Table.of(told)
    return Report(
        dimensions=[each.name for each in table.dimensions],
        metrics=[each.name for each in table.metrics],
        rows=table.named(table.rows),
        row_count=table.row_count,
        totals=table.named(table.totals),
        currency=table.currency,
        time_zone=table.time_zone,
        is_sampled=bool(table.samples),
        is_thresholded=table.is_thresholded,
        is_cut=table.is_cut,
        daily_tokens_left=table.daily_tokens_left,
    )


def number(text: str) -> int | float:
    """A metric's value, which Google sends as text. Raises AnswerGarbled when it is none."""
    if not _NUMBER.match(text):
        raise AnswerGarbled("A metric of the report is not a number.")
    return float(text) if "." in text or "e" in text.lower() else int(text)
