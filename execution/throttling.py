"""Nobody goes faster than the operator allows: one tenant's rush is its own, and services are not run over.

A limit only ever moves away: whoever is told "not before then" would be told the same until then, whichever process
they ask. So that is remembered here, and a rush is refused without asking anybody.
"""

from datetime import UTC, datetime, timedelta
from math import inf
from uuid import UUID

from domain.rates import Limits, NotYet, Rate, Turn
from execution.ports import Rates

_REMEMBERED = 10_000
_TENANT = "tenant"
_PAUSE = timedelta(seconds=1)


class Throttle:
    """The limits of this deployment. Without any, it asks nobody and costs nothing."""

    def __init__(self, limits: Limits, rates: Rates | None = None) -> None:
        self._limits = limits
        self._rates = rates
        self._not_yet: dict[tuple[str, str], datetime] = {}
        self._resting: dict[str, datetime] = {}
        self.is_open = rates is None or limits == Limits()

    def known(self, tenant: str, agent_id: UUID | None, integration: str) -> NotYet | None:
        """What is in the way, as far as that is known without asking."""
        if self.is_open or not self._not_yet:
            return None
        return self._remembered(tenant, [name for name, _ in self._named(agent_id, None, integration)])

    async def take(self, tenant: str, agent_id: UUID | None, connection_id: UUID, integration: str) -> NotYet | None:
        """Take a turn of each limit, or learn what is in the way longest. Raises DependencyDown."""
        named = [] if self.is_open else self._named(agent_id, connection_id, integration)
        if not named or self._rates is None:
            return None
        remembered = self._remembered(tenant, [name for name, _ in named])
        if remembered is not None:
            return remembered
        found = await self._rates.take(Turn(tenant, tuple(named)))
        for each in found:
            self._remember(tenant, each)
        return max(found, key=lambda each: each.free_at, default=None)

    def resting(self) -> list[str]:
        """The tenants of which something has to wait at this moment: their queued work is looked at later."""
        now = datetime.now(UTC)
        self._resting = {tenant: until for tenant, until in self._resting.items() if until > now}
        return list(self._resting)

    def soonest(self) -> float:
        """The seconds until the first of them need not wait any more; infinitely many when nobody has to."""
        now = datetime.now(UTC)
        return min((max((until - now).total_seconds(), 0) for until in self._resting.values()), default=inf)

    def _named(self, agent_id: UUID | None, connection_id: UUID | None, integration: str) -> list[tuple[str, Rate]]:
        limits = self._limits
        named = (
            (_TENANT, limits.tenant),
            (f"agent:{agent_id}", limits.agent if agent_id else None),
            (f"connection:{connection_id}", limits.connection if connection_id else None),
            (f"integration:{integration}", limits.integration),
        )
        return [(name, rate) for name, rate in named if rate is not None]

    def _remembered(self, tenant: str, names: list[str]) -> NotYet | None:
        now, worst = datetime.now(UTC), None
        for name in names:
            free_at = self._not_yet.get((tenant, name))
            if free_at is None:
                continue
            if free_at <= now:
                del self._not_yet[tenant, name]
            elif worst is None or free_at > worst.free_at:
                worst = NotYet(name, free_at)
        return worst

    def _remember(self, tenant: str, found: NotYet) -> None:
        if len(self._not_yet) >= _REMEMBERED:
            self._not_yet.clear()  # it costs a question more, and no promise
        self._not_yet[tenant, found.name] = found.free_at
        # An agent's limit, say, leaves the others' work: a pause is enough to not put it all off in one rush.
        until = found.free_at if found.name == _TENANT else min(found.free_at, datetime.now(UTC) + _PAUSE)
        self._resting[tenant] = max(until, self._resting.get(tenant, until))


def in_words(found: NotYet) -> str:
    """Which limit it is."""
    what = found.name.partition(":")[0]
    return f"This {what} has reached the limit that this deployment sets. Nothing was sent."
