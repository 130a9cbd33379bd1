"""The Admin API of the Google Analytics sandbox: properties, streams, key events, custom fields, rules, audiences."""

import json
import re
from datetime import UTC, datetime
from typing import Literal

from pydantic import JsonValue
from starlette.routing import Route

from adapters._kit.sandbox_google import Ask, GoogleDesk, GoogleRefused, Shape
from adapters.google_analytics.sandbox_state import (
    BEGINNING,
    EDIT,
    READ,
    CustomField,
    KeyEvent,
    Property,
    Rule,
    Stream,
    World,
    invalid,
    not_found,
)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_DISPLAY_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ ]{0,81}")
_MEMBERS = {
    "WEB_DATA_STREAM": ("webStreamData", "defaultUri"),
    "ANDROID_APP_DATA_STREAM": ("androidAppStreamData", "packageName"),
    "IOS_APP_DATA_STREAM": ("iosAppStreamData", "bundleId"),
}
_MOST_KEY_EVENTS = 30


class Admin:
    """The routes of the Admin API."""

    def __init__(self, desk: GoogleDesk[World]) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """All of them."""
        route, root = self._desk.route, "/analyticsadmin"
        beta, alpha = f"{root}/v1beta/properties/{{property}}", f"{root}/v1alpha/properties/{{property}}"
        rules = f"{alpha}/dataStreams/{{stream}}/eventCreateRules"
        return [
            route("GET", f"{root}/v1beta/accountSummaries", self.summaries, READ, EDIT),
            route("GET", beta, self.show, READ, EDIT),
            route("GET", f"{beta}/keyEvents", self.key_events, READ, EDIT),
            route("POST", f"{beta}/keyEvents", self.create_key_event, EDIT),
            route("DELETE", f"{beta}/keyEvents/{{event}}", self.delete_key_event, EDIT),
            route("GET", f"{beta}/dataStreams", self.streams, READ, EDIT),
            route("POST", f"{beta}/dataStreams", self.create_stream, EDIT),
            route("POST", f"{beta}/customDimensions", self.create_dimension, EDIT),
            route("POST", f"{beta}/customMetrics", self.create_metric, EDIT),
            route("GET", rules, self.rules, READ, EDIT),
            route("POST", rules, self.create_rule, EDIT),
            route("POST", f"{alpha}/audiences", self.create_audience, EDIT),
        ]

    # ------------------------------------------------------------------------------------------- properties

    def summaries(self, ask: Ask) -> Shape:
        """GET accountSummaries"""
        world, sub = self._desk.world, ask.person.sub
        visible = world.visible_to(sub)
        found: list[JsonValue] = []
        for account, name in world.accounts.items():
            inside: list[JsonValue] = [_summary(each, sub) for each in visible if each.account == account]
            if inside:
                found.append(
                    {
                        "name": f"accountSummaries/{account}",
                        "account": f"accounts/{account}",
                        "displayName": name,
                        "propertySummaries": inside,
                    }
                )
        return ask.page(found, ask.number("pageSize", 50, 200), "accountSummaries")

    def show(self, ask: Ask) -> Shape:
        """GET properties/{property}"""
        found = self._readable(ask)
        return {
            "name": f"properties/{found.id}",
            "account": f"accounts/{found.account}",
            "parent": f"accounts/{found.account}",
            "displayName": found.name,
            "industryCategory": "TRAVEL",
            "timeZone": "Etc/UTC",
            "currencyCode": "EUR",
            "serviceLevel": "GOOGLE_ANALYTICS_STANDARD",
            "propertyType": "PROPERTY_TYPE_ORDINARY",
            "createTime": BEGINNING,
            "updateTime": BEGINNING,
        }

    # ----------------------------------------------------------------------------------------------- events

    def key_events(self, ask: Ask) -> Shape:
        """GET keyEvents"""
        found = self._readable(ask)
        shown: list[JsonValue] = [_key_event(found, each) for each in found.key_events]
        return ask.page(shown, ask.number("pageSize", 50, 200), "keyEvents")

    def create_key_event(self, ask: Ask) -> Shape:
        """POST keyEvents: 409 when the event is one already."""
        found, body = self._writable(ask), ask.body()
        name, counting = str(body.get("eventName", "")), str(body.get("countingMethod", ""))
        if not _NAME.fullmatch(name) or counting not in ("ONCE_PER_EVENT", "ONCE_PER_SESSION"):
            raise invalid("eventName or countingMethod is not valid.")
        if any(each.event_name == name for each in found.key_events):
            raise _exists("A key event with this name already exists.")
        if sum(each.custom for each in found.key_events) >= _MOST_KEY_EVENTS:
            raise GoogleRefused(400, "FAILED_PRECONDITION", "The maximum number of key events is reached.")
        value = body.get("defaultValue")
        worth = _worth(value) if isinstance(value, dict) else None
        new = KeyEvent(id=self._new_id(), event_name=name, counting=counting, created_at=self._stamp(), worth=worth)
        found.key_events.append(new)
        return _key_event(found, new)

    def delete_key_event(self, ask: Ask) -> Shape:
        """DELETE keyEvents/{event}: Google's own stay."""
        found = self._writable(ask)
        event = next((each for each in found.key_events if each.id == ask.path("event")), None)
        if event is None:
            raise not_found()
        if not event.custom:
            raise GoogleRefused(400, "FAILED_PRECONDITION", "This key event cannot be deleted.")
        found.key_events.remove(event)
        return {}

    def rules(self, ask: Ask) -> Shape:
        """GET eventCreateRules"""
        found, stream = self._readable(ask), self._stream(ask)
        shown: list[JsonValue] = [json.loads(each.told) for each in found.rules if each.stream == stream.id]
        return ask.page(shown, ask.number("pageSize", 50, 200), "eventCreateRules")

    def create_rule(self, ask: Ask) -> Shape:
        """POST eventCreateRules"""
        found, stream, body = self._writable(ask), self._stream(ask), ask.body()
        conditions = body.get("eventConditions")
        is_whole = isinstance(conditions, list) and 1 <= len(conditions) <= 10
        if not is_whole or not _NAME.fullmatch(str(body.get("destinationEvent", ""))):
            raise invalid("destinationEvent or eventConditions is not valid.")
        if body.get("sourceCopyParameters") is False:
            del body["sourceCopyParameters"]  # false is left out of answers
        name = f"properties/{found.id}/dataStreams/{stream.id}/eventCreateRules/{self._new_id()}"
        told: Shape = {"name": name, **body}
        found.rules.append(Rule(stream=stream.id, told=json.dumps(told)))
        return told

    # ------------------------------------------------------------------------------------ streams and fields

    def streams(self, ask: Ask) -> Shape:
        """GET dataStreams"""
        found = self._readable(ask)
        shown: list[JsonValue] = [_stream_shape(found, each) for each in found.streams]
        return ask.page(shown, ask.number("pageSize", 50, 200), "dataStreams")

    def create_stream(self, ask: Ask) -> Shape:
        """POST dataStreams"""
        found, body = self._writable(ask), ask.body()
        kind, name = str(body.get("type", "")), str(body.get("displayName", ""))
        member, key = _MEMBERS.get(kind, ("", ""))
        told = body.get(member)
        value = told.get(key) if isinstance(told, dict) else None
        if not name or not isinstance(value, str) or not value:
            raise invalid(f"A stream needs displayName, type and {member or 'its data'}.")
        data, id = {key: value}, self._new_id()
        if kind == "WEB_DATA_STREAM":
            data["measurementId"] = f"G-SBX{id[-7:]}"
        new = Stream(id=id, kind=kind, name=name, member=member, data=data, created_at=self._stamp())
        found.streams.append(new)
        return _stream_shape(found, new)

    def create_dimension(self, ask: Ask) -> Shape:
        """POST customDimensions"""
        if ask.body().get("scope") not in ("EVENT", "USER", "ITEM"):
            raise invalid("scope is not valid.")
        return self._create_custom(ask, "customDimensions", ("displayName", "parameterName", "scope", "description"))

    def create_metric(self, ask: Ask) -> Shape:
        """POST customMetrics: money says whether it is cost or revenue."""
        body = ask.body()
        if body.get("scope") != "EVENT" or not body.get("measurementUnit"):
            raise invalid("scope or measurementUnit is not valid.")
        if (body.get("measurementUnit") == "CURRENCY") != bool(body.get("restrictedMetricType")):
            raise invalid("restrictedMetricType is for the unit CURRENCY, and is needed there.")
        kept = ("displayName", "parameterName", "scope", "measurementUnit", "restrictedMetricType", "description")
        return self._create_custom(ask, "customMetrics", kept)

    def _create_custom(
        self, ask: Ask, kind: Literal["customDimensions", "customMetrics"], kept: tuple[str, ...]
    ) -> Shape:
        found, body = self._writable(ask), ask.body()
        parameter, title = str(body.get("parameterName", "")), str(body.get("displayName", ""))
        if not _NAME.fullmatch(parameter) or not _DISPLAY_NAME.fullmatch(title):
            raise invalid("parameterName or displayName is not valid.")
        if any(each.kind == kind and each.told["parameterName"] == parameter for each in found.custom):
            raise _exists("There is one for this parameter already.")
        told: dict[str, str | list[str]] = {"name": f"properties/{found.id}/{kind}/{self._new_id()}"}
        for member in kept:
            value = body.get(member)
            if isinstance(value, str):
                told[member] = value
            elif isinstance(value, list):
                told[member] = [str(each) for each in value]
        found.custom.append(CustomField(kind=kind, told=told))
        return {name: [*value] if isinstance(value, list) else value for name, value in told.items()}

    def create_audience(self, ask: Ask) -> Shape:
        """POST audiences"""
        found, body = self._writable(ask), ask.body()
        days, clauses = body.get("membershipDurationDays"), body.get("filterClauses")
        is_whole = isinstance(days, int) and 1 <= days <= 540 and isinstance(clauses, list) and clauses
        if not is_whole or not body.get("displayName") or not body.get("description"):
            raise invalid("An audience needs displayName, description, membershipDurationDays and filterClauses.")
        name = f"properties/{found.id}/audiences/{self._new_id()}"
        told: Shape = {"name": name, **body, "createTime": self._stamp()}
        found.audiences.append(json.dumps(told))
        return told

    # ---------------------------------------------------------------------------------------------- shared

    def _readable(self, ask: Ask) -> Property:
        for each in self._desk.world.visible_to(ask.person.sub):
            if each.id == ask.path("property"):
                return each
        raise GoogleRefused(403, "PERMISSION_DENIED", "The caller does not have permission")

    def _writable(self, ask: Ask) -> Property:
        found = self._readable(ask)
        if found.roles[ask.person.sub] != "editor":
            raise GoogleRefused(403, "PERMISSION_DENIED", "The caller does not have permission")
        return found

    def _stream(self, ask: Ask) -> Stream:
        for each in self._readable(ask).streams:
            if each.id == ask.path("stream"):
                return each
        raise not_found()

    def _new_id(self) -> str:
        return self._desk.world.new_id()

    def _stamp(self) -> str:
        return datetime.fromtimestamp(self._desk.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _exists(message: str) -> GoogleRefused:
    return GoogleRefused(409, "ALREADY_EXISTS", message)


def _worth(told: Shape) -> tuple[float, str]:
    amount, currency = told.get("numericValue"), told.get("currencyCode")
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not isinstance(currency, str):
        raise invalid("defaultValue needs numericValue and currencyCode.")
    return float(amount), currency


def _summary(found: Property, sub: str) -> JsonValue:
    return {
        "property": f"properties/{found.id}",
        "displayName": found.name,
        "propertyType": "PROPERTY_TYPE_ORDINARY",
        "parent": f"accounts/{found.account}",
        **({"canEdit": True} if found.roles[sub] == "editor" else {}),
    }


def _key_event(found: Property, event: KeyEvent) -> Shape:
    told: Shape = {
        "name": f"properties/{found.id}/keyEvents/{event.id}",
        "eventName": event.event_name,
        "createTime": event.created_at,
        "countingMethod": event.counting,
    }
    if event.custom:
        told |= {"deletable": True, "custom": True}
    if event.worth is not None:
        told["defaultValue"] = {"numericValue": event.worth[0], "currencyCode": event.worth[1]}
    return told


def _stream_shape(found: Property, stream: Stream) -> Shape:
    return {
        "name": f"properties/{found.id}/dataStreams/{stream.id}",
        "type": stream.kind,
        "displayName": stream.name,
        stream.member: {**stream.data},
        "createTime": stream.created_at,
        "updateTime": stream.created_at,
    }
