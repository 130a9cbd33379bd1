"""The name.com sandbox by itself: as strict as the description where a client may be careless."""

from base64 import b64encode
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest

from adapters.namecom.sandbox import sandbox
from adapters.namecom.sandbox_state import TOKEN, USERNAME
from tests.support.serving import serving

ORDER = {"domain": {"domainName": "lighthouse-keepers.com"}}


class Clock:
    """Stands still until it is moved. Epoch seconds."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    async with (
        serving(sandbox(now=clock)) as address,
        httpx2.AsyncClient(base_url=f"{address}/core/v1", auth=(USERNAME, TOKEN)) as found,
    ):
        yield found


async def test_every_answer_says_that_it_is_a_sandbox(client: httpx2.AsyncClient) -> None:
    for path in ("/hello", "/nothing-here"):
        assert (await client.get(path)).headers["x-mandate-sandbox"] == "namecom"


@pytest.mark.parametrize(
    "header", ["", "Bearer " + TOKEN, "Basic ???", "Basic " + b64encode(USERNAME.encode()).decode()]
)
async def test_without_the_token_nothing_is_told(client: httpx2.AsyncClient, header: str) -> None:
    answer = await client.get("/hello", auth=None, headers={"authorization": header})
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


async def test_a_body_that_does_not_call_itself_json_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/domains", content=b"{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 415


async def test_the_twenty_first_request_of_a_second_is_told_when_to_come_back(
    client: httpx2.AsyncClient, clock: Clock
) -> None:
    statuses = [(await client.get("/hello")).status_code for _ in range(20)]
    refused = await client.get("/hello")
    clock.time += 1
    assert statuses == [200] * 20
    assert (refused.status_code, refused.headers["x-ratelimit-reset"]) == (429, "1800000001")
    assert (await client.get("/hello")).status_code == 200


async def test_a_repeated_order_gets_the_first_answer_for_twelve_hours(
    client: httpx2.AsyncClient, clock: Clock
) -> None:
    key = {"X-Idempotency-Key": str(uuid4())}
    first = await client.post("/domains", json=ORDER, headers=key)
    again = await client.post("/domains", json=ORDER, headers=key)
    clock.time += 12 * 3600
    late = await client.post("/domains", json=ORDER, headers=key)
    assert (first.status_code, again.json()) == (200, first.json())
    assert (again.headers["X-Idempotency-Key"], again.headers["X-Idempotent-Replay"]) == (
        key["X-Idempotency-Key"],
        "1",
    )
    assert "X-Idempotent-Replay" not in first.headers
    assert late.status_code == 400  # it was bought, and not twice


async def test_credit_can_be_used_up(client: httpx2.AsyncClient) -> None:
    names = [f"lighthouse-keeper-{number}.com" for number in range(20)]
    answer = await client.post("/domains:checkAvailability", json={"domainNames": names})
    free = [found["domainName"] for found in answer.json()["results"] if found["purchasable"]]
    statuses = [(await client.post("/domains", json={"domain": {"domainName": name}})).status_code for name in free[:8]]
    assert statuses == [200] * 7 + [402]  # 100 dollars buy seven at 12.99


async def test_lists_come_in_pages(client: httpx2.AsyncClient) -> None:
    first = (await client.get("/domains", params={"perPage": 1})).json()
    last = (await client.get("/domains", params={"perPage": 1, "page": first["nextPage"]})).json()
    assert (first["totalCount"], first["from"], first["to"], first["lastPage"]) == (2, 1, 1, 2)
    assert (last["from"], "nextPage" in last, "lastPage" in last) == (2, False, False)


@pytest.mark.parametrize(
    "record",
    [
        {"type": "A", "host": "", "answer": "2001:db8::1"},
        {"type": "SPF", "host": "", "answer": "v=spf1"},
        {"type": "MX", "host": "", "answer": "mail.example.org"},
        {"type": "A", "host": "", "answer": "203.0.113.1", "ttl": 60},
        {"type": "TXT", "host": "", "answer": ""},
        {"type": "TXT", "host": 7, "answer": "x"},
    ],
)
async def test_a_record_that_cannot_be_is_refused(client: httpx2.AsyncClient, record: dict[str, str | int]) -> None:
    answer = await client.post("/domains/harbour-office.com/records", json=record)
    assert answer.status_code == 400
    assert set(answer.json()) == {"message", "details"}
