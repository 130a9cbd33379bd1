"""Signing in by browser in development, and what a cookie is good for: from our own pages, and nowhere else."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import pytest
from starlette.responses import Response
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from domain.callers import Caller, Role
from domain.secrets import Secret
from gateway.browsers import Browsers
from tests.support.gateways import RunningGateway
from tests.support.visitors import Visitor, visitor
from vault.sealed_cookies import SealedCookies

CSRF = {"x-mandate-csrf": "1"}
VIEWER = {"query": "{ viewer { subject tenantId } }"}


@pytest.fixture
async def person() -> AsyncIterator[Visitor]:
    async with visitor() as someone:
        yield someone


def _link(gateway: RunningGateway, tenant: str = "harbour") -> str:
    assert gateway.made.plan.links
    token = gateway.made.issuer.issue(tenant, "ada", [Role.OWNER])
    return f"{gateway.url}/login?once={gateway.made.plan.links.issue(Secret(token))}"


@pytest.fixture
async def signed_in(gateway: RunningGateway, person: Visitor) -> Visitor:
    answer = await person.open(_link(gateway))
    assert "Signed in" in answer.text
    return person


async def _viewer(gateway: RunningGateway, someone: Visitor, headers: Mapping[str, str]) -> httpx2.Response:
    return await someone.http.post(f"{gateway.url}/graphql", json=VIEWER, headers=dict(headers))


async def test_the_link_signs_in_once(gateway: RunningGateway, person: Visitor) -> None:
    link = _link(gateway)
    answer = await person.open(link)
    assert ("harbour" in answer.text, "ada" in answer.text) == (True, True)
    async with visitor() as second:
        refused = await second.open(link)
        assert (refused.status_code, "used already" in refused.text) == (404, True)
        assert "set-cookie" not in refused.headers


async def test_the_cookie_says_nothing_and_no_script_sees_it(gateway: RunningGateway, person: Visitor) -> None:
    answer = await person.http.get(_link(gateway))
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "ada" not in cookie
    assert "eyJ" not in cookie  # as every JWT begins


async def test_a_page_of_ours_asks_as_the_person(gateway: RunningGateway, signed_in: Visitor) -> None:
    answer = await _viewer(gateway, signed_in, CSRF)
    assert answer.json()["data"]["viewer"] == {"subject": "ada", "tenantId": "harbour"}
    ours = await _viewer(gateway, signed_in, {**CSRF, "origin": gateway.url, "sec-fetch-site": "same-origin"})
    assert ours.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {**CSRF, "origin": "https://evil.example"},
        {**CSRF, "origin": "null"},
        {**CSRF, "sec-fetch-site": "cross-site"},
        {**CSRF, "sec-fetch-site": "same-site"},
    ],
)
async def test_a_page_of_others_asks_as_nobody(
    gateway: RunningGateway, signed_in: Visitor, headers: dict[str, str]
) -> None:
    answer = await _viewer(gateway, signed_in, headers)
    assert answer.status_code == 401
    query = await signed_in.http.get(f"{gateway.url}/graphql", params=VIEWER, headers=headers)
    assert query.status_code == 401
    events = await signed_in.http.post(
        f"{gateway.url}/graphql/stream", json=VIEWER, headers={**headers, "accept": "text/event-stream"}
    )
    assert events.status_code == 401


async def test_agents_door_takes_no_cookie(gateway: RunningGateway, signed_in: Visitor) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"accept": "application/json, text/event-stream"}
    answer = await signed_in.http.post(f"{gateway.url}/mcp", json=asked, headers={**CSRF, **accept})
    assert answer.status_code == 401


async def test_a_header_counts_before_the_cookie(gateway: RunningGateway, signed_in: Visitor) -> None:
    other = gateway.client(tenant="elsewhere", subject="lin").headers
    answer = await _viewer(gateway, signed_in, {**CSRF, **other})
    assert answer.json()["data"]["viewer"] == {"subject": "lin", "tenantId": "elsewhere"}


async def _socket(gateway: RunningGateway, someone: Visitor, origin: str | None) -> Any:
    """The first message of a socket opened with the cookie from a page of this origin."""
    cookie = "; ".join(f"{each.name}={each.value}" for each in someone.http.cookies.jar)
    address = gateway.url.replace("http", "ws", 1) + "/graphql"
    headers = {"cookie": cookie, **({"origin": origin} if origin else {})}
    async with connect(
        address, subprotocols=[Subprotocol("graphql-transport-ws")], additional_headers=headers, proxy=None
    ) as socket:
        await socket.send('{"type":"connection_init"}')
        return json.loads(await socket.recv())


async def test_a_socket_of_our_page_is_opened_by_the_cookie(gateway: RunningGateway, signed_in: Visitor) -> None:
    assert (await _socket(gateway, signed_in, gateway.url))["type"] == "connection_ack"


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example"])
async def test_a_socket_of_another_page_is_not(gateway: RunningGateway, signed_in: Visitor, origin: str | None) -> None:
    with pytest.raises((ConnectionClosed, InvalidStatus)):
        await _socket(gateway, signed_in, origin)


async def test_a_cookie_that_was_tampered_with_is_none(gateway: RunningGateway, signed_in: Visitor) -> None:
    [cookie] = signed_in.http.cookies.jar
    sealed = str(cookie.value)
    for forged in (sealed[:-2], sealed[:40] + ("A" if sealed[40] != "A" else "B") + sealed[41:], "", "A" * 5000, "%%%"):
        headers = {**CSRF, "cookie": f"{cookie.name}={forged}"}
        async with httpx2.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{gateway.url}/graphql", json=VIEWER, headers=headers)
        assert answer.status_code == 401


async def test_signing_out_ends_it_in_this_browser(gateway: RunningGateway, signed_in: Visitor) -> None:
    await signed_in.open(f"{gateway.url}/logout")
    forged = await signed_in.http.post(f"{gateway.url}/logout", headers={"origin": "https://evil.example"})
    assert "set-cookie" not in forged.headers
    answer = await signed_in.send(signed_in.form())
    assert "Signed out" in answer.text
    assert (await _viewer(gateway, signed_in, CSRF)).status_code == 401


@pytest.mark.parametrize(
    "back",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a b",
        "",
        "/@evil",
        "/\t/evil",
    ],
)
async def test_a_person_is_only_sent_on_to_an_address_of_ours(
    gateway: RunningGateway, person: Visitor, back: str
) -> None:
    address = httpx2.URL(_link(gateway)).copy_add_param("return", back)
    answer = await person.http.get(address)
    assert answer.headers["location"] == "/login"
    fine = httpx2.URL(_link(gateway)).copy_add_param("return", "/console/agents?first=5")
    assert (await person.http.get(fine)).headers["location"] == "/console/agents?first=5"


async def test_without_a_provider_the_page_says_so(gateway: RunningGateway, person: Visitor) -> None:
    answer = await person.open(f"{gateway.url}/login")
    assert (answer.status_code, "shows a link" in answer.text) == (404, True)
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_with_https_the_cookie_is_the_hosts_alone() -> None:
    browsers = Browsers(SealedCookies(bytes(32)), None, None, is_secure=True)
    answer = Response()
    caller = Caller("harbour", "ada", frozenset({Role.OWNER}))
    assert browsers.welcome(answer, Secret("token"), caller)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-mandate=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert not browsers.welcome(Response(), Secret("t" * 4_000), caller)  # longer than a browser keeps
