"""The edges of GraphQL: limits, methods, malformed requests, and faults of our own that tell nothing but their id."""

import re

import httpx2
import pytest
import structlog
from structlog.testing import capture_logs

from resolvers import viewer
from tests.support.gateways import Client, RunningGateway

VIEWER = "{ viewer { subject } }"


@pytest.fixture(scope="module")
async def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


async def _post(client: Client, content: bytes, content_type: str = "application/json") -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as http:
        headers = {**client.headers, "content-type": content_type}
        return await http.post(f"{client.url}/graphql", content=content, headers=headers)


def _code(answer: httpx2.Response) -> str:
    return str(answer.json()["errors"][0]["extensions"]["code"])


async def test_a_body_of_one_mebibyte_is_read_and_one_byte_more_is_not(owner: Client) -> None:
    begin, end = b'{"query": "' + VIEWER.encode() + b'", "variables": {"x": "', b'"}}'
    padding = b"x" * (1_048_576 - len(begin) - len(end))
    assert (await _post(owner, begin + padding + end)).status_code == 200
    refused = await _post(owner, begin + padding + b"x" + end)
    assert (refused.status_code, _code(refused)) == (413, "TOO_LARGE")


async def test_a_body_is_not_read_before_the_caller_is_known(gateway: RunningGateway) -> None:
    refused = await _post(Client(gateway.url, None), b"x" * 2_000_000)
    assert refused.status_code == 401


async def test_two_thousand_tokens_are_read_and_one_more_is_not(owner: Client) -> None:
    def document(tokens: int) -> str:  # 15 around the list
        return "{auditEvents(types:[" + '"x" ' * (tokens - 15) + "]){nodes{id}}}"

    fits = await owner.answer(document(2000))
    assert "errors" not in fits, fits
    refused = await owner.answer(document(2001))
    assert refused["data"] is None
    assert "2,000 tokens" in refused["errors"][0]["message"]
    assert refused["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
async def test_queries_are_sent_by_post_or_get_only(owner: Client, method: str) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        address = f"{owner.url}/graphql?query={{viewer{{subject}}}}"
        answer = await http.request(method, address, headers=owner.headers)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


async def test_the_schema_can_be_asked_for_with_a_token_and_not_without(gateway: RunningGateway, owner: Client) -> None:
    query = "{ __schema { queryType { name } } }"
    assert (await owner.ask(query))["__schema"]["queryType"]["name"] == "Query"
    assert (await Client(gateway.url, None).post(query)).status_code == 401


async def test_graphiql_is_shown_to_a_browser_in_development(gateway: RunningGateway) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        page = await http.get(f"{gateway.url}/graphql", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    "query",
    [
        "{ nothing }",
        "{ viewer { secret } }",
        "{ viewer",
        "",
        "{ node }",
        "{ node(id: 1.5) { id } }",
        "query ($x: Nothing) { viewer { subject } }",
        "fragment A on Viewer { ...A } { viewer { ...A } }",
        "mutation { execute(input: {}) { errors { code } } }",
        "{ connections(first: 99999999999) { totalCount } }",
        "{ executions(statuses: [MAYBE]) { nodes { id } } }",
    ],
)
async def test_a_document_that_is_wrong_is_refused_as_a_bad_request(owner: Client, query: str) -> None:
    answer = await owner.post(query)
    assert answer.status_code in (200, 400)
    assert _code(answer) == "BAD_REQUEST"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"1",
        b'"text"',
        b"[]",
        b"{",
        b"{}",
        b'{"query": 7}',
        b'{"query": "{ viewer { subject } }", "variables": []}',
        b'[{"query": "{ viewer { subject } }"}]',
        b'{"query": "subscription { auditEvents { id } }"}',
    ],
)
async def test_a_body_that_is_wrong_is_refused_as_a_bad_request(owner: Client, content: bytes) -> None:
    answer = await _post(owner, content)
    assert (answer.status_code, _code(answer)) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_form_of_a_foreign_page_is_not_read(owner: Client, content_type: str) -> None:
    answer = await _post(owner, b'{"query": "{ viewer { subject } }"}', content_type)
    assert (answer.status_code, _code(answer)) == (415, "BAD_REQUEST")


async def test_a_fault_of_our_own_tells_its_id_and_nothing_else(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> list[str]:
        raise RuntimeError("canary-7c1 secret words of a library")

    monkeypatch.setattr(viewer, "permissions", broken)
    monkeypatch.setattr("schema.faults.log", structlog.get_logger("schema"))
    with capture_logs() as logs:
        answer = await owner.post(VIEWER)
    assert "canary" not in answer.text
    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    found = re.search(r"id: ([0-9a-f]{16})", error["message"])
    assert found is not None
    assert [(line["fault"], line["kind"]) for line in logs if line["event"] == "fault"] == [(found[1], "RuntimeError")]


async def test_the_words_of_a_fault_are_not_logged_either(
    owner: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> list[str]:
        raise RuntimeError("canary-7c1 secret words of a library")

    monkeypatch.setattr(viewer, "permissions", broken)
    with capture_logs():
        await owner.post(VIEWER)
    assert "canary" not in caplog.text


async def test_a_socket_stays_open_after_a_wrong_document(owner: Client) -> None:
    async with owner.socket() as socket:
        await socket.subscribe("subscription { nothing }")
        assert (await socket.receive())["type"] == "error"
        await socket.subscribe(VIEWER, name="2")
        assert (await socket.next())["viewer"]["subject"] == "ada"


async def test_unknown_addresses_are_not_found(gateway: RunningGateway) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{gateway.url}/nothing")).status_code == 404
        assert (await http.get(f"{gateway.url}/oauth/start/")).status_code == 404
