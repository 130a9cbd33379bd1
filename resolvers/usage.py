"""Figures about use, counted from history when they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from domain.callers import Caller
from domain.ids import Kind, public_id
from domain.usage import LONGEST, Bucket, Share, Tally, UsageDimension, UsageInterval, buckets, span
from resolvers.agents import in_utc
from resolvers.services import Services

#: What stands in a breakdown for executions that belong to none.
_NONE = {
    UsageDimension.INTEGRATION: "Not in the catalogue",
    UsageDimension.ACTION: "Not in the catalogue",
    UsageDimension.AGENT: "People",
    UsageDimension.CONNECTION: "Refused before an account was chosen",
}


@dataclass(frozen=True, slots=True)
class LabelledShare:
    """A share as people read it."""

    key: str
    label: str
    tally: Tally


async def usage(
    services: Services,
    caller: Caller,
    since: datetime,
    until: datetime | None,
    interval: UsageInterval,
    integration: str | None,
    agent_id: UUID | None,
) -> Sequence[Bucket]:
    """Every hour or day (UTC) between two moments, empty ones too; one statement. Raises InvalidInput."""
    caller.require("usage")
    asked = span(in_utc(since), in_utc(until) if until else datetime.now(UTC), LONGEST[interval])
    async with services.stores.of(caller.tenant) as store:
        found = await store.usage.by_time(asked, interval, integration, agent_id)
    return buckets(asked, interval, found)


async def usage_breakdown(
    services: Services, caller: Caller, by: UsageDimension, since: datetime, until: datetime | None, first: int
) -> list[LabelledShare]:
    """The largest shares between two moments, largest first; one statement. Raises InvalidInput."""
    caller.require("usageBreakdown")
    longest = LONGEST[UsageInterval.DAY]
    asked = span(in_utc(since), in_utc(until) if until else datetime.now(UTC), longest)
    async with services.stores.of(caller.tenant) as store:
        found = await store.usage.by(by, asked, first)
    return [LabelledShare(_key(by, each), _label(services, by, each), each.tally) for each in found]


def _key(by: UsageDimension, share: Share) -> str:
    kind = {UsageDimension.AGENT: Kind.AGENT, UsageDimension.CONNECTION: Kind.CONNECTION}.get(by)
    if share.key is None:
        return ""
    return public_id(kind, UUID(hex=share.key)) if kind else share.key


def _label(services: Services, by: UsageDimension, share: Share) -> str:
    if share.key is None:
        return _NONE[by]
    if by is UsageDimension.INTEGRATION:
        integration = services.catalogue.integrations.get(share.key)
        return integration.name if integration else share.key
    if by is UsageDimension.ACTION:
        action = services.catalogue.action(share.key)
        return action.title if action else share.key
    return share.name or _key(by, share)
