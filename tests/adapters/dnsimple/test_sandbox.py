"""The DNSimple sandbox by itself: as strict as the real one where a client may be careless."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from adapters.dnsimple.sandbox import sandbox
from adapters.dnsimple.sandbox_state import ACCOUNT_ID, EMAIL, OTHER_ACCOUNT_ID, READING_TOKEN, TOKEN, USER_TOKEN
from tests.adapters.dnsimple.shop import Clock
from tests.support.serving import serving

RECORDS = f"/{ACCOUNT_ID}/zones/harbour-office.com/records"


def as_(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    async with (
        serving(sandbox(per_hour=40, now=clock)) as address,
        httpx2.AsyncClient(base_url=f"{address}/v2", headers=as_(TOKEN)) as found,
    ):
        yield found


async def test_every_answer_says_that_it_is_a_sandbox(client: httpx2.AsyncClient) -> None:
    for path in ("/whoami", "/nothing-here"):
        assert (await client.get(path)).headers["x-mandate-sandbox"] == "dnsimple"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
async def test_without_the_token_nothing_is_told(client: httpx2.AsyncClient, header: str) -> None:
    answer = await client.get("/whoami", headers={"authorization": header})
    assert (answer.status_code, answer.json()) == (401, {"message": "Authentication failed"})


async def test_a_token_is_of_an_account_or_of_a_person(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/whoami")).json()["data"]["account"]["email"] == EMAIL
    person = (await client.get("/whoami", headers=as_(USER_TOKEN))).json()["data"]
    assert (person["account"], len((await client.get("/accounts", headers=as_(USER_TOKEN))).json()["data"])) == (
        None,
        2,
    )
    assert (await client.get(f"/{OTHER_ACCOUNT_ID}/domains", headers=as_(USER_TOKEN))).status_code == 200


@pytest.mark.parametrize("account", [str(OTHER_ACCOUNT_ID), "1", "abc", "9" * 40])
async def test_an_account_that_is_not_the_token_s_is_not_there(client: httpx2.AsyncClient, account: str) -> None:
    assert (await client.get(f"/{account}/domains")).status_code == 404


async def test_a_token_that_may_only_read_changes_nothing(client: httpx2.AsyncClient) -> None:
    assert (await client.get(RECORDS, headers=as_(READING_TOKEN))).status_code == 200
    assert (await client.post(RECORDS, json={}, headers=as_(READING_TOKEN))).status_code == 403


async def test_every_answer_counts_down_and_the_last_says_when_to_come_back(
    client: httpx2.AsyncClient, clock: Clock
) -> None:
    answers = [await client.get("/whoami") for _ in range(41)]
    clock.time += 3600
    assert [each.headers["x-ratelimit-remaining"] for each in answers[:2]] == ["39", "38"]
    assert (answers[-1].status_code, answers[-1].headers["x-ratelimit-reset"]) == (429, "1800003600")
    assert (await client.get("/whoami")).status_code == 200


async def test_lists_come_in_pages(client: httpx2.AsyncClient) -> None:
    found = (await client.get(RECORDS, params={"per_page": 4, "page": 2})).json()
    assert found["pagination"] == {"current_page": 2, "per_page": 4, "total_entries": 9, "total_pages": 3}
    assert len(found["data"]) == 4
    assert (await client.get(RECORDS, params={"per_page": 101})).status_code == 400


async def test_an_empty_name_filters_nothing(client: httpx2.AsyncClient) -> None:
    found = (await client.get(RECORDS, params={"name": ""})).json()["data"]
    assert {each["name"] for each in found} == {"", "www"}


@pytest.mark.parametrize(
    "record",
    [
        {"type": "A", "name": "", "content": "2001:db8::1"},
        {"type": "SOA", "name": "", "content": "x"},
        {"type": "A", "name": "", "content": "203.0.113.1", "ttl": 0},
        {"type": "A", "name": "", "content": "203.0.113.10"},
        {"type": "TXT", "name": "", "content": ""},
        {"type": "TXT", "name": 7, "content": "x"},
        {"type": "SRV", "name": "_sip._tcp", "content": "host.example.org"},
        [],
        "record",
    ],
)
async def test_a_record_that_cannot_be_is_refused(client: httpx2.AsyncClient, record: object) -> None:
    answer = await client.post(RECORDS, json=record)
    assert answer.status_code == 400
    assert set(answer.json()) == {"message", "errors"}


async def test_the_service_s_own_records_stay(client: httpx2.AsyncClient) -> None:
    (soa,) = (await client.get(RECORDS, params={"type": "SOA"})).json()["data"]
    assert (await client.patch(f"{RECORDS}/{soa['id']}", json={"ttl": 60})).status_code == 400
    assert (await client.delete(f"{RECORDS}/{soa['id']}")).status_code == 400


async def test_the_child_of_an_alias_goes_with_it(client: httpx2.AsyncClient) -> None:
    alias = (await client.post(RECORDS, json={"type": "ALIAS", "name": "dock", "content": "example.org"})).json()[
        "data"
    ]
    assert len((await client.get(RECORDS, params={"name": "dock"})).json()["data"]) == 2
    assert (await client.delete(f"{RECORDS}/{alias['id']}")).status_code == 204
    assert (await client.get(RECORDS, params={"name": "dock"})).json()["data"] == []


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("403_secondary", 403), ("500", 500), ("503", 503)])
async def test_a_fault_is_answered_as_the_service_would(client: httpx2.AsyncClient, kind: str, status: int) -> None:
    control = str(client.base_url).replace("/v2/", "/_sandbox/faults")
    assert (await client.post(control, json={"kind": kind})).status_code == 201
    answer = await client.get("/whoami")
    assert (answer.status_code, list(answer.json())) == (status, ["message"])
