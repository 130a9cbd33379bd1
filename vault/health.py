"""Whether connections work: each is tested now and then, and what the service says decides how it stands.

A test is the integration's own `identify`: whose account is this, and what was granted? Tests are spread over the day,
so that a thousand connections of one service do not ask it at once; a connection in trouble is looked at every hour.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from domain.catalogue import Account, CallSetting, Catalogue, Credential, Integration
from domain.connections import Connection, ConnectionStatus
from domain.errors import ProviderProblem, ReconnectNeeded
from domain.health import Finding, finding_of, finding_of_problem
from domain.refreshing import Stored
from vault.credentials import CredentialVault
from vault.ports import HealthRecords
from vault.refreshing import Refresher

TEST_SECONDS = 15
_TROUBLED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Checked:
    """A connection after its test. `problem` says why it is not healthy."""

    connection: Connection
    problem: ProviderProblem | None


def test_setting(credential: Credential, account: Account | None, *, is_sandbox: bool) -> CallSetting:
    """The setting of a call that is not an execution: a test, or a revocation."""
    return CallSetting(credential, account, is_sandbox, uuid4(), _soon())


class Health:
    """Tests connections. `every` is how often each is tested; None means only when somebody asks."""

    def __init__(
        self,
        catalogue: Catalogue,
        records: HealthRecords,
        vault: CredentialVault,
        refresher: Refresher,
        *,
        every: timedelta | None = timedelta(days=1),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._catalogue = catalogue
        self._records = records
        self._vault = vault
        self._refresher = refresher
        self._every = every
        self._chance = chance

    def next_check_at(self, status: ConnectionStatus = ConnectionStatus.ACTIVE) -> datetime | None:
        """When a connection that was tested just now is tested again."""
        if self._every is None or status is ConnectionStatus.EXPIRED:
            return None
        rest = min(self._every, _TROUBLED) if status is ConnectionStatus.DEGRADED else self._every
        return datetime.now(UTC) + rest * (0.75 + self._chance() / 2)

    async def check(self, tenant: str, connection_id: UUID, asked_by: str | None = None) -> Checked | None:
        """Test it and record what was found. None when there is no credential, or the connection changed meanwhile.

        Raises Misconfigured, CredentialUnreadable and DependencyDown.
        """
        stored = await self._renewed_if_due(tenant, connection_id)
        if stored is None:
            return None
        finding = await self._examine(tenant, stored)
        if isinstance(finding.problem, ReconnectNeeded):
            renewed = await self._again(tenant, stored, finding.problem)
            if isinstance(renewed, Checked):
                return renewed
            stored, finding = renewed
        following = self.next_check_at(finding.status)
        after = await self._records.note_check(tenant, stored.connection, finding, following, asked_by)
        return Checked(after, finding.problem) if after else None

    async def _renewed_if_due(self, tenant: str, connection_id: UUID) -> Stored | None:
        """As it is in the database, after what has to be renewed before use was."""
        stored = await self._records.current(tenant, connection_id)
        if stored is None:
            return None
        with suppress(ProviderProblem):  # the test itself will say how it stands
            await self._refresher.fresh(tenant, connection_id, stored.sealed, deadline=_soon())
        return await self._records.current(tenant, connection_id)

    async def _again(self, tenant: str, stored: Stored, problem: ReconnectNeeded) -> tuple[Stored, Finding] | Checked:
        """The service refused the credential: with another one, if there is one, it may say something else."""
        id = stored.connection.id
        used = await self._vault.open_credential(tenant, id, stored.sealed)
        try:
            other = await self._refresher.renewed(tenant, id, used, deadline=_soon())
        except ProviderProblem as trouble:
            now = await self._records.current(tenant, id)
            return now or stored, finding_of_problem(trouble)
        now = await self._records.current(tenant, id)
        if now is None or other is None:
            if now is not None and now.connection.status is ConnectionStatus.EXPIRED:
                return Checked(now.connection, problem)  # the renewal found it out and said so
            return now or stored, finding_of_problem(problem)
        return now, await self._examine(tenant, now)

    async def _examine(self, tenant: str, stored: Stored) -> Finding:
        connection = stored.connection
        integration = self._catalogue.integrations[connection.integration]
        credential = await self._vault.open_credential(tenant, connection.id, stored.sealed)
        return await _asked(integration, connection, credential)


async def _asked(integration: Integration, connection: Connection, credential: Credential) -> Finding:
    setting = test_setting(credential, connection.account, is_sandbox=connection.is_sandbox)
    try:
        return finding_of(connection, integration.name, await integration.identify(setting))
    except ProviderProblem as problem:
        return finding_of_problem(problem)


def _soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=TEST_SECONDS)
