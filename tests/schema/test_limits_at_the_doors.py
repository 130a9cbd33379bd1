"""The limits hold over HTTP and over sockets alike, and say the same."""

import httpx2
import pytest
from websockets.exceptions import ConnectionClosedError

from domain.json import Json
from tests.support.gateways import Client, RunningGateway

DEEP = "{ grants { nodes" + " { agent { grants { nodes" * 4 + " { id }" + " } } }" * 4 + " } }"
WIDE = "{" + "viewer { subject } " * 21 + "}"
LONG = "{ executions(statuses: [" + "RUNNING " * 2_000 + "]) { nodes { id } } }"
HUGE = "{ viewer { subject } } #" + "x" * 65_536
DEAR = "query ($n: Int) { agents(first: $n) { nodes { grants(first: $n) { nodes { id } } } } }"
AGAIN = "{ integrations { nodes {" + "actions { nodes { slug integration { slug } } } " * 100 + "} } }"
WATCH = "subscription { " + " ".join(f"a{each}: auditEvents {{ id }}" for each in range(31)) + " }"
NESTED = "query ($x: JSON) { viewer { subject } }"


def nested(levels: int) -> Json:
    value: Json = 1
    for _ in range(levels):
        value = [value]
    return value


CASES: list[tuple[str, dict[str, Json], str]] = [
    (DEEP, {}, "depth"),
    (WIDE, {}, "rootFields"),
    (LONG, {}, "tokens"),
    (HUGE, {}, "characters"),
    (DEAR, {"n": 100}, "cost"),
    (AGAIN, {}, "validation"),
    (NESTED.replace("($x: JSON) ", ""), {"x": nested(33)}, "valueDepth"),
]


@pytest.fixture(scope="module")
async def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


@pytest.mark.parametrize(("query", "variables", "limit"), CASES, ids=[limit for _, _, limit in CASES])
async def test_http_names_the_limit_and_what_was_found(
    owner: Client, query: str, variables: dict[str, Json], limit: str
) -> None:
    answer = await owner.answer(query, variables)
    assert answer["data"] is None
    [error] = answer["errors"]
    told = error["extensions"]
    assert (told["code"], told["limit"]) == ("LIMIT_EXCEEDED", limit)
    assert told["found"] > told["allowed"]
    assert f"{told['allowed']:,}" in error["message"]


FITTING = [each for each in CASES if each[2] != "characters"]  # such a document does not fit into a frame


@pytest.mark.parametrize(("query", "variables", "limit"), FITTING, ids=[limit for _, _, limit in FITTING])
async def test_a_socket_says_the_same_in_an_error_message_and_stays_open(
    owner: Client, query: str, variables: dict[str, Json], limit: str
) -> None:
    by_http = (await owner.answer(query, variables))["errors"]
    async with owner.socket() as socket:
        await socket.subscribe(query, variables)
        message = await socket.receive()
        assert (message["type"], message["id"], message["payload"]) == ("error", "1", by_http)
        await socket.subscribe("{ viewer { subject } }", name="2")
        assert (await socket.next())["viewer"]["subject"] == "ada"


async def test_a_subscription_is_held_to_the_limits(owner: Client) -> None:
    async with owner.socket() as socket:
        await socket.subscribe(WATCH)
        message = await socket.receive()
    assert message["type"] == "error"
    assert {error["extensions"]["limit"] for error in message["payload"]} == {"aliases", "rootFields"}


async def test_a_syntax_error_on_a_socket_is_an_error_message(owner: Client) -> None:
    async with owner.socket() as socket:
        await socket.subscribe("{ viewer")
        message = await socket.receive()
    assert message["type"] == "error"
    assert message["payload"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "payload", [{"query": 7}, {"query": ["{ viewer }"]}, {"query": "{ __typename }", "variables": [1]}]
)
async def test_a_socket_refuses_what_is_no_document_and_no_variables(owner: Client, payload: Json) -> None:
    async with owner.socket() as socket:
        await socket.send({"id": "1", "type": "subscribe", "payload": payload})
        message = await socket.receive()
    assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "BAD_REQUEST")


async def test_variables_may_nest_as_deep_as_is_promised(owner: Client) -> None:
    assert "errors" not in await owner.answer("{ viewer { subject } }", {"x": nested(32)})


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
async def test_a_hundred_thousand_brackets_are_refused_as_json(owner: Client, content: str) -> None:
    headers = {**owner.headers, "content-type": "application/json"}
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{owner.url}/graphql", content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    async with owner.socket() as socket:
        await socket.connection.send(content[:65_000])
        with pytest.raises(ConnectionClosedError) as closed:
            await socket.connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400


async def test_a_message_of_64_kibibytes_is_read_and_one_byte_more_is_not(owner: Client) -> None:
    begin, end = b'{"id":"1","type":"subscribe","payload":{"query":"{ viewer { subject } } #', b'"}}'
    padding = b"x" * (65_536 - len(begin) - len(end))
    async with owner.socket() as socket:
        await socket.connection.send((begin + padding + end).decode())
        assert (await socket.next())["viewer"]["subject"] == "ada"
        await socket.connection.send((begin + padding + b"x" + end).decode())
        with pytest.raises(ConnectionClosedError) as closed:
            while True:
                await socket.connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
