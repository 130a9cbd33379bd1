"""A pipeline among twins: a made-up service whose deeds a test decides, a ledger that remembers the order of things."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from domain.agents import Agent
from domain.callers import Caller, Role
from domain.catalogue import AuthScheme, CallSetting, Credential
from domain.connections import Connection
from domain.errors import CredentialUnreadable
from domain.executions import Admission, Dispatch, Execution, Finish, Finished, Intent, Queued
from domain.grants import ApprovalPolicy, Grant, PermissionLevel, Standing
from domain.history import Occurrence
from domain.ids import new_id
from domain.json import Json
from domain.sealed import Sealed
from domain.secrets import Secret
from execution.pipeline import Pipeline, Request
from execution.testing import MemoryLedger
from execution.testing_credentials import OpenVault
from tests.support.nouns import EARLIER, SampleCatalogue, SampleIntegration, connection
from vault.deployment import Fingerprints

TENANT = "acme"
CREDENTIAL = Credential(AuthScheme.API_KEY, {"token": Secret("canary-7f3a9c")}, {})

Step = Callable[[], Awaitable[None]]


async def _nothing() -> None:
    pass


class Telling(MemoryLedger):
    """Writes down what it is asked, in the order of asking. `before` is awaited ahead of each step it names."""

    def __init__(self, steps: list[str]) -> None:
        super().__init__()
        self.steps = steps
        self.before: dict[str, Step] = {}

    async def _told(self, step: str) -> None:
        self.steps.append(step)
        await self.before.get(step, _nothing)()

    async def standing(
        self, tenant: str, agent_id: UUID | None, integration: str, connection_id: UUID | None
    ) -> Standing:
        await self._told("standing")
        return await super().standing(tenant, agent_id, integration, connection_id)

    async def admit(self, intent: Intent) -> Admission:
        await self._told("admit")
        admission = await super().admit(intent)
        await self.before.get("admitted", _nothing)()
        return admission

    async def finish(self, finish: Finish) -> Finished:
        await self._told("finish")
        return await super().finish(finish)

    async def refuse(self, tenant: str, occurrence: Occurrence) -> None:
        await self._told("refuse")
        await super().refuse(tenant, occurrence)

    async def expire(self, tenant: str, connection_id: UUID, version: int, reason: str) -> None:
        await self._told("expire")
        await super().expire(tenant, connection_id, version, reason)


class TellingVault(OpenVault):
    """Writes down that it opened. While `is_shut`, nothing opens."""

    def __init__(self, steps: list[str]) -> None:
        super().__init__(CREDENTIAL)
        self.steps = steps
        self.is_shut = False

    async def open_credential(self, tenant: str, connection_id: UUID, sealed: Sealed) -> Credential:
        self.steps.append("open")
        if self.is_shut:
            raise CredentialUnreadable("The master key is not the one.")
        return await super().open_credential(tenant, connection_id, sealed)


@dataclass
class Stage:
    """Everything in one place. The agent may do everything until a test says otherwise."""

    steps: list[str] = field(default_factory=list)
    deed: Callable[[Json, CallSetting], Awaitable[Json]] | None = None

    def __post_init__(self) -> None:
        self.ledger = Telling(self.steps)
        self.vault = TellingVault(self.steps)
        self.harbour = SampleIntegration(self._run)
        self.pipeline = Pipeline(SampleCatalogue(self.harbour), self.ledger, self.vault, Fingerprints(b"k" * 32))
        self.agent = Agent(new_id(), "worker", None, False, EARLIER, None, 1)
        self.connection: Connection = connection()
        full, never = PermissionLevel.FULL, ApprovalPolicy.NEVER
        held = (self.agent.id, self.connection.id, full)
        self.grant = Grant(new_id(), *held, (), None, None, EARLIER, None, 1, never)
        self.ledger.keep(TENANT, self.agent, self.connection, self.grant)
        self.caller = Caller(TENANT, "worker", frozenset({Role.AGENT}), agent_id=self.agent.id)

    async def _run(self, parameters: Json, setting: CallSetting) -> Json:
        self.steps.append("run")
        return await self.deed(parameters, setting) if self.deed else {"fine": True}

    async def execute(self, action: str = "harbour.moor", parameters: Json = None, **more: object) -> Execution:
        """As the agent."""
        request = Request(action, {} if parameters is None else parameters, **more)  # type: ignore[arg-type]
        return await self.pipeline.execute(self.caller, request)

    def request(self, parameters: Json) -> Request:
        """To moor."""
        return Request("harbour.moor", parameters)

    def dispatch(self, queued: Queued) -> Dispatch:
        """As a worker would, resting on everything as it is."""
        versions = (self.connection.version, self.agent.version, self.grant.id, self.grant.version)
        return Dispatch(queued.execution.id, TENANT, queued.execution.attempt, *versions)

    def events(self) -> list[str]:
        """The types of what is in history."""
        return [event.type for event in self.ledger.events_of(TENANT)]

    def raising(self, error: BaseException) -> None:
        """From now on the service's adapter raises this."""

        async def deed(parameters: Json, setting: CallSetting) -> Json:
            raise error

        self.deed = deed
