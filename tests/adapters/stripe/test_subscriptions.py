"""Subscriptions at Stripe: set up in one go, changed, ended; and no step done twice."""

from uuid import uuid4

import pytest

from domain.errors import AnswerLost, NotThere, Rejected, Unavailable
from domain.json import Json
from tests.adapters.stripe.shop import forms
from tests.support.overheard import Connected

PLAN: dict[str, Json] = {"amount": 1900, "currency": "usd", "interval": "month", "product_name": "Pier watch"}


async def customer(shop: Connected, name: str) -> str:
    (found,) = await shop.rows("search_customers", query=f"name~'{name}'")
    return str(found["id"])


async def monthly(shop: Connected) -> str:
    (price,) = await shop.rows("list_prices", type="recurring")
    return str(price["id"])


# ---------------------------------------------------------------------------------------------- in one go


async def test_a_subscription_is_set_up_in_one_go(shop: Connected) -> None:
    sam = await customer(shop, "sam")
    made = await shop.row("set_up_subscription", **PLAN, customer=sam, quantity=2)
    subscription, price = made["subscription"], made["price"]
    assert isinstance(subscription, dict)
    assert isinstance(price, dict)
    assert made["customer"] == subscription["customer"] == sam
    assert (price["text"], price["interval"], price["product"]) == ("19.00 USD", "month", made["product"])
    assert subscription["status"] == "incomplete"
    assert str(subscription["payment_url"]).startswith("http")
    assert [each["id"] for each in await shop.rows("list_products", ids=[made["product"]])] == [made["product"]]
    (invoice,) = await shop.rows("list_invoices", subscription=subscription["id"], status="open", customer=sam)
    assert (invoice["total"], invoice["text"], invoice["subscription"]) == (3800, "38.00 USD", subscription["id"])
    assert await shop.rows("list_charges", customer=sam) == []


async def test_a_new_customer_and_an_existing_product_do_too(shop: Connected) -> None:
    product = str((await shop.row("create_product", name="Pier"))["id"])
    made = await shop.row(
        "set_up_subscription",
        amount=500,
        currency="kwd",
        interval="year",
        product=product,
        customer_email="new@example.com",
        customer_name="New",
        trial_period_days=14,
    )
    assert made["product"] == product
    assert (await shop.row("get_customer", customer=made["customer"]))["name"] == "New"
    assert isinstance(made["subscription"], dict)
    assert (made["subscription"]["status"], made["subscription"]["payment_url"]) == ("trialing", None)
    assert len(forms(shop, "/v1/products")) == 1


async def test_each_step_has_a_key_of_its_own_and_the_same_in_every_attempt(shop: Connected) -> None:
    shop.key = uuid4()
    for _ in range(2):
        await shop.run("set_up_subscription", **PLAN, customer_email="new@example.com")
    steps = ("products", "prices", "customers", "subscriptions")
    keys = {step: set(shop.headers(f"/v1/{step}", "idempotency-key")) for step in steps}
    assert keys == {step: {f"{shop.key}-{step.removesuffix('s')}"} for step in steps}
    assert {name: count for name, count in shop.app.control.effects.items() if "/v1/" in name} == {
        f"POST /v1/{step}": 1 for step in steps
    }


@pytest.mark.parametrize("step", ["products", "prices", "customers", "subscriptions"])
async def test_a_lost_answer_at_any_step_and_a_second_attempt_make_everything_once(shop: Connected, step: str) -> None:
    shop.key = uuid4()
    shop.misbehave("lost_answer", f"POST /v1/{step}")
    with pytest.raises(AnswerLost) as caught:
        await shop.run("set_up_subscription", **PLAN, customer_email="new@example.com")
    assert caught.value.may_have_happened
    await shop.run("set_up_subscription", **PLAN, customer_email="new@example.com")
    assert set(shop.app.control.effects.values()) == {1}
    assert len(await shop.rows("list_customers", email="new@example.com")) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"product": "prod_1"},
        {"product_name": None},
        {"customer": "cus_1", "customer_email": "a@b.c"},
        {"customer_email": None},
        {"customer": "cus_1", "customer_email": None, "customer_name": "x"},
        {"collection_method": "send_invoice"},
        {"days_until_due": 30},
    ],
)
async def test_what_does_not_go_together_is_refused_before_a_call(shop: Connected, wrong: dict[str, Json]) -> None:
    with pytest.raises(Rejected, match="Nothing was sent") as caught:
        await shop.run("set_up_subscription", **{**PLAN, "customer_email": "new@example.com", **wrong})
    assert not caught.value.may_have_happened
    assert shop.asked() == []


async def test_nothing_is_made_for_a_customer_or_a_product_that_is_not_there(shop: Connected) -> None:
    sam = await customer(shop, "sam")
    with pytest.raises(NotThere):
        await shop.run("set_up_subscription", **PLAN, customer="cus_nobody")
    with pytest.raises(NotThere, match="no such product"):
        await shop.run("set_up_subscription", **{**PLAN, "product_name": None, "product": "prod_no"}, customer=sam)
    await shop.run("delete_customer", customer=sam)
    with pytest.raises(NotThere, match="deleted"):
        await shop.run("set_up_subscription", **PLAN, customer=sam)
    assert shop.asked(writes=True) == ["DELETE"]


async def test_a_step_refused_after_others_says_that_something_happened(shop: Connected) -> None:
    shop.misbehave("422", "POST /v1/subscriptions")
    with pytest.raises(Rejected, match="card_declined") as caught:
        await shop.run("set_up_subscription", **PLAN, customer_email="new@example.com")
    assert caught.value.may_have_happened
    assert "insufficient_funds" in caught.value.message


# -------------------------------------------------------------------------------------------- one by one


async def test_a_customer_with_a_card_pays_at_once_when_allowed(shop: Connected) -> None:
    lin = await customer(shop, "lin")
    made = await shop.row(
        "create_subscription",
        customer=lin,
        items=[{"price": await monthly(shop), "quantity": 2}],
        payment_behavior="allow_incomplete",
        metadata=[{"key": "berth", "value": "9"}],
    )
    assert (made["status"], made["metadata"]) == ("active", {"berth": "9"})
    assert (await shop.rows("list_charges", customer=lin, limit=1))[0]["text"] == "98.00 EUR"
    (invoice,) = await shop.rows("list_invoices", subscription=made["id"])
    assert (invoice["status"], invoice["amount_remaining"]) == ("paid", 0)


async def test_one_without_a_card_is_refused_or_invoiced(shop: Connected) -> None:
    sam, price = await customer(shop, "sam"), await monthly(shop)
    with pytest.raises(NotThere):
        await shop.run(
            "create_subscription", customer=sam, items=[{"price": price}], payment_behavior="error_if_incomplete"
        )
    made = await shop.row(
        "create_subscription",
        customer=sam,
        items=[{"price": price}],
        collection_method="send_invoice",
        days_until_due=30,
    )
    assert (made["status"], made["collection_method"]) == ("active", "send_invoice")
    assert (await shop.row("get_subscription", subscription=made["id"]))["payment_url"] == made["payment_url"]
    assert "payment_behavior" not in forms(shop, "/v1/subscriptions")[-1]


async def test_a_subscription_is_made_once_by_its_key(shop: Connected) -> None:
    shop.key = uuid4()
    lin, price = await customer(shop, "lin"), await monthly(shop)
    shop.misbehave("lost_answer", "POST /v1/subscriptions")
    wish: dict[str, Json] = {"customer": lin, "items": [{"price": price}], "payment_behavior": "allow_incomplete"}
    with pytest.raises(AnswerLost):
        await shop.run("create_subscription", **wish)
    made = await shop.row("create_subscription", **wish)
    assert shop.app.control.effects["POST /v1/subscriptions"] == 1
    assert made["id"] in [each["id"] for each in await shop.rows("list_subscriptions", customer=lin)]


async def test_a_key_with_other_parameters_is_refused(shop: Connected) -> None:
    shop.key = uuid4()
    await shop.run("create_customer", name="Ada")
    with pytest.raises(Rejected, match="idempotency_error"):
        await shop.run("create_customer", name="Grace")


async def test_a_failure_of_theirs_is_tried_again_with_the_same_key(shop: Connected) -> None:
    shop.key = uuid4()
    shop.misbehave("500", "POST /v1/customers")
    with pytest.raises(Unavailable) as caught:
        await shop.run("create_customer", name="Ada")
    assert caught.value.may_have_happened
    await shop.run("create_customer", name="Ada")
    assert shop.app.control.effects["POST /v1/customers"] == 1


async def test_a_plan_is_changed_and_the_end_set_and_taken_back(shop: Connected) -> None:
    (before,) = await shop.rows("list_subscriptions", status="active")
    assert isinstance(before["items"], list)
    item = before["items"][0]
    dearer = await shop.row("create_price", product_name="Berth XL", currency="eur", unit_amount=9900, interval="month")
    changed = await shop.row(
        "update_subscription",
        subscription=before["id"],
        items=[{"id": item["id"], "price": dearer["id"], "quantity": 3}],
        proration_behavior="none",
        cancel_at_period_end=True,
        metadata=[{"key": "berth", "value": ""}],
    )
    assert isinstance(changed["items"], list)
    assert [(each["price"]["text"], each["quantity"]) for each in changed["items"]] == [("99.00 EUR", 3)]
    assert (changed["cancel_at_period_end"], changed["metadata"]) == (True, {})
    assert changed["cancel_at"] is not None
    back = await shop.row("update_subscription", subscription=before["id"], cancel_at_period_end=False)
    assert (back["cancel_at_period_end"], back["cancel_at"]) == (False, None)


async def test_an_item_is_added_and_another_taken_out(shop: Connected) -> None:
    (before,) = await shop.rows("list_subscriptions")
    assert isinstance(before["items"], list)
    price = await shop.row("create_price", product_name="Power", currency="eur", unit_amount=700, interval="month")
    gone: Json = {"id": before["items"][0]["id"], "deleted": True}
    changed = await shop.row("update_subscription", subscription=before["id"], items=[gone, {"price": price["id"]}])
    assert isinstance(changed["items"], list)
    assert [each["price"]["id"] for each in changed["items"]] == [price["id"]]


async def test_a_subscription_is_cancelled_once(shop: Connected) -> None:
    (before,) = await shop.rows("list_subscriptions")
    ended = await shop.row("cancel_subscription", subscription=before["id"], invoice_now=True, prorate=True)
    assert (ended["status"], ended["ended_at"] is not None) == ("canceled", True)
    assert shop.headers(f"/v1/subscriptions/{before['id']}", "idempotency-key") == [None]
    with pytest.raises(NotThere):
        await shop.run("cancel_subscription", subscription=before["id"])
    assert await shop.rows("list_subscriptions") == []
    for status in ("all", "canceled", "ended"):
        assert [each["id"] for each in await shop.rows("list_subscriptions", status=status)] == [before["id"]]


async def test_subscriptions_are_found_by_price(shop: Connected) -> None:
    assert len(await shop.rows("list_subscriptions", price=await monthly(shop))) == 1
    assert await shop.rows("list_subscriptions", price="price_other") == []
