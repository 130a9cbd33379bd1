"""Domains at DNSimple: checked, priced, and bought once, for no more than was allowed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters._kit.answers import problem_of
from adapters._kit.catalogue import manifest_of
from adapters._kit.http import Incoming
from adapters.dnsimple.sandbox_state import (
    ACCOUNT_ID,
    EMAIL,
    FAILING,
    NAMESERVERS,
    OTHER_ACCOUNT_ID,
    OTHER_TOKEN,
    READING_TOKEN,
    REGISTRY_SECONDS,
    USER_TOKEN,
)
from domain.catalogue import Account, Effect
from domain.errors import (
    AlreadyThere,
    AnswerGarbled,
    Forbidden,
    NotThere,
    ProviderProblem,
    ReconnectNeeded,
    Rejected,
    ScopeMissing,
    SlowDown,
)
from domain.json import Json
from tests.adapters.dnsimple.shop import Clock, open_shop
from tests.support.overheard import Connected

FREE = "lighthouse-keepers.com"
SLOW = "lighthouse-keepers.io"
DEAR = "pier.dev"
TAKEN = "example.com"
OURS = "harbour-office.com"
HOSTED = "harbour-office.dev"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def shop(clock: Clock) -> AsyncIterator[Connected]:
    async with open_shop(now=clock) as found:
        yield found


async def contact(shop: Connected) -> Json:
    """Somebody to register for."""
    return (await shop.rows("list_contacts"))[0]["id"]


# ----------------------------------------------------------------------------------------------- the account


async def test_the_connection_is_to_the_account_of_the_token(shop: Connected) -> None:
    identity = await shop.identify()
    assert (identity.account, identity.scopes) == (Account(str(ACCOUNT_ID), EMAIL), None)


async def test_a_token_that_is_wrong_or_revoked_asks_for_a_new_connection(shop: Connected) -> None:
    assert shop.app.control.revoke(shop.fields["token"])
    with pytest.raises(ReconnectNeeded):
        await shop.identify()


async def test_a_token_of_a_person_does_not_say_which_account_it_is_for(shop: Connected) -> None:
    shop.fields = {"token": USER_TOKEN}
    with pytest.raises(AnswerGarbled, match="whose account"):
        await shop.identify()


async def test_a_connection_that_names_no_account_asks_for_a_new_one(shop: Connected) -> None:
    shop.account = None
    with pytest.raises(ReconnectNeeded, match="which DNSimple account"):
        await shop.run("list_domains")
    assert shop.transport.heard == []


async def test_the_account_and_those_the_token_reaches_are_told(shop: Connected) -> None:
    account = await shop.row("get_account")
    assert (account["id"], account["email"]) == (ACCOUNT_ID, EMAIL)
    assert [each["id"] for each in await shop.rows("list_accounts")] == [ACCOUNT_ID]


async def test_contacts_are_listed_without_their_addresses(shop: Connected) -> None:
    found = await shop.rows("list_contacts")
    assert [each["first_name"] for each in found] == ["Lin", "Ada"]
    assert set(found[0]) == {"id", "label", "first_name", "last_name", "organization"}


async def test_a_limit_reached_says_when_it_ends() -> None:
    async with open_shop(per_hour=1, now=lambda: datetime.now(UTC).timestamp()) as shop:
        await shop.identify()
        with pytest.raises(SlowDown) as caught:
            await shop.identify()
    assert caught.value.retry_at is not None
    assert caught.value.retry_at > datetime.now(UTC)


async def test_a_scoped_token_that_lacks_a_right_asks_for_a_person(shop: Connected) -> None:
    shop.fields = {"token": READING_TOKEN}
    with pytest.raises(ScopeMissing) as caught:
        await shop.run("set_nameservers", domain=OURS, nameservers=["ns1.example.org", "ns2.example.org"])
    assert not caught.value.may_have_happened


def test_what_the_plan_does_not_include_is_forbidden() -> None:
    assert isinstance(problem_of(manifest_of("dnsimple"), Incoming(412, {}, b'{"message":"no"}')), Forbidden)


# --------------------------------------------------------------------------------------- finding and pricing


async def test_a_search_checks_the_keyword_under_several_endings(shop: Connected) -> None:
    offers = await shop.rows("search_domains", keyword="Lighthouse keepers", tlds=["com", "dev", "nosuch"])
    assert [offer["domain"] for offer in offers] == [f"lighthousekeepers.{each}" for each in ("com", "dev", "nosuch")]
    assert offers[2]["purchasable"] is False
    priced = [offer for offer in offers if offer["purchasable"]]
    assert all(offer["purchase_price"] for offer in priced)
    assert [offer["domain"] for offer in await shop.rows("search_domains", keyword="pier.app", limit=2)] == [
        "pier.app",
        "pier.com",
    ]


@pytest.mark.parametrize("keyword", ["…", ".com", "   ", "---"])
async def test_a_keyword_that_leaves_nothing_is_refused_before_a_call(shop: Connected, keyword: str) -> None:
    with pytest.raises(Rejected, match="keyword"):
        await shop.run("search_domains", keyword=keyword)
    assert shop.transport.heard == []


async def test_availability_comes_in_the_order_asked_also_for_endings_nobody_sells(shop: Connected) -> None:
    names: list[Json] = [TAKEN, "lighthouse.nosuch", FREE]
    offers = await shop.rows("check_availability", domains=names)
    assert [offer["domain"] for offer in offers] == names
    assert [offer["purchasable"] for offer in offers] == [False, False, True]
    assert offers[2] == {
        "domain": FREE,
        "purchasable": True,
        "premium": False,
        "purchase_price": "14.50",
        "renewal_price": "16.50",
    }


async def test_prices_are_told_for_the_years_asked(shop: Connected) -> None:
    assert await shop.run("get_pricing", domain=FREE) == {
        "premium": False,
        "purchase_price": "14.50",
        "renewal_price": "16.50",
        "transfer_price": "16.50",
    }
    three = await shop.row("get_pricing", domain=FREE, years=3)
    assert (three["purchase_price"], three["renewal_price"]) == (None, "49.50")


# -------------------------------------------------------------------------------------------------- buying


async def test_a_domain_is_bought_and_belongs_to_the_account(shop: Connected) -> None:
    bought = await shop.row("purchase_domain", domain=FREE, max_price=14.5, contact_id=await contact(shop))
    assert (bought["state"], bought["domain"], bought["quoted_price"], bought["years"]) == (
        "registered",
        FREE,
        "14.50",
        1,
    )
    assert FREE in [each["domain"] for each in await shop.rows("list_domains")]
    found = await shop.row("get_domain", domain=FREE)
    assert (found["state"], found["autorenew"], found["nameservers"]) == ("registered", False, NAMESERVERS)


async def test_a_slow_registry_is_followed_until_it_is_done(shop: Connected, clock: Clock) -> None:
    order = await shop.row("purchase_domain", domain=SLOW, max_price=49, contact_id=await contact(shop))
    asked = {"domain": SLOW, "registration_id": order["registration_id"]}
    assert (order["state"], (await shop.row("get_registration", **asked))["state"]) == ("pending", "pending")
    assert (await shop.row("get_domain", domain=SLOW))["nameservers"] is None

    clock.time += REGISTRY_SECONDS
    done = await shop.row("get_registration", **asked)
    assert (done["state"], done["quoted_price"]) == ("registered", None)
    assert (await shop.row("get_domain", domain=SLOW))["expires_at"] is not None


async def test_a_registration_that_fails_says_so(shop: Connected, clock: Clock) -> None:
    name = f"{FAILING}lighthouses.io"
    order = await shop.row("purchase_domain", domain=name, max_price=49, contact_id=await contact(shop))
    clock.time += REGISTRY_SECONDS
    asked = {"domain": name, "registration_id": order["registration_id"]}
    assert (await shop.row("get_registration", **asked))["state"] == "failed"
    with pytest.raises(NotThere):
        await shop.run("get_domain", domain=name)


async def test_nothing_is_bought_above_the_limit(shop: Connected) -> None:
    with pytest.raises(Rejected, match=r"costs 14\.50 US dollars") as caught:
        await shop.run("purchase_domain", domain=FREE, max_price=14.49, contact_id=await contact(shop))
    assert not caught.value.may_have_happened
    assert shop.asked("/registrations") == []


async def test_a_longer_only_term_is_held_against_the_limit_for_all_its_years(shop: Connected) -> None:
    owner = await contact(shop)
    with pytest.raises(Rejected, match=r"for 2 year\(s\)"):
        await shop.run("purchase_domain", domain="lighthouse-keepers.ai", max_price=500, contact_id=owner)
    with pytest.raises(Rejected, match=r"costs 178\.00"):
        await shop.run("purchase_domain", domain="lighthouse-keepers.ai", max_price=100, contact_id=owner, years=2)
    assert shop.asked("/registrations") == []


async def test_the_price_of_a_premium_domain_is_confirmed(shop: Connected) -> None:
    owner = await contact(shop)
    with pytest.raises(Rejected, match=r"costs 399\.00"):
        await shop.run("purchase_domain", domain=DEAR, max_price=20, contact_id=owner)
    bought = await shop.row("purchase_domain", domain=DEAR, max_price=400, contact_id=owner)
    assert bought["quoted_price"] == "399.00"
    assert shop.bodies("/registrations") == [{"registrant_id": owner, "premium_price": "399.00"}]


async def test_what_is_taken_or_ours_is_not_ordered(shop: Connected) -> None:
    owner = await contact(shop)
    with pytest.raises(Rejected, match="cannot be bought"):
        await shop.run("purchase_domain", domain=TAKEN, max_price=99, contact_id=owner)
    with pytest.raises(AlreadyThere, match="already"):
        await shop.run("purchase_domain", domain=OURS, max_price=99, contact_id=owner)
    assert shop.asked("/registrations") == []


async def test_an_account_that_owes_money_is_told_in_our_words(shop: Connected) -> None:
    shop.fields, shop.account = {"token": OTHER_TOKEN}, Account(str(OTHER_ACCOUNT_ID), "")
    with pytest.raises(Rejected, match="billing") as caught:
        await shop.run("purchase_domain", domain=FREE, max_price=99, contact_id=await contact(shop))
    assert (caught.value.status, caught.value.may_have_happened) == (402, False)


async def test_a_contact_of_nobody_buys_nothing(shop: Connected) -> None:
    with pytest.raises(NotThere):
        await shop.run("purchase_domain", domain=FREE, max_price=99, contact_id=1)
    assert shop.app.control.effects.total() == 0


async def test_a_purchase_whose_answer_was_lost_is_open_and_another_finds_it_done(shop: Connected) -> None:
    owner = await contact(shop)
    shop.misbehave("lost_answer", "POST *registrations")
    with pytest.raises(ProviderProblem) as lost:
        await shop.run("purchase_domain", domain=FREE, max_price=99, contact_id=owner)
    with pytest.raises(AlreadyThere):
        await shop.run("purchase_domain", domain=FREE, max_price=99, contact_id=owner)
    assert lost.value.may_have_happened
    assert shop.app.control.effects.total() == 1


async def test_a_question_whose_answer_was_lost_has_bought_nothing(shop: Connected) -> None:
    owner = await contact(shop)
    shop.misbehave("lost_answer", "GET *prices")
    with pytest.raises(ProviderProblem) as lost:
        await shop.run("purchase_domain", domain=FREE, max_price=99, contact_id=owner)
    assert not lost.value.may_have_happened


# ------------------------------------------------------------------------------------------------- renewing


async def test_years_are_added_within_the_limit(shop: Connected) -> None:
    before = (await shop.row("get_domain", domain=OURS))["expires_at"]
    with pytest.raises(Rejected, match=r"costs 33\.00"):
        await shop.run("renew_domain", domain=OURS, years=2, max_price=32.99)
    renewal = await shop.row("renew_domain", domain=OURS, years=2, max_price=33)
    after = (await shop.row("get_domain", domain=OURS))["expires_at"]
    assert (renewal["state"], renewal["quoted_price"], renewal["years"]) == ("renewed", "33.00", 2)
    assert (before, after) == ("2028-01-12T09:00:00Z", "2030-01-12T09:00:00Z")


# --------------------------------------------------------------------------------------- lists, name servers


async def test_a_list_stops_at_the_limit_and_goes_over_pages(shop: Connected) -> None:
    first = await shop.rows("list_domains", limit=1)
    zones = await shop.rows("list_zones")
    assert [each["domain"] for each in first] == [OURS]
    assert [(each["domain"], each["active"]) for each in zones] == [(OURS, True), (HOSTED, True)]


async def test_a_domain_of_somebody_else_is_not_there(shop: Connected) -> None:
    with pytest.raises(NotThere):
        await shop.run("get_domain", domain="quayside-cafe.com")


async def test_name_servers_are_replaced(shop: Connected) -> None:
    names: list[Json] = ["ns1.example.org", "ns2.example.org"]
    assert await shop.run("set_nameservers", domain=OURS, nameservers=names) == names
    assert (await shop.row("get_domain", domain=OURS))["nameservers"] == names
    with pytest.raises(Rejected):
        await shop.run("set_nameservers", domain=HOSTED, nameservers=names)


# ------------------------------------------------------------------------------------------ the declarations


def test_what_spends_moves_or_deletes_is_destructive_and_buying_is_never_repeated(shop: Connected) -> None:
    actions = {name.removeprefix("dnsimple."): each for name, each in shop.integration.actions.items()}
    assert {name for name, each in actions.items() if each.effect is Effect.DESTRUCTIVE} == {
        "purchase_domain",
        "renew_domain",
        "set_nameservers",
        "delete_dns_record",
        "upsert_dns_record",
        "batch_dns_changes",
    }
    assert {name for name, each in actions.items() if not each.is_idempotent} == {
        "purchase_domain",
        "renew_domain",
        "create_dns_record",
        "delete_dns_record",
        "batch_dns_changes",
    }


GOOD: dict[str, Json] = {"domain": FREE, "max_price": 15.0, "contact_id": 7}


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"domain": "Example.com"}, "/domain"),
        ({"domain": "example.com/.."}, "/domain"),
        ({"domain": "münchen.de"}, "/domain"),
        ({"domain": 7}, "/domain"),
        ({"max_price": 0}, "/max_price"),
        ({"max_price": "15"}, "/max_price"),
        ({"max_price": None}, "/max_price"),
        ({"contact_id": "7"}, "/contact_id"),
        ({"contact_id": 0}, "/contact_id"),
        ({"years": 11}, "/years"),
        ({"years": True}, "/years"),
        ({"auto_renew": True}, "/auto_renew"),
    ],
)
def test_a_wrong_order_is_refused_before_a_call(shop: Connected, wrong: dict[str, Json], where: str) -> None:
    assert shop.mistakes("purchase_domain", **GOOD) == []
    assert shop.mistakes("purchase_domain", **{**GOOD, **wrong}) == [where]


def test_all_that_is_missing_is_told_at_once(shop: Connected) -> None:
    assert shop.mistakes("purchase_domain") == ["/domain", "/max_price", "/contact_id"]
    assert shop.mistakes("set_nameservers", domain=OURS, nameservers=["ns1.example.org"]) == ["/nameservers"]
    assert shop.mistakes("set_nameservers", domain=OURS, nameservers=["a b", "NS1.example.org"]) == [
        "/nameservers/0",
        "/nameservers/1",
    ]


async def test_the_sandbox_remembers_after_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "dnsimple.json"
    async with open_shop(state) as shop:
        await shop.run("purchase_domain", domain=FREE, max_price=20, contact_id=await contact(shop))
    async with open_shop(state) as again:
        assert FREE in [each["domain"] for each in await again.rows("list_domains")]
