"""The parameters that Google Analytics' actions share, and how conditions on fields are told to its Data API."""

from typing import Literal, TypeAlias

from adapters._kit import Annotated, Field, Part
from domain.json import Json

DATA = "data"  # the host of reports; properties and their settings are at the base address
_FIELD = r"^[A-Za-z][A-Za-z0-9_]*(?::[A-Za-z0-9_]+)?$"
_NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
_DAY = r"^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|today|yesterday|[0-9]{1,4}daysAgo)$"

PropertyId: TypeAlias = Annotated[
    str,
    Field(
        description="Number of the GA4 property, as list_properties tells it; no `G-...` id.", pattern=r"^[0-9]{1,20}$"
    ),
]
StreamId: TypeAlias = Annotated[
    str, Field(description="Number of the data stream, as list_data_streams tells it.", pattern=r"^[0-9]{1,20}$")
]
FieldName: TypeAlias = Annotated[str, Field(pattern=_FIELD, max_length=120)]
EventName: TypeAlias = Annotated[str, Field(pattern=_NAME, max_length=40)]
ParameterName: TypeAlias = Annotated[str, Field(pattern=_NAME, max_length=40)]
Dimensions: TypeAlias = Annotated[
    list[FieldName],
    Field(description="What to break down by, in API names such as `country`, `pagePath`, `eventName`.", max_length=9),
]
Metrics: TypeAlias = Annotated[
    list[FieldName],
    Field(
        description="What to count, in API names such as `sessions`, `activeUsers`, `keyEvents`.",
        min_length=1,
        max_length=10,
    ),
]
Day: TypeAlias = Annotated[str, Field(pattern=_DAY)]
DisplayName: TypeAlias = Annotated[
    str,
    Field(
        description="Its name in Analytics: letters, digits, spaces and underscores, a letter first.",
        pattern=r"^[A-Za-z][A-Za-z0-9_ ]*$",
        max_length=82,
    ),
]
Note: TypeAlias = Annotated[str, Field(description="What it is for.", max_length=150)]
Limit: TypeAlias = Annotated[
    int, Field(description="How many to return at most. When that many come back, there may be more.", ge=1, le=1000)
]


class Period(Part):
    """From one day to another, both included, in the property's own time zone."""

    start: Annotated[Day, Field(description="`2026-01-31`, `today`, `yesterday` or `28daysAgo`.")]
    end: Annotated[Day, Field(description="Likewise; not before `start`.")]
    name: Annotated[
        str | None,
        Field(
            description="What its rows are called in `dateRange` when several are compared.",
            pattern=r"^[a-z][a-z0-9 ]*$",
            max_length=40,
        ),
    ] = None


class Condition(Part):
    """What rows must be like. Letter case is ignored."""

    field: Annotated[FieldName, Field(description="API name of a dimension, such as `country`.")]
    match: Annotated[
        Literal["is", "begins_with", "ends_with", "contains", "matches"],
        Field(description="How it compares; `matches` is a regular expression (RE2) for the whole value."),
    ] = "is"
    values: Annotated[
        list[Annotated[str, Field(max_length=1000)]], Field(description="Any of these.", min_length=1, max_length=50)
    ]
    is_negated: Annotated[bool, Field(description="True: leave out the rows that fit.")] = False


Conditions: TypeAlias = Annotated[
    list[Condition], Field(description="Only rows that fit all of these conditions.", max_length=10)
]


class Order(Part):
    """What rows are sorted by."""

    field: Annotated[FieldName, Field(description="One of the report's metrics or dimensions.")]
    is_descending: Annotated[bool, Field(description="Largest first.")] = True


_MATCHES = {
    "is": "EXACT",
    "begins_with": "BEGINS_WITH",
    "ends_with": "ENDS_WITH",
    "contains": "CONTAINS",
    "matches": "FULL_REGEXP",
}


def filter_of(conditions: list[Condition] | None) -> Json:
    """The conditions as a FilterExpression of the Data API; None when there are none."""
    told = [_expression(each) for each in conditions or []]
    return {"andGroup": {"expressions": told}} if len(told) > 1 else told[0] if told else None


def _expression(condition: Condition) -> Json:
    plain = _any_of(condition)
    return {"notExpression": plain} if condition.is_negated else plain


def _any_of(condition: Condition) -> Json:
    if condition.match == "is" and len(condition.values) > 1:
        listed: Json = {"values": [*condition.values], "caseSensitive": False}
        return {"filter": {"fieldName": condition.field, "inListFilter": listed}}
    each: list[Json] = [
        {
            "filter": {
                "fieldName": condition.field,
                "stringFilter": {"matchType": _MATCHES[condition.match], "value": value, "caseSensitive": False},
            }
        }
        for value in condition.values
    ]
    return {"orGroup": {"expressions": each}} if len(each) > 1 else each[0]
