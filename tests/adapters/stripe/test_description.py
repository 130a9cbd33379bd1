"""Every action once, and with that every route that is described: all requests and answers are as Stripe says."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from domain.errors import AnswerGarbled, AnswerLost, ProviderProblem
from domain.json import Json
from tests.adapters.stripe.shop import DESCRIPTION
from tests.support.overheard import Connected

HOME: Json = "https://harbour.example/"


async def test_every_action_asks_what_is_described_and_understands_the_answer(shop: Connected) -> None:
    ran = {f"stripe.{name}" for name in await everything(shop)}
    assert ran == set(shop.integration.actions)
    found = [
        DESCRIPTION._route(request.method.lower(), urlsplit(request.url).path) for request, _ in shop.transport.heard
    ]
    asked = {f"{each[2]['operationId']}" for each in found if each is not None}
    described = {each["operationId"] for path in DESCRIPTION.document["paths"].values() for each in path.values()}
    assert described - asked == {"PostOauthDeauthorize"}  # no action: a connection is taken back


async def everything(shop: Connected) -> set[str]:
    """Run every action, each with all that it takes or nearly so. Returns their names."""
    ran = set()

    async def run(name: str, /, **parameters: Json) -> Any:
        ran.add(name)
        return await shop.run(name, **parameters)

    await run("get_account")
    await run("get_balance")
    await run("list_balance_transactions", created_since=1, type="charge", limit=5)
    await run("view_revenue", since="2026-12-01", until="2026-12-31", group_by="month", currency="eur")
    [charge, *_] = await run("list_charges", limit=1)
    await run("create_refund", charge=charge["id"], amount=1, reason="requested_by_customer")
    product = await run("create_product", name="Pier", description="Wood", active=True, images=[HOME])
    await run("update_product", product=product["id"], description="Stone")
    await run("list_products", active=True)
    price = await run("create_price", product=product["id"], currency="eur", unit_amount=100, interval="week")
    await run("list_prices", product=product["id"], type="recurring")
    customer = await run("create_customer", email="mate@harbour.example", address={"city": "Hamburg"})
    id = customer["id"]
    await run("update_customer", customer=id, phone="+49 40 1")
    await run("get_customer", customer=id, with_subscriptions=True)
    await run("list_customers", email="mate@harbour.example")
    await run("search_customers", query="email:'mate@harbour.example'")
    made = await run("create_subscription", customer=id, items=[{"price": price["id"]}], trial_period_days=3)
    await run("get_subscription", subscription=made["id"])
    await run("update_subscription", subscription=made["id"], cancel_at_period_end=True, proration_behavior="none")
    await run("list_subscriptions", customer=id, price=price["id"], status="trialing")
    await run("cancel_subscription", subscription=made["id"], prorate=True)
    await run("set_up_subscription", amount=5, currency="eur", interval="day", product=product["id"], customer=id)
    await run("list_invoices", customer=id, status="open")
    line: Json = [{"price": price["id"], "quantity": 2}]
    await run("create_checkout_session", mode="subscription", line_items=line, success_url=HOME, customer=id)
    await run("create_payment_link", line_items=line, redirect_url=HOME)
    await run("create_billing_portal_session", customer=id, return_url=HOME)
    await run("delete_customer", customer=id)
    return ran


@pytest.mark.parametrize(("kind", "problem"), [("huge", AnswerGarbled), ("reset", AnswerLost)])
async def test_a_broken_answer_to_a_write_may_have_happened(
    shop: Connected, kind: str, problem: type[ProviderProblem]
) -> None:
    shop.misbehave(kind, "POST /v1/customers")
    with pytest.raises(problem) as caught:
        await shop.run("create_customer", name="Ada")
    assert caught.value.may_have_happened
    shop.transport.mistakes.clear()
