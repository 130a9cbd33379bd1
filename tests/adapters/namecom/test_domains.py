"""Domains at name.com: found, priced, and bought once, for no more than was allowed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

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
from tests.adapters.namecom.shop import open_shop
from tests.support.overheard import Connected

FREE = "lighthouse-keepers.com"
DEAR = "lamp.dev"
TAKEN = "example.com"
OURS = "harbour-office.com"
BUY = "/core/v1/domains"
RENEW = f"{BUY}/{OURS}:renew"
KEY = "X-Idempotency-Key"


@pytest.fixture
async def shop() -> AsyncIterator[Connected]:
    async with open_shop() as found:
        yield found


# -------------------------------------------------------------------------------------------- the account


async def test_the_connection_names_the_user(shop: Connected) -> None:
    identity = await shop.identify()
    assert (identity.account.id, identity.account.label, identity.scopes) == (USERNAME, USERNAME, None)


async def test_the_account_is_told(shop: Connected) -> None:
    assert await shop.run("get_account") == {"id": USERNAME}


@pytest.mark.parametrize(("username", "token"), [(USERNAME, "wrong"), ("nobody", "wrong"), (USERNAME, OTHER_TOKEN)])
async def test_a_wrong_token_asks_for_a_new_connection(shop: Connected, username: str, token: str) -> None:
    shop.fields = {"username": username, "token": token}
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


async def test_a_search_offers_names_with_prices_as_decimal_text(shop: Connected) -> None:
    offers = await shop.rows("search_domains", keyword="lighthouse keepers", tlds=["com", "dev"], limit=5)
    assert 0 < len(offers) <= 5
    assert {str(offer["domain"]).rpartition(".")[2] for offer in offers} <= {"com", "dev"}
    offer = next(offer for offer in offers if offer["purchasable"] and str(offer["domain"]).endswith(".com"))
    assert (offer["purchase_price"], offer["renewal_price"]) == ("12.99", "17.99")


async def test_availability_comes_in_the_order_asked_also_for_endings_nobody_sells(shop: Connected) -> None:
    names: list[Json] = [TAKEN, "lighthouse.nosuch", FREE]
    offers = await shop.rows("check_availability", domains=names)
    assert [offer["domain"] for offer in offers] == names
    assert [offer["purchasable"] for offer in offers] == [False, False, True]


async def test_prices_are_told_for_the_years_asked(shop: Connected) -> None:
    assert await shop.run("get_pricing", domain=FREE, years=3) == {
        "premium": False,
        "purchase_price": "48.97",
        "renewal_price": "53.97",
        "transfer_price": "17.99",
    }


async def test_a_term_that_is_not_sold_has_no_price(shop: Connected) -> None:
    assert (await shop.row("get_pricing", domain="lighthouse-keepers.ai", years=1))["purchase_price"] is None


# ------------------------------------------------------------------------------------------------- buying


async def test_a_domain_is_bought_and_belongs_to_the_account(shop: Connected) -> None:
    bought = await shop.row("purchase_domain", domain=FREE, max_price=12.99)
    domains = [domain["domain"] for domain in await shop.rows("list_domains")]
    assert isinstance(bought.pop("order"), int)
    assert bought == {
        "domain": FREE,
        "state": "registered",
        "quoted_price": "12.99",
        "total_paid": "12.99",
        "expires_at": "2028-01-15T08:00:00Z",
        "autorenew": True,
        "privacy": False,
    }
    assert FREE in domains
    assert (await shop.row("get_domain", domain=FREE))["renewal_price"] == "17.99"
    with pytest.raises(Rejected):
        await shop.run("purchase_domain", domain=TAKEN, max_price=12.99)


async def test_nothing_is_bought_above_the_limit(shop: Connected) -> None:
    with pytest.raises(Rejected, match=r"costs 12\.99 US dollars") as caught:
        await shop.run("purchase_domain", domain=FREE, max_price=12.98)
    assert not caught.value.may_have_happened
    assert shop.asked(BUY) == []


async def test_the_limit_is_for_all_the_years(shop: Connected) -> None:
    with pytest.raises(Rejected, match=r"costs 48\.97"):
        await shop.run("purchase_domain", domain=FREE, years=3, max_price=30.0)
    assert (await shop.row("purchase_domain", domain=FREE, years=3, max_price=48.97))["total_paid"] == "48.97"


async def test_a_premium_domain_costs_its_own_price(shop: Connected) -> None:
    with pytest.raises(Rejected, match=r"costs 349\.95"):
        await shop.run("purchase_domain", domain=DEAR, max_price=20)
    with pytest.raises(Rejected, match="payment"):
        await shop.run("purchase_domain", domain=DEAR, max_price=400)


async def test_a_term_that_is_not_sold_is_not_ordered(shop: Connected) -> None:
    with pytest.raises(Rejected, match="does not sell"):
        await shop.run("purchase_domain", domain="lighthouse-keepers.ai", max_price=500)
    assert shop.asked(BUY) == []


async def test_credit_that_is_used_up_is_told_in_our_words(shop: Connected) -> None:
    shop.fields = {"username": OTHER_USERNAME, "token": OTHER_TOKEN}
    with pytest.raises(Rejected, match="credit") as caught:
        await shop.run("purchase_domain", domain=FREE, max_price=20)
    assert (caught.value.status, caught.value.may_have_happened) == (402, False)


async def test_every_attempt_of_one_purchase_carries_the_same_key_and_its_questions_carry_none(
    shop: Connected,
) -> None:
    shop.key = uuid4()
    await shop.run("purchase_domain", domain=FREE, max_price=20)
    await shop.run("purchase_domain", domain=FREE, max_price=20)
    assert shop.headers(BUY, KEY) == [str(shop.key)] * 2
    assert shop.headers(f"{BUY}:checkAvailability", KEY) == [None] * 2
    assert shop.headers(":getPricing", KEY) == [None] * 2


async def test_a_purchase_whose_answer_was_lost_is_found_again_and_paid_once(shop: Connected) -> None:
    shop.key = uuid4()
    shop.misbehave("lost_answer", f"POST {BUY}")
    with pytest.raises(ProviderProblem) as lost:
        await shop.run("purchase_domain", domain=FREE, max_price=20)
    found = await shop.row("purchase_domain", domain=FREE, max_price=20)
    assert lost.value.may_have_happened
    assert found["total_paid"] == "12.99"
    assert shop.app.control.effects[f"POST {BUY}"] == 1


async def test_a_question_whose_answer_was_lost_has_bought_nothing(shop: Connected) -> None:
    shop.misbehave("lost_answer", "POST *:checkAvailability")
    with pytest.raises(ProviderProblem) as lost:
        await shop.run("purchase_domain", domain=FREE, max_price=20)
    assert not lost.value.may_have_happened


async def test_a_domain_the_account_has_is_not_bought_again(shop: Connected) -> None:
    await shop.run("purchase_domain", domain=FREE, max_price=20)
    with pytest.raises(AlreadyThere, match="already"):
        await shop.run("purchase_domain", domain=FREE, max_price=20)
    assert shop.app.control.effects[f"POST {BUY}"] == 1


async def test_a_key_used_for_another_order_leaves_it_open_what_happened(shop: Connected) -> None:
    shop.key = uuid4()
    await shop.run("purchase_domain", domain=FREE, max_price=20)
    with pytest.raises(AlreadyThere) as caught:
        await shop.run("purchase_domain", domain="lighthouse-keepers.net", max_price=20)
    assert caught.value.may_have_happened


# ----------------------------------------------------------------------------------------------- renewing


async def test_a_domain_is_renewed_for_no_more_than_was_allowed(shop: Connected) -> None:
    before = await shop.row("get_domain", domain=OURS)
    renewed = await shop.row("renew_domain", domain=OURS, years=2, max_price=35.98)
    after = await shop.row("get_domain", domain=OURS)
    assert isinstance(renewed.pop("order"), int)
    assert (before["expires_at"], after["expires_at"]) == ("2028-01-12T09:00:00Z", "2030-01-12T09:00:00Z")
    assert renewed == {
        "domain": OURS,
        "years": 2,
        "state": "renewed",
        "quoted_price": "35.98",
        "total_paid": "35.98",
        "expires_at": after["expires_at"],
    }
    assert shop.bodies(RENEW) == [{"years": 2, "purchasePrice": 17.99}]
    assert shop.headers(RENEW, KEY) == [None]


async def test_nothing_is_renewed_above_the_limit(shop: Connected) -> None:
    with pytest.raises(Rejected, match=r"costs 35\.98 US dollars") as caught:
        await shop.run("renew_domain", domain=OURS, years=2, max_price=35.97)
    assert not caught.value.may_have_happened
    assert shop.asked(RENEW) == []


async def test_a_premium_domain_is_renewed_at_its_own_price(shop: Connected) -> None:
    with pytest.raises(Rejected, match=r"costs 699\.90"):
        await shop.run("renew_domain", domain=DEAR, years=2, max_price=350)


async def test_a_term_that_is_not_sold_is_not_renewed(shop: Connected) -> None:
    with pytest.raises(Rejected, match="does not renew") as caught:
        await shop.run("renew_domain", domain="lighthouse-keepers.ai", max_price=500)
    assert not caught.value.may_have_happened


async def test_a_domain_of_somebody_else_is_not_renewed(shop: Connected) -> None:
    with pytest.raises(NotThere) as caught:
        await shop.run("renew_domain", domain="quayside-cafe.com", max_price=20)
    assert not caught.value.may_have_happened


async def test_a_renewal_that_the_credit_does_not_cover_is_told_in_our_words(shop: Connected) -> None:
    shop.fields = {"username": OTHER_USERNAME, "token": OTHER_TOKEN}
    with pytest.raises(Rejected, match="credit") as caught:
        await shop.run("renew_domain", domain="quayside-cafe.com", max_price=20)
    assert (caught.value.status, caught.value.may_have_happened) == (402, False)


async def test_a_renewal_has_no_key_so_a_lost_answer_leaves_it_open_what_happened(shop: Connected) -> None:
    shop.misbehave("lost_answer", "POST *:renew")
    with pytest.raises(ProviderProblem) as lost:
        await shop.run("renew_domain", domain=OURS, max_price=20)
    assert lost.value.may_have_happened
    assert shop.app.control.effects["POST /core/v1/domains/{domainName}:renew"] == 1


# -------------------------------------------------------------------------------------------- name servers


async def test_name_servers_are_replaced_as_often_as_one_likes(shop: Connected) -> None:
    names: list[Json] = ["ns1.example.org", "ns2.example.org"]
    for _ in range(2):
        assert await shop.run("set_nameservers", domain=OURS, nameservers=names) == names
    assert (await shop.row("get_domain", domain=OURS))["nameservers"] == names


async def test_name_servers_of_somebody_elses_domain_stay(shop: Connected) -> None:
    with pytest.raises(NotThere):
        await shop.run("set_nameservers", domain="quayside-cafe.com", nameservers=["ns1.example.org", "ns2.org"])


@pytest.mark.parametrize("names", [[], ["ns1.example.org"], ["ns1", "ns2"], ["ns1.example.org", "NS2.example.org"]])
def test_what_are_no_name_servers_is_refused_before_the_call(shop: Connected, names: list[Json]) -> None:
    assert shop.mistakes("set_nameservers", domain=OURS, nameservers=names) != []


# --------------------------------------------------------------------------------------------------- lists


async def test_a_list_stops_at_the_limit(shop: Connected) -> None:
    assert [domain["domain"] for domain in await shop.rows("list_domains", limit=1)] == [OURS]


async def test_a_domain_of_somebody_else_is_not_there(shop: Connected) -> None:
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


async def test_a_revoked_token_is_refused(shop: Connected) -> None:
    assert shop.app.control.revoke(shop.fields["token"])
    with pytest.raises(ReconnectNeeded):
        await shop.identify()


# ----------------------------------------------------------------------------------------- the declarations


def test_what_spends_deletes_or_can_take_a_site_down_is_destructive(shop: Connected) -> None:
    effects = {name.removeprefix("namecom."): act.effect for name, act in shop.integration.actions.items()}
    destructive = {name for name, effect in effects.items() if effect is Effect.DESTRUCTIVE}
    assert destructive == {
        "purchase_domain",
        "renew_domain",
        "set_nameservers",
        "delete_dns_record",
        "upsert_dns_record",
    }


def test_only_what_is_safe_to_run_again_says_so(shop: Connected) -> None:
    actions = {name.removeprefix("namecom."): act for name, act in shop.integration.actions.items()}
    repeatable = {name for name, act in actions.items() if act.is_idempotent and act.effect is not Effect.READ}
    assert repeatable == {"purchase_domain", "set_nameservers", "update_dns_record", "upsert_dns_record"}


@pytest.mark.parametrize(
    "domain", ["Example.com", "example", "exa mple.com", "-a.com", "example.com/..", "münchen.de", "a..com"]
)
def test_what_is_no_domain_is_refused_before_the_call(shop: Connected, domain: str) -> None:
    assert shop.integration.actions["namecom.get_domain"].check({"domain": domain}) != ()
