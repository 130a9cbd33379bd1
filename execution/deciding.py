"""Who may do this, now, as which account: asked when an execution is planned, admitted, and sent after a wait.

One place, so that a plan, the admission and the dispatch cannot differ in their rules; only the facts may have changed.
"""

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from domain.catalogue import Action, Catalogue, Integration
from domain.errors import NotFound
from domain.grants import Decision, Standing, choose
from domain.json import JsonObject, canonical
from execution.conditions import conditions_on
from execution.ports import Fingerprints, Ledger


@dataclass(frozen=True, slots=True)
class Decided:
    """The decision, and the facts it rests on."""

    decision: Decision
    standing: Standing


class Decider:
    """Asks the ledger for the facts and the rules for the answer."""

    def __init__(self, catalogue: Catalogue, ledger: Ledger, fingerprints: Fingerprints) -> None:
        self._catalogue = catalogue
        self._ledger = ledger
        self._fingerprints = fingerprints

    def resolve(self, slug: str) -> tuple[Integration, Action]:
        """Which action is meant. Raises NotFound, with what was probably meant."""
        action = self._catalogue.action(slug)
        if action is None:
            raise NotFound(self._no_such(slug), ("input", "action"))
        return self._catalogue.integrations[action.integration], action

    async def decide(
        self,
        tenant: str,
        agent_id: UUID | None,
        integration: Integration,
        action: Action,
        parameters: JsonObject,
        connection_id: UUID | None,
    ) -> Decided:
        """On facts read this moment. Raises DependencyDown."""
        standing = await self._ledger.standing(tenant, agent_id, integration.slug, connection_id)
        conditions = conditions_on(action.slug, parameters)
        return Decided(
            choose(standing, integration, action, connection_id, datetime.now(UTC), conditions),
            standing,
        )

    def plan_hash(
        self, tenant: str, agent_id: UUID | None, action: Action, connection_id: UUID, parameters: JsonObject
    ) -> str:
        """Names one exact plan: who, which definition of which action, as which account, with which parameters."""
        agent = agent_id.bytes if agent_id else b""
        what = (action.slug.encode(), action.digest.encode(), connection_id.bytes, canonical(parameters))
        return self._fingerprints.of(b"plan", tenant.encode(), agent, *what).hex()

    def _no_such(self, slug: str) -> str:
        known = [each for integration in self._catalogue.integrations.values() for each in integration.actions]
        near = difflib.get_close_matches(slug[:100], known, n=1)
        return "There is no such action." + (f" Did you mean {near[0]}?" if near else "")
