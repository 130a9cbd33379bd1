"""Pages on which customers pay: checkout, links, the portal, and the invoices."""

import pytest

from domain.errors import NotThere, Rejected
from domain.json import Json
from tests.adapters.stripe.shop import forms
from tests.support.overheard import Connected

DONE = "https://harbour.example/thanks?session={CHECKOUT_SESSION_ID}"


async def price(shop: Connected, kind: str) -> str:
    return str((await shop.rows("list_prices", type=kind))[0]["id"])


async def test_a_checkout_page_is_made_for_a_payment(shop: Connected) -> None:
    once = await price(shop, "one_time")
    made = await shop.row(
        "create_checkout_session",
        mode="payment",
        line_items=[{"price": once, "quantity": 3}],
        success_url=DONE,
        cancel_url="https://harbour.example/back",
        customer_email="new@example.com",
        metadata=[{"key": "cart", "value": "7"}],
    )
    assert (made["mode"], made["status"], made["payment_status"], made["client_secret"]) == (
        "payment",
        "open",
        "unpaid",
        None,
    )
    assert str(made["url"]).startswith("http")
    sent = forms(shop, "/v1/checkout/sessions")[0]
    assert (sent["success_url"], sent["line_items"]) == (DONE, {"0": {"price": once, "quantity": "3"}})


async def test_an_embedded_one_has_a_secret_instead_of_an_address(shop: Connected) -> None:
    made = await shop.row(
        "create_checkout_session",
        mode="subscription",
        line_items=[{"price": await price(shop, "recurring")}],
        success_url=DONE,
        ui_mode="embedded_page",
    )
    assert (made["url"], bool(made["client_secret"])) == (None, True)
    assert forms(shop, "/v1/checkout/sessions")[0]["return_url"] == DONE


@pytest.mark.parametrize(
    "wrong",
    [
        {"customer": "cus_1", "customer_email": "a@b.c"},
        {"ui_mode": "embedded_page", "cancel_url": "https://x.example"},
    ],
)
async def test_what_does_not_go_together_is_refused_before_a_call(shop: Connected, wrong: dict[str, Json]) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await shop.run(
            "create_checkout_session", mode="payment", line_items=[{"price": "p"}], success_url=DONE, **wrong
        )
    assert shop.asked() == []


async def test_a_checkout_of_the_wrong_mode_is_refused_by_stripe(shop: Connected) -> None:
    with pytest.raises(Rejected, match="invalid_request_error") as caught:
        await shop.run(
            "create_checkout_session",
            mode="subscription",
            line_items=[{"price": await price(shop, "one_time")}],
            success_url=DONE,
        )
    assert (caught.value.status, caught.value.may_have_happened) == (400, False)


@pytest.mark.parametrize(
    ("wish", "sent"),
    [
        ({}, None),
        ({"redirect_url": "https://x.example/"}, {"type": "redirect", "redirect": {"url": "https://x.example/"}}),
        (
            {"confirmation_message": "Ahoy"},
            {"type": "hosted_confirmation", "hosted_confirmation": {"custom_message": "Ahoy"}},
        ),
    ],
)
async def test_a_payment_link_says_what_comes_after(shop: Connected, wish: dict[str, Json], sent: object) -> None:
    made = await shop.row("create_payment_link", line_items=[{"price": await price(shop, "one_time")}], **wish)
    assert (made["active"], str(made["url"]).startswith("http")) == (True, True)
    assert forms(shop, "/v1/payment_links")[0].get("after_completion") == sent


async def test_a_payment_link_has_one_end(shop: Connected) -> None:
    with pytest.raises(Rejected, match="not both"):
        await shop.run(
            "create_payment_link",
            line_items=[{"price": "p"}],
            redirect_url="https://x.example",
            confirmation_message="Ahoy",
        )


async def test_a_customer_gets_a_way_to_their_own_account(shop: Connected) -> None:
    (lin,) = await shop.rows("list_customers", email="lin@harbour.example")
    made = await shop.row(
        "create_billing_portal_session", customer=lin["id"], return_url="https://x.example/", configuration="bpc_1"
    )
    assert (made["customer"], made["return_url"]) == (lin["id"], "https://x.example/")
    with pytest.raises(NotThere):
        await shop.run("create_billing_portal_session", customer="cus_nobody")


async def test_invoices_are_listed_by_how_they_stand(shop: Connected) -> None:
    (sam,) = await shop.rows("search_customers", query="name~'sam'")
    await shop.run(
        "set_up_subscription", amount=900, currency="eur", interval="week", product_name="A", customer=sam["id"]
    )
    (invoice,) = await shop.rows("list_invoices", customer=sam["id"])
    assert (invoice["status"], invoice["customer_email"], invoice["due_at"]) == ("open", "sam@quay.example", None)
    assert await shop.rows("list_invoices", status="paid") == []
