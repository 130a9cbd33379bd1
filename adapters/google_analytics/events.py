"""Events: which count as key events (conversions), and which are derived from others."""

from datetime import datetime
from typing import Literal, TypeAlias

from adapters._kit import AliasPath, Annotated, Call, Effect, Field, Part, Result, action, given
from adapters.google_analytics.parameters import EventName, Limit, ParameterName, PropertyId, StreamId
from adapters.google_analytics.scopes import EDIT, READ
from domain.errors import AlreadyThere
from domain.json import Json

_KEY_EVENTS = "v1beta/properties/{property_id}/keyEvents"
_RULES = "v1alpha/properties/{property_id}/dataStreams/{stream_id}/eventCreateRules"
_MOST_KEY_EVENTS = 1000

Counting: TypeAlias = Annotated[
    Literal["every_time", "once_per_visit"],
    Field(description="How a visitor who does it several times in one visit counts."),
]
Comparison: TypeAlias = Literal[
    "is", "contains", "starts_with", "ends_with", "greater_than", "less_than", "at_least", "at_most", "matches"
]

_COUNTINGS = {"every_time": "ONCE_PER_EVENT", "once_per_visit": "ONCE_PER_SESSION"}
_COMPARISONS = {
    "is": "EQUALS",
    "contains": "CONTAINS",
    "starts_with": "STARTS_WITH",
    "ends_with": "ENDS_WITH",
    "greater_than": "GREATER_THAN",
    "less_than": "LESS_THAN",
    "at_least": "GREATER_THAN_OR_EQUAL",
    "at_most": "LESS_THAN_OR_EQUAL",
    "matches": "REGULAR_EXPRESSION",
}


class Worth(Part):
    """What one occurrence is worth when the event does not say so itself."""

    amount: Annotated[float, Field(description="In units of the currency.", ge=0, le=1e12)]
    currency: Annotated[str, Field(description="Three letters (ISO 4217), such as `EUR`.", pattern=r"^[A-Z]{3}$")]


class KeyEvent(Result):
    """An event that counts as a key event (conversion)."""

    name: str = Field(description="Full name; its last part is what delete_key_event takes.")
    event_name: str = Field(validation_alias="eventName")
    counting: str | None = Field(
        default=None, description="ONCE_PER_EVENT or ONCE_PER_SESSION.", validation_alias="countingMethod"
    )
    is_deletable: bool = Field(default=False, validation_alias="deletable")
    created_at: datetime | None = Field(default=None, validation_alias="createTime")
    amount: float | None = Field(default=None, validation_alias=AliasPath("defaultValue", "numericValue"))
    currency: str | None = Field(default=None, validation_alias=AliasPath("defaultValue", "currencyCode"))


class KeyEventsSetUp(Result):
    """What set_up_key_events has found and done."""

    created: list[str]
    existing: list[str] = Field(description="Those that were key events already; left as they were.")


class EventCondition(Part):
    """What an incoming event must be like."""

    field: Annotated[
        str,
        Field(
            description="`event_name`, or the name of a parameter of the event.",
            pattern=r"^[A-Za-z][A-Za-z0-9_]*$",
            max_length=40,
        ),
    ]
    compare: Annotated[Comparison, Field(description="How; `matches` is a regular expression.")] = "is"
    value: Annotated[str, Field(description="With what.", min_length=1, max_length=100)]
    ignores_case: Annotated[bool, Field(description="Whether `A` is like `a`; not for greater and less.")] = False
    is_negated: Annotated[bool, Field(description="True: it must not be like that.")] = False


class ParameterChange(Part):
    """A parameter of the new event."""

    parameter: Annotated[ParameterName, Field(description="Its name.")]
    value: Annotated[
        str,
        Field(description="Its value, or `[[other]]` for the value of another parameter.", min_length=1, max_length=99),
    ]


class EventRule(Result):
    """A rule that makes a new event of an incoming one."""

    name: str
    new_event: str = Field(validation_alias="destinationEvent")
    copies_parameters: bool = Field(default=False, validation_alias="sourceCopyParameters")
    conditions: list["RuleCondition"] = Field(default=[], validation_alias="eventConditions")


class RuleCondition(Result):
    """A condition of a rule, in Google's words."""

    field: str
    comparison: str = Field(validation_alias="comparisonType")
    value: str = ""
    is_negated: bool = Field(default=False, validation_alias="negated")


@action(effect=Effect.READ, scopes=READ)
async def list_key_events(call: Call, *, property_id: PropertyId, limit: Limit = 100) -> list[KeyEvent]:
    """List the key events (conversions) of a property."""
    found = await call.pages(_KEY_EVENTS, limit=limit, items="keyEvents", property_id=property_id)
    return [KeyEvent.of(each) for each in found]


@action(effect=Effect.WRITE, scopes=EDIT, look_for="this event among the key events of the property")
async def create_key_event(
    call: Call,
    *,
    property_id: PropertyId,
    event_name: Annotated[EventName, Field(description="Name of the event, such as `generate_lead`.")],
    counting: Counting = "every_time",
    worth: Annotated[Worth | None, Field(description="What one is worth by itself.")] = None,
) -> KeyEvent:
    """Mark an event as a key event (conversion).

    From then on it counts in reports, audiences and advertising. The event need not have come in yet, but the website
    or app must send it, or create_event_create_rule must derive it. A conflict when it is a key event already. A
    property has up to 30 of its own. For several at once see set_up_key_events.
    """
    told = await _create(call, property_id, event_name, counting, worth)
    return KeyEvent.of(told)


@action(
    effect=Effect.WRITE,
    scopes=EDIT,
    idempotent=True,
    look_for="these events among the key events of the property",
)
async def set_up_key_events(
    call: Call,
    *,
    property_id: PropertyId,
    event_names: Annotated[
        list[EventName], Field(description="Names such as `sign_up`, `purchase`.", min_length=1, max_length=20)
    ],
    counting: Counting = "every_time",
) -> KeyEventsSetUp:
    """Set up key events (conversions, goals).

    Marks all of these events as key events. Those that are already stay as they are, however they count, so repeating
    is safe. When it breaks off in between, the ones before were created: repeat it.
    """
    known = await call.pages(_KEY_EVENTS, limit=_MOST_KEY_EVENTS, items="keyEvents", property_id=property_id)
    there = {KeyEvent.of(each).event_name for each in known}
    wanted = list(dict.fromkeys(event_names))
    existing, created = [name for name in wanted if name in there], []
    for name in wanted:
        if name in there:
            continue
        try:
            await _create(call, property_id, name, counting, None)
        except AlreadyThere:  # made by somebody else meanwhile
            existing.append(name)
        else:
            created.append(name)
    return KeyEventsSetUp(created=created, existing=existing)


@action(effect=Effect.DESTRUCTIVE, scopes=EDIT, look_for="whether this key event is gone from the property")
async def delete_key_event(
    call: Call,
    *,
    property_id: PropertyId,
    key_event_id: Annotated[
        str,
        Field(
            description="The last part of its `name`, as list_key_events tells it.", pattern=r"^[A-Za-z0-9_-]{1,64}$"
        ),
    ],
) -> None:
    """Stop counting an event as a key event.

    The event goes on coming in. Refused for those that Google made itself (`is_deletable` false). Not found when it is
    gone already.
    """
    await call.delete(_KEY_EVENTS + "/{key_event_id}", property_id=property_id, key_event_id=key_event_id)


@action(effect=Effect.READ, scopes=READ)
async def list_event_create_rules(
    call: Call, *, property_id: PropertyId, stream_id: StreamId, limit: Limit = 100
) -> list[EventRule]:
    """List the rules that derive new events on a data stream.

    Google offers this as an alpha: it may change.
    """
    found = await call.pages(
        _RULES, limit=limit, items="eventCreateRules", property_id=property_id, stream_id=stream_id
    )
    return [EventRule.of(each) for each in found]


@action(effect=Effect.WRITE, scopes=EDIT, look_for="a rule with this new event on the data stream")
async def create_event_create_rule(
    call: Call,
    *,
    property_id: PropertyId,
    stream_id: StreamId,
    new_event: Annotated[EventName, Field(description="Name of the event to make, such as `contact_page_seen`.")],
    conditions: Annotated[
        list[EventCondition],
        Field(description="Which incoming events it is made of: all must hold.", min_length=1, max_length=10),
    ],
    copies_parameters: Annotated[bool, Field(description="Take the parameters of the incoming event over.")] = True,
    changes: Annotated[
        list[ParameterChange] | None, Field(description="Parameters to set, in this order.", max_length=20)
    ] = None,
) -> EventRule:
    """Set up an event: derive a new one from incoming ones.

    For instance `contact_page_seen` from `page_view` where `page_location` contains `/contact`, without touching the
    website; set_up_key_events can then mark it. It works from about an hour later, never on the past. Doing it twice
    makes two rules. Google offers this as an alpha: it may change.
    """
    told: list[Json] = [_condition(each) for each in conditions]
    mutations: list[Json] = [{"parameter": each.parameter, "parameterValue": each.value} for each in changes or []]
    body = given(
        destinationEvent=new_event,
        eventConditions=told,
        sourceCopyParameters=copies_parameters,
        parameterMutations=mutations or None,
    )
    return EventRule.of((await call.post(_RULES, json=body, property_id=property_id, stream_id=stream_id)).json)


async def _create(call: Call, property_id: str, event_name: str, counting: str, worth: Worth | None) -> Json:
    value = given(numericValue=worth.amount, currencyCode=worth.currency) if worth else None
    body = given(eventName=event_name, countingMethod=_COUNTINGS[counting], defaultValue=value)
    return (await call.post(_KEY_EVENTS, json=body, property_id=property_id)).json


def _condition(condition: EventCondition) -> Json:
    compare = _COMPARISONS[condition.compare]
    has_case = condition.compare not in ("greater_than", "less_than", "at_least", "at_most")
    kind = f"{compare}_CASE_INSENSITIVE" if condition.ignores_case and has_case else compare
    return {
        "field": condition.field,
        "comparisonType": kind,
        "value": condition.value,
        "negated": condition.is_negated,
    }
