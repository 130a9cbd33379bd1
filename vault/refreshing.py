"""Renewing credentials: once, however many ask, in however many processes; and no answer of a service is lost.

    lease    one row, taken by compare-and-set and committed, so that nobody else asks the service
    ask      the token endpoint; no connection to the database is held meanwhile
    keep     the answer, sealed: on this machine's disk, then in the journal, before anything else is done with it
    store    in place of the version it was made from, if the lease is still held and that version still there

Nothing is ever deleted because a refresh failed. A service in trouble costs a DEGRADED connection and a pause; only its
word that the refresh token is no longer any good ends one, and only after the rows were read again: an answer that
another holder kept meanwhile is worth more than that word. See docs/credentials.md.
"""

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import structlog

from domain.catalogue import Catalogue, Credential, Integration, OAuthApplication, Refreshing
from domain.errors import DependencyDown, MandateError, NotSent, ProviderProblem, ReconnectNeeded
from domain.ids import new_id
from domain.refreshing import KEEP_ALIVE, Busy, Current, Ended, Lease, Renewal, Resting, cooldown, next_refresh
from domain.sealed import Sealed
from domain.secrets import Secret
from vault.applications import Applications, ways_of
from vault.credentials import CredentialVault
from vault.oauth import OAuthClient, Obtained
from vault.ports import RefreshRecords
from vault.spool import Spool

log = structlog.get_logger("vault")

ACCESS, REFRESH = "access_token", "refresh_token"
_ANY = 2**31 - 1  # no version is later


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds. The lease outlives the call by enough to keep and store its answer."""

    call: float = 15
    lease: float = 20
    lapse: float = 5  # how long a lapsed lease is left to its holder after somebody saw that it lapsed
    ahead: float = 60  # a credential that ends within this is renewed before it is used
    fresh: float = 60  # a credential that was refused this soon after it was obtained is not renewed again
    first_rest: float = 5
    longest_rest: float = 3_600
    polls: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.5)
    store_waits: tuple[float, ...] = (0.1, 0.25, 0.5, *(1.0,) * 120)
    most_attempts: int = 40  # in a row, about a day and a half of them: then the connection is said to be EXPIRED


class NotRefreshable(Exception):
    """This credential has no refresh token, or its integration does not say that it can be used."""


class Refresher:
    """Implements `execution.ports.Credentials`. One per process; safe to use from any number of tasks."""

    def __init__(
        self,
        catalogue: Catalogue,
        records: RefreshRecords,
        vault: CredentialVault,
        oauth: OAuthClient,
        *,
        applications: Applications | None = None,
        spool: Spool | None = None,
        pace: Pace | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Without `applications` there are the deployment's only. `spool` is None where this machine keeps nothing.

        `chance` spreads what would come due together.
        """
        self._catalogue = catalogue
        self._records = records
        self._vault = vault
        self._oauth = oauth
        self._applications = applications
        self._spool = spool
        self._pace = pace or Pace()
        self._chance = chance
        self._under_way: dict[tuple[str, UUID], asyncio.Task[Sealed]] = {}

    # ------------------------------------------------------------------------------------------- on use

    async def fresh(self, tenant: str, connection_id: UUID, sealed: Sealed, *, deadline: datetime) -> Credential:
        """The credential, renewed first when it ends within a minute.

        One that still holds is handed out even if it could not be renewed. Raises CredentialUnreadable; NotSent when it
        has ended and cannot be renewed just now; ReconnectNeeded when a person must act.
        """
        credential = await self._vault.open_credential(tenant, connection_id, sealed)
        left = _seconds_left(credential)
        if left is None or left > self._pace.ahead or REFRESH not in credential.secrets:
            return credential
        try:
            renewed = await self._within(deadline, self.refresh(tenant, connection_id, sealed.version))
        except NotRefreshable:
            return credential
        except (ProviderProblem, DependencyDown) as problem:
            if (_seconds_left(credential) or 0) > 0:
                return credential
            raise _unsent(problem) from None
        return await self._vault.open_credential(tenant, connection_id, renewed)

    async def renewed(
        self, tenant: str, connection_id: UUID, used: Credential, *, deadline: datetime
    ) -> Credential | None:
        """Another credential in place of one that the service has just refused; None when there is no other.

        Raises NotSent when there may be one, and it cannot be had just now: then the refusal says nothing about the
        connection.
        """
        if REFRESH not in used.secrets:
            return None
        try:
            found = await self._records.current(tenant, connection_id)
        except DependencyDown as down:
            raise _unsent(down) from None
        if found is None:
            return None
        sealed = found.sealed
        credential = await self._vault.open_credential(tenant, connection_id, sealed)
        if credential.secrets.get(ACCESS) != used.secrets.get(ACCESS):
            return credential  # somebody has renewed it since
        if found.seconds < self._pace.fresh:
            return None  # it is new and refused all the same: renewing it again would not help
        try:
            renewed = await self._within(deadline, self.refresh(tenant, connection_id, sealed.version))
        except (NotRefreshable, ReconnectNeeded):
            return None
        except (ProviderProblem, DependencyDown) as problem:
            raise _unsent(problem) from None
        return await self._vault.open_credential(tenant, connection_id, renewed)

    # -------------------------------------------------------------------------------------------- the refresh

    async def refresh(self, tenant: str, connection_id: UUID, seen: int) -> Sealed:
        """A later version than the one that was `seen`. All callers share one refresh, which goes on without them.

        Raises NotRefreshable, ReconnectNeeded, another ProviderProblem, or DependencyDown.
        """
        key = (tenant, connection_id)
        while True:
            task = self._under_way.get(key)
            if task is None or task.done():
                task = asyncio.ensure_future(self._see_through(tenant, connection_id, seen))
                self._under_way[key] = task
                task.add_done_callback(partial(self._finished, key))
            sealed = await asyncio.shield(task)
            if sealed.version > seen:
                return sealed

    async def hold_off(self, tenant: str, connection_id: UUID) -> None:
        """Wait for a renewal under way, then keep others from beginning one for as long as a lease lasts.

        For who ends the connection: what is revoked at the service is then the newest there is.
        """
        for polls in itertools.count():
            standing = await self._records.lease(
                tenant, connection_id, _ANY, new_id(), seconds=self._pace.lease, lapse_seconds=self._pace.lapse
            )
            if isinstance(standing, Lease) and standing.kept is not None:
                await self._store(standing, standing.kept)
            elif not isinstance(standing, Busy):
                return
            await asyncio.sleep(self._poll(polls))

    async def replay(self) -> int:
        """Put what lies in the spool where it belongs. Returns how many answers found their place or their end."""
        waiting = await asyncio.to_thread(self._spool.waiting) if self._spool else []
        done = 0
        for renewal in waiting:
            if (renewal.tenant, renewal.connection_id) in self._under_way:
                continue  # its own task is at it
            if await self._records.keep(renewal):
                with suppress(NotRefreshable, ProviderProblem):
                    await self.refresh(renewal.tenant, renewal.connection_id, renewal.base)
            self._forget(renewal)
            done += 1
        return done

    async def drain(self, seconds: float) -> None:
        """Wait for the refreshes under way, at most this long."""
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=seconds)

    def next_refresh_at(self, application: OAuthApplication | None, credential: Credential) -> datetime | None:
        """When a credential obtained now is to be renewed; None when it cannot be."""
        if application is None or application.refreshing is Refreshing.NONE or REFRESH not in credential.secrets:
            return None
        return next_refresh(datetime.now(UTC), credential.expires_at, self._chance())

    def _finished(self, key: tuple[str, UUID], task: "asyncio.Task[Sealed]") -> None:
        if self._under_way.get(key) is task:
            del self._under_way[key]
        if not task.cancelled():
            task.exception()  # whoever asked has heard of it; if nobody waits any more, nobody needs to

    async def _see_through(self, tenant: str, connection_id: UUID, seen: int) -> Sealed:
        """Until there is a later version, or a reason why not."""
        owner, polls = new_id(), 0
        while True:
            standing = await self._records.lease(
                tenant, connection_id, seen, owner, seconds=self._pace.lease, lapse_seconds=self._pace.lapse
            )
            match standing:
                case Current(sealed):
                    return sealed
                case Resting(until, reason):
                    raise NotSent(reason or "The access could not be renewed.", retry_at=until)
                case Ended(reason):
                    raise ReconnectNeeded(reason or "The connection has ended. A person must connect the account.")
                case Busy():
                    await asyncio.sleep(self._poll(polls))
                    polls += 1
                case Lease() as lease:
                    stored = await self._renew(lease)
                    if stored is not None:
                        return stored

    def _poll(self, polls: int) -> float:
        return self._pace.polls[min(polls, len(self._pace.polls) - 1)]

    async def _renew(self, lease: Lease) -> Sealed | None:
        """With the lease in hand. None when it was lost on the way: then the rows are asked anew."""
        if lease.kept is not None:
            return await self._store(lease, lease.kept)
        application, token, before = await self._prepared(lease)
        service = self._catalogue.integrations[lease.connection.integration].name
        try:
            async with asyncio.timeout(self._pace.call):
                obtained = await self._oauth.refresh(application, service, token)
        except ReconnectNeeded as refused:
            return await self._believe(lease, service, refused)
        except ProviderProblem as problem:
            await self._fail(lease, service, problem)
            raise
        except TimeoutError:
            late = NotSent(f"{service} did not answer in time when asked to renew the access.")
            late.may_have_happened = True
            await self._fail(lease, service, late)
            raise late from None
        renewal = await self._sealed(lease, before, obtained)
        await self._keep(renewal)
        return await self._store(lease, renewal)

    async def _prepared(self, lease: Lease) -> tuple[OAuthApplication, Secret, Credential]:
        """What the service is asked with. Nothing was sent yet, so the lease is given back when there is nothing."""
        integration = self._catalogue.integrations.get(lease.connection.integration)
        # A simulated account's token never reaches the real service, nor a real one's the simulation.
        is_its_own = integration is not None and integration.is_sandbox is lease.connection.is_sandbox
        application: OAuthApplication | None = None
        try:
            credential = await self._vault.open_credential(lease.tenant, lease.connection.id, lease.sealed)
            if integration is not None and is_its_own:
                application = await self._application(lease.tenant, integration, credential)
        except MandateError:
            await self._records.release(lease)
            raise
        token = credential.secrets.get(REFRESH)
        if application is None or application.refreshing is Refreshing.NONE or token is None:
            await self._records.release(lease, is_refreshable=False)
            raise NotRefreshable
        return application, token, credential

    async def _application(
        self, tenant: str, integration: Integration, credential: Credential
    ) -> OAuthApplication | None:
        """The one that the refresh token is good for."""
        if self._applications is None:
            return integration.oauth
        return await self._applications.of(tenant, integration, credential)

    async def _sealed(self, lease: Lease, before: Credential, obtained: Obtained) -> Renewal:
        """The answer in the envelope of the version that follows. What it does not replace stays."""
        told = obtained.credential
        secrets, facts = {**before.secrets, **told.secrets}, {**before.facts, **told.facts}
        credential = replace(told, secrets=secrets, facts=facts)
        # A further token that stays has scopes of its own, of which this answer says nothing.
        stays = before.secrets.keys() - told.secrets.keys() - {REFRESH}
        version = lease.sealed.version + 1
        # Under the key that opened the version before: it is at hand, so an answer is never lost to a key service.
        sealed = await self._vault.seal_credential(
            lease.sealed.key, lease.tenant, lease.connection.id, version, credential
        )
        return Renewal(
            tenant=lease.tenant,
            connection_id=lease.connection.id,
            owner=lease.owner,
            base=lease.sealed.version,
            sealed=sealed,
            obtained_at=datetime.now(UTC),
            expires_at=obtained.expires_at,
            scopes=None if stays else obtained.scopes,
        )

    async def _keep(self, renewal: Renewal) -> None:
        """On disk, then in the journal. Neither is given up on because the other failed."""
        if self._spool is not None:
            try:
                await asyncio.to_thread(self._spool.put, renewal)
            except OSError as error:
                log.warning("spool_failed", connection=renewal.connection_id.hex, kind=type(error).__name__)
        try:
            await self._records.keep(renewal)
        except DependencyDown:
            log.warning("renewal_waits_for_database", connection=renewal.connection_id.hex)

    async def _store(self, lease: Lease, renewal: Renewal) -> Sealed | None:
        """Commit it, patiently when the database is away. None when the lease was lost: the journal has the answer."""
        credential = await self._vault.open_credential(lease.tenant, lease.connection.id, renewal.sealed)
        application = ways_of(self._catalogue.integrations[lease.connection.integration])
        for wait in self._pace.store_waits:
            try:
                is_stored = await self._records.store(lease, renewal, self.next_refresh_at(application, credential))
                is_wanted = not is_stored and await self._records.keep(renewal)
            except DependencyDown:
                await asyncio.sleep(wait)
                continue
            if not is_wanted:
                self._forget(renewal)
            return renewal.sealed if is_stored else None
        log.error("renewal_not_stored", connection=renewal.connection_id.hex, is_spooled=self._spool is not None)
        raise DependencyDown("A renewed access cannot be stored just now.")

    # ------------------------------------------------------------------------------------------ when it fails

    async def _believe(self, lease: Lease, service: str, refused: ReconnectNeeded) -> Sealed | None:
        """The service says that the token is no good. So it is, unless the rows know better."""
        reason = refused.message
        if lease.is_in_doubt:
            reason = (
                f"An earlier answer of {service} to a renewal was lost, and it does not take the token from before it. "
                "A person must reconnect the account."
            )
        ended = await self._records.end(lease, reason, None)
        if isinstance(ended, Renewal):
            return await self._store(lease, ended)
        if not ended:
            return None
        log.warning("connection_expired", connection=lease.connection.id.hex, in_doubt=lease.is_in_doubt)
        raise ReconnectNeeded(reason, status=refused.status)

    async def _fail(self, lease: Lease, service: str, problem: ProviderProblem) -> None:
        """Count it, rest, and try again; at the end of patience say so, and try once a day from then on."""
        attempts, now = lease.attempts + 1, datetime.now(UTC)
        rest = cooldown(attempts, self._chance(), first=self._pace.first_rest, longest=self._pace.longest_rest)
        until = max(now + rest, problem.retry_at) if problem.retry_at else now + rest
        problem.retry_at = until
        log.warning("refresh_failed", connection=lease.connection.id.hex, code=problem.code, attempts=attempts)
        with suppress(DependencyDown):  # then the lease lapses by itself
            if attempts >= self._pace.most_attempts:
                reason = f"{service} has not renewed the access in {attempts} attempts. A person should reconnect it."
                await self._records.end(lease, reason, now + KEEP_ALIVE)
            else:
                await self._records.fail(lease, problem.message, until, is_in_doubt=problem.may_have_happened)

    def _forget(self, renewal: Renewal) -> None:
        if self._spool is not None:
            self._spool.remove(renewal)

    async def _within(self, deadline: datetime, waiting: Coroutine[object, object, Sealed]) -> Sealed:
        """Raises NotSent when the deadline passes first; the refresh itself goes on."""
        left = (deadline - datetime.now(UTC)).total_seconds()
        try:
            return await asyncio.wait_for(waiting, max(left, 0))
        except TimeoutError:
            raise NotSent("The access is being renewed, and that was not done before the deadline.") from None


def _seconds_left(credential: Credential) -> float | None:
    return (credential.expires_at - datetime.now(UTC)).total_seconds() if credential.expires_at else None


def _unsent(problem: MandateError) -> ProviderProblem:
    """Whatever kept us from renewing, of the call itself nothing was sent."""
    if isinstance(problem, ReconnectNeeded):
        return problem
    retry_at = problem.retry_at if isinstance(problem, ProviderProblem) else None
    return NotSent(f"{problem.message} Nothing was sent; try again.", retry_at=retry_at)
