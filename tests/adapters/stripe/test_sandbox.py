"""The Stripe sandbox by itself: as strict as the real one where a client may be careless."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from adapters.stripe.sandbox import sandbox
from adapters.stripe.sandbox_forms import Form, Wrong, nested
from adapters.stripe.sandbox_state import CLIENT_ID, HARBOUR, KEY, LIVE_KEY, PLATFORM_KEY, QUAY
from tests.adapters.stripe.shop import Clock
from tests.support.serving import serving


@pytest.fixture
async def client(clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    async with (
        serving(sandbox(now=clock)) as address,
        httpx2.AsyncClient(base_url=address, trust_env=False, headers=as_(KEY)) as client,
    ):
        yield client


def as_(key: str, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}", **more}


def code(answer: httpx2.Response) -> tuple[int, str | None]:
    """The status, and the code of the refusal."""
    error = answer.json()["error"]
    assert error["message"]
    assert answer.headers["request-id"].startswith("req_")
    return answer.status_code, error.get("code")


async def test_it_says_that_it_is_a_sandbox(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/")).json()["sandbox"] is True
    answer = await client.get("/v1/account")
    assert answer.headers["x-mandate-sandbox"] == "stripe"
    assert "SANDBOX" in (await client.get("/pages/in_1")).text


async def test_a_key_may_be_the_user_name(client: httpx2.AsyncClient) -> None:
    del client.headers["authorization"]
    assert (await client.get("/v1/account", auth=(KEY, ""))).json()["id"] == HARBOUR
    assert code(await client.get("/v1/account")) == (401, None)


@pytest.mark.parametrize(
    ("method", "path", "form", "expected"),
    [
        ("POST", "/v1/customers", {"nmae": "x"}, (400, "parameter_unknown")),
        ("POST", "/v1/customers", {"email": "x"}, (400, "email_invalid")),
        ("POST", "/v1/customers", {"address[street]": "x"}, (400, "parameter_unknown")),
        ("POST", "/v1/customers", {"address": "x"}, (400, "parameter_invalid_empty")),
        ("POST", "/v1/customers", {"a[b": "x"}, (400, "parameter_unknown")),
        ("POST", "/v1/products", {}, (400, "parameter_missing")),
        ("POST", "/v1/prices", {"currency": "usd", "unit_amount": "1"}, (400, "parameter_missing")),
        ("POST", "/v1/prices", {"currency": "usd", "unit_amount": "1.5"}, (400, "parameter_invalid_integer")),
        ("POST", "/v1/prices", {"currency": "US", "unit_amount": "1"}, (400, "parameter_invalid_string")),
        ("POST", "/v1/prices", {"currency": "usd", "unit_amount": "1", "product": "no"}, (400, "resource_missing")),
        ("POST", "/v1/subscriptions", {"customer": "cus_no"}, (400, "resource_missing")),
        ("POST", "/v1/refunds", {}, (400, "parameter_missing")),
        ("POST", "/v1/refunds", {"payment_intent": "pi_no"}, (400, "resource_missing")),
        ("POST", "/v1/payment_links", {}, (400, "parameter_missing")),
        ("POST", "/v1/products/prod_no", {}, (404, "resource_missing")),
        ("DELETE", "/v1/customers/cus_no", None, (404, "resource_missing")),
        ("GET", "/v1/customers?limit=101", None, (400, "parameter_invalid_integer")),
        ("GET", "/v1/customers?starting_after=cus_no", None, (400, "resource_missing")),
        ("GET", "/v1/customers?nope=1", None, (400, "parameter_unknown")),
        ("GET", "/v1/customers/search?query=name", None, (400, None)),
        ("GET", "/v1/nothing", None, (404, None)),
    ],
)
async def test_a_careless_request_is_refused(
    client: httpx2.AsyncClient, method: str, path: str, form: dict[str, str] | None, expected: tuple[int, str | None]
) -> None:
    assert code(await client.request(method, path, data=form)) == expected


async def test_json_is_not_understood(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/v1/customers", json={"name": "x"})).status_code == 400


async def test_an_unknown_version_is_refused(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/v1/balance", headers={"stripe-version": "2011-01-01"})).status_code == 400


async def test_a_key_is_remembered_for_a_day_with_what_it_asked(client: httpx2.AsyncClient, clock: Clock) -> None:
    key = {"idempotency-key": "k-1"}
    first = await client.post("/v1/customers", data={"name": "Ada"}, headers=key)
    again = await client.post("/v1/customers", data={"name": "Ada"}, headers=key)
    assert (first.json(), again.headers["idempotent-replayed"]) == (again.json(), "true")
    other = await client.post("/v1/customers", data={"name": "Grace"}, headers=key)
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    elsewhere = await client.post("/v1/customers", data={"name": "Ada"}, headers={**key, **as_(LIVE_KEY)})
    assert elsewhere.json()["livemode"] is True
    clock.time += 86_401
    assert (await client.post("/v1/customers", data={"name": "Ada"}, headers=key)).json() != first.json()
    assert (await client.post("/v1/customers", headers={"idempotency-key": "k" * 256})).status_code == 400


async def test_what_was_refused_is_not_remembered(client: httpx2.AsyncClient) -> None:
    key = {"idempotency-key": "k-2"}
    assert (await client.post("/v1/products", data={"nam": "x"}, headers=key)).status_code == 400
    assert (await client.post("/v1/products", data={"name": "x"}, headers=key)).status_code == 200


async def test_the_platform_reaches_only_accounts_that_allowed_it(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/v1/account", headers=as_(PLATFORM_KEY))).json()["id"] == "acct_sandbox_platform"
    for key in (PLATFORM_KEY, KEY):
        asked = await client.get("/v1/account", headers=as_(key, **{"stripe-account": QUAY}))
        assert code(asked) == (403, "account_invalid")


@pytest.mark.parametrize(
    ("form", "key", "status"),
    [
        ({"client_id": CLIENT_ID, "stripe_user_id": QUAY}, PLATFORM_KEY, 401),  # never connected
        ({"client_id": CLIENT_ID, "stripe_user_id": QUAY}, "sk_test_other", 401),
        ({"client_id": "ca_other", "stripe_user_id": QUAY}, PLATFORM_KEY, 401),
    ],
)
async def test_only_a_connection_of_one_s_own_is_taken_back(
    client: httpx2.AsyncClient, form: dict[str, str], key: str, status: int
) -> None:
    answer = await client.post("/connect/oauth/deauthorize", data=form, headers=as_(key))
    assert (answer.status_code, answer.json()["error"]) == (status, "invalid_client")


@pytest.mark.parametrize(
    ("kind", "status"),
    [("429", 429), ("403_secondary", 403), ("401", 401), ("404", 404), ("422", 402), ("500", 500), ("503", 503)],
)
async def test_a_fault_is_answered_as_the_service_would(client: httpx2.AsyncClient, kind: str, status: int) -> None:
    assert (await client.post("/_sandbox/faults", json={"kind": kind})).status_code == 201
    assert code(await client.get("/v1/balance"))[0] == status


async def test_its_books_outlive_a_restart(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "stripe.json"
    for expected in (3, 4):
        async with serving(sandbox(file, now=clock)) as address, httpx2.AsyncClient(trust_env=False) as client:
            await client.post(f"{address}/v1/customers", data={"name": "Ada"}, headers=as_(KEY))
            found = (await client.get(f"{address}/v1/customers", headers=as_(KEY))).json()
        assert len(found["data"]) == expected


def test_brackets_become_what_they_stand_for() -> None:
    told = nested({"a": ["1"], "b[c][d]": ["2"], "e[0][f]": ["3"], "e[1][f]": ["4"], "g[]": ["5", "6"]})
    assert told == {
        "a": "1",
        "b": {"c": {"d": "2"}},
        "e": {"0": {"f": "3"}, "1": {"f": "4"}},
        "g": {"0": "5", "1": "6"},
    }
    form = Form(told)
    assert [each.text("f") for each in form.parts("e")] == ["3", "4"]
    assert form.texts("g") == ["5", "6"]
    with pytest.raises(Wrong, match="unknown"):
        form.finish()
    with pytest.raises(Wrong):
        nested({"a": ["1"], "a[b]": ["2"]})
