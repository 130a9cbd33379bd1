"""Stripe's actions against software that we did not write.

Against emulate's Stripe, which keeps state: what is made is there afterwards. It differs from Stripe: any key passes,
idempotency keys mean nothing, recurring prices are shown as if they were paid once, charges lack members, and there
are no accounts, balances, searches, subscriptions, refunds, links, portals and invoices.

Against Prism, made from the description derived from Stripe's own SDK: everything that is sent is understood. Prism
does not read lists in forms (`items[0][price]`), and takes an object that was not sent for an empty one;
tests/adapters/stripe holds all of it against the description.
"""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from adapters._kit.catalogue import load
from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport
from adapters._kit.integration import Override, credential_from_fields
from domain.catalogue import CallSetting, Integration
from domain.errors import AnswerGarbled, NotThere, Rejected
from domain.json import Json
from tests.support.emulate import emulated
from tests.support.prism import prism

DESCRIPTION = Path(__file__).parents[1] / "adapters" / "stripe" / "description.json"
KEY = "sk_test_key_for_tests"


@dataclass(frozen=True)
class Till:
    """The integration in front of somebody's Stripe."""

    integration: Integration
    address: str

    async def run(self, name: str, /, **parameters: Json) -> Json:
        """Run an action as a checked execution would."""
        action = self.integration.actions[f"stripe.{name}"]
        assert action.check(parameters) == ()
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        credential = credential_from_fields({"key": KEY})
        setting = CallSetting(credential, None, is_sandbox=False, key=uuid4(), deadline_at=deadline)
        return await self.integration.run(action, parameters, setting)

    async def row(self, name: str, /, **parameters: Json) -> dict[str, Json]:
        """The one thing an action answers."""
        found = await self.run(name, **parameters)
        assert isinstance(found, dict)
        return found

    async def rows(self, name: str, /, **parameters: Json) -> list[dict[str, Json]]:
        """The things an action answers."""
        found = await self.run(name, **parameters)
        assert isinstance(found, list)
        return found


async def tills(address: str) -> AsyncIterator[Till]:
    egress = Egress.allowing(networks=["127.0.0.0/8"], http=True)
    async with HttpTransport(egress, version="0") as transport:
        yield Till(load(transport, {"stripe": Override(base_url=address)}, {}).integrations["stripe"], address)


# -------------------------------------------------------------------------------------------------- emulate


@pytest.fixture(scope="module")
def emulated_stripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulated({"stripe": {}}, tmp_path_factory.mktemp("emulate") / "stderr.txt") as services:
        yield services.urls["stripe"]


@pytest.fixture
async def till(emulated_stripe: str) -> AsyncIterator[Till]:
    async for each in tills(emulated_stripe):
        yield each


async def test_a_customer_is_created_changed_found_and_deleted(till: Till) -> None:
    email = f"{uuid4().hex}@example.com"
    metadata: Json = [{"key": "plan", "value": "gold & more"}]
    made = await till.row("create_customer", email=email, name="Ada", metadata=metadata)
    assert (made["email"], made["metadata"]) == (email, {"plan": "gold & more"})
    changed = await till.row("update_customer", customer=made["id"], name="Ada L.")
    assert (changed["name"], changed["email"]) == ("Ada L.", email)
    assert (await till.row("get_customer", customer=made["id"]))["name"] == "Ada L."
    assert [each["id"] for each in await till.rows("list_customers", email=email)] == [made["id"]]
    assert (await till.row("delete_customer", customer=made["id"]))["deleted"] is True
    with pytest.raises(NotThere, match="resource_missing"):
        await till.run("delete_customer", customer=made["id"])


async def test_a_list_is_walked_page_by_page(till: Till) -> None:
    names = [f"page-{uuid4().hex}" for _ in range(104)]  # more than Stripe gives at once
    for name in names:
        await till.run("create_customer", name=name)
    found = [each["name"] for each in await till.rows("list_customers", limit=1000)]
    assert set(names) <= set(found)
    assert len(found) == len(set(found))


async def test_a_product_and_its_prices_are_sold_on_a_page(till: Till) -> None:
    product = await till.row("create_product", name=f"Berth {uuid4().hex}", description="For a night")
    assert product["id"] in [each["id"] for each in await till.rows("list_products", active=True, limit=1000)]
    price = await till.row("create_price", product=product["id"], currency="jpy", unit_amount=2000, interval="month")
    assert (price["text"], price["product"]) == ("2000 JPY", product["id"])
    assert [each["id"] for each in await till.rows("list_prices", product=product["id"])] == [price["id"]]
    session = await till.row(
        "create_checkout_session",
        mode="subscription",
        line_items=[{"price": price["id"], "quantity": 2}],
        success_url="https://harbour.example/thanks",
    )
    assert (session["mode"], session["payment_status"]) == ("subscription", "unpaid")
    assert str(session["url"]).startswith("http")


async def test_charges_are_those_of_the_customer(till: Till) -> None:
    customer = (await till.row("create_customer", name="Payer"))["id"]
    async with httpx2.AsyncClient(base_url=till.address, trust_env=False) as person:
        wanted = {"amount": "1999", "currency": "usd", "customer": str(customer)}
        signed = {"authorization": f"Bearer {KEY}"}
        intent = (await person.post("/v1/payment_intents", data=wanted, headers=signed)).json()["id"]
        card = {"payment_method": "pm_card_visa"}
        await person.post(f"/v1/payment_intents/{intent}/confirm", data=card, headers=signed)
    with pytest.raises(AnswerGarbled) as caught:  # the charge is there, without what Stripe tells of each
        await till.run("list_charges", customer=customer)
    assert caught.value.message.endswith(": amount_refunded, disputed, paid, refunded.")
    assert await till.rows("list_charges", customer="cus_another") == []


async def test_a_refusal_is_understood(till: Till) -> None:
    with pytest.raises(NotThere, match="resource_missing"):
        await till.run("get_customer", customer="cus_nobody")
    with pytest.raises((NotThere, Rejected)):
        await till.run("create_price", product="prod_no", currency="usd", unit_amount=1)


# ---------------------------------------------------------------------------------------------------- Prism


def _readable(content: dict[str, Any]) -> None:
    """Without what Prism would miss; see above."""
    for form in content.values():
        lists = {name for name, each in form["schema"]["properties"].items() if each.get("type") == "array"}
        form["schema"]["required"] = [each for each in form["schema"].get("required", ()) if each not in lists]
        _relax(form["schema"]["properties"])


def _relax(members: dict[str, Any]) -> None:
    for member in members.values():
        member.pop("required", None)
        _relax(member.get("properties", {}))


@pytest.fixture(scope="module")
async def described_stripe(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    samples: dict[str, Json] = {"has_more": False, "currency": "usd", "next_page": None, "metadata": {}}
    folder = tmp_path_factory.mktemp("prism")
    document = json.loads(DESCRIPTION.read_text())
    for path in document["paths"].values():
        _readable(path.get("post", {}).get("requestBody", {}).get("content", {}))
    described = folder / "readable.json"
    described.write_text(json.dumps(document))
    async with prism(described, samples, folder) as address:
        yield address


@pytest.fixture
async def described(described_stripe: str) -> AsyncIterator[Till]:
    async for each in tills(described_stripe):
        yield each


ITEMS: Json = [{"price": "price_1", "quantity": 2}, {"price": "price_2", "quantity": 1}]
NOTES: Json = [{"key": "a", "value": "b"}]
PAID: Json = "https://harbour.example/"
ASKED: list[tuple[str, dict[str, Json]]] = [
    ("get_account", {}),
    ("get_balance", {}),
    ("list_balance_transactions", {"created_since": 1, "created_before": 2, "type": "charge", "payout": "po_1"}),
    ("list_charges", {"customer": "cus_1", "payment_intent": "pi_1", "created_since": 1}),
    ("view_revenue", {"since": "2026-10-01", "until": "2026-10-31", "currency": "usd"}),
    ("create_product", {"name": "A", "active": True, "images": [PAID], "metadata": NOTES}),
    ("list_products", {"active": True, "ids": ["prod_1", "prod_2"]}),
    ("update_product", {"product": "prod_1", "name": "B", "active": False}),
    ("create_price", {"product_name": "A", "currency": "usd", "unit_amount": 1, "interval": "month"}),
    ("list_prices", {"product": "prod_1", "active": True, "type": "recurring", "lookup_keys": ["k"]}),
    ("create_customer", {"email": "a@b.c", "address": {"line1": "Pier 1"}, "metadata": NOTES}),
    ("list_customers", {"email": "a@b.c", "created_before": 9}),
    ("search_customers", {"query": "email:'a@b.c'"}),
    ("get_customer", {"customer": "cus_1", "with_subscriptions": True}),
    ("update_customer", {"customer": "cus_1", "name": "A"}),
    ("delete_customer", {"customer": "cus_1"}),
    ("create_subscription", {"customer": "cus_1", "items": ITEMS, "trial_period_days": 7, "metadata": NOTES}),
    ("list_subscriptions", {"customer": "cus_1", "price": "price_1", "status": "all"}),
    ("get_subscription", {"subscription": "sub_1"}),
    ("update_subscription", {"subscription": "sub_1", "items": [{"id": "si_1", "quantity": 2}]}),
    ("cancel_subscription", {"subscription": "sub_1", "invoice_now": True, "prorate": True}),
    ("create_checkout_session", {"mode": "payment", "line_items": ITEMS, "success_url": PAID}),
    ("create_payment_link", {"line_items": ITEMS, "redirect_url": PAID}),
    ("create_billing_portal_session", {"customer": "cus_1", "return_url": PAID}),
    ("create_refund", {"charge": "ch_1", "amount": 100, "reason": "duplicate"}),
    ("list_invoices", {"customer": "cus_1", "status": "open", "subscription": "sub_1"}),
    (
        "set_up_subscription",
        {"amount": 1, "currency": "usd", "interval": "month", "product_name": "A", "customer_email": "a@b.c"},
    ),
]


@pytest.mark.parametrize(("action", "parameters"), ASKED, ids=[name for name, _ in ASKED])
async def test_what_is_sent_is_understood(described: Till, action: str, parameters: dict[str, Json]) -> None:
    await described.run(action, **parameters)


def test_every_action_is_among_them(described_stripe: str) -> None:
    integration = load(HttpTransport(Egress.allowing(), version="0"), {}, {}).integrations["stripe"]
    assert {f"stripe.{name}" for name, _ in ASKED} == set(integration.actions)
