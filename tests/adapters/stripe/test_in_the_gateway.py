"""Stripe through the gateway: connected by key and by consent, and money that moves once."""

from typing import Any

from adapters.stripe.sandbox_state import HARBOUR, KEY, LIVE_KEY, QUAY
from domain.json import Json
from gateway.browsing import Browser
from tests.support.gateways import CONNECT, SESSION, Client, RunningGateway, agent_with_grant

PLAN: dict[str, Json] = {"amount": 1900, "currency": "eur", "interval": "month", "product_name": "Pier watch"}


async def connected_by_key(owner: Client, key: str = KEY) -> Any:
    wanted: Json = {"integration": "stripe", "credentials": {"key": key}}
    made = (await owner.ask(CONNECT, {"input": wanted}))["connect"]
    assert made["errors"] == [], made
    return made["connection"]


async def connected_by_consent(owner: Client, *actions: str) -> Any:
    wanted: Json = {"integration": "stripe", "actions": list(actions)}
    begun = (await owner.ask(CONNECT, {"input": wanted}))["connect"]
    assert not begun["errors"], begun
    browser = Browser()
    page = await browser.open(begun["session"]["authorizationUrl"])
    await browser.press(page, decision="authorize", account=QUAY)
    session = (await owner.ask(SESSION, {"id": begun["session"]["id"]}))["node"]
    assert session["status"] == "COMPLETED", session
    return session["connection"]


async def done(agent: Client, action: str, **parameters: Json) -> Any:
    payload = await agent.execute(f"stripe.{action}", parameters)
    assert (payload["errors"], payload["execution"]["status"]) == ([], "SUCCEEDED"), payload
    return payload["execution"]["result"]


async def test_test_and_live_books_of_one_account_are_two_connections(gateway: RunningGateway) -> None:
    owner = gateway.client()
    practice, live = await connected_by_key(owner), await connected_by_key(owner, LIVE_KEY)
    assert practice["id"] != live["id"]
    assert (practice["account"]["label"], live["account"]["label"]) == (
        "Harbour Office (test mode)",
        "Harbour Office (live mode)",
    )
    assert practice["account"]["id"].startswith(HARBOUR)


async def test_an_agent_sees_revenue_and_sets_up_a_subscription(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await connected_by_key(owner)
    agent = (await agent_with_grant(owner, connection["id"])).client
    revenue = await done(agent, "view_revenue", since="2026-01-01", until="2026-12-31")
    assert {row["currency"] for row in revenue["rows"]} <= {"eur", "usd"}
    made = await done(agent, "set_up_subscription", **PLAN, customer_email="mate@harbour.example")
    assert made["price"]["text"] == "19.00 EUR"
    listed = await done(agent, "list_subscriptions", customer=made["customer"])
    assert [each["id"] for each in listed] == [made["subscription"]["id"]]


async def test_a_lost_answer_in_the_middle_is_made_good_without_anything_twice(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = (await agent_with_grant(owner, (await connected_by_key(owner))["id"])).client
    before = (await gateway.effects("stripe"))["effects"]
    for step in ("prices", "subscriptions"):
        await gateway.misbehave("lost_answer", f"POST /v1/{step}", service="stripe")
    await done(agent, "set_up_subscription", **PLAN, customer_email="twice@harbour.example")
    after = (await gateway.effects("stripe"))["effects"]
    for step in ("products", "prices", "customers", "subscriptions"):
        route = f"POST /v1/{step}"
        assert after[route] - before.get(route, 0) == 1


async def test_a_connection_by_consent_acts_in_the_name_of_the_account(gateway: RunningGateway) -> None:
    owner = gateway.client()
    connection = await connected_by_consent(owner, "stripe.view_revenue", "stripe.list_products")
    assert connection["account"]["label"] == "Quayside Cafe (test mode)"
    assert connection["grantedScopes"] == ["read_only"]
    agent = (await agent_with_grant(owner, connection["id"])).client
    assert [each["name"] for each in await done(agent, "list_products")] == ["Melon bun"]
    refused = await agent.execute("stripe.create_customer", {"name": "Ada"})
    assert refused["errors"][0]["missingScopes"] == ["read_write"], refused
