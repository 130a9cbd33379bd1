"""Properties and what belongs to them: data streams, custom dimensions and metrics, audiences."""

from datetime import datetime
from typing import Literal, TypeAlias

from adapters._kit import (
    AliasChoices,
    AliasPath,
    Annotated,
    Call,
    Effect,
    Field,
    Part,
    Result,
    action,
    field_validator,
    given,
)
from adapters.google_analytics.parameters import (
    DisplayName,
    EventName,
    FieldName,
    Limit,
    Note,
    ParameterName,
    PropertyId,
)
from adapters.google_analytics.scopes import EDIT, READ
from domain.errors import Rejected
from domain.json import Json, JsonObject

_PROPERTY = "v1beta/properties/{property_id}"

StreamKind: TypeAlias = Literal["web", "android", "ios"]
Unit: TypeAlias = Literal[
    "standard", "currency", "feet", "meters", "kilometers", "miles", "milliseconds", "seconds", "minutes", "hours"
]

_APP_DATA = {"android": ("androidAppStreamData", "packageName"), "ios": ("iosAppStreamData", "bundleId")}
_SCOPES = {
    "one_event": "AUDIENCE_FILTER_SCOPE_WITHIN_SAME_EVENT",
    "one_visit": "AUDIENCE_FILTER_SCOPE_WITHIN_SAME_SESSION",
    "any_time": "AUDIENCE_FILTER_SCOPE_ACROSS_ALL_SESSIONS",
}
_MATCHES = {"is": "EXACT", "contains": "CONTAINS", "begins_with": "BEGINS_WITH", "matches": "FULL_REGEXP"}


class PropertySummary(Result):
    """A property, as a list of them shows it."""

    property_id: str = Field(validation_alias="property")
    name: str = Field(default="", validation_alias="displayName")
    kind: str | None = Field(default=None, validation_alias="propertyType")
    can_edit: bool | None = Field(default=None, validation_alias="canEdit")

    @field_validator("property_id", mode="before")
    @classmethod
    def _number(cls, sent: Json) -> Json:
        return _last_part(sent)


class AccountSummary(Result):
    """An Analytics account and its properties."""

    account_id: str = Field(validation_alias="account")
    name: str = Field(default="", validation_alias="displayName")
    properties: list[PropertySummary] = Field(default=[], validation_alias="propertySummaries")

    @field_validator("account_id", mode="before")
    @classmethod
    def _number(cls, sent: Json) -> Json:
        return _last_part(sent)


class Property(Result):
    """A website, app or both, as Analytics keeps its figures together."""

    property_id: str = Field(validation_alias="name")
    name: str = Field(default="", validation_alias="displayName")
    time_zone: str | None = Field(default=None, validation_alias="timeZone")
    currency: str | None = Field(default=None, validation_alias="currencyCode")
    industry: str | None = Field(default=None, validation_alias="industryCategory")
    service_level: str | None = Field(default=None, validation_alias="serviceLevel")
    account: str | None = None
    created_at: datetime | None = Field(default=None, validation_alias="createTime")
    deleted_at: datetime | None = Field(
        default=None, description="When it was put into the trash.", validation_alias="deleteTime"
    )

    @field_validator("property_id", mode="before")
    @classmethod
    def _number(cls, sent: Json) -> Json:
        return _last_part(sent)


class DataStream(Result):
    """Where a property's events come from: a website or an app."""

    stream_id: str = Field(validation_alias="name")
    name: str = Field(default="", validation_alias="displayName")
    kind: str = Field(description="WEB_DATA_STREAM and so on.", validation_alias="type")
    website: str | None = Field(default=None, validation_alias=AliasPath("webStreamData", "defaultUri"))
    measurement_id: str | None = Field(
        default=None,
        description="`G-...`, for the tag on the website.",
        validation_alias=AliasPath("webStreamData", "measurementId"),
    )
    app_id: str | None = Field(
        default=None,
        description="Package name or bundle id.",
        validation_alias=AliasChoices(
            AliasPath("androidAppStreamData", "packageName"), AliasPath("iosAppStreamData", "bundleId")
        ),
    )

    @field_validator("stream_id", mode="before")
    @classmethod
    def _number(cls, sent: Json) -> Json:
        return _last_part(sent)


class CustomField(Result):
    """A custom dimension or metric."""

    name: str
    parameter_name: str = Field(validation_alias="parameterName")
    display_name: str = Field(default="", validation_alias="displayName")
    scope: str
    unit: str | None = Field(default=None, validation_alias="measurementUnit")


class Audience(Result):
    """An audience."""

    name: str
    display_name: str = Field(validation_alias="displayName")
    membership_days: int = Field(validation_alias="membershipDurationDays")
    created_at: datetime | None = Field(default=None, validation_alias="createTime")


class AudienceRule(Part):
    """Something a visitor did, or is: exactly one of `event_name` and `field`."""

    event_name: Annotated[EventName | None, Field(description="The visitor did this, such as `add_to_cart`.")] = None
    field: Annotated[FieldName | None, Field(description="A dimension such as `country`; with `value`.")] = None
    match: Annotated[Literal["is", "contains", "begins_with", "matches"], Field(description="How it compares.")] = "is"
    value: Annotated[str | None, Field(description="With what.", min_length=1, max_length=500)] = None


Rules: TypeAlias = Annotated[list[AudienceRule], Field(max_length=10)]


@action(effect=Effect.READ, scopes=READ)
async def list_properties(call: Call, *, limit: Limit = 100) -> list[AccountSummary]:
    """List the Analytics accounts and GA4 properties.

    All that this Google account may see. Every other action wants a `property_id` from here. `limit` counts accounts.
    """
    found = await call.pages("v1beta/accountSummaries", limit=limit, items="accountSummaries")
    return [AccountSummary.of(each) for each in found]


@action(effect=Effect.READ, scopes=READ)
async def get_property(call: Call, *, property_id: PropertyId) -> Property:
    """Show a property: its name, time zone and currency."""
    return Property.of((await call.get(_PROPERTY, property_id=property_id)).json)


@action(effect=Effect.READ, scopes=READ)
async def list_data_streams(call: Call, *, property_id: PropertyId, limit: Limit = 100) -> list[DataStream]:
    """List the websites and apps that send to a property (data streams).

    With the measurement id of each website.
    """
    found = await call.pages(_PROPERTY + "/dataStreams", limit=limit, items="dataStreams", property_id=property_id)
    return [DataStream.of(each) for each in found]


@action(effect=Effect.WRITE, scopes=EDIT, look_for="a data stream with this name in the property")
async def create_data_stream(
    call: Call,
    *,
    property_id: PropertyId,
    kind: Annotated[StreamKind, Field(description="Where events will come from.")],
    name: Annotated[str, Field(description="What it is called in Analytics.", min_length=1, max_length=255)],
    website: Annotated[
        str | None,
        Field(
            description="Address of the website, for kind `web`: `https://shop.example`.",
            pattern=r"^https?://[^\s/?#]+/?$",
            max_length=255,
        ),
    ] = None,
    app_id: Annotated[
        str | None,
        Field(
            description="Package name (`android`) or bundle id (`ios`).",
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
            max_length=255,
        ),
    ] = None,
) -> DataStream:
    """Connect a website or app to a property (data stream).

    Answers with the measurement id that its tag needs; nothing is counted before the tag is on the site. Doing it
    twice makes two streams.
    """
    body: dict[str, Json] = {"displayName": name, "type": f"{kind.upper()}_APP_DATA_STREAM"}
    if kind == "web":
        body |= {"type": "WEB_DATA_STREAM", "webStreamData": {"defaultUri": website}}
    else:
        member, key = _APP_DATA[kind]
        body[member] = {key: app_id}
    if (website is None) == (kind == "web") or (app_id is None) == (kind != "web"):
        raise Rejected("Give `website` for the kind `web`, else `app_id`. Nothing was sent.")
    path = _PROPERTY + "/dataStreams"
    return DataStream.of((await call.post(path, json=body, property_id=property_id)).json)


@action(effect=Effect.WRITE, scopes=EDIT, look_for="a custom dimension for this parameter in the property")
async def create_custom_dimension(
    call: Call,
    *,
    property_id: PropertyId,
    parameter_name: Annotated[
        ParameterName, Field(description="The parameter that events carry; for `user` at most 24 characters.")
    ],
    display_name: DisplayName,
    scope: Annotated[Literal["event", "user", "item"], Field(description="What it is a property of.")] = "event",
    description: Note | None = None,
) -> CustomField:
    """Make an event parameter a custom dimension.

    Reports can then break down by it, from a day or two later on, not for the past. It can never be deleted, only
    archived by a person, and a property has room for 50 (event) and 25 (user). A conflict when there is one for this
    parameter already.
    """
    if scope == "user" and len(parameter_name) > 24:
        raise Rejected("For the scope `user`, `parameter_name` has at most 24 characters. Nothing was sent.")
    body = given(parameterName=parameter_name, displayName=display_name, scope=scope.upper(), description=description)
    path = _PROPERTY + "/customDimensions"
    return CustomField.of((await call.post(path, json=body, property_id=property_id)).json)


@action(effect=Effect.WRITE, scopes=EDIT, look_for="a custom metric for this parameter in the property")
async def create_custom_metric(
    call: Call,
    *,
    property_id: PropertyId,
    parameter_name: Annotated[ParameterName, Field(description="The event parameter that holds the number.")],
    display_name: DisplayName,
    unit: Annotated[Unit, Field(description="What it is measured in.")] = "standard",
    money: Annotated[
        Literal["cost", "revenue"] | None,
        Field(description="Which of them it tells; for the unit `currency`, and only there. Not everybody may see it."),
    ] = None,
    description: Note | None = None,
) -> CustomField:
    """Make an event parameter a custom metric.

    Reports can then add it up, from a day or two later on, not for the past. It can never be deleted, only archived by
    a person, and a property has room for 50. A conflict when there is one for this parameter already.
    """
    if (money is None) == (unit == "currency"):
        raise Rejected("Give `money` for the unit `currency`, and only there. Nothing was sent.")
    body = given(
        parameterName=parameter_name,
        displayName=display_name,
        measurementUnit=unit.upper(),
        scope="EVENT",
        restrictedMetricType=[f"{money.upper()}_DATA"] if money else None,
        description=description,
    )
    path = _PROPERTY + "/customMetrics"
    return CustomField.of((await call.post(path, json=body, property_id=property_id)).json)


@action(effect=Effect.WRITE, scopes=EDIT, look_for="an audience with this name in the property")
async def create_audience(
    call: Call,
    *,
    property_id: PropertyId,
    display_name: Annotated[str, Field(description="What it is called.", min_length=1, max_length=100)],
    description: Annotated[str, Field(description="Who is in it.", min_length=1, max_length=500)],
    include: Annotated[Rules, Field(description="Visitors for whom all of these hold.", min_length=1)],
    exclude: Annotated[Rules | None, Field(description="But none for whom all of these hold.", min_length=1)] = None,
    within: Annotated[
        Literal["one_event", "one_visit", "any_time"], Field(description="Within what they must hold together.")
    ] = "any_time",
    membership_days: Annotated[int, Field(description="How long a visitor stays in it.", ge=1, le=540)] = 30,
) -> Audience:
    """Create an audience: a group of visitors.

    For instance all who did `add_to_cart` but not `purchase`. It fills from now on; advertising products linked to the
    property can use it. Its rules cannot be changed later. Doing it twice makes two. Google offers this as an alpha: it
    may change.
    """
    clauses: list[Json] = [_clause("INCLUDE", include, within)]
    if exclude:
        clauses.append(_clause("EXCLUDE", exclude, within))
    body: JsonObject = {
        "displayName": display_name,
        "description": description,
        "membershipDurationDays": membership_days,
        "filterClauses": clauses,
    }
    path = "v1alpha/properties/{property_id}/audiences"
    return Audience.of((await call.post(path, json=body, property_id=property_id)).json)


def _clause(kind: str, rules: list[AudienceRule], within: str) -> Json:
    """The outermost expression is an `and` of `or`s, as the Admin API wants it."""
    each: list[Json] = [{"orGroup": {"filterExpressions": [_rule(rule)]}} for rule in rules]
    expression: Json = {"andGroup": {"filterExpressions": each}}
    return {"clauseType": kind, "simpleFilter": {"scope": _SCOPES[within], "filterExpression": expression}}


def _rule(rule: AudienceRule) -> Json:
    if (rule.event_name is None) == (rule.field is None) or (rule.field is None) != (rule.value is None):
        raise Rejected("A rule has either `event_name`, or `field` and `value`. Nothing was sent.")
    if rule.event_name is not None:
        return {"eventFilter": {"eventName": rule.event_name}}
    compared: Json = {"matchType": _MATCHES[rule.match], "value": rule.value, "caseSensitive": False}
    return {"dimensionOrMetricFilter": {"fieldName": rule.field, "stringFilter": compared}}


def _last_part(sent: Json) -> Json:
    """Google names things by their whole path, such as `properties/123`."""
    return sent.rpartition("/")[2] if isinstance(sent, str) else sent
