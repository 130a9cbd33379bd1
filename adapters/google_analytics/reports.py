"""Reports: any breakdown of any figures, now and over time, and which fields there are to ask for."""

from typing import Literal, TypeAlias

from adapters._kit import AliasChoices, AliasPath, Annotated, Call, Effect, Field, Part, Result, action, given
from adapters.google_analytics.parameters import (
    DATA,
    Condition,
    Conditions,
    Dimensions,
    FieldName,
    Metrics,
    Order,
    Period,
    PropertyId,
    filter_of,
)
from adapters.google_analytics.scopes import READ
from adapters.google_analytics.tables import Report, report
from domain.json import Json, JsonObject

_PROPERTY = "v1beta/properties/{property_id}"

Periods: TypeAlias = Annotated[
    list[Period], Field(description="Of when. Several are compared side by side.", min_length=1, max_length=4)
]
Orders: TypeAlias = Annotated[list[Order], Field(description="Sorted by the first, then the next.", max_length=5)]
Rows: TypeAlias = Annotated[int, Field(description="How many rows to return at most.", ge=1, le=5000)]
Offset: TypeAlias = Annotated[int, Field(description="How many rows to pass over, to read on.", ge=0, le=10_000_000)]
KeepsEmpty: TypeAlias = Annotated[bool, Field(description="Return rows that are zero everywhere, too.")]
WithTotals: TypeAlias = Annotated[bool, Field(description="Count everything together as well.")]


class ReportRequest(Part):
    """One report of several."""

    metrics: Metrics
    periods: Periods
    dimensions: Annotated[Dimensions, Field(default=[])]
    conditions: Annotated[Conditions, Field(default=[])]
    order_by: Annotated[Orders, Field(default=[])]
    limit: Rows = 100
    with_totals: WithTotals = False


class Pivot(Part):
    """Dimensions that become one side of a cross table."""

    dimensions: Annotated[Dimensions, Field(min_length=1)]
    limit: Annotated[int, Field(description="How many values to keep on this side.", ge=1, le=1000)] = 10
    order_by: Annotated[Orders, Field(default=[])]


class FieldFacts(Result):
    """A dimension or metric that reports may use."""

    name: str = Field(validation_alias="apiName")
    title: str = Field(default="", validation_alias="uiName")
    description: str = ""
    category: str = ""
    is_custom: bool = Field(default=False, validation_alias="customDefinition")

    def tells_of(self, text: str) -> bool:
        """Whether the text is in its name, title or description, in any letter case."""
        return text.lower() in f"{self.name}\n{self.title}\n{self.description}".lower()


class Fields(Result):
    """What a property can be asked about."""

    dimensions: list[FieldFacts]
    metrics: list[FieldFacts]
    is_complete: bool = Field(description="False when there are more than were returned.")


class Compatible(Result):
    """What can be added to a report that is already fine."""

    dimensions: list[str]
    metrics: list[str]


@action(effect=Effect.READ, scopes=READ)
async def run_report(
    call: Call,
    *,
    property_id: PropertyId,
    metrics: Metrics,
    periods: Periods,
    dimensions: Dimensions | None = None,
    conditions: Conditions | None = None,
    order_by: Orders | None = None,
    limit: Rows = 100,
    offset: Offset = 0,
    keep_empty_rows: KeepsEmpty = False,
    with_totals: WithTotals = False,
) -> Report:
    """Run a report.

    Any traffic, user, event, e-commerce or advertising figures of a GA4 property, broken down as you like. For visits
    by channel, page or country view_traffic is simpler. Names of fields come from get_metadata; not all go together
    (check_compatibility). Figures of today and yesterday may still change. It uses up some of the property's quota,
    see `daily_tokens_left`.
    """
    asked = ReportRequest(
        metrics=metrics,
        periods=periods,
        dimensions=dimensions or [],
        conditions=conditions or [],
        order_by=order_by or [],
        limit=limit,
        with_totals=with_totals,
    )
    body = report_body(asked) | {"keepEmptyRows": keep_empty_rows, "offset": str(offset), "returnPropertyQuota": True}
    path = _PROPERTY + ":runReport"
    return report((await call.on(DATA).post(path, json=body, harmless=True, property_id=property_id)).json)


@action(effect=Effect.READ, scopes=READ)
async def batch_run_reports(
    call: Call,
    *,
    property_id: PropertyId,
    reports: Annotated[
        list[ReportRequest], Field(description="The reports, answered in this order.", min_length=1, max_length=5)
    ],
) -> list[Report]:
    """Run up to five reports at once, as for a dashboard.

    This is how to fill a dashboard or a regular report. Google offers no way to create or change dashboards,
    explorations or library reports inside Analytics: keep the list of reports where the dashboard is, and run it anew.
    """
    bodies: list[Json] = [report_body(each) | {"returnPropertyQuota": True} for each in reports]
    path = _PROPERTY + ":batchRunReports"
    answer = await call.on(DATA).post(path, json={"requests": bodies}, harmless=True, property_id=property_id)
    return [report(each) for each in answer.objects("reports")]


@action(effect=Effect.READ, scopes=READ)
async def run_realtime_report(
    call: Call,
    *,
    property_id: PropertyId,
    metrics: Metrics,
    dimensions: Dimensions | None = None,
    conditions: Conditions | None = None,
    order_by: Orders | None = None,
    from_minutes_ago: Annotated[
        int, Field(description="The first minute, counted back from now; above 29 for Analytics 360 only.", ge=0, le=59)
    ] = 29,
    to_minutes_ago: Annotated[int, Field(description="The last minute, counted back from now.", ge=0, le=59)] = 0,
    limit: Rows = 100,
) -> Report:
    """Run a report of the last half hour.

    Who is on the site or in the app right now. Realtime knows fewer fields: dimensions such as `country`, `city`,
    `deviceCategory`, `unifiedScreenName`, `eventName`, `minutesAgo`; metrics `activeUsers`, `eventCount`,
    `screenPageViews`, `keyEvents`. view_realtime_traffic is simpler.
    """
    asked = realtime_body(metrics, dimensions or [], conditions or [], order_by or [], limit)
    asked["minuteRanges"] = [{"startMinutesAgo": from_minutes_ago, "endMinutesAgo": to_minutes_ago}]
    path = _PROPERTY + ":runRealtimeReport"
    return report((await call.on(DATA).post(path, json=asked, harmless=True, property_id=property_id)).json)


@action(effect=Effect.READ, scopes=READ)
async def run_pivot_report(
    call: Call,
    *,
    property_id: PropertyId,
    metrics: Metrics,
    periods: Periods,
    pivots: Annotated[
        list[Pivot],
        Field(description="The sides of the table: each dimension on one of them.", min_length=1, max_length=4),
    ],
    conditions: Conditions | None = None,
    keep_empty_rows: KeepsEmpty = False,
) -> Report:
    """Run a cross table (pivot report).

    For instance sessions by country on one side and by browser on the other. A row is one cell of the table: its
    dimensions say where it belongs. The limits of all sides multiplied are at most 250,000.
    """
    dimensions = list(dict.fromkeys(name for pivot in pivots for name in pivot.dimensions))
    body: dict[str, Json] = {
        "metrics": _named(metrics),
        "dateRanges": [_range(each) for each in periods],
        "pivots": [_pivot(each, metrics) for each in pivots],
        "keepEmptyRows": keep_empty_rows,
        "returnPropertyQuota": True,
        **_narrowed([name for name in dimensions if name != "dateRange"], metrics, conditions or [], []),
    }
    path = _PROPERTY + ":runPivotReport"
    told = report((await call.on(DATA).post(path, json=body, harmless=True, property_id=property_id)).json)
    return told.model_copy(update={"row_count": len(told.rows)})  # Google counts each side, not the cells


@action(effect=Effect.READ, scopes=READ)
async def get_metadata(
    call: Call,
    *,
    property_id: PropertyId,
    containing: Annotated[
        str | None,
        Field(description="Only fields whose name, title or description has this text.", min_length=1, max_length=100),
    ] = None,
    only_custom: Annotated[bool, Field(description="Only the property's own dimensions and metrics.")] = False,
    limit: Annotated[int, Field(description="How many of each to return at most.", ge=1, le=1000)] = 50,
) -> Fields:
    """List the dimensions and metrics that reports may use.

    With the property's custom ones. There are several hundred: narrow it with `containing`.
    """
    answer = await call.on(DATA).get(_PROPERTY + "/metadata", property_id=property_id)
    found = {
        kind: [
            facts
            for facts in map(FieldFacts.of, answer.objects(kind))
            if (facts.is_custom or not only_custom) and facts.tells_of(containing or "")
        ]
        for kind in ("dimensions", "metrics")
    }
    return Fields(
        dimensions=found["dimensions"][:limit],
        metrics=found["metrics"][:limit],
        is_complete=max(map(len, found.values())) <= limit,
    )


@action(effect=Effect.READ, scopes=READ)
async def check_compatibility(
    call: Call,
    *,
    property_id: PropertyId,
    dimensions: Dimensions | None = None,
    metrics: Annotated[
        list[FieldName] | None, Field(description="The metrics of the report so far.", max_length=10)
    ] = None,
) -> Compatible:
    """Find what else a report can show.

    Answers with everything that can be added to these dimensions and metrics. Refused when they do not go together
    themselves, or when one of them is unknown.
    """
    body = given(
        dimensions=_named(dimensions or []) or None,
        metrics=_named(metrics or []) or None,
        compatibilityFilter="COMPATIBLE",
    )
    path = _PROPERTY + ":checkCompatibility"
    answer = await call.on(DATA).post(path, json=body, harmless=True, property_id=property_id)
    told = _Compatibilities.of(answer.json)
    return Compatible(
        dimensions=[each.name for each in told.dimensions if each.is_new_to(dimensions)],
        metrics=[each.name for each in told.metrics if each.is_new_to(metrics)],
    )


def report_body(asked: ReportRequest) -> dict[str, Json]:
    """A RunReportRequest of the Data API, without the property."""
    return {
        "metrics": _named(asked.metrics),
        "dateRanges": [_range(each) for each in asked.periods],
        "limit": str(asked.limit),
        **({"metricAggregations": ["TOTAL"]} if asked.with_totals else {}),
        **_narrowed(asked.dimensions, asked.metrics, asked.conditions, asked.order_by),
    }


def realtime_body(
    metrics: list[str], dimensions: list[str], conditions: list[Condition], order_by: list[Order], limit: int
) -> dict[str, Json]:
    """A RunRealtimeReportRequest of the Data API, of the last 30 minutes."""
    narrowed = _narrowed(dimensions, metrics, conditions, order_by)
    return {"metrics": _named(metrics), "limit": str(limit), "returnPropertyQuota": True, **narrowed}


def _narrowed(
    dimensions: list[str], metrics: list[str], conditions: list[Condition], order_by: list[Order]
) -> dict[str, Json]:
    """What is left out of the request when it is empty."""
    orders: list[Json] = [_order(each, metrics) for each in order_by]
    return given(dimensions=_named(dimensions) or None, dimensionFilter=filter_of(conditions), orderBys=orders or None)


def _named(names: list[str]) -> list[Json]:
    return [{"name": name} for name in names]


def _range(period: Period) -> JsonObject:
    return given(startDate=period.start, endDate=period.end, name=period.name)


def _order(order: Order, metrics: list[str]) -> JsonObject:
    kind: Literal["metric", "dimension"] = "metric" if order.field in metrics else "dimension"
    return {kind: {f"{kind}Name": order.field}, "desc": order.is_descending}


def _pivot(pivot: Pivot, metrics: list[str]) -> JsonObject:
    orders: list[Json] = [_order(each, metrics) for each in pivot.order_by]
    return given(fieldNames=[*pivot.dimensions], limit=str(pivot.limit), orderBys=orders or None)


class _Compatibility(Result):
    name: str = Field(
        validation_alias=AliasChoices(AliasPath("dimensionMetadata", "apiName"), AliasPath("metricMetadata", "apiName"))
    )
    compatibility: str

    def is_new_to(self, names: list[str] | None) -> bool:
        return self.compatibility == "COMPATIBLE" and self.name not in (names or [])


class _Compatibilities(Result):
    dimensions: list[_Compatibility] = Field(default=[], validation_alias="dimensionCompatibilities")
    metrics: list[_Compatibility] = Field(default=[], validation_alias="metricCompatibilities")
