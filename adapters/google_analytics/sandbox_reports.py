"""The Data API of the Google Analytics sandbox: reports from invented visits, and the fields there are.

It counts with these dimensions and metrics only; others are refused as unknown, as the real one refuses what it does
not know. Filters on metrics, comparisons, cohorts and metric expressions are refused too.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pydantic import JsonValue
from starlette.routing import Route

from adapters._kit.sandbox import RateLimits
from adapters._kit.sandbox_google import Ask, GoogleDesk, GoogleRefused, Shape
from adapters.google_analytics.sandbox_state import READ, Property, World, invalid
from adapters.google_analytics.sandbox_traffic import Visits, visits_of

DIMENSIONS = {
    "date": "Date",
    "isoYearIsoWeek": "ISO week of ISO year",
    "yearMonth": "Year month",
    "sessionDefaultChannelGroup": "Session default channel group",
    "sessionSourceMedium": "Session source / medium",
    "sessionCampaignName": "Session campaign",
    "country": "Country",
    "city": "City",
    "language": "Language",
    "deviceCategory": "Device category",
    "browser": "Browser",
    "operatingSystem": "Operating system",
    "pagePath": "Page path",
    "pageTitle": "Page title",
    "landingPage": "Landing page",
    "platform": "Platform",
    "eventName": "Event name",
}
LIVE_DIMENSIONS = ("minutesAgo", "unifiedScreenName", "country", "city", "deviceCategory", "platform", "eventName")
METRICS = {
    "sessions": ("Sessions", "TYPE_INTEGER"),
    "activeUsers": ("Active users", "TYPE_INTEGER"),
    "totalUsers": ("Total users", "TYPE_INTEGER"),
    "newUsers": ("New users", "TYPE_INTEGER"),
    "screenPageViews": ("Views", "TYPE_INTEGER"),
    "engagedSessions": ("Engaged sessions", "TYPE_INTEGER"),
    "engagementRate": ("Engagement rate", "TYPE_FLOAT"),
    "bounceRate": ("Bounce rate", "TYPE_FLOAT"),
    "averageSessionDuration": ("Average session duration", "TYPE_SECONDS"),
    "eventCount": ("Event count", "TYPE_INTEGER"),
    "keyEvents": ("Key events", "TYPE_FLOAT"),
}
LIVE_METRICS = ("activeUsers", "screenPageViews", "eventCount", "keyEvents")
_DAY_TOKENS, _REPORT_TOKENS, _DAY_SECONDS = 200_000, 10, 86_400
_LARGEST_LIMIT = 250_000
_AGO = re.compile(r"([0-9]{1,4})daysAgo")

Key = tuple[str, ...]


@dataclass
class Sum:
    """Figures that were added up."""

    sessions: int = 0
    new: int = 0
    views: int = 0
    engaged: int = 0
    seconds: int = 0
    events: int = 0
    key_events: int = 0

    def add(self, visits: Visits, events: Mapping[str, int], counted: set[str]) -> None:
        """Some visits, with the events that are looked at; `counted` are the key events."""
        self.sessions += visits.sessions
        self.new += visits.new
        self.views += visits.views
        self.engaged += visits.engaged
        self.seconds += visits.seconds
        self.events += sum(events.values())
        self.key_events += sum(count for name, count in events.items() if name in counted)

    def value(self, metric: str) -> str:
        """A metric as the API writes it."""
        rate = self.engaged / self.sessions if self.sessions else 0.0
        found: dict[str, int | float] = {
            "sessions": self.sessions,
            "activeUsers": self.sessions,
            "totalUsers": self.sessions,
            "newUsers": self.new,
            "screenPageViews": self.views,
            "engagedSessions": self.engaged,
            "engagementRate": rate,
            "bounceRate": 1 - rate,
            "averageSessionDuration": self.seconds / self.sessions if self.sessions else 0.0,
            "eventCount": self.events,
            "keyEvents": self.key_events,
        }
        return str(found[metric])


class Reports:
    """The routes of the Data API."""

    def __init__(self, desk: GoogleDesk[World]) -> None:
        self._desk = desk
        self._tokens = RateLimits(_DAY_TOKENS, _DAY_SECONDS, desk.now)

    def routes(self) -> list[Route]:
        """All of them."""
        at = "/analyticsdata/v1beta/properties/{property}"
        posts = [
            ("runReport", self.run_report),
            ("batchRunReports", self.batch),
            ("runRealtimeReport", self.run_realtime),
            ("runPivotReport", self.run_pivot),
            ("checkCompatibility", self.check),
        ]
        return [
            *(self._desk.route("POST", f"{at}:{name}", handler, READ, reads=True) for name, handler in posts),
            self._desk.route("GET", f"{at}/metadata", self.metadata, READ),
        ]

    # --------------------------------------------------------------------------------------------- reports

    def run_report(self, ask: Ask) -> Shape:
        """POST :runReport"""
        return {**self._report(self._property(ask), ask.body()), "kind": "analyticsData#runReport"}

    def batch(self, ask: Ask) -> Shape:
        """POST :batchRunReports, up to five."""
        found, asked = self._property(ask), objects(ask.body(), "requests")
        if not 1 <= len(asked) <= 5:
            raise invalid("A batch request has one to five requests.")
        reports: list[JsonValue] = [{**self._report(found, each), "kind": "analyticsData#runReport"} for each in asked]
        return {"reports": reports, "kind": "analyticsData#batchRunReports"}

    def run_realtime(self, ask: Ask) -> Shape:
        """POST :runRealtimeReport: the visits of today, spread over the last 30 minutes."""
        found, body = self._property(ask), ask.body()
        dimensions, metrics = names(body, "dimensions", LIVE_DIMENSIONS), names(body, "metrics", LIVE_METRICS)
        minutes = [minute for each in objects(body, "minuteRanges") or [{}] for minute in _minutes(each)]
        keep = _filter(body.get("dimensionFilter"))
        sums: dict[Key, Sum] = {}
        for minute in minutes:
            seen = [each for place, each in enumerate(visits_of(self._today(), found.size)) if place % 30 == minute]
            _add_up(sums, seen, dimensions, keep, _counted(found), {"minutesAgo": f"{minute:02}"})
        rows = _ordered(sums, body, dimensions, metrics)
        return {
            **_heads(dimensions, metrics),
            **_shown(rows, metrics, body),
            **self._quota(found, body),
            "kind": "analyticsData#runRealtimeReport",
        }

    def run_pivot(self, ask: Ask) -> Shape:
        """POST :runPivotReport: the largest values of each side, and the cells between them."""
        found, body = self._property(ask), ask.body()
        pivots = objects(body, "pivots")
        ranges = self._ranges(body)
        fields = [str(name) for pivot in pivots for name in listed(pivot.get("fieldNames"))]
        dimensions, metrics = names(body, "dimensions", self._dimensions(found)), names(body, "metrics", METRICS)
        if not pivots or set(fields) - {"dateRange"} != set(dimensions) or len(fields) != len(set(fields)):
            raise invalid("Each dimension is in one pivot, and each field of a pivot is a dimension.")
        sums = self._sums(found, body, fields, ranges)
        heads: list[JsonValue] = []
        for pivot in pivots:
            sums, head = _side(sums, fields, pivot, metrics)
            heads.append(head)
        rows: list[JsonValue] = [_row(key, total, metrics) for key, total in sums.items()]
        return {
            **_heads(fields, metrics),
            "pivotHeaders": heads,
            **({"rows": rows} if rows else {}),
            "metadata": {"currencyCode": "EUR", "timeZone": "Etc/UTC"},
            **self._quota(found, body),
            "kind": "analyticsData#runPivotReport",
        }

    def _report(self, found: Property, body: Shape) -> Shape:
        ranges = self._ranges(body)
        dimensions, metrics = names(body, "dimensions", self._dimensions(found)), names(body, "metrics", METRICS)
        if not metrics:
            raise invalid("At least one metric is required.")
        fields = [*dimensions, "dateRange"] if len(ranges) > 1 else dimensions
        sums = self._sums(found, body, fields, ranges)
        answer = {**_heads(fields, metrics), **_shown(_ordered(sums, body, fields, metrics), metrics, body)}
        if "TOTAL" in listed(body.get("metricAggregations")) and dimensions:
            whole = self._sums(found, body, ["dateRange"], ranges)
            answer["totals"] = [_total(key[0], total, fields, metrics) for key, total in whole.items()]
        answer["metadata"] = {"currencyCode": "EUR", "timeZone": "Etc/UTC"}
        return {**answer, **self._quota(found, body)}

    def _sums(
        self, found: Property, body: Shape, fields: Sequence[str], ranges: Sequence[tuple[str, date, date]]
    ) -> dict[Key, Sum]:
        keep, sums = _filter(body.get("dimensionFilter")), dict[Key, Sum]()
        for name, first, last in ranges:
            for day in (first + timedelta(days=number) for number in range((last - first).days + 1)):
                seen = visits_of(day, found.size) if day <= self._today() else ()
                _add_up(sums, seen, fields, keep, _counted(found), {"dateRange": name})
        return sums

    # -------------------------------------------------------------------------------------------- metadata

    def metadata(self, ask: Ask) -> Shape:
        """GET /metadata"""
        found = self._property(ask)
        known = self._dimensions(found)
        dimensions: list[JsonValue] = [_facts(name, known[name], custom=name not in DIMENSIONS) for name in known]
        metrics: list[JsonValue] = [
            {**_facts(name, title, custom=False), "type": kind} for name, (title, kind) in METRICS.items()
        ]
        return {"name": f"properties/{found.id}/metadata", "dimensions": dimensions, "metrics": metrics}

    def check(self, ask: Ask) -> Shape:
        """POST :checkCompatibility: here everything goes together."""
        found, body = self._property(ask), ask.body()
        known = self._dimensions(found)
        names(body, "dimensions", known)
        names(body, "metrics", METRICS)
        if body.get("compatibilityFilter") == "INCOMPATIBLE":
            return {}
        dimensions: list[JsonValue] = [
            {"dimensionMetadata": _facts(name, title, custom=name not in DIMENSIONS), "compatibility": "COMPATIBLE"}
            for name, title in known.items()
        ]
        metrics: list[JsonValue] = [
            {"metricMetadata": {**_facts(name, title, custom=False), "type": kind}, "compatibility": "COMPATIBLE"}
            for name, (title, kind) in METRICS.items()
        ]
        return {"dimensionCompatibilities": dimensions, "metricCompatibilities": metrics}

    # ---------------------------------------------------------------------------------------------- shared

    def _property(self, ask: Ask) -> Property:
        for each in self._desk.world.visible_to(ask.person.sub):
            if each.id == ask.path("property"):
                return each
        message = "User does not have sufficient permissions for this property."
        raise GoogleRefused(403, "PERMISSION_DENIED", message)

    def _dimensions(self, found: Property) -> dict[str, str]:
        own = [each.told for each in found.custom if each.kind == "customDimensions"]
        return DIMENSIONS | {f"customEvent:{each['parameterName']}": str(each["displayName"]) for each in own}

    def _today(self) -> date:
        return datetime.fromtimestamp(self._desk.now(), UTC).date()

    def _ranges(self, body: Shape) -> list[tuple[str, date, date]]:
        asked = objects(body, "dateRanges")
        if not 1 <= len(asked) <= 4:
            raise invalid("A report has one to four date ranges.")
        found = []
        for number, each in enumerate(asked):
            first, last = self._day(each.get("startDate")), self._day(each.get("endDate"))
            if first > last:
                raise invalid("startDate is after endDate.")
            found.append((str(each.get("name") or f"date_range_{number}"), first, last))
        return found

    def _day(self, told: JsonValue) -> date:
        text = str(told)
        ago = {"today": 0, "yesterday": 1}.get(text)
        if found := _AGO.fullmatch(text):
            ago = int(found[1])
        try:
            return date.fromisoformat(text) if ago is None else self._today() - timedelta(days=ago)
        except ValueError:
            raise invalid("Invalid date. Dates are YYYY-MM-DD, NdaysAgo, yesterday or today.") from None

    def _quota(self, found: Property, body: Shape) -> Shape:
        window = self._tokens.look(found.id)
        if window.remaining < _REPORT_TOKENS:
            message = "Exhausted property tokens per day."
            raise GoogleRefused(429, "RESOURCE_EXHAUSTED", message)
        window.used += _REPORT_TOKENS
        if body.get("returnPropertyQuota") is not True:
            return {}
        return {"propertyQuota": {"tokensPerDay": {"consumed": _REPORT_TOKENS, "remaining": window.remaining}}}


# ------------------------------------------------------------------------------------------------ adding up


def _add_up(
    sums: dict[Key, Sum],
    seen: Iterable[Visits],
    fields: Sequence[str],
    keep: Callable[[Mapping[str, str]], bool],
    counted: set[str],
    more: Mapping[str, str],
) -> None:
    for visits in seen:
        events = visits.events()
        parts = [{name: count} for name, count in events.items()] if "eventName" in fields else [events]
        for part in parts:
            told = {**visits.fields, **more, "eventName": next(iter(part))}
            if keep(told):
                key = tuple(told.get(name, "(not set)") for name in fields)
                sums.setdefault(key, Sum()).add(visits, part, counted)


def _counted(found: Property) -> set[str]:
    return {each.event_name for each in found.key_events}


def _ordered(sums: dict[Key, Sum], body: Shape, fields: Sequence[str], metrics: Sequence[str]) -> list[tuple[Key, Sum]]:
    rows = sorted(sums.items(), key=lambda row: -float(row[1].value(metrics[0])))
    for order in reversed(objects(body, "orderBys")):
        rows.sort(key=_sorting(order, fields, metrics), reverse=order.get("desc") is True)
    return rows


def _sorting(order: Shape, fields: Sequence[str], metrics: Sequence[str]) -> Callable[[tuple[Key, Sum]], float | str]:
    metric, dimension = order.get("metric"), order.get("dimension")
    if isinstance(metric, dict) and metric.get("metricName") in metrics:
        by = str(metric["metricName"])
        return lambda row: float(row[1].value(by))
    if isinstance(dimension, dict) and dimension.get("dimensionName") in fields:
        place = list(fields).index(str(dimension["dimensionName"]))
        return lambda row: row[0][place]
    raise invalid("An orderBy names a metric or dimension of the request.")


def _side(
    sums: dict[Key, Sum], fields: Sequence[str], pivot: Shape, metrics: Sequence[str]
) -> tuple[dict[Key, Sum], JsonValue]:
    """One side of a cross table: the cells of its first values, and its head."""
    places = [list(fields).index(str(name)) for name in listed(pivot.get("fieldNames"))]
    weights: dict[Key, float] = {}
    for key, total in sums.items():
        value = tuple(key[place] for place in places)
        weights[value] = weights.get(value, 0.0) + float(total.value(metrics[0]))
    kept = sorted(weights, key=lambda value: (-weights[value], value))[: _limit(pivot, 0)]
    shown: list[JsonValue] = [{"dimensionValues": _values(value)} for value in kept]
    head: JsonValue = {"pivotDimensionHeaders": shown, "rowCount": len(weights)}
    return {key: total for key, total in sums.items() if tuple(key[place] for place in places) in kept}, head


# --------------------------------------------------------------------------------------- reading and writing


def listed(value: JsonValue) -> list[JsonValue]:
    """A list of the request, empty when left out; raises GoogleRefused for anything else."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid("Invalid JSON payload received. A list is expected.")
    return value


def objects(body: Shape, name: str) -> list[Shape]:
    """The objects of a list of the request."""
    found = [each for each in listed(body.get(name)) if isinstance(each, dict)]
    if len(found) != len(listed(body.get(name))):
        raise invalid(f"Invalid value at '{name}'.")
    return found


def names(body: Shape, member: str, known: Iterable[str]) -> list[str]:
    """The dimensions or metrics of the request; raises GoogleRefused for one nobody knows."""
    found = [str(each.get("name")) for each in objects(body, member)]
    unknown = [name for name in found if name not in set(known)]
    if unknown:
        raise invalid(f"Field {unknown[0][:60]} is not a valid {member.removesuffix('s')} of this sandbox.")
    return found


def _minutes(asked: Shape) -> range:
    first, last = asked.get("startMinutesAgo", 29), asked.get("endMinutesAgo", 0)
    if not isinstance(first, int) or not isinstance(last, int) or not 0 <= last <= first <= 29:
        raise invalid("Minute ranges are within the last 30 minutes.")
    return range(last, first + 1)


def _limit(asked: Shape, default: int) -> int:
    text = str(asked.get("limit", default))
    if not text.isdigit() or not 0 < int(text) <= _LARGEST_LIMIT:
        raise invalid("Invalid limit.")
    return int(text)


def _filter(told: JsonValue) -> Callable[[Mapping[str, str]], bool]:
    """A FilterExpression as a question about fields; raises GoogleRefused for what the sandbox does not know."""
    if told is None:
        return lambda _fields: True
    shape = told if isinstance(told, dict) else {}
    for group, decide in (("andGroup", all), ("orGroup", any)):
        inside = shape.get(group)
        if isinstance(inside, dict):
            parts = [_filter(each) for each in listed(inside.get("expressions"))]
            return lambda fields: decide(part(fields) for part in parts)
    if "notExpression" in shape:
        part = _filter(shape["notExpression"])
        return lambda fields: not part(fields)
    plain = shape.get("filter")
    if not isinstance(plain, dict):
        raise invalid("A filter expression is empty.")
    name, fits = str(plain.get("fieldName")), _fits(plain)
    if name not in DIMENSIONS and name not in LIVE_DIMENSIONS:
        raise invalid(f"Field {name[:60]} is not a valid dimension of this sandbox.")
    return lambda fields: fits(fields.get(name, ""))


def _fits(plain: Shape) -> Callable[[str], bool]:
    within, text = plain.get("inListFilter"), plain.get("stringFilter")
    if isinstance(within, dict):
        values = {str(each).lower() for each in listed(within.get("values"))}
        return lambda value: value.lower() in values
    if not isinstance(text, dict):
        raise invalid("The sandbox knows string and list filters only.")
    wanted = str(text.get("value")).lower()
    ways: dict[str, Callable[[str], bool]] = {
        "EXACT": lambda value: value.lower() == wanted,
        "BEGINS_WITH": lambda value: value.lower().startswith(wanted),
        "ENDS_WITH": lambda value: value.lower().endswith(wanted),
        "CONTAINS": lambda value: wanted in value.lower(),
    }
    way = ways.get(str(text.get("matchType")))
    if way is None:
        raise invalid("The sandbox does not know regular expressions.")
    return way


def _heads(fields: Sequence[str], metrics: Sequence[str]) -> Shape:
    found: Shape = {"metricHeaders": [{"name": name, "type": METRICS[name][1]} for name in metrics]}
    return {"dimensionHeaders": [{"name": name} for name in fields], **found} if fields else found


def _shown(rows: Sequence[tuple[Key, Sum]], metrics: Sequence[str], body: Shape) -> Shape:
    """One page of the rows; like Google's, what is empty is left out."""
    start, size = str(body.get("offset", "0")), _limit(body, 10_000)
    if not start.isdigit():
        raise invalid("Invalid offset.")
    page: list[JsonValue] = [_row(key, total, metrics) for key, total in rows[int(start) : int(start) + size]]
    return {**({"rows": page} if page else {}), **({"rowCount": len(rows)} if rows else {})}


def _row(key: Key, total: Sum, metrics: Sequence[str]) -> JsonValue:
    told: Shape = {"metricValues": [{"value": total.value(name)} for name in metrics]}
    return {"dimensionValues": _values(key), **told} if key else told


def _total(period: str, total: Sum, fields: Sequence[str], metrics: Sequence[str]) -> JsonValue:
    return _row(tuple(period if name == "dateRange" else "RESERVED_TOTAL" for name in fields), total, metrics)


def _values(key: Key) -> list[JsonValue]:
    return [{"value": value} for value in key]


def _facts(name: str, title: str, *, custom: bool) -> Shape:
    found: Shape = {"apiName": name, "uiName": title, "description": f"{title}, invented.", "category": "Sandbox"}
    return {**found, "customDefinition": True} if custom else found
