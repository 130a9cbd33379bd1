"""Alerts: raised when there is a cause, closed when it is gone, each with what to do about it.

`look` is the one place where they come from. It compares the causes there are, by the rows as they stand, with the
alerts that are open; only what rows do not tell is taken from history, after a durable position. So nothing is missed
when nobody looked for a while, and looking twice changes nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from db.alerts import permissions_of
from db.store import Store
from domain.alerts import Alert, AlertKind, AlertStatus, Cause, words
from domain.callers import Caller
from domain.errors import NotFound
from domain.history import Event, Interest, Occurrence
from domain.ids import Kind, missing
from domain.pages import Page
from resolvers.services import Services

_SYSTEM = "system"
#: What can bring about a cause, or end one. All else is passed over.
_TELLING = Interest(types=("connection.*", "agent.*", "webhook.*"))
_CHANGED = "connection.permissions_changed"
#: After these, what the service grants is what a person last agreed to, or matters no more.
_SETTLED = frozenset({"connection.activated", "connection.renewed", "connection.disconnecting", "connection.revoked"})
_PAGE = 500
_LONGEST = timedelta(days=1)
#: The use of a connection is in no event we look at, so an alert about its absence is looked at again by itself.
_WHILE_UNUSED = timedelta(hours=1)


async def alerts(
    services: Services,
    caller: Caller,
    first: int,
    after: UUID | None,
    status: AlertStatus | None,
    kinds: Sequence[AlertKind] | None,
) -> Page[Alert]:
    """Newest first."""
    caller.require("alerts")
    async with services.stores.of(caller.tenant) as store:
        return await store.alerts.page(first, after, status, kinds)


async def by_ids(services: Services, caller: Caller, ids: Sequence[UUID]) -> list[Alert | None]:
    """In the order asked, None where there is none to see."""
    if not caller.may("alerts"):
        return [None for _ in ids]
    async with services.stores.of(caller.tenant) as store:
        found = await store.alerts.get(ids)
    return [found.get(each) for each in ids]


async def acknowledge_alert(services: Services, caller: Caller, alert_id: UUID) -> Alert:
    """Somebody has seen it. Once more is the same as once; a closed one stays as it is.

    That permissions changed ends with somebody's having seen it; all others end with their cause.
    """
    caller.require("acknowledgeAlert")
    async with services.stores.of(caller.tenant) as store:
        seen = await store.alerts.acknowledge(alert_id, caller.actor)
        if seen is not None:
            store.history.note(_occurrence("alert.acknowledged", seen, caller.actor))
            if seen.kind is AlertKind.PERMISSIONS_CHANGED:
                seen = await _closed(store, seen) or seen
            return seen
        known = (await store.alerts.get([alert_id])).get(alert_id)
    if known is None:
        raise NotFound(missing(Kind.ALERT), ("input", "id"))
    return known


async def look(services: Services, tenant: str) -> int:
    """Raise and close what is to be raised and closed for this tenant; how many changed. One process at a time."""
    async with services.stores.of(tenant) as store:
        if not await store.alerts.lock():
            return 0
        position, is_time = await store.alerts.watched()
        head = await store.history.head()  # first: what the rows say afterwards is at least as new
        told = await store.history.after(position, _PAGE, _TELLING)
        upto = max(head, told[-1].position if told else 0) if len(told) < _PAGE else told[-1].position
        if not told and not is_time:
            await store.alerts.mark(upto, None)
            return 0
        opened = {each.cause: each for each in await store.alerts.open()}
        changed = await _permissions(services, store, told, opened)
        causes = await store.alerts.causes()
        wanted = {each.name for each in causes}
        by_rows = {name: each for name, each in opened.items() if each.kind is not AlertKind.PERMISSIONS_CHANGED}
        changed += await _close(store, [each for name, each in by_rows.items() if name not in wanted])
        changed += await _raise(services, store, [each for each in causes if each.name not in opened])
        is_unused = any(each.kind is AlertKind.CONNECTION_UNUSED for each in causes)
        await store.alerts.mark(upto, await _next_look(store, is_unused=is_unused))
    return changed


async def _permissions(services: Services, store: Store, told: Sequence[Event], opened: Mapping[str, Alert]) -> int:
    """What events alone tell: of each connection, the last word counts."""
    newest = {each.connection_id: each for each in told if each.type == _CHANGED or each.type in _SETTLED}
    changed = 0
    for connection_id, event in newest.items():
        if connection_id is not None and event.type == _CHANGED:
            cause = await store.alerts.permissions_cause(connection_id, event.reason)
            changed += await _raise(services, store, [cause] if cause else [])
        elif connection_id is not None and permissions_of(connection_id) in opened:
            changed += await _close(store, [opened[permissions_of(connection_id)]])
    return changed


async def _next_look(store: Store, *, is_unused: bool) -> datetime:
    latest = datetime.now(UTC) + (_WHILE_UNUSED if is_unused else _LONGEST)
    moment = await store.alerts.next_moment()
    return min(latest, moment) if moment else latest


async def _raise(services: Services, store: Store, causes: Sequence[Cause]) -> int:
    raised = 0
    for cause in causes:
        integration = services.catalogue.integrations.get(cause.integration or "")
        message, what_to_do = words(cause, integration.name if integration else cause.integration)
        alert = await store.alerts.raised(cause, message, what_to_do)
        if alert is not None:
            store.history.note(_occurrence("alert.raised", alert, _SYSTEM))
            raised += 1
    return raised


async def _close(store: Store, over: Sequence[Alert]) -> int:
    return sum([await _closed(store, each) is not None for each in over])


async def _closed(store: Store, alert: Alert) -> Alert | None:
    closed = await store.alerts.close(alert.id)
    if closed is not None:
        store.history.note(_occurrence("alert.closed", closed, _SYSTEM))
    return closed


def _occurrence(kind: str, alert: Alert, actor: str) -> Occurrence:
    return Occurrence(
        type=kind,
        actor=actor,
        alert_id=alert.id,
        connection_id=alert.connection_id,
        agent_id=alert.agent_id,
        webhook_id=alert.webhook_id,
        integration=alert.integration,
        status=alert.status.value,
        reason=alert.kind.value,
    )
