"""The Cloudflare sandbox by itself: as strict as the real one where a client may be careless."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from adapters.cloudflare.sandbox import sandbox
from adapters.cloudflare.sandbox_state import (
    ACCOUNT_ID,
    ACCOUNT_TOKEN,
    OTHER_ACCOUNT_ID,
    OTHER_TOKEN,
    READING_TOKEN,
    TOKEN,
)
from tests.adapters.cloudflare.shop import Clock
from tests.support.serving import serving

REGISTRAR = f"/accounts/{ACCOUNT_ID}/registrar"


def as_(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def code(answer: httpx2.Response) -> tuple[int, int]:
    """The status, and the number of the refusal."""
    body = answer.json()
    assert (body["success"], body["result"]) == (False, None)
    return answer.status_code, body["errors"][0]["code"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    async with (
        serving(sandbox(per_window=30, now=clock)) as address,
        httpx2.AsyncClient(base_url=f"{address}/client/v4", headers=as_(TOKEN)) as found,
    ):
        yield found


@pytest.fixture
async def records(client: httpx2.AsyncClient) -> str:
    (zone,) = (await client.get("/zones", params={"name": "harbour-office.com"})).json()["result"]
    return f"/zones/{zone['id']}/dns_records"


async def test_every_answer_says_that_it_is_a_sandbox(client: httpx2.AsyncClient) -> None:
    for path in ("/zones", "/nothing-here"):
        assert (await client.get(path)).headers["x-mandate-sandbox"] == "cloudflare"


@pytest.mark.parametrize(
    ("header", "path", "expected"),
    [
        ("", "/zones", (400, 6003)),
        ("Bearer short", "/zones", (400, 6003)),
        (f"Basic {TOKEN}", "/zones", (400, 6003)),
        ("Bearer nobody-ever-made-this-token", "/zones", (403, 9109)),
        ("Bearer nobody-ever-made-this-token", "/user/tokens/verify", (401, 1000)),
        (f"Bearer {ACCOUNT_TOKEN}", "/user/tokens/verify", (401, 1000)),
        (f"Bearer {ACCOUNT_TOKEN}", "/accounts", (400, 1001)),
        (f"Bearer {TOKEN}", f"/accounts/{ACCOUNT_ID}/tokens/verify", (401, 1000)),
        (f"Bearer {OTHER_TOKEN}", f"/accounts/{ACCOUNT_ID}", (403, 9109)),
    ],
)
async def test_a_token_opens_what_it_is_for(
    client: httpx2.AsyncClient, header: str, path: str, expected: tuple[int, int]
) -> None:
    assert code(await client.get(path, headers={"authorization": header})) == expected


async def test_a_token_that_may_only_read_may_ask_but_changes_nothing(client: httpx2.AsyncClient, records: str) -> None:
    asked = await client.post(f"{REGISTRAR}/domain-check", json={"domains": ["a.com"]}, headers=as_(READING_TOKEN))
    assert asked.status_code == 200
    assert code(await client.post(records, json={}, headers=as_(READING_TOKEN))) == (403, 10000)


async def test_zones_of_an_account_out_of_reach_are_not_there(client: httpx2.AsyncClient, records: str) -> None:
    assert code(await client.get(records, headers=as_(OTHER_TOKEN))) == (404, 7003)
    found = (await client.get("/zones", headers=as_(OTHER_TOKEN))).json()["result"]
    assert {each["account"]["id"] for each in found} == {OTHER_ACCOUNT_ID}


async def test_a_limit_is_kept_and_says_how_long_to_wait(client: httpx2.AsyncClient, clock: Clock) -> None:
    statuses = [(await client.get("/zones")).status_code for _ in range(30)]
    refused = await client.get("/zones")
    clock.time += 300
    assert statuses == [200] * 30
    assert (code(refused), refused.headers["retry-after"]) == ((429, 971), "300")
    assert (await client.get("/zones")).status_code == 200


async def test_lists_come_in_pages_of_no_less_than_five(client: httpx2.AsyncClient) -> None:
    found = (await client.get("/zones", params={"per_page": 5, "page": 2})).json()
    assert found["result"] == []
    assert (found["result_info"]["total_pages"], found["result_info"]["total_count"]) == (1, 3)
    assert code(await client.get("/zones", params={"per_page": 1})) == (400, 1004)
    assert code(await client.get(f"{REGISTRAR}/registrations", params={"cursor": "%"})) == (400, 1004)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"type": "A", "name": "x", "content": "2001:db8::1"}, 9005),
        ({"type": "SPF", "name": "x", "content": "v=spf1"}, 1004),
        ({"type": "MX", "name": "x", "content": "mail.example.org"}, 9100),
        ({"type": "A", "name": "x", "content": "203.0.113.1", "ttl": 30}, 9021),
        ({"type": "TXT", "name": "x", "content": "x", "proxied": True}, 9004),
        ({"type": "TXT", "name": 7, "content": "x"}, 9000),
        ({"type": "SRV", "name": "x", "content": "1 2 3 x"}, 1004),
        ({"type": "CNAME", "name": "www.harbour-office.com", "content": "x.example.org"}, 81053),
        ([], 9207),
    ],
)
async def test_a_record_that_cannot_be_is_refused(
    client: httpx2.AsyncClient, records: str, record: object, expected: int
) -> None:
    assert code(await client.post(records, json=record)) == (400, expected)


async def test_what_a_change_does_not_name_stays(client: httpx2.AsyncClient, records: str) -> None:
    (mail,) = (await client.get(records, params={"type": "MX"})).json()["result"]
    changed = (await client.patch(f"{records}/{mail['id']}", json={"ttl": 600})).json()["result"]
    assert (changed["ttl"], changed["content"], changed["priority"]) == (600, mail["content"], 10)


async def test_a_name_is_registered_once(client: httpx2.AsyncClient) -> None:
    order = {"domain_name": "lighthouse-keepers.com"}
    first = await client.post(f"{REGISTRAR}/registrations", json=order)
    assert (first.status_code, first.json()["result"]["completed"]) == (202, False)
    assert code(await client.post(f"{REGISTRAR}/registrations", json=order)) == (409, 10003)


@pytest.mark.parametrize(
    ("kind", "status"), [("429", 429), ("403_secondary", 403), ("401", 401), ("422", 200), ("500", 500), ("503", 503)]
)
async def test_a_fault_is_answered_as_the_service_would(client: httpx2.AsyncClient, kind: str, status: int) -> None:
    control = str(client.base_url).replace("/client/v4/", "/_sandbox/faults")
    assert (await client.post(control, json={"kind": kind})).status_code == 201
    assert code(await client.get("/zones"))[0] == status
