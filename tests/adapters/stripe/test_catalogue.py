"""Products, prices and customers at Stripe."""

import pytest

from adapters.stripe.sandbox_state import QUAY_KEY
from domain.errors import AlreadyThere, NotThere, Rejected
from domain.json import Json
from tests.adapters.stripe.shop import Clock, forms
from tests.support.overheard import Connected


async def a_product(shop: Connected, name: str = "Mooring") -> str:
    return str((await shop.row("create_product", name=name))["id"])


# ------------------------------------------------------------------------------------------------- products


async def test_a_product_is_created_with_all_that_is_told_of_it(shop: Connected) -> None:
    made = await shop.row(
        "create_product",
        name="Mooring & more",
        description="A place for the night",
        active=True,
        default_price={"currency": "usd", "unit_amount": 1999, "recurring": {"interval": "month"}},
        images=["https://harbour.example/a.png", "https://harbour.example/b.png"],
        tax_code="txcd_10000000",
        metadata=[{"key": "berth no.", "value": "12 = 'x'"}],
    )
    assert (made["name"], made["active"], made["metadata"]) == ("Mooring & more", True, {"berth no.": "12 = 'x'"})
    assert forms(shop, "/v1/products")[0]["default_price_data"]["recurring"] == {
        "interval": "month",
        "interval_count": "1",
    }
    (price,) = await shop.rows("list_prices", product=made["id"])
    assert (price["id"], price["text"], price["interval"]) == (made["default_price"], "19.99 USD", "month")


async def test_a_product_is_changed_where_something_is_told(shop: Connected) -> None:
    product = await a_product(shop)
    price = await shop.row("create_price", product=product, currency="eur", unit_amount=500)
    changed = await shop.row(
        "update_product",
        product=product,
        active=False,
        default_price=price["id"],
        metadata=[{"key": "a", "value": "b"}],
    )
    assert (changed["name"], changed["active"], changed["default_price"]) == ("Mooring", False, price["id"])
    again = await shop.row("update_product", product=product, name="Pier", metadata=[{"key": "a", "value": ""}])
    assert (again["name"], again["active"], again["metadata"]) == ("Pier", False, {})


async def test_products_are_listed_newest_first_and_by_what_is_asked(shop: Connected) -> None:
    product = await a_product(shop)
    assert (await shop.rows("list_products"))[0]["id"] == product
    assert [each["id"] for each in await shop.rows("list_products", ids=[product])] == [product]
    assert await shop.rows("list_products", active=False) == []


# --------------------------------------------------------------------------------------------------- prices


async def test_a_price_of_a_new_product_is_one_call(shop: Connected) -> None:
    price = await shop.row(
        "create_price",
        product_name="Night watch",
        currency="jpy",
        unit_amount=2000,
        interval="month",
        interval_count=3,
        nickname="quarterly",
        lookup_key="watch-quarterly",
    )
    assert (price["text"], price["type"], price["interval_count"]) == ("2000 JPY", "recurring", 3)
    assert [each["id"] for each in await shop.rows("list_prices", lookup_keys=["watch-quarterly"])] == [price["id"]]
    with pytest.raises(AlreadyThere):
        await shop.run(
            "create_price", product_name="Other", currency="jpy", unit_amount=1, lookup_key="watch-quarterly"
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"product": "prod_1", "product_name": "Both"},
        {"product": "prod_1", "interval_count": 2},
    ],
)
async def test_what_does_not_go_together_in_a_price_is_refused_before_a_call(
    shop: Connected, wrong: dict[str, Json]
) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await shop.run("create_price", currency="usd", unit_amount=100, **wrong)
    assert shop.asked() == []


async def test_prices_are_listed_by_kind(shop: Connected) -> None:
    once = await shop.rows("list_prices", type="one_time", active=True)
    again = await shop.rows("list_prices", type="recurring")
    assert {each["type"] for each in once} == {"one_time"}
    assert {each["interval"] for each in again} == {"month"}


@pytest.mark.parametrize(
    ("action", "parameters", "pointer"),
    [
        ("create_price", {"product": "prod_1", "currency": "USD", "unit_amount": 1}, "/currency"),
        ("create_price", {"product": "prod_1", "currency": "usd", "unit_amount": 19.99}, "/unit_amount"),
        ("create_price", {"product": "prod_1", "currency": "usd", "unit_amount": -1}, "/unit_amount"),
        ("create_price", {"product": "../x", "currency": "usd", "unit_amount": 1}, "/product"),
        ("create_price", {"product": "prod_1", "currency": "usd"}, "/unit_amount"),
        ("create_product", {"name": ""}, "/name"),
        ("create_product", {"name": "x" * 251}, "/name"),
        ("create_product", {"name": "x", "images": ["ftp://x"]}, "/images/0"),
        ("create_product", {"name": "x", "metadata": [{"key": "a[b]", "value": ""}]}, "/metadata/0/key"),
        ("create_product", {"name": "x", "metadata": {"a": "b"}}, "/metadata"),
        ("create_customer", {"email": "lin\n@harbour.example"}, "/email"),
        ("create_customer", {"email": "nobody"}, "/email"),
        ("create_customer", {"address": {"country": "Germany"}}, "/address/country"),
        ("get_customer", {"customer": "cus_1/../2"}, "/customer"),
        ("get_customer", {}, "/customer"),
        ("list_customers", {"limit": 1001}, "/limit"),
        ("list_charges", {"created_since": "2026-01-01"}, "/created_since"),
        ("search_customers", {"query": "x"}, "/query"),
        ("cancel_subscription", {"subscription": "cus_1"}, "/subscription"),
        ("update_subscription", {"subscription": "sub_1", "items": [{"id": "price_1"}]}, "/items/0/id"),
        ("create_subscription", {"customer": "cus_1", "items": []}, "/items"),
        ("create_subscription", {"customer": "cus_1", "items": [{"price": "p", "amount": 1}]}, "/items/0/amount"),
        ("create_refund", {"charge": "pi_1"}, "/charge"),
        ("create_refund", {"charge": "ch_1", "amount": 0}, "/amount"),
        ("create_billing_portal_session", {"customer": "cus_1", "configuration": "x"}, "/configuration"),
        ("view_revenue", {"since": "2026-13-01", "until": "2026-10-31"}, "/since"),
        ("view_revenue", {"since": "2026-10-01"}, "/until"),
    ],
)
def test_mistakes_are_found_before_a_call_leaves(
    shop: Connected, action: str, parameters: dict[str, Json], pointer: str
) -> None:
    assert shop.mistakes(action, **parameters) == [pointer]


# ------------------------------------------------------------------------------------------------ customers


async def test_a_customer_is_created_found_changed_and_deleted(shop: Connected) -> None:
    made = await shop.row(
        "create_customer",
        email="ada+1@example.com",
        name="Ada",
        description="Knows boats",
        phone="+49 40 123",
        address={"line1": "Pier 1", "city": "Hamburg", "country": "DE"},
        metadata=[{"key": "plan", "value": "gold"}],
    )
    id = made["id"]
    assert [each["id"] for each in await shop.rows("list_customers", email="ada+1@example.com")] == [id]
    assert (await shop.row("get_customer", customer=id))["address"] == {
        "line1": "Pier 1",
        "line2": None,
        "city": "Hamburg",
        "state": None,
        "postal_code": None,
        "country": "DE",
    }
    changed = await shop.row("update_customer", customer=id, name="Ada L.")
    assert (changed["name"], changed["email"], changed["metadata"]) == ("Ada L.", "ada+1@example.com", {"plan": "gold"})
    assert await shop.row("delete_customer", customer=id) == {"id": id, "deleted": True}
    gone = await shop.row("get_customer", customer=id)
    assert (gone["deleted"], gone["email"]) == (True, None)
    with pytest.raises(NotThere):
        await shop.run("delete_customer", customer=id)
    assert id not in [each["id"] for each in await shop.rows("list_customers")]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("email:'lin@harbour.example'", ["Lin Harbour"]),
        ("name~'quay'", ["Sam Quay"]),
        ("name~'harbour' OR name~'quay'", ["Sam Quay", "Lin Harbour"]),
        ("name~'harbour' AND email:'sam@quay.example'", []),
        ("metadata['plan']:'gold'", []),
    ],
)
async def test_customers_are_searched(shop: Connected, query: str, names: list[str]) -> None:
    assert [each["name"] for each in await shop.rows("search_customers", query=query)] == names


async def test_lists_are_walked_by_their_last_element_and_searches_by_page(shop: Connected) -> None:
    for number in range(102):
        await shop.run("create_customer", name=f"Mate {number}")
    shop.transport.heard.clear()

    listed = await shop.rows("list_customers", limit=104)
    found = await shop.rows("search_customers", query="name~'mate'", limit=101)

    assert [each["name"] for each in listed[-4:]] == ["Mate 1", "Mate 0", "Sam Quay", "Lin Harbour"]
    assert len({each["id"] for each in listed}) == 104
    assert [each.get("starting_after") for each in shop.queries("/v1/customers")] == [None, [str(listed[99]["id"])]]
    assert [each["id"] for each in found] == [each["id"] for each in listed[:101]]
    assert [each["limit"] for each in shop.queries("/search")] == [["100"], ["1"]]
    assert len(await shop.rows("list_customers", limit=3)) == 3


async def test_customers_are_listed_by_when_they_were_created(shop: Connected, clock: Clock) -> None:
    await shop.run("create_customer", name="New")
    now = int(clock.time)
    assert [each["name"] for each in await shop.rows("list_customers", created_since=now)] == ["New"]
    assert len(await shop.rows("list_customers", created_before=now)) == 2


async def test_a_customer_tells_their_subscriptions_when_asked(shop: Connected) -> None:
    (lin,) = await shop.rows("list_customers", email="lin@harbour.example")
    assert lin["subscriptions"] is None
    told = await shop.row("get_customer", customer=lin["id"], with_subscriptions=True)
    assert isinstance(told["subscriptions"], list)
    assert [each["status"] for each in told["subscriptions"]] == ["active"]


async def test_accounts_are_apart(shop: Connected) -> None:
    (lin,) = await shop.rows("list_customers", email="lin@harbour.example")
    shop.fields = {"key": QUAY_KEY}
    with pytest.raises(NotThere, match="resource_missing"):
        await shop.run("get_customer", customer=lin["id"])
