"""Traffic in plain words: how many visits and visitors, from where, to which pages; before, and right now."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal, TypeAlias

from adapters._kit import Annotated, Call, Effect, Field, Result, action
from adapters.google_analytics.parameters import DATA, Condition, Order, Period, PropertyId
from adapters.google_analytics.reports import ReportRequest, Rows, realtime_body, report_body
from adapters.google_analytics.scopes import READ
from adapters.google_analytics.tables import Cell, report
from domain.errors import Rejected

Breakdown: TypeAlias = Literal[
    "day",
    "week",
    "month",
    "channel",
    "source",
    "campaign",
    "page",
    "page_title",
    "landing_page",
    "country",
    "city",
    "device",
    "browser",
    "operating_system",
    "language",
]
LiveBreakdown: TypeAlias = Literal["minute", "page", "country", "city", "device", "event", "platform"]
Span: TypeAlias = Literal[
    "today", "yesterday", "last_7_days", "last_28_days", "last_30_days", "last_90_days", "last_365_days"
]
Words: TypeAlias = Annotated[str, Field(min_length=1, max_length=1000)]

_DIMENSIONS: Mapping[str, str] = {
    "day": "date",
    "week": "isoYearIsoWeek",
    "month": "yearMonth",
    "channel": "sessionDefaultChannelGroup",
    "source": "sessionSourceMedium",
    "campaign": "sessionCampaignName",
    "page": "pagePath",
    "page_title": "pageTitle",
    "landing_page": "landingPage",
    "country": "country",
    "city": "city",
    "device": "deviceCategory",
    "browser": "browser",
    "operating_system": "operatingSystem",
    "language": "language",
}
_LIVE_DIMENSIONS: Mapping[str, str] = {
    "minute": "minutesAgo",
    "page": "unifiedScreenName",
    "country": "country",
    "city": "city",
    "device": "deviceCategory",
    "event": "eventName",
    "platform": "platform",
}
_TIMES = ("day", "week", "month")
_METRICS = ["sessions", "activeUsers", "newUsers", "screenPageViews", "engagementRate", "averageSessionDuration"]
_LIVE_METRICS = ["activeUsers", "screenPageViews", "eventCount"]
_DAYS: Mapping[str, int] = {"last_7_days": 7, "last_28_days": 28, "last_30_days": 30, "last_90_days": 90}
_CURRENT, _PREVIOUS = "current", "previous"


class Figures(Result):
    """What came together."""

    period: str = Field(description="`current`, or `previous` where periods are compared.")
    visits: int = Field(description="Sessions.")
    visitors: int = Field(description="People who used the site or app (active users).")
    new_visitors: int
    page_views: int = Field(description="Pages and app screens.")
    engagement_rate: float = Field(description="Share of visits with engagement, 0 to 1.")
    average_visit_seconds: float


class TrafficRow(Figures):
    """The same for one value of each breakdown."""

    part: dict[str, str] = Field(description='For instance {"channel": "Organic Search"}.')


class Traffic(Result):
    """How much came, in all and in parts."""

    totals: list[Figures] = Field(description="One for each period; none when nothing came.")
    rows: list[TrafficRow]
    row_count: int = Field(description="How many rows there are in all.")
    time_zone: str | None = Field(default=None, description="In which days begin.")
    is_thresholded: bool = Field(description="Rows about too few people are withheld.")


class LiveRow(Result):
    """What goes on, for one value of each breakdown."""

    part: dict[str, str]
    visitors: int
    page_views: int
    events: int


@action(effect=Effect.READ, scopes=READ)
async def view_traffic(
    call: Call,
    *,
    property_id: PropertyId,
    period: Annotated[
        Span | None, Field(description="Which days; left out: `start_date` and `end_date` say, or the last 28 days.")
    ] = None,
    start_date: Annotated[date | None, Field(description="First day of a period of your own.")] = None,
    end_date: Annotated[date | None, Field(description="Last day of it.")] = None,
    by: Annotated[
        list[Breakdown] | None, Field(description="Broken down by these; only totals when left out.", max_length=3)
    ] = None,
    compare_with_previous: Annotated[bool, Field(description="Also the days of the same number right before.")] = False,
    channel: Annotated[
        Words | None, Field(description="Only this channel, such as `Organic Search`, `Direct`.")
    ] = None,
    country: Annotated[Words | None, Field(description="Only this country, by its English name.")] = None,
    page_contains: Annotated[Words | None, Field(description="Only pages with this in their path.")] = None,
    limit: Rows = 50,
) -> Traffic:
    """View traffic.

    Visits, visitors, page views and engagement of a website or app, by day, channel, source, campaign, page, country,
    city or device; for instance the top pages, where visitors come from, or how this week compares with the last.
    Periods in `last_...` end yesterday; days begin in the property's time zone. Rows come in order of time when broken
    down by time, else most visits first. Other figures: run_report. Right now: view_realtime_traffic.
    """
    names = list(dict.fromkeys(by or []))
    asked = ReportRequest(
        metrics=_METRICS,
        periods=_periods(period, start_date, end_date, is_compared=compare_with_previous),
        dimensions=[_DIMENSIONS[name] for name in names],
        conditions=_conditions(channel, country, page_contains),
        order_by=_orders(names),
        limit=limit,
        with_totals=True,
    )
    path = "v1beta/properties/{property_id}:runReport"
    answer = await call.on(DATA).post(path, json=report_body(asked), harmless=True, property_id=property_id)
    found = report(answer.json)
    # Without a breakdown the only rows are the totals.
    return Traffic(
        totals=[_figures(row) for row in found.totals or found.rows],
        rows=[_row(row, names) for row in found.rows] if names else [],
        row_count=found.row_count if names else 0,
        time_zone=found.time_zone,
        is_thresholded=found.is_thresholded,
    )


@action(effect=Effect.READ, scopes=READ)
async def view_realtime_traffic(
    call: Call,
    *,
    property_id: PropertyId,
    by: Annotated[
        list[LiveBreakdown] | None, Field(description="Broken down by these; only totals when left out.", max_length=3)
    ] = None,
    limit: Rows = 50,
) -> list[LiveRow]:
    """View who is there right now (realtime).

    Visitors, page views and events of the last 30 minutes, by page, country, city, device, event or minute (`00` is the
    current one). Most visitors first, or in order of minutes.
    """
    names = list(dict.fromkeys(by or []))
    by_minute = names[:1] == ["minute"]
    order = Order(field="minutesAgo" if by_minute else "activeUsers", is_descending=not by_minute)
    asked = realtime_body(_LIVE_METRICS, [_LIVE_DIMENSIONS[name] for name in names], [], [order], limit)
    path = "v1beta/properties/{property_id}:runRealtimeReport"
    answer = await call.on(DATA).post(path, json=asked, harmless=True, property_id=property_id)
    return [_live_row(row, names) for row in report(answer.json).rows]


def _periods(period: Span | None, start: date | None, end: date | None, *, is_compared: bool) -> list[Period]:
    if start or end:
        current, previous = _own_days(period, start, end)
    else:
        current, previous = _known_days(period or "last_28_days")
    return [current, previous] if is_compared else [current]


def _own_days(period: Span | None, start: date | None, end: date | None) -> tuple[Period, Period]:
    if period or not start or not end or end < start:
        raise Rejected("Give `period`, or both `start_date` and `end_date` in order. Nothing was sent.")
    length = end - start + timedelta(days=1)
    before = (start - length, end - length)
    return _days(_CURRENT, str(start), str(end)), _days(_PREVIOUS, str(before[0]), str(before[1]))


def _known_days(period: str) -> tuple[Period, Period]:
    if period == "today":
        return _days(_CURRENT, "today", "today"), _days(_PREVIOUS, "yesterday", "yesterday")
    count = 1 if period == "yesterday" else _DAYS.get(period, 365)
    current = _days(_CURRENT, f"{count}daysAgo", "yesterday")
    return current, _days(_PREVIOUS, f"{2 * count}daysAgo", f"{count + 1}daysAgo")


def _days(name: str, start: str, end: str) -> Period:
    return Period(name=name, start=start, end=end)


def _conditions(channel: str | None, country: str | None, page: str | None) -> list[Condition]:
    asked = [("sessionDefaultChannelGroup", "is", channel), ("country", "is", country), ("pagePath", "contains", page)]
    return [
        Condition(field=field, match="contains" if match == "contains" else "is", values=[value])
        for field, match, value in asked
        if value is not None
    ]


def _orders(names: list[Breakdown]) -> list[Order]:
    times = [Order(field=_DIMENSIONS[name], is_descending=False) for name in names if name in _TIMES]
    return [*times, Order(field="sessions")]


def _row(row: Mapping[str, Cell], names: list[Breakdown]) -> TrafficRow:
    part: dict[str, str] = {name: str(row.get(_DIMENSIONS[name], "")) for name in names}
    return TrafficRow(part=part, **_figures(row).model_dump())


def _figures(row: Mapping[str, Cell]) -> Figures:
    return Figures(
        period=str(row.get("dateRange", _CURRENT)),
        visits=_whole(row, "sessions"),
        visitors=_whole(row, "activeUsers"),
        new_visitors=_whole(row, "newUsers"),
        page_views=_whole(row, "screenPageViews"),
        engagement_rate=float(row.get("engagementRate", 0)),
        average_visit_seconds=float(row.get("averageSessionDuration", 0)),
    )


def _live_row(row: Mapping[str, Cell], names: list[LiveBreakdown]) -> LiveRow:
    return LiveRow(
        part={name: str(row.get(_LIVE_DIMENSIONS[name], "")) for name in names},
        visitors=_whole(row, "activeUsers"),
        page_views=_whole(row, "screenPageViews"),
        events=_whole(row, "eventCount"),
    )


def _whole(row: Mapping[str, Cell], name: str) -> int:
    return int(row.get(name, 0))
