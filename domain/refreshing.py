"""Renewing a credential: the nouns, and the rules about time. Nothing here asks anybody.

    due ──► leased ──► asked ──► kept ──► stored
              │          └─► refused, or no answer: nothing is lost, tried again later
              └─► lapsed: its holder is gone; another may take it after a while

A *lease* is the right to ask the service for one credential; a *renewal* is its answer, sealed. The version of the
credential is the fence: a renewal made from version 3 is stored over version 3 or not at all.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.connections import Connection
from domain.sealed import Sealed

LARGEST_LEAD = timedelta(minutes=10)
_LEAD_SHARE = 0.2
KEEP_ALIVE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a service answered, sealed as the version that follows `base`. `owner` is who asked."""

    tenant: str
    connection_id: UUID
    owner: UUID
    base: int
    sealed: Sealed
    obtained_at: datetime
    expires_at: datetime | None
    scopes: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Stored:
    """A connection and its credential as they lie in the database, and for how many seconds the credential has."""

    connection: Connection
    sealed: Sealed
    seconds: float


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to renew one credential, for `owner` alone until it lapses.

    `is_in_doubt`: somebody asked before and the answer was not kept, so the service may have spent the token we have.
    `kept` is an answer that was kept and not stored yet; it is stored and the service is not asked again.
    """

    tenant: str
    connection: Connection
    owner: UUID
    sealed: Sealed
    attempts: int
    is_in_doubt: bool
    kept: Renewal | None


@dataclass(frozen=True, slots=True)
class Current:
    """Somebody has renewed it already."""

    sealed: Sealed


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody is renewing it now."""


@dataclass(frozen=True, slots=True)
class Resting:
    """It failed a moment ago; nobody asks again before `until`."""

    until: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """There is nothing to renew: the connection is expired for good, disconnected, or gone."""

    reason: str | None


Standing = Lease | Current | Busy | Resting | Ended


@dataclass(frozen=True, slots=True)
class Due:
    """A connection somebody should look after now: renew its credential, test it, or both."""

    tenant: str
    connection_id: UUID
    is_to_refresh: bool
    is_to_check: bool


def next_refresh(now: datetime, expires_at: datetime | None, spread: float) -> datetime:
    """When a credential obtained now is to be renewed: ahead of its end, and daily to keep its refresh token alive.

    The lead is a fifth of the lifetime, ten minutes at most. `spread`, from 0 to 1, makes connections that were made
    together come due apart: up to half a lead earlier, and up to an eighth of a day.
    """
    alive = now + KEEP_ALIVE * (1 - spread / 8)
    if expires_at is None or expires_at <= now:
        return alive
    lead = min(LARGEST_LEAD, (expires_at - now) * _LEAD_SHARE)
    return min(alive, expires_at - lead * (1 + spread / 2))


def cooldown(attempts: int, spread: float, *, first: float, longest: float) -> timedelta:
    """How long to leave a service alone after so many failures in a row: doubling, with up to a quarter of spread."""
    seconds = min(longest, first * 2 ** min(max(attempts - 1, 0), 30))
    return timedelta(seconds=seconds * (1 + spread / 4))
