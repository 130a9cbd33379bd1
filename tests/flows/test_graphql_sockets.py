"""graphql-transport-ws to the letter, and many followers of one thing."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol

from domain.json import Json
from gateway.doors import conversation, wire
from tests.support.gateways import Client, RunningGateway, Socket, agent_with_grant, connected, running_gateway
from tests.support.proxies import proxied
from tests.support.servers import new_database

OURS = "graphql-transport-ws"
VIEWER: Json = {"query": "{ viewer { subject } }"}
WATCH = "subscription ($after: String) { auditEvents(after: $after) { cursor type } }"
FREEZE = "mutation ($input: CreateAgentInput!) { createAgent(input: $input) { agent { id } errors { code } } }"


@asynccontextmanager
async def raw(gateway: RunningGateway, *protocols: str, **headers: str) -> AsyncIterator[ClientConnection]:
    """A socket that has said nothing yet."""
    address = gateway.url.replace("http", "ws", 1) + "/graphql"
    offered = [Subprotocol(each) for each in protocols]
    async with connect(address, subprotocols=offered or None, additional_headers=headers, proxy=None) as connection:
        yield connection


async def closed(connection: ClientConnection) -> tuple[int | None, str | None]:
    with pytest.raises(ConnectionClosed):
        async with asyncio.timeout(20):
            while True:
                await connection.recv()
    return connection.close_code, connection.close_reason


async def say(connection: ClientConnection, message: Json) -> None:
    await connection.send(json.dumps(message))


async def hear(connection: ClientConnection) -> Any:
    async with asyncio.timeout(20):
        return json.loads(await connection.recv())


async def happen(owner: Client, times: int = 1) -> None:
    """So many audit events."""
    for number in range(times):
        made = await owner.ask(FREEZE, {"input": {"name": f"worker {number}"}})
        assert not made["createAgent"]["errors"]


# ------------------------------------------------------------------------------------------------ the protocol


@pytest.mark.parametrize("offered", [[], ["graphql-ws"], ["nonsense", "graphql-ws"]])
async def test_another_subprotocol_is_not_spoken(gateway: RunningGateway, offered: list[str]) -> None:
    async with raw(gateway, *offered) as connection:
        assert await closed(connection) == (4406, "Subprotocol not acceptable")


async def test_ours_is_chosen_among_several(gateway: RunningGateway) -> None:
    async with raw(gateway, "graphql-ws", OURS) as connection:
        assert connection.subprotocol == OURS


async def test_who_says_nothing_in_time_is_closed(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "INIT_SECONDS", 0.05)
    async with raw(gateway, OURS) as connection:
        assert await closed(connection) == (4408, "Connection initialisation timeout")


async def test_a_ping_is_answered_even_before_it_is_known_who_asks(gateway: RunningGateway) -> None:
    async with raw(gateway, OURS) as connection:
        await say(connection, {"type": "ping", "payload": {"any": "thing"}})
        assert await hear(connection) == {"type": "pong"}


async def test_a_pong_needs_no_answer(gateway: RunningGateway) -> None:
    async with gateway.client().socket() as socket:
        await socket.send({"type": "pong"})
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}


async def test_a_second_initialisation_closes_the_socket(gateway: RunningGateway) -> None:
    async with gateway.client().socket() as socket:
        await socket.send({"type": "connection_init"})
        assert await closed(socket.connection) == (4429, "Too many initialisation requests")


async def test_an_id_under_way_cannot_be_used_again(gateway: RunningGateway) -> None:
    async with gateway.client().socket() as socket:
        await socket.subscribe(WATCH, name="a")
        await socket.subscribe(WATCH, name="a")
        assert await closed(socket.connection) == (4409, "Subscriber for a already exists")


async def test_an_id_is_free_again_once_it_is_done(gateway: RunningGateway) -> None:
    async with gateway.client().socket() as socket:
        for _ in range(2):
            await socket.send({"id": "a", "type": "subscribe", "payload": VIEWER})
            assert [(await socket.receive())["type"] for _ in range(2)] == ["next", "complete"]
        await socket.subscribe(WATCH, name="a")
        await socket.send({"id": "a", "type": "complete"})
        await socket.send({"id": "a", "type": "subscribe", "payload": VIEWER})
        assert (await socket.receive())["type"] == "next"


async def test_completing_what_is_not_under_way_is_no_mistake(gateway: RunningGateway) -> None:
    async with gateway.client().socket() as socket:
        await socket.send({"id": "unknown", "type": "complete"})
        await socket.send({"id": "a", "type": "subscribe", "payload": VIEWER})
        assert (await socket.receive())["type"] == "next"


@pytest.mark.parametrize(
    "message",
    [
        [],
        1,
        None,
        "text",
        {},
        {"type": "nonsense"},
        {"type": 1},
        {"type": "subscribe"},
        {"type": "subscribe", "id": "", "payload": VIEWER},
        {"type": "subscribe", "id": 7, "payload": VIEWER},
        {"type": "subscribe", "id": "a", "payload": []},
        {"type": "complete"},
        {"type": "next", "id": "a", "payload": {}},
        {"type": "connection_ack"},
    ],
)
async def test_what_is_no_message_of_the_protocol_closes_the_socket(gateway: RunningGateway, message: Json) -> None:
    async with gateway.client().socket() as socket:
        await socket.send(message)
        assert (await closed(socket.connection))[0] == 4400


async def test_bytes_are_no_message(gateway: RunningGateway) -> None:
    async with gateway.client().socket() as socket:
        await socket.connection.send(b"{}")
        assert (await closed(socket.connection))[0] == 4400


async def test_a_message_may_come_in_pieces(gateway: RunningGateway) -> None:
    text = json.dumps({"id": "a", "type": "subscribe", "payload": VIEWER})
    async with gateway.client().socket() as socket:
        await socket.connection.send([text[:10], text[10:11], text[11:]])
        assert (await socket.receive())["type"] == "next"


async def test_text_that_is_not_utf_8_closes_the_socket(gateway: RunningGateway) -> None:
    async with gateway.client().socket() as socket:
        frame = Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True)
        socket.connection.transport.write(frame)
        assert (await closed(socket.connection))[0] == 1007


@pytest.mark.parametrize("query", ["{ viewer", "subscription { nothing }", "subscription { auditEvents { id ", ""])
async def test_a_wrong_document_is_an_error_message_and_the_id_is_free_again(
    gateway: RunningGateway, query: str
) -> None:
    async with gateway.client().socket() as socket:
        for _ in range(2):
            await socket.subscribe(query, name="a")
            message = await socket.receive()
            assert (message["type"], message["id"]) == ("error", "a")
            assert message["payload"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_several_operations_need_a_name(gateway: RunningGateway) -> None:
    document = "query A { viewer { subject } } query B { viewer { roles } }"
    owner = gateway.client()
    async with owner.socket() as socket:
        await socket.subscribe(document)
        message = await socket.receive()
        assert message["type"] == "error"
        assert "Name the one to run" in message["payload"][0]["message"]
        named: Json = {"query": document, "operationName": "B"}
        await socket.send({"id": "2", "type": "subscribe", "payload": named})
        assert (await socket.next())["viewer"] == {"roles": ["owner"]}
    assert (await owner.answer(document))["errors"] == message["payload"]


async def test_a_hundred_operations_may_be_under_way_and_one_more_is_refused(gateway: RunningGateway) -> None:
    async with gateway.client().socket() as socket:
        for number in range(conversation.OPERATIONS.allowed):
            await socket.subscribe(WATCH, name=f"s{number}")
        await socket.subscribe(WATCH, name="one too many")
        message = await socket.receive()
        assert (message["type"], message["id"]) == ("error", "one too many")
        assert message["payload"][0]["extensions"]["limit"] == "socketOperations"
        await socket.send({"id": "s0", "type": "complete"})
        await socket.send({"id": "now", "type": "subscribe", "payload": VIEWER})
        assert (await socket.receive())["id"] == "now"


async def test_there_is_one_address_for_sockets(gateway: RunningGateway) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(gateway.url.replace("http", "ws", 1) + "/nothing", proxy=None):
            pass
    assert refused.value.response.status_code == 404


async def test_a_page_of_this_very_host_gets_a_socket(gateway: RunningGateway) -> None:
    async with raw(gateway, OURS, origin=gateway.url) as connection:
        await say(connection, {"type": "ping"})
        assert await hear(connection) == {"type": "pong"}


async def test_a_page_of_another_origin_is_refused_in_the_handshake(gateway: RunningGateway) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with raw(gateway, OURS, origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403


async def test_who_cannot_be_recognised_just_now_is_asked_to_come_again(
    postgres_url: str, migrated_template: str, tmp_path: Path
) -> None:
    async with (
        new_database(postgres_url, migrated_template) as address,
        proxied(address) as proxy,
        running_gateway(proxy.url, tmp_path) as running,
    ):
        owner = running.client()
        agent = await agent_with_grant(owner, (await connected(owner)).id)
        await proxy.refuse()
        async with raw(running, OURS) as connection:
            said: Json = {"authorization": f"Bearer {agent.client.token}"}
            await say(connection, {"type": "connection_init", "payload": said})
            assert (await closed(connection))[0] == 4503
        await proxy.open()


async def test_a_silent_socket_is_asked_and_then_closed(gateway: RunningGateway, wires: list[wire.Wire]) -> None:
    """A peer that has vanished without a word: it answers no ping."""
    async with gateway.client().socket() as socket:
        wires[0].ping()
        assert not wires[0].is_heard
        wires[0].ping()
        assert (await closed(socket.connection))[0] == 1011


async def test_a_socket_that_answers_stays_open(gateway: RunningGateway, wires: list[wire.Wire]) -> None:
    async with gateway.client().socket() as socket:
        for _ in range(3):
            wires[0].ping()
            await socket.send({"type": "ping"})
            assert await socket.receive() == {"type": "pong"}


# ------------------------------------------------------------------------------------------------ followers


async def test_followers_of_the_same_see_the_same_wherever_they_began(gateway: RunningGateway) -> None:
    owner = gateway.client()
    begin = (await owner.ask("{ historyCursor }"))["historyCursor"]
    await happen(owner, 3)
    async with AsyncExitStack() as life:
        early = [await life.enter_async_context(owner.socket()) for _ in range(3)]
        fresh = [await life.enter_async_context(owner.socket()) for _ in range(3)]
        await _followed(owner, *fresh)
        for number, each in enumerate(early):
            await each.subscribe(WATCH, {"after": begin}, name=f"id {number}")
        replayed = [await _events(each, 4) for each in early]
        await happen(owner, 3)
        live = [await _events(each, 3) for each in [*early, *fresh]]
    assert all(each == replayed[0] for each in replayed)
    assert all(each == live[0] for each in live)
    assert len({event["cursor"] for event in replayed[0] + live[0]}) == 7


async def test_a_lost_socket_resumes_where_it_was(gateway: RunningGateway) -> None:
    owner = gateway.client()
    async with owner.socket() as socket:
        await _followed(owner, socket)
        await happen(owner, 2)
        [first, _] = await _events(socket, 2)
    await happen(owner, 2)
    async with owner.socket() as again:
        await again.subscribe(WATCH, {"after": first["cursor"]})
        assert len({event["cursor"] for event in await _events(again, 3)}) == 3


async def test_other_tenants_share_nothing(gateway: RunningGateway) -> None:
    one, other = gateway.client(), gateway.client()
    async with one.socket() as watching, other.socket() as idle:
        for socket in (watching, idle):
            await socket.subscribe(WATCH)
            await socket.send({"type": "ping"})
            assert await socket.receive() == {"type": "pong"}
        await happen(one)
        assert len(await _events(watching, 1)) == 1
        await idle.send({"type": "ping"})
        assert await idle.receive() == {"type": "pong"}


async def test_what_a_caller_may_not_follow_is_said_as_an_error(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    async with agent.client.socket() as socket:
        await socket.subscribe(WATCH)
        message = await socket.receive()
        assert message["payload"]["errors"][0]["extensions"]["code"] == "PERMISSION_DENIED"
        assert (await socket.receive())["type"] == "complete"


async def test_who_reads_nothing_is_closed_and_the_others_lose_nothing(
    gateway: RunningGateway, wires: list[wire.Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MOST_WAITING", 20)
    owner = gateway.client()
    async with owner.socket() as quick, owner.socket() as slow:
        await _followed(owner, quick, slow)
        wires[1].pause_writing()  # as asyncio calls it once the other end's buffers are full
        await happen(owner, 21)
        assert len({event["cursor"] for event in await _events(quick, 21)}) == 21
        code, reason = await closed(slow.connection)
    assert code == wire.TOO_SLOW
    assert reason is not None
    assert "resume after the last event" in reason


async def test_who_reads_slowly_gets_everything_in_order(gateway: RunningGateway, wires: list[wire.Wire]) -> None:
    owner = gateway.client()
    async with owner.socket() as quick, owner.socket() as slow:
        await _followed(owner, quick, slow)
        wires[1].pause_writing()
        await happen(owner, 10)
        seen = await _events(quick, 10)
        wires[1].resume_writing()
        assert await _events(slow, 10) == seen


async def test_a_replay_waits_for_who_reads_slowly(
    gateway: RunningGateway, wires: list[wire.Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MOST_WAITING", 5)
    owner = gateway.client()
    begin = (await owner.ask("{ historyCursor }"))["historyCursor"]
    await happen(owner, 20)
    async with owner.socket() as slow:
        wires[0].pause_writing()
        await slow.subscribe(WATCH, {"after": begin})
        await happen(owner)  # time passes
        for _ in range(30):
            wires[0].resume_writing()
            wires[0].pause_writing()
            await asyncio.sleep(0)
        wires[0].resume_writing()
        assert len({event["cursor"] for event in await _events(slow, 21)}) == 21


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> list[wire.Wire]:
    """The gateway's ends of the sockets, in the order in which they were opened."""
    begun: list[wire.Wire] = []
    original = wire.Wire.connection_made

    def made(self: wire.Wire, transport: asyncio.BaseTransport) -> None:
        begun.append(self)
        original(self, transport)

    monkeypatch.setattr(wire.Wire, "connection_made", made)
    return begun


async def _followed(owner: Client, *sockets: Socket) -> None:
    """All of them follow, side by side, for certain."""
    begin = (await owner.ask("{ historyCursor }"))["historyCursor"]
    for socket in sockets:
        await socket.subscribe(WATCH, {"after": begin})
    await happen(owner)
    for socket in sockets:
        await socket.next()


async def _events(socket: Socket, count: int) -> list[Any]:
    return [(await socket.next())["auditEvents"] for _ in range(count)]


async def test_nothing_is_kept_of_events_that_were_told(gateway: RunningGateway) -> None:
    owner = gateway.client()
    async with owner.socket() as socket:
        await _followed(owner, socket)
        await happen(owner, 5)
        await _events(socket, 5)
        before = _field_lists()
        await happen(owner, 40)
        await _events(socket, 40)
        assert _field_lists() - before < 40


def _field_lists() -> int:
    """What graphql-core makes for each event it executes."""
    gc.collect()
    return sum(type(each).__name__ == "FieldDetails" for each in gc.get_objects())
