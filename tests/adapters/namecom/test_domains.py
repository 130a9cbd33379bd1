"""Domains at name.com: found, priced, and bought once, for no more than was allowed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from adapters._kit.sandbox import Fault
from adapters.namecom.sandbox_state import (
    CREDIT_CENTS,
    OTHER_TOKEN,
    OTHER_USERNAME,
    USERNAME,
    World,
)
from domain.catalogue import Effect
from domain.errors import AlreadyThere, NotThere, ProviderProblem, ReconnectNeeded, Rejected, SlowDown
from domain.json import Json
from tests.adapters.namecom.shop import Shop, open_shop

FREE = "lighthouse-keepers.com"
DEAR = "lamp.dev"
TAKEN = "example.com"
BUY = "/core/v1/domains"


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as found:
        yield found


# -------------------------------------------------------------------------------------------- the account


async def test_the_connection_names_the_user(shop: Shop) -> None:
    identity = await shop.identify()
    assert (identity.account.id, identity.account.label, identity.scopes) == (USERNAME, USERNAME, None)


@pytest.mark.parametrize(("username", "token"), [(USERNAME, "wrong"), ("nobody", "wrong"), (USERNAME, OTHER_TOKEN)])
async def test_a_wrong_token_asks_for_a_new_connection(shop: Shop, username: str, token: str) -> None:
    shop.username, shop.token = username, token
    with pytest.raises(ReconnectNeeded):
        await shop.identify()


async def test_a_limit_reached_says_when_it_ends() -> None:
    async with open_shop(per_hour=2, now=lambda: datetime.now(UTC).timestamp()) as shop:
        await shop.identify()
        await shop.identify()
        with pytest.raises(SlowDown) as caught:
            await shop.identify()
    assert caught.value.retry_at is not None
    assert caught.value.retry_at > datetime.now(UTC)


# --------------------------------------------------------------------------------------- finding and pricing


async def test_a_search_offers_names_with_prices_as_decimal_text(shop: Shop) -> None:
    offers = await shop.rows("search_domains", keyword="lighthouse keepers", tlds=["com", "dev"], limit=5)
    assert 0 < len(offers) <= 5
    assert {str(offer["domain"]).rpartition(".")[2] for offer in offers} <= {"com", "dev"}
    offer = next(offer for offer in offers if offer["purchasable"] and str(offer["domain"]).endswith(".com"))
    assert (offer["purchase_price"], offer["renewal_price"]) == ("12.99", "17.99")


async def test_availability_comes_in_the_order_asked_also_for_endings_nobody_sells(shop: Shop) -> None:
    names: list[Json] = [TAKEN, "lighthouse.nosuch", FREE]
    offers = await shop.rows("check_availability", domains=names)
    assert [offer["domain"] for offer in offers] == names
    assert [offer["purchasable"] for offer in offers] == [False, False, True]


async def test_prices_are_told_for_the_years_asked(shop: Shop) -> None:
    assert await shop.run("get_pricing", domain=FREE, years=3) == {
        "premium": False,
        "purchase_price": "48.97",
        "renewal_price": "53.97",
        "transfer_price": "17.99",
    }


async def test_a_term_that_is_not_sold_has_no_price(shop: Shop) -> None:
    assert (await shop.row("get_pricing", domain="lighthouse-keepers.ai", years=1))["purchase_price"] is None


# ------------------------------------------------------------------------------------------------- buying


async def test_a_domain_is_bought_and_belongs_to_the_account(shop: Shop) -> None:
    bought = await shop.row("purchase_domain", domain=FREE, max_price=12.99)
    domains = [domain["domain"] for domain in await shop.rows("list_domains")]
    assert bought["total_paid"] == "12.99"
    assert FREE in domains
    assert (await shop.row("get_domain", domain=FREE))["renewal_price"] == "17.99"
    with pytest.raises(Rejected):
        await shop.run("purchase_domain", domain=TAKEN, max_price=12.99)


async def test_nothing_is_bought_above_the_limit(shop: Shop) -> None:
    with pytest.raises(Rejected, match=r"costs 12\.99 US dollars") as caught:
        await shop.run("purchase_domain", domain=FREE, max_price=12.98)
    assert not caught.value.may_have_happened
    assert shop.transport.sent("POST", BUY) == []


async def test_the_limit_is_for_all_the_years(shop: Shop) -> None:
    with pytest.raises(Rejected, match=r"costs 48\.97"):
        await shop.run("purchase_domain", domain=FREE, years=3, max_price=30.0)
    assert (await shop.row("purchase_domain", domain=FREE, years=3, max_price=48.97))["total_paid"] == "48.97"


async def test_a_premium_domain_costs_its_own_price(shop: Shop) -> None:
    with pytest.raises(Rejected, match=r"costs 349\.95"):
        await shop.run("purchase_domain", domain=DEAR, max_price=20)
    with pytest.raises(Rejected, match="payment"):
        await shop.run("purchase_domain", domain=DEAR, max_price=400)


async def test_a_term_that_is_not_sold_is_not_ordered(shop: Shop) -> None:
    with pytest.raises(Rejected, match="does not sell"):
        await shop.run("purchase_domain", domain="lighthouse-keepers.ai", max_price=500)
    assert shop.transport.sent("POST", BUY) == []


async def test_credit_that_is_used_up_is_told_in_our_words(shop: Shop) -> None:
    shop.username, shop.token = OTHER_USERNAME, OTHER_TOKEN
    with pytest.raises(Rejected, match="credit") as caught:
        await shop.run("purchase_domain", domain=FREE, max_price=20)
    assert (caught.value.status, caught.value.may_have_happened) == (402, False)


async def test_every_attempt_of_one_purchase_carries_the_same_key_and_its_questions_carry_none(
    shop: Shop,
) -> None:
    key = uuid4()
    await shop.run("purchase_domain", key=key, domain=FREE, max_price=20)
    await shop.run("purchase_domain", key=key, domain=FREE, max_price=20)
    keys = [request.headers.get("X-Idempotency-Key") for request in shop.transport.sent("POST", BUY)]
    asked = shop.transport.sent("POST", f"{BUY}:checkAvailability")
    assert keys == [str(key), str(key)]
    assert not any("X-Idempotency-Key" in request.headers for request in asked)


async def test_a_purchase_whose_answer_was_lost_is_found_again_and_paid_once(shop: Shop) -> None:
    key = uuid4()
    shop.app.control.faults.waiting.append(Fault(kind="lost_answer", match=f"POST {BUY}"))
    with pytest.raises(ProviderProblem) as lost:
        await shop.run("purchase_domain", key=key, domain=FREE, max_price=20)
    found = await shop.row("purchase_domain", key=key, domain=FREE, max_price=20)
    assert lost.value.may_have_happened
    assert found["total_paid"] == "12.99"
    assert shop.app.control.effects[f"POST {BUY}"] == 1


async def test_a_question_whose_answer_was_lost_has_bought_nothing(shop: Shop) -> None:
    shop.app.control.faults.waiting.append(Fault(kind="lost_answer", match="POST *:checkAvailability"))
    with pytest.raises(ProviderProblem) as lost:
        await shop.run("purchase_domain", domain=FREE, max_price=20)
    assert not lost.value.may_have_happened


async def test_a_domain_the_account_has_is_not_bought_again(shop: Shop) -> None:
    await shop.run("purchase_domain", domain=FREE, max_price=20)
    with pytest.raises(AlreadyThere, match="already"):
        await shop.run("purchase_domain", domain=FREE, max_price=20)
    assert shop.app.control.effects[f"POST {BUY}"] == 1


async def test_a_key_used_for_another_order_leaves_it_open_what_happened(shop: Shop) -> None:
    key = uuid4()
    await shop.run("purchase_domain", key=key, domain=FREE, max_price=20)
    with pytest.raises(AlreadyThere) as caught:
        await shop.run("purchase_domain", key=key, domain="lighthouse-keepers.net", max_price=20)
    assert caught.value.may_have_happened


# --------------------------------------------------------------------------------------------------- lists


async def test_a_list_stops_at_the_limit(shop: Shop) -> None:
    assert [domain["domain"] for domain in await shop.rows("list_domains", limit=1)] == ["harbour-office.com"]


async def test_a_domain_of_somebody_else_is_not_there(shop: Shop) -> None:
    with pytest.raises(NotThere):
        await shop.run("get_domain", domain="quayside-cafe.com")


# ----------------------------------------------------------------------------------------------- the sandbox


async def test_credit_goes_down_and_the_sandbox_remembers_it_after_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "namecom.json"
    async with open_shop(state) as shop:
        await shop.run("purchase_domain", domain=FREE, max_price=20)
    async with open_shop(state) as again:
        assert FREE in [domain["domain"] for domain in await again.rows("list_domains")]
    assert World.model_validate_json(state.read_bytes()).users[USERNAME].credit == CREDIT_CENTS - 1299


async def test_a_revoked_token_is_refused(shop: Shop) -> None:
    assert shop.app.control.revoke(shop.token)
    with pytest.raises(ReconnectNeeded):
        await shop.identify()


# ----------------------------------------------------------------------------------------- the declarations


def test_buying_and_deleting_are_destructive(shop: Shop) -> None:
    effects = {name.removeprefix("namecom."): act.effect for name, act in shop.integration.actions.items()}
    destructive = {name for name, effect in effects.items() if effect is Effect.DESTRUCTIVE}
    assert destructive == {"purchase_domain", "delete_dns_record", "upsert_dns_record"}


@pytest.mark.parametrize(
    "domain", ["Example.com", "example", "exa mple.com", "-a.com", "example.com/..", "münchen.de", "a..com"]
)
def test_what_is_no_domain_is_refused_before_the_call(shop: Shop, domain: str) -> None:
    assert shop.integration.actions["namecom.get_domain"].check({"domain": domain}) != ()
