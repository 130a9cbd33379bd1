"""Webhooks: who is told of what happens, without asking. `gateway.delivering` does the telling."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from adapters._kit.egress import EgressRefused, is_address
from db.store import Store
from domain.callers import Caller
from domain.errors import Conflict, InvalidInput, NotFound
from domain.history import Occurrence
from domain.ids import Kind, missing, new_id
from domain.pages import Page
from domain.secrets import Secret
from domain.webhooks import Delivery, DeliveryStatus, Webhook, WebhookStatus, is_pattern, new_secret
from resolvers.accounts import sealing_key
from resolvers.services import Services

_LONGEST_URL = 2_000
_LONGEST_DESCRIPTION = 1_000
_MOST_TYPES = 50
_MOST_WEBHOOKS = 20
#: A week, to carry a new secret to whoever verifies.
LONGEST_GRACE_SECONDS = 604_800


@dataclass(frozen=True, slots=True)
class WebhookChanges:
    """What a person changes about a webhook; None leaves a thing as it is."""

    url: str | None = None
    description: str | None = None
    takes_description_away: bool = False
    types: Sequence[str] | None = None
    takes_all_types: bool = False
    is_enabled: bool | None = None


async def webhooks(services: Services, caller: Caller, first: int, after: UUID | None) -> Page[Webhook]:
    """Newest first."""
    caller.require("webhooks")
    async with services.stores.of(caller.tenant) as store:
        return await store.webhooks.page(first, after)


async def webhook(services: Services, caller: Caller, webhook_id: UUID) -> Webhook | None:
    """One of them; None for those who may not see it."""
    if not caller.may("webhooks"):
        return None
    async with services.stores.of(caller.tenant) as store:
        return await store.webhooks.get(webhook_id)


async def webhook_deliveries(
    services: Services,
    caller: Caller,
    first: int,
    after: UUID | None,
    webhook_id: UUID | None,
    status: DeliveryStatus | None,
) -> Page[Delivery]:
    """What was not accepted at once, newest first."""
    caller.require("webhookDeliveries")
    async with services.stores.of(caller.tenant) as store:
        return await store.webhooks.deliveries(first, after, webhook_id, status)


async def create_webhook(
    services: Services, caller: Caller, url: str, description: str | None, types: Sequence[str] | None
) -> tuple[Webhook, Secret]:
    """A new webhook, told of what happens from now on, its own making first. The secret is shown this once."""
    caller.require("createWebhook")
    _check(services, url, description, types)
    id, secret = new_id(), new_secret()
    async with services.stores.of(caller.tenant) as store:
        if await store.webhooks.count() >= _MOST_WEBHOOKS:
            message = f"A tenant has at most {_MOST_WEBHOOKS} webhooks. Delete one that is not needed."
            raise Conflict(message, ("input",))
        made = await store.webhooks.add(id, url, description, types, await store.history.head())
        key = await sealing_key(services, store)
        sealed = await services.vault.seal_webhook_secret(key, store.tenant, id, made.secret_version, secret)
        await store.webhooks.add_secret(id, sealed)
        _note(store, "webhook.created", caller, made)
    return made, secret


async def update_webhook(services: Services, caller: Caller, webhook_id: UUID, changes: WebhookChanges) -> Webhook:
    """Change it, stop it, or let it go on where it stopped. What waits for its next attempt is tried at once."""
    caller.require("updateWebhook")
    _check(services, changes.url, changes.description, changes.types)
    async with services.stores.of(caller.tenant) as store:
        known = await _known(store, webhook_id)
        changed = await store.webhooks.change(known.id, _values(changes))
        _note(store, "webhook.updated", caller, changed)
    return changed


async def delete_webhook(services: Services, caller: Caller, webhook_id: UUID) -> Webhook:
    """Nothing is delivered there any more, and its secrets are destroyed."""
    caller.require("deleteWebhook")
    async with services.stores.of(caller.tenant) as store:
        known = await _known(store, webhook_id)
        deleted = await store.webhooks.delete(known.id)
        _note(store, "webhook.deleted", caller, deleted)
    return deleted


async def rotate_webhook_secret(
    services: Services, caller: Caller, webhook_id: UUID, grace_seconds: int
) -> tuple[Webhook, Secret]:
    """A new secret. For so many seconds messages carry two signatures, so that nobody need change in one moment."""
    caller.require("rotateWebhookSecret")
    if not 0 <= grace_seconds <= LONGEST_GRACE_SECONDS:
        message = f"The time of grace is 0 to {LONGEST_GRACE_SECONDS} seconds."
        raise InvalidInput(message, ("input", "graceSeconds"))
    secret = new_secret()
    async with services.stores.of(caller.tenant) as store:
        known = await _known(store, webhook_id)
        version = known.secret_version + 1
        key = await sealing_key(services, store)
        sealed = await services.vault.seal_webhook_secret(key, store.tenant, known.id, version, secret)
        await store.webhooks.add_secret(known.id, sealed, timedelta(seconds=grace_seconds))
        _note(store, "webhook.secret_rotated", caller, known)
    return known, secret


async def replay_webhook(services: Services, caller: Caller, webhook_id: UUID, position: int) -> Webhook:
    """Go on after this place in history: back, to deliver once more, or ahead, to pass over what is not wanted."""
    caller.require("replayWebhook")
    async with services.stores.of(caller.tenant) as store:
        known = await _known(store, webhook_id)
        if position > await store.history.head():
            raise InvalidInput("This place in history has not been reached yet.", ("input", "after"))
        moved = await store.webhooks.replay(known.id, position)
        _note(store, "webhook.replayed", caller, moved)
    return moved


async def _known(store: Store, webhook_id: UUID) -> Webhook:
    known = await store.webhooks.locked(webhook_id)
    if known is None:
        raise NotFound(missing(Kind.WEBHOOK), ("input", "id"))
    return known


def _values(changes: WebhookChanges) -> dict[str, object]:
    values: dict[str, object] = {}
    if changes.url is not None:
        values["url"] = changes.url
    if changes.description is not None or changes.takes_description_away:
        values["description"] = changes.description
    if changes.types is not None or changes.takes_all_types:
        values["types"] = None if changes.types is None else list(changes.types)
    if changes.is_enabled is not None:
        values["status"] = (WebhookStatus.ACTIVE if changes.is_enabled else WebhookStatus.PAUSED).value
    return values


def _check(services: Services, url: str | None, description: str | None, types: Sequence[str] | None) -> None:
    """What can be seen from the input alone. Where a name leads is looked at each time something is sent there."""
    if url is not None:
        if len(url) > _LONGEST_URL or "#" in url:
            raise InvalidInput(f"An address of at most {_LONGEST_URL} characters, without `#`.", ("input", "url"))
        try:
            admitted = services.deployment.egress.admit(url)
        except EgressRefused as refused:
            raise InvalidInput(f"Nothing is delivered there: {refused.reason}.", ("input", "url")) from None
        if admitted.scheme == "http" and not is_address(admitted.raw_host or ""):
            raise InvalidInput("Nothing is delivered there: only https is allowed.", ("input", "url"))
    if description is not None and not (len(description) <= _LONGEST_DESCRIPTION and "\0" not in description):
        message = f"A description has at most {_LONGEST_DESCRIPTION} characters."
        raise InvalidInput(message, ("input", "description"))
    if types is not None:
        if not 0 < len(types) <= _MOST_TYPES:
            message = f"1 to {_MOST_TYPES} types, or none of the field for all of them."
            raise InvalidInput(message, ("input", "types"))
        for index, each in enumerate(types):
            if not is_pattern(each):
                message = "A type of event is written like `connection.expired`, a family of them like `connection.*`."
                raise InvalidInput(message, ("input", "types", str(index)))


def _note(store: Store, kind: str, caller: Caller, webhook: Webhook) -> None:
    store.history.note(Occurrence(type=kind, actor=caller.actor, webhook_id=webhook.id, status=webhook.status.value))
