"""GraphQL clients that other people wrote work with Mandate as they come: gql, graphql-ws, graphql-sse,
graphql-request."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import gql
import pytest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from graphql import GraphQLError

from domain.json import Json
from gateway import journey
from tests.foreign.journeys import EXECUTION_EVENTS, SESSION_EVENTS
from tests.foreign.programs import Program, program
from tests.support import gateways
from tests.support.gateways import EXECUTE, Client, RunningGateway, agent_with_grant, connected, running_gateway
from tests.support.relay import relay
from tests.support.servers import new_database

VIEWER = "{ viewer { subject roles } }"
ISSUE: dict[str, Json] = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Seen by many clients"}
EXECUTE_ISSUE: dict[str, Json] = {"input": {"action": "github.create_issue", "parameters": ISSUE}}


def over_http(caller: Client) -> gql.Client:
    """A client that reads the schema from the server and checks its documents against it."""
    transport = AIOHTTPTransport(f"{caller.url}/graphql", headers=caller.headers)
    return gql.Client(transport=transport, fetch_schema_from_transport=True)


def over_socket(caller: Client) -> gql.Client:
    """With the subprotocols that gql offers by itself: the server has to choose the right one."""
    transport = WebsocketsTransport(
        f"{caller.url.replace('http', 'ws', 1)}/graphql",
        init_payload={"authorization": f"Bearer {caller.token}"},
        connect_args={"proxy": None},
    )
    return gql.Client(transport=transport)


def request(document: str, **variables: Json) -> gql.GraphQLRequest:
    return gql.GraphQLRequest(document, variable_values=variables)


def documents() -> Iterator[str]:
    """Every document of the journey, and those the tests begin with."""
    for module in (journey, gateways):
        for value in vars(module).values():
            if isinstance(value, str) and value.lstrip().startswith(("query", "mutation", "subscription", "{")):
                yield value
    yield from (EXECUTION_EVENTS, SESSION_EVENTS)


async def test_gql_reads_the_schema_and_finds_our_documents_valid(gateway: RunningGateway) -> None:
    client = over_http(gateway.client())
    checked = 0
    async with client:
        for document in documents():
            client.validate(gql.gql(document))
            checked += 1
        with pytest.raises(GraphQLError, match="Cannot query field 'secret'"):
            client.validate(gql.gql("{ viewer { secret } }"))
    assert checked >= 12


async def test_gql_asks_and_acts_over_http(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = (await agent_with_grant(owner, account.id)).client
    async with over_http(agent) as session:
        done = await session.execute(request(EXECUTE, **EXECUTE_ISSUE))
    async with over_http(owner) as session:
        viewer = await session.execute(request(VIEWER))
    assert done["execute"]["execution"]["status"] == "SUCCEEDED", done
    assert viewer["viewer"] == {"subject": "ada", "roles": ["owner"]}


async def test_gql_shows_its_user_an_error_of_ours(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = (await agent_with_grant(owner, (await connected(owner)).id)).client
    async with over_http(agent) as session:
        with pytest.raises(TransportQueryError) as caught:
            await session.execute(request("{ auditEvents { nodes { id } } }"))
    assert caught.value.errors is not None
    assert caught.value.errors[0]["extensions"]["code"] == "PERMISSION_DENIED"


async def test_gql_follows_asks_and_acts_over_a_socket(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = (await agent_with_grant(owner, account.id)).client
    after = (await owner.ask("{ historyCursor }"))["historyCursor"]
    async with over_socket(agent) as acting, over_socket(owner) as watching:
        done = await acting.execute(request(EXECUTE, **EXECUTE_ISSUE))
        events = watching.subscribe(request(EXECUTION_EVENTS, connection=account.id, after=after))
        seen = [(await anext(events))["executionEvents"]["status"] for _ in range(2)]
        await events.aclose()
        viewer = await watching.execute(request(VIEWER))
    assert done["execute"]["execution"]["status"] == "SUCCEEDED", done
    assert seen == ["RUNNING", "SUCCEEDED"]
    assert viewer["viewer"]["subject"] == "ada"


async def test_graphql_request_asks_and_acts(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = (await agent_with_grant(owner, account.id)).client
    done = await _asked(agent, EXECUTE, EXECUTE_ISSUE)
    viewer = await _asked(owner, VIEWER, {})
    assert done["data"]["execute"]["execution"]["status"] == "SUCCEEDED", done
    assert viewer["data"]["viewer"]["subject"] == "ada"


async def test_graphql_request_learns_that_it_is_not_known(gateway: RunningGateway) -> None:
    answer = await _asked(Client(gateway.url, "not-a-token"), VIEWER, {})
    assert answer["status"] == 401
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_graphql_ws_misses_nothing_when_the_gateway_is_replaced(
    postgres_url: str, migrated_template: str, tmp_path: Path
) -> None:
    async with new_database(postgres_url, migrated_template) as database:
        codes = await _replaced(database, tmp_path, "follow.mjs", "ws", "/graphql", "closed")
    assert codes == 1012  # "service restart": the server said goodbye


async def test_graphql_sse_misses_nothing_when_the_gateway_is_replaced(
    postgres_url: str, migrated_template: str, tmp_path: Path
) -> None:
    async with new_database(postgres_url, migrated_template) as database:
        assert await _replaced(database, tmp_path, "follow_sse.mjs", "http", "/graphql/stream", "lost")


async def _replaced(database: str, folder: Path, name: str, scheme: str, path: str, lost: str) -> Any:
    """A client follows while one gateway goes and another comes; what it said when it lost the first."""
    async with relay() as front, AsyncExitStack() as life:
        first = await life.enter_async_context(running_gateway(database, folder))
        owner = first.client()
        account = (await connected(owner)).id
        agent = (await agent_with_grant(owner, account)).client
        front.point_at(first.url)
        address = front.url.replace("http", scheme, 1) + path
        async with program(name, await _wish(address, owner, account, count=8)) as client:
            executions = [await _execute(agent)]
            events = await _events(client, 2)
            front.point_at(None)
            await life.aclose()
            word = await client.next_with(lost)
            async with running_gateway(database, folder) as second:
                agent.url = second.url
                executions += [await _execute(agent), await _execute(agent)]
                front.point_at(second.url)
                events += await _events(client, 4)
                executions.append(await _execute(agent))
                events += await _events(client, 2)
    expected = [(execution, status) for execution in executions for status in ("RUNNING", "SUCCEEDED")]
    assert [(event["execution"]["id"], event["status"]) for event in events] == expected
    return word


async def _asked(caller: Client, query: str, variables: dict[str, Json]) -> Any:
    asked: Json = {"url": f"{caller.url}/graphql", "token": caller.token, "query": query, "variables": variables}
    async with program("ask.mjs", asked) as running:
        return await running.next()


async def _wish(url: str, owner: Client, connection: str, count: int) -> Json:
    """What follow.mjs is told: all executions of the connection from now on."""
    after = (await owner.ask("{ historyCursor }"))["historyCursor"]
    return {
        "url": url,
        "token": owner.token,
        "query": EXECUTION_EVENTS,
        "variables": {"connection": connection, "after": after},
        "field": "executionEvents",
        "count": count,
    }


async def _execute(agent: Client) -> str:
    payload = await agent.execute("github.create_issue", ISSUE)
    assert payload["execution"]["status"] == "SUCCEEDED", payload
    identity: str = payload["execution"]["id"]
    return identity


async def _events(client: Program, count: int) -> list[Any]:
    return [await client.next_with("event") for _ in range(count)]
