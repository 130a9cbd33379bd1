"""Alerts: asking for them, following them, saying that one was seen."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import strawberry

from domain import alerts as domain
from domain.history import Event, Interest, cursor_of
from domain.ids import Kind, public_id, read_id
from domain.pages import page_size
from resolvers import alerts
from schema.agents import Agent
from schema.connections import Connection
from schema.context import Info
from schema.errors import UserError
from schema.following import followed, patiently
from schema.node import Node
from schema.pages import Counted, counted, id_cursor, id_in
from schema.payloads import errors_field
from schema.refusing import refusing
from schema.scalars import After, First, Resume, describe

AlertKind = domain.AlertKind
AlertStatus = domain.AlertStatus
describe(
    AlertKind,
    "AlertKind",
    "What happened that a person should look at.",
    {
        "CONNECTION_EXPIRED": "The service no longer accepts a credential: a person must reconnect.",
        "CONNECTION_DEGRADED": "The last test or renewal failed for a reason that may pass.",
        "PERMISSIONS_CHANGED": "The service grants other permissions than it did. Closed when it is acknowledged.",
        "ROTATION_DUE": "A credential is older than credentials should become.",
        "CONNECTION_UNUSED": "Nobody has used a connection for 90 days.",
        "AGENT_KEY_EXPIRING": "An agent's key ends within 14 days; once more when it is within a day.",
        "WEBHOOK_FAILING": "Nothing could be delivered to a webhook for an hour.",
        "WEBHOOK_STOPPED": "A webhook was stopped, since nothing could be delivered for days.",
    },
)
describe(
    AlertStatus,
    "AlertStatus",
    "How an alert stands.",
    {
        "OPEN": "Its cause is there, and nobody has said that they saw it.",
        "ACKNOWLEDGED": "Somebody saw it, and its cause is still there.",
        "CLOSED": "Its cause is gone.",
    },
)

_WithStatus = Annotated[AlertStatus | None, strawberry.argument(description="Only those that stand so; null for all.")]
_OfKinds = Annotated[list[AlertKind] | None, strawberry.argument(description="Only these kinds.")]
_input = strawberry.argument(description="Everything it needs.")
_TYPES = ("alert.raised", "alert.acknowledged", "alert.closed")


@strawberry.type(description="Something a person should look at. There is one for a cause, and it ends with its cause.")
class Alert(Node):
    """Built from a row."""

    noun: strawberry.Private[domain.Alert]
    kind: AlertKind = strawberry.field(description="What happened.")
    status: AlertStatus = strawberry.field(description="How it stands.")
    message: str = strawberry.field(description="What happened, in plain words.")
    what_to_do: str = strawberry.field(description="What to do about it, in plain words.")
    integration: str | None = strawberry.field(description="The service it is about, by slug.")
    webhook_id: strawberry.ID | None = strawberry.field(description="The webhook it is about.")
    raised_at: datetime = strawberry.field(description="When it was noticed.")
    acknowledged_at: datetime | None = strawberry.field(description="When somebody said that they saw it.")
    acknowledged_by: str | None = strawberry.field(description="Who did.")
    closed_at: datetime | None = strawberry.field(description="When its cause was gone.")

    @classmethod
    def of(cls, noun: domain.Alert) -> "Alert":
        """From the noun."""
        return cls(
            noun=noun,
            id=strawberry.ID(public_id(Kind.ALERT, noun.id)),
            kind=noun.kind,
            status=noun.status,
            message=noun.message,
            what_to_do=noun.what_to_do,
            integration=noun.integration,
            webhook_id=strawberry.ID(public_id(Kind.WEBHOOK, noun.webhook_id)) if noun.webhook_id else None,
            raised_at=noun.raised_at,
            acknowledged_at=noun.acknowledged_at,
            acknowledged_by=noun.acknowledged_by,
            closed_at=noun.closed_at,
        )

    @strawberry.field(description="The connection it is about.")
    async def connection(self, info: Info) -> Connection | None:
        """None for an alert about something else."""
        if self.noun.connection_id is None:
            return None
        found = await info.context.loaders.connections.load(self.noun.connection_id)
        return Connection.of(found) if found else None

    @strawberry.field(description="The agent it is about.")
    async def agent(self, info: Info) -> Agent | None:
        """None for an alert about something else."""
        if self.noun.agent_id is None:
            return None
        found = await info.context.loaders.agents.load(self.noun.agent_id)
        return Agent.of(found) if found else None


@strawberry.type(description="An alert was raised, acknowledged or closed.")
class AlertEvent:
    """Built from history and the alert."""

    cursor: str = strawberry.field(description="Its place in history; pass it as `after` to resume.")
    alert: Alert = strawberry.field(description="The alert as it is now.")
    status: AlertStatus = strawberry.field(description="The status it changed to.")
    occurred_at: datetime = strawberry.field(description="When that was committed.")


@strawberry.input(description="Which alert somebody has seen.")
class AcknowledgeAlertInput:
    """For acknowledgeAlert."""

    id: strawberry.ID = strawberry.field(description="The alert.")


@strawberry.type(description="The alert as it stands now.")
class AcknowledgeAlertPayload:
    """From acknowledgeAlert."""

    alert: Alert | None = strawberry.field(description="The alert.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="Asking about alerts.")
class AlertQuery:
    """A part of Query."""

    @strawberry.field(description="What people should look at, newest first.")
    async def alerts(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        status: _WithStatus = None,
        kinds: _OfKinds = None,
    ) -> Counted[Alert]:
        """Not for agents."""
        page = await alerts.alerts(
            info.context.services, info.context.caller, page_size(first), id_in(after), status, kinds
        )
        return counted(page, Alert.of, lambda each: id_cursor(each.id))


@strawberry.type(description="Acting on alerts.")
class AlertMutation:
    """A part of Mutation."""

    @strawberry.mutation(description="Say that an alert was seen. It ends with its cause, not with this.")
    @refusing(AcknowledgeAlertPayload)
    async def acknowledge_alert(
        self, info: Info, input: Annotated[AcknowledgeAlertInput, _input]
    ) -> AcknowledgeAlertPayload:
        """Once more is the same as once."""
        alert_id = read_id(Kind.ALERT, input.id, "input", "id")
        seen = await alerts.acknowledge_alert(info.context.services, info.context.caller, alert_id)
        return AcknowledgeAlertPayload(alert=Alert.of(seen))


@strawberry.type(description="Following alerts.")
class AlertSubscription:
    """A part of Subscription."""

    @strawberry.subscription(description="Alerts as they are raised, acknowledged and closed.")
    async def alert_events(self, info: Info, after: Resume = None) -> AsyncGenerator[AlertEvent, None]:
        """Not for agents."""

        async def tell(event: Event) -> AlertEvent | None:
            if event.alert_id is None or event.status is None:
                return None
            found = await patiently(info.context.loaders.alerts.load, event.alert_id)
            if found is None:
                return None
            return AlertEvent(
                cursor=cursor_of(event.position),
                alert=Alert.of(found),
                status=AlertStatus(event.status),
                occurred_at=event.occurred_at,
            )

        async with aclosing(followed(info, "alertEvents", Interest(types=_TYPES), after, tell)) as told:
            async for each in told:
                yield each
