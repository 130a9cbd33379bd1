"""What the pipeline needs from others. The gateway hands it in; tests hand in twins."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.catalogue import Credential
from domain.executions import (
    Admission,
    Again,
    Dispatch,
    Doubtful,
    Execution,
    Finish,
    Finished,
    Intent,
    Lapsed,
    ProbeEnd,
    Queued,
)
from domain.grants import Standing
from domain.history import Occurrence
from domain.rates import NotYet, Turn
from domain.sealed import Sealed


class Ledger(Protocol):
    """The durable record. Every method raises DependencyDown when it does not answer."""

    async def standing(
        self, tenant: str, agent_id: UUID | None, integration: str, connection_id: UUID | None
    ) -> Standing:
        """The facts a decision needs, as they are now."""
        ...

    async def admit(self, intent: Intent) -> Admission:
        """Commit the intent with its audit record, if everything it rests on still has the version it names."""
        ...

    async def finish(self, finish: Finish) -> Finished:
        """Commit the result with its audit record, if the attempt is still the execution's.

        Raises ValueError when the result is not JSON.
        """
        ...

    async def claim(self, most: int, resting: Sequence[str] = ()) -> list[Queued]:
        """The next queued executions, taken for a while: each goes to one asker, to another if that one goes away.

        Of the tenants named only what is too late by now: they have to wait.
        """
        ...

    async def put_off(self, queued: Queued, until: datetime) -> None:
        """Give a claimed execution back to the queue, until then. Nothing was tried."""
        ...

    async def dispatch(self, dispatch: Dispatch) -> Admission:
        """Commit that a queued execution goes out now, with its audit record; GONE when it is not queued any more."""
        ...

    async def again(self, again: Again) -> bool:
        """Commit that there will be another attempt; False when the execution is not this attempt's any more."""
        ...

    async def beat(self, held: Sequence[tuple[str, UUID, int]]) -> dict[UUID, bool]:
        """Keep the leases of running attempts; of those that still run, whether somebody asked to cancel."""
        ...

    async def refuse(self, tenant: str, occurrence: Occurrence) -> None:
        """Commit the record of a refused attempt."""
        ...

    async def recorded(self, tenant: str, execution_id: UUID) -> Execution:
        """The execution as it stands in the record."""
        ...

    async def by_key(self, tenant: str, actor: str, key: str) -> tuple[Execution, bytes] | None:
        """The execution a key belongs to, and the fingerprint of what was asked."""
        ...

    async def expire(self, tenant: str, connection_id: UUID, version: int, reason: str) -> None:
        """The service no longer accepts the credential: the connection is EXPIRED, unless it was renewed since."""
        ...

    async def lapsed(self) -> list[Lapsed]:
        """Executions whose process went away."""
        ...

    async def doubtful(self) -> list[Doubtful]:
        """UNKNOWN executions whose effect is to be looked for now, each handed to one asker for a while."""
        ...

    async def probed(self, probed: ProbeEnd) -> None:
        """Commit what a look found out, with its audit record, if the execution is still UNKNOWN.

        Raises ValueError when the result is not JSON.
        """
        ...

    async def credential(self, tenant: str, connection_id: UUID) -> Sealed | None:
        """A connection's sealed credential; None when there is none."""
        ...


class Rates(Protocol):
    """Turns that all processes share."""

    async def take(self, turn: Turn) -> list[NotYet]:
        """Take one of each limit; or take none, and learn of every limit that is in the way."""
        ...


class Credentials(Protocol):
    """Opens credentials, and renews them when their time is over."""

    async def fresh(self, tenant: str, connection_id: UUID, sealed: Sealed, *, deadline: datetime) -> Credential:
        """The credential, renewed first when it is about to end. All who ask at once share one renewal.

        Raises CredentialUnreadable; NotSent when it has ended and cannot be renewed just now; ReconnectNeeded.
        """
        ...

    async def renewed(
        self, tenant: str, connection_id: UUID, used: Credential, *, deadline: datetime
    ) -> Credential | None:
        """Another credential in place of one that the service has just refused; None when there is no other.

        Raises NotSent when there may be one and it cannot be had just now: the refusal then says nothing about the
        connection. Raises CredentialUnreadable.
        """
        ...


class Fingerprints(Protocol):
    """Keyed hashes."""

    def of(self, *parts: bytes) -> bytes:
        """32 bytes that tell nothing about the parts."""
        ...
