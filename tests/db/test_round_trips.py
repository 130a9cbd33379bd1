"""What an agent's `execute` costs the database: statements are counted where they leave the process."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx2
import pytest
from asyncpg.connection import LoggedQuery

from domain.ids import new_id
from domain.json import Json
from tests.db.ground import Ground, Party, finish
from tests.support.gateways import EXECUTE, Client, agent_with_grant, connected, running_gateway
from tests.support.servers import new_database

#: Beside the path of a request: what a clock sets off, and what nobody waits for.
_BACKGROUND = {
    "gate_beat",
    "gate_claim",
    "gate_due_probes",
    "gate_due_webhooks",
    "gate_lapsed_approvals",
    "gate_lapsed_executions",
    "gate_lapsed_sessions",
    "gate_touch_tokens",
    "gate_unwatched",
}
#: What the driver asks once for each connection and each composite type that it meets there.
_LEARNS_TYPES = re.compile(r"'jit'|typeinfo_tree")
_TABLES = ("executions", "history", "history_heads", "connections", "grants", "agents", "agent_tokens")
_CROWD = 64


@dataclass
class Heard:
    """Every statement sent to one database, by any connection this process opened after listening began."""

    database: str
    statements: list[str] = field(default_factory=list)

    def note(self, query: LoggedQuery) -> None:
        if query.conn_params.database == self.database:
            self.statements.append(query.query)

    @property
    def path(self) -> list[str]:
        """The gate's functions in the order of their calls, and whatever else was sent as it was."""
        named = [re.match(r"SELECT (?:\*|[\w, ]+)? ?(?:FROM )?(gate_\w+)", each) for each in self.statements]
        told = [match[1] if match else each for match, each in zip(named, self.statements, strict=True)]
        return [each for each in told if each not in _BACKGROUND and not _LEARNS_TYPES.search(each)]


@dataclass
class Acting:
    """An agent that has acted before, and an ear on its gateway's database."""

    url: str
    heard: Heard
    agent: Client

    async def commits(self) -> set[str]:
        """The transactions that wrote the rows as they are."""
        connection = await asyncpg.connect(self.url)
        try:
            query = " UNION ".join(f"SELECT xmin::text FROM {table}" for table in _TABLES)  # noqa: S608 - our own names
            return {row["xmin"] for row in await connection.fetch(query)}
        finally:
            await connection.close()


@pytest.fixture
async def acting(
    postgres_url: str, redis_url: str, migrated_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Acting]:
    """A gateway of the test's own, whose statements are heard. Redis carries its news: without it one more would."""
    async with new_database(postgres_url, migrated_template) as url:
        heard = Heard(urlsplit(url).path.lstrip("/"))
        begin = asyncpg.Connection.__init__

        def begin_heard(self: "asyncpg.Connection[asyncpg.Record]", *args: object, **kwargs: object) -> None:
            begin(self, *args, **kwargs)  # type: ignore[arg-type]  # whatever the driver gives
            self.add_query_logger(heard.note)

        monkeypatch.setattr(asyncpg.Connection, "__init__", begin_heard)
        for chore in ("sealing", "watching", "delivering"):  # they have transactions of their own
            monkeypatch.setattr(f"gateway.{chore}.ROUND_SECONDS", 3_600)
        async with running_gateway(url, tmp_path, redis_url=redis_url) as running:
            owner = running.client()
            connection = await connected(owner)
            granted = await agent_with_grant(owner, connection.id)
            assert (await _execute(granted.client))["execution"]["status"] == "SUCCEEDED"
            monkeypatch.undo()
            yield Acting(url, heard, granted.client)


async def test_an_agents_execute_takes_four_round_trips(acting: Acting) -> None:
    acting.heard.statements.clear()
    assert (await _execute(acting.agent))["execution"]["status"] == "SUCCEEDED"
    assert acting.heard.path == ["gate_agent_keys", "gate_standing", "gate_admit", "gate_finish"]


async def test_two_of_them_commit(acting: Acting) -> None:
    before = await acting.commits()
    assert (await _execute(acting.agent))["execution"]["status"] == "SUCCEEDED"
    assert len(await acting.commits() - before) == 2


async def test_callers_at_the_same_moment_share_their_round_trips(acting: Acting) -> None:
    acting.heard.statements.clear()
    async with httpx2.AsyncClient(trust_env=False, timeout=20, headers=acting.agent.headers) as http:
        body = {"query": EXECUTE, "variables": {"input": _INPUT}}
        posts = (http.post(f"{acting.agent.url}/graphql", json=body) for _ in range(_CROWD))
        answers = [each.json()["data"]["execute"]["execution"]["status"] for each in await asyncio.gather(*posts)]
    assert answers == ["SUCCEEDED"] * _CROWD
    sent = Counter(acting.heard.path)
    assert set(sent) == {"gate_agent_keys", "gate_standing", "gate_admit", "gate_finish"}
    assert sent.total() < _CROWD, sent


async def test_a_crowd_that_asks_for_one_execution_shares_one_statement(ground: Ground, party: Party) -> None:
    intent = party.intent()
    await ground.gate.admit(intent)
    await ground.gate.finish(finish(intent))
    opened = 0
    of = ground.stores.of

    def counted(tenant: str) -> object:
        nonlocal opened
        opened += 1
        return of(tenant)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ground.stores, "of", counted)
        asked = (ground.stores.executions(party.tenant, [intent.id, new_id()]) for _ in range(1000))
        found = await asyncio.gather(*asked)
    assert all(each is not None and each.id == intent.id and nothing is None for each, nothing in found)
    assert opened <= 4


async def test_an_id_of_another_tenant_is_not_found_even_when_both_ask_at_once(ground: Ground, party: Party) -> None:
    intent = party.intent()
    await ground.gate.admit(intent)
    theirs, ours = await asyncio.gather(
        ground.stores.executions("somebody-else", [intent.id]), ground.stores.executions(party.tenant, [intent.id])
    )
    assert theirs == [None]
    assert ours[0] is not None


_INPUT: Json = {
    "action": "github.create_issue",
    "parameters": {"owner": "lin-harbour", "repo": "lighthouse", "title": "Hello"},
}


async def _execute(agent: Client) -> dict[str, dict[str, Json]]:
    found: dict[str, dict[str, Json]] = (await agent.ask(EXECUTE, {"input": _INPUT}))["execute"]
    return found
