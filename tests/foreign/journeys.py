"""The steps of a journey through a running gateway to a service that somebody else wrote."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.support.consent import consent_in_browser
from tests.support.gateways import CONNECT, SESSION, Client, Socket

SESSION_EVENTS = """
subscription ($session: ID!) {
  connectSessionEvents(session: $session) { cursor status session { id status connection { id } } }
}
"""
EXECUTION_EVENTS = """
subscription ($connection: ID!, $after: String) {
  executionEvents(connection: $connection, after: $after) { cursor status execution { id action { slug } } }
}
"""


async def connect_as(owner: Client, integration: str, actions: Sequence[str], person: str) -> Any:
    """Connect by OAuth in a browser while a socket watches the session; yields the connection."""
    begun = (await owner.ask(CONNECT, {"input": {"integration": integration, "actions": list(actions)}}))["connect"]
    assert not begun["errors"], begun
    session = begun["session"]
    async with owner.socket() as socket:
        await socket.subscribe(SESSION_EVENTS, {"session": session["id"]})
        opened = (await socket.next())["connectSessionEvents"]
        assert opened["status"] == "OPEN"
        page = await consent_in_browser(session["authorizationUrl"], person)
        assert page.status_code == 200, page.text
        assert page.url.path == "/oauth/callback", page.url
        ended = (await socket.next())["connectSessionEvents"]
        assert (await socket.receive())["type"] == "complete"
    assert ended["status"] == ended["session"]["status"] == "COMPLETED"
    ready = (await owner.ask(SESSION, {"id": session["id"]}))["node"]
    assert ready["status"] == "COMPLETED", ready
    assert ready["connection"]["id"] == ended["session"]["connection"]["id"]
    return ready["connection"]


async def succeed(agent: Client, action: str, **parameters: Any) -> Any:
    """The result of an execution; fails when it is not SUCCEEDED."""
    payload = await agent.execute(action, parameters)
    assert not payload["errors"], payload
    assert payload["execution"]["status"] == "SUCCEEDED", payload
    return payload["execution"]["result"]


@asynccontextmanager
async def watching(owner: Client, connection: str, after: str) -> AsyncIterator[Socket]:
    """A socket that follows the executions of a connection."""
    async with owner.socket() as socket:
        await socket.subscribe(EXECUTION_EVENTS, {"connection": connection, "after": after})
        yield socket


async def seen(socket: Socket, count: int) -> list[Any]:
    """The next events, in the order they came."""
    return [(await socket.next())["executionEvents"] for _ in range(count)]


def story(actions: Sequence[str]) -> list[tuple[str, str]]:
    """What is seen of executions that succeed one after the other."""
    return [(action, status) for action in actions for status in ("RUNNING", "SUCCEEDED")]


def told(events: Sequence[Any]) -> list[tuple[str, str]]:
    """Events, as far as `story` tells of them."""
    return [(event["execution"]["action"]["slug"], event["status"]) for event in events]
