"""Webhooks: who is told of what happens, by Standard Webhooks."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain import webhooks as domain
from domain.history import cursor_of, position_of
from domain.ids import Kind, public_id, read_id
from domain.pages import page_size
from resolvers import webhooks
from schema.context import Info
from schema.errors import UserError
from schema.node import Node
from schema.pages import Counted, Stream, counted, id_cursor, id_in, stream
from schema.payloads import errors_field
from schema.refusing import refusing
from schema.scalars import After, First, describe

WebhookStatus = domain.WebhookStatus
WebhookDeliveryStatus = domain.DeliveryStatus
describe(
    WebhookStatus,
    "WebhookStatus",
    "Whether a webhook is delivered to.",
    {
        "ACTIVE": "What happens is delivered.",
        "PAUSED": "A person stopped it; what happens waits.",
        "STOPPED": "Nothing could be delivered for days, or it answered 410; what happens waits for a person.",
        "DELETED": "It is gone.",
    },
)
describe(
    WebhookDeliveryStatus,
    "WebhookDeliveryStatus",
    "What became of a message that was not accepted at once.",
    {
        "RETRYING": "It is tried again; what follows waits behind it.",
        "DELIVERED": "It was accepted in the end.",
        "DEAD": "It was given up. `replayWebhook` sends it once more.",
    },
)

_input = strawberry.argument(description="Everything it needs.")
_OfWebhook = Annotated[strawberry.ID | None, strawberry.argument(description="Only this webhook.")]
_WithStatus = Annotated[WebhookDeliveryStatus | None, strawberry.argument(description="Only those that stand so.")]
_TYPES = "Types of events, by name or family (`connection.*`). Without: all of them."


@strawberry.type(description="An address that is told of the tenant's history as it is written, in order.")
class Webhook(Node):
    """Built from a row."""

    url: str = strawberry.field(description="Where messages are posted to.")
    description: str | None = strawberry.field(description="What it is for.")
    types: list[str] | None = strawberry.field(description="What it is told of; null for everything.")
    status: WebhookStatus = strawberry.field(description="Whether it is delivered to.")
    cursor: str = strawberry.field(description="How far it has come in history.")
    created_at: datetime = strawberry.field(description="When it was made.")
    last_delivered_at: datetime | None = strawberry.field(description="When a message was last accepted.")
    failing_since: datetime | None = strawberry.field(description="Since when nothing was accepted.")
    retry_at: datetime | None = strawberry.field(description="When the waiting message is tried again.")
    last_error: str | None = strawberry.field(description="Why the last attempt failed.")

    @classmethod
    def of(cls, noun: domain.Webhook) -> "Webhook":
        """From the noun."""
        return cls(
            id=strawberry.ID(public_id(Kind.WEBHOOK, noun.id)),
            url=noun.url,
            description=noun.description,
            types=None if noun.types is None else list(noun.types),
            status=noun.status,
            cursor=cursor_of(noun.position),
            created_at=noun.created_at,
            last_delivered_at=noun.last_delivered_at,
            failing_since=noun.failing_since,
            retry_at=noun.retry_at,
            last_error=noun.last_error,
        )


@strawberry.type(description="A message that was not accepted at once, and what became of it.")
class WebhookDelivery:
    """Built from a row."""

    id: strawberry.ID = strawberry.field(description="Opaque.")
    webhook_id: strawberry.ID = strawberry.field(description="Where it was to go.")
    event_id: strawberry.ID = strawberry.field(description="The event it tells of, and its `webhook-id`.")
    type: str = strawberry.field(description="The event's type.")
    replay_after: str = strawberry.field(description="`replayWebhook` after this cursor begins with this message.")
    status: WebhookDeliveryStatus = strawberry.field(description="How it stands.")
    attempts: int = strawberry.field(description="How often it was sent.")
    response_status: int | None = strawberry.field(description="The HTTP status of the last answer, if there was one.")
    error: str | None = strawberry.field(description="Why the last attempt failed.")
    first_attempt_at: datetime = strawberry.field(description="When it was first sent.")
    last_attempt_at: datetime = strawberry.field(description="When it was last sent.")
    retry_at: datetime | None = strawberry.field(description="When it is sent again.")

    @classmethod
    def of(cls, noun: domain.Delivery) -> "WebhookDelivery":
        """From the noun."""
        return cls(
            id=strawberry.ID(public_id(Kind.WEBHOOK_DELIVERY, noun.id)),
            webhook_id=strawberry.ID(public_id(Kind.WEBHOOK, noun.webhook_id)),
            event_id=strawberry.ID(public_id(Kind.EVENT, noun.event_id)),
            type=noun.type,
            replay_after=cursor_of(noun.position - 1),
            status=noun.status,
            attempts=noun.attempts,
            response_status=noun.response_status,
            error=noun.error,
            first_attempt_at=noun.first_attempt_at,
            last_attempt_at=noun.last_attempt_at,
            retry_at=noun.retry_at,
        )


@strawberry.input(description="Who is to be told of what.")
class CreateWebhookInput:
    """For createWebhook."""

    url: str = strawberry.field(description="An https address on the public internet.")
    types: list[str] | None = strawberry.field(description=_TYPES, default=None)
    description: str | None = strawberry.field(description="What it is for.", default=None)


@strawberry.type(description="The new webhook, and what signs its messages. Shown once.")
class CreateWebhookPayload:
    """From createWebhook."""

    webhook: Webhook | None = strawberry.field(description="The webhook.", default=None)
    secret: str | None = strawberry.field(description="`whsec_…`, for whoever verifies.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.input(description="What is to be changed. What is left out stays.")
class UpdateWebhookInput:
    """For updateWebhook."""

    id: strawberry.ID = strawberry.field(description="The webhook.")
    url: str | None = strawberry.field(description="Another address.", default=None)
    types: list[str] | None = strawberry.field(
        description="Other types of events; null for all of them.", default=strawberry.UNSET
    )
    description: str | None = strawberry.field(description="Another word; null for none.", default=strawberry.UNSET)
    is_enabled: bool | None = strawberry.field(
        description="false stops it, true lets it go on where it stopped.", default=None
    )


@strawberry.type(description="The webhook as it stands now.")
class UpdateWebhookPayload:
    """From updateWebhook."""

    webhook: Webhook | None = strawberry.field(description="The webhook.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.input(description="Which webhook is to go.")
class DeleteWebhookInput:
    """For deleteWebhook."""

    id: strawberry.ID = strawberry.field(description="The webhook.")


@strawberry.type(description="The webhook that was deleted.")
class DeleteWebhookPayload:
    """From deleteWebhook."""

    webhook: Webhook | None = strawberry.field(description="The webhook.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.input(description="Whose secret is to be replaced, and for how long the old one signs too.")
class RotateWebhookSecretInput:
    """For rotateWebhookSecret."""

    id: strawberry.ID = strawberry.field(description="The webhook.")
    grace_seconds: int | None = strawberry.field(
        description="For so long messages carry both signatures: 0 to 604800; a day without it.", default=None
    )


@strawberry.type(description="The webhook, and its new secret. Shown once.")
class RotateWebhookSecretPayload:
    """From rotateWebhookSecret."""

    webhook: Webhook | None = strawberry.field(description="The webhook.", default=None)
    secret: str | None = strawberry.field(description="`whsec_…`, for whoever verifies.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.input(description="Where in history a webhook is to go on.")
class ReplayWebhookInput:
    """For replayWebhook."""

    id: strawberry.ID = strawberry.field(description="The webhook.")
    after: str = strawberry.field(
        description="A cursor of history: an event's `cursor`, a delivery's `replayAfter`, or `historyCursor`."
    )


@strawberry.type(description="The webhook as it stands now.")
class ReplayWebhookPayload:
    """From replayWebhook."""

    webhook: Webhook | None = strawberry.field(description="The webhook.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="Asking about webhooks.")
class WebhookQuery:
    """A part of Query."""

    @strawberry.field(description="The tenant's webhooks, newest first.")
    async def webhooks(self, info: Info, first: First = 50, after: After = None) -> Counted[Webhook]:
        """For admins and auditors."""
        page = await webhooks.webhooks(info.context.services, info.context.caller, page_size(first), id_in(after))
        return counted(page, Webhook.of, lambda each: id_cursor(each.id))

    @strawberry.field(description="Messages that were not accepted at once, newest first.")
    async def webhook_deliveries(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        webhook: _OfWebhook = None,
        status: _WithStatus = None,
    ) -> Stream[WebhookDelivery]:
        """For admins and auditors."""
        page = await webhooks.webhook_deliveries(
            info.context.services,
            info.context.caller,
            page_size(first),
            id_in(after),
            read_id(Kind.WEBHOOK, webhook, "webhook") if webhook else None,
            status,
        )
        return stream(page, WebhookDelivery.of, lambda each: id_cursor(each.id))


@strawberry.type(description="Acting on webhooks.")
class WebhookMutation:
    """A part of Mutation."""

    @strawberry.mutation(description="Have events posted to an address, signed by Standard Webhooks. For admins.")
    @refusing(CreateWebhookPayload)
    async def create_webhook(self, info: Info, input: Annotated[CreateWebhookInput, _input]) -> CreateWebhookPayload:
        """Its own making is the first event it hears of."""
        made, secret = await webhooks.create_webhook(
            info.context.services, info.context.caller, input.url, input.description, input.types
        )
        return CreateWebhookPayload(webhook=Webhook.of(made), secret=secret.reveal())

    @strawberry.mutation(description="Change a webhook, stop it, or let it go on. For admins.")
    @refusing(UpdateWebhookPayload)
    async def update_webhook(self, info: Info, input: Annotated[UpdateWebhookInput, _input]) -> UpdateWebhookPayload:
        """What waits for its next attempt is tried at once."""
        changes = webhooks.WebhookChanges(
            url=input.url,
            description=input.description or None,
            takes_description_away=input.description is None,
            types=None if input.types is strawberry.UNSET else input.types,
            takes_all_types=input.types is None,
            is_enabled=input.is_enabled,
        )
        webhook_id = read_id(Kind.WEBHOOK, input.id, "input", "id")
        changed = await webhooks.update_webhook(info.context.services, info.context.caller, webhook_id, changes)
        return UpdateWebhookPayload(webhook=Webhook.of(changed))

    @strawberry.mutation(description="Nothing is delivered there any more. For admins.")
    @refusing(DeleteWebhookPayload)
    async def delete_webhook(self, info: Info, input: Annotated[DeleteWebhookInput, _input]) -> DeleteWebhookPayload:
        """Its secrets are destroyed."""
        webhook_id = read_id(Kind.WEBHOOK, input.id, "input", "id")
        deleted = await webhooks.delete_webhook(info.context.services, info.context.caller, webhook_id)
        return DeleteWebhookPayload(webhook=Webhook.of(deleted))

    @strawberry.mutation(description="A new secret; for a while messages carry both signatures. For admins.")
    @refusing(RotateWebhookSecretPayload)
    async def rotate_webhook_secret(
        self, info: Info, input: Annotated[RotateWebhookSecretInput, _input]
    ) -> RotateWebhookSecretPayload:
        """It is shown once."""
        grace = 86_400 if input.grace_seconds is None else input.grace_seconds
        webhook_id = read_id(Kind.WEBHOOK, input.id, "input", "id")
        changed, secret = await webhooks.rotate_webhook_secret(
            info.context.services, info.context.caller, webhook_id, grace
        )
        return RotateWebhookSecretPayload(webhook=Webhook.of(changed), secret=secret.reveal())

    @strawberry.mutation(description="Deliver again from a place in history, or pass over what waits. For admins.")
    @refusing(ReplayWebhookPayload)
    async def replay_webhook(self, info: Info, input: Annotated[ReplayWebhookInput, _input]) -> ReplayWebhookPayload:
        """Messages keep their ids, so that whoever has seen one knows it again."""
        webhook_id = read_id(Kind.WEBHOOK, input.id, "input", "id")
        position = position_of(input.after, "input", "after")
        moved = await webhooks.replay_webhook(info.context.services, info.context.caller, webhook_id, position)
        return ReplayWebhookPayload(webhook=Webhook.of(moved))
