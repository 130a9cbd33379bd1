"""Domains at Cloudflare: found, priced, and bought once, for no more than was allowed."""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters._kit.answers import problem_of
from adapters._kit.catalogue import manifest_of
from adapters._kit.http import Incoming
from adapters.cloudflare.results import offer_of, registration_of
from adapters.cloudflare.sandbox_state import (
    ACCOUNT_ID,
    ACCOUNT_NAME,
    ACCOUNT_TOKEN,
    ASKING,
    BLOCKED,
    FAILING,
    OTHER_ACCOUNT_ID,
    OTHER_TOKEN,
    READING_TOKEN,
    REGISTRY_SECONDS,
)
from domain.catalogue import Account, Effect
from domain.errors import (
    AlreadyThere,
    AnswerGarbled,
    NotThere,
    ProviderProblem,
    ReconnectNeeded,
    Rejected,
    ScopeMissing,
    SlowDown,
    Unavailable,
)
from domain.json import Json
from tests.adapters.cloudflare.shop import Clock, open_shop
from tests.support.overheard import Connected

FREE = "lighthouse-keepers.com"
PREMIUM = "pier.dev"
TAKEN = "example.com"
OURS = "harbour-office.com"
ORDERS = "/registrar/registrations"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def shop(clock: Clock) -> AsyncIterator[Connected]:
    async with open_shop(now=clock) as found:
        yield found


# ----------------------------------------------------------------------------------------------- the account


@pytest.mark.parametrize("token", [None, ACCOUNT_TOKEN])
async def test_the_connection_names_the_account_for_tokens_of_people_and_of_accounts(
    shop: Connected, token: str | None
) -> None:
    shop.fields = {**shop.fields, "token": token or shop.fields["token"]}
    identity = await shop.identify()
    assert (identity.account, identity.scopes) == (Account(ACCOUNT_ID, ACCOUNT_NAME), None)


async def test_the_account_that_was_typed_is_the_one_that_is_connected(shop: Connected) -> None:
    shop.fields = {**shop.fields, "account_id": OTHER_ACCOUNT_ID}
    assert (await shop.identify()).account.id == OTHER_ACCOUNT_ID


@pytest.mark.parametrize(
    ("field", "value"), [("account_id", "0" * 32), ("token", "a-token-that-nobody-ever-made"), ("token", "short")]
)
async def test_an_account_out_of_reach_or_a_wrong_token_asks_for_a_new_connection(
    shop: Connected, field: str, value: str
) -> None:
    shop.fields = {**shop.fields, field: value}
    with pytest.raises(ReconnectNeeded):
        await shop.identify()


@pytest.mark.parametrize("account", ["", "4A1B" + "0" * 28, "4a1b", "../accounts", "0" * 31 + "g"])
def test_what_is_no_account_id_is_refused_before_a_call(shop: Connected, account: str) -> None:
    fields: dict[str, Json] = {**shop.fields}
    assert shop.integration.check_credentials(fields) == ()
    (mistake,) = shop.integration.check_credentials({**fields, "account_id": account})
    assert mistake.pointer == "/account_id"


async def test_the_account_and_those_the_token_reaches_are_told(shop: Connected) -> None:
    assert await shop.run("get_account") == {"id": ACCOUNT_ID, "name": ACCOUNT_NAME, "type": "standard"}
    assert [each["id"] for each in await shop.rows("list_accounts")] == [ACCOUNT_ID, OTHER_ACCOUNT_ID]
    shop.fields = {**shop.fields, "token": ACCOUNT_TOKEN}
    with pytest.raises(Rejected):
        await shop.run("list_accounts")


async def test_a_token_of_either_kind_tells_how_it_stands(shop: Connected) -> None:
    assert await shop.run("verify_token") == {"status": "active", "expires_at": None}
    shop.fields = {**shop.fields, "token": ACCOUNT_TOKEN}
    assert await shop.run("verify_token") == {"status": "active", "expires_at": "2030-01-01T00:00:00Z"}
    assert shop.app.control.revoke(ACCOUNT_TOKEN)
    with pytest.raises(ReconnectNeeded):
        await shop.run("verify_token")


async def test_a_limit_reached_says_when_it_ends() -> None:
    async with open_shop(per_window=1, now=lambda: datetime.now(UTC).timestamp()) as shop:
        await shop.identify()
        with pytest.raises(SlowDown) as caught:
            await shop.identify()
    assert caught.value.retry_at is not None
    assert caught.value.retry_at > datetime.now(UTC)


async def test_a_token_that_lacks_a_permission_asks_for_a_person(shop: Connected) -> None:
    shop.fields = {**shop.fields, "token": READING_TOKEN}
    with pytest.raises(ScopeMissing, match="10000") as caught:
        await shop.run("purchase_domain", domain=FREE, max_price=99)
    assert not caught.value.may_have_happened


# -------------------------------------------------------------------------------------------- their refusals


@pytest.mark.parametrize(
    ("status", "codes", "kind"),
    [
        (200, [1004], Rejected),
        (400, [81058], AlreadyThere),
        (400, [1004, 81057], AlreadyThere),
        (404, [81044], NotThere),
        (400, [7003], NotThere),
        (401, [1000], ReconnectNeeded),
        (403, [9109], ReconnectNeeded),
        (403, [10000], ScopeMissing),
        (403, [], ScopeMissing),
        (409, [10003], AlreadyThere),
        (429, [971], SlowDown),
        (500, [10000], Unavailable),
        (200, ["1004", None, True, -5, 10**12], Rejected),
    ],
)
def test_a_number_decides_what_a_refusal_means_and_only_numbers_are_repeated(
    status: int, codes: list[Json], kind: type[ProviderProblem]
) -> None:
    errors: list[Json] = [{"code": code, "message": "Their own words"} for code in codes]
    body = Incoming(status, {}, json.dumps({"success": False, "errors": errors, "result": None}).encode())
    found = problem_of(manifest_of("cloudflare"), body)
    assert type(found) is kind
    assert "words" not in found.message
    assert "1000000000000" not in found.message


async def test_200_without_success_is_a_refusal(shop: Connected) -> None:
    shop.misbehave("422", "POST *dns_records")
    with pytest.raises(Rejected) as caught:
        await shop.run("create_dns_record", domain=OURS, type="A", host="pier", answer="203.0.113.7")
    assert (caught.value.status, caught.value.may_have_happened) == (200, False)


# --------------------------------------------------------------------------------------- finding and pricing


async def test_a_search_offers_names_with_prices_as_decimal_text(shop: Connected) -> None:
    offers = await shop.rows("search_domains", keyword="lighthouse keepers", tlds=["com", "dev"], limit=5)
    assert 0 < len(offers) <= 5
    assert {str(offer["domain"]).rpartition(".")[2] for offer in offers} <= {"com", "dev"}
    offer = next(offer for offer in offers if offer["purchasable"] and str(offer["domain"]).endswith(".com"))
    assert (offer["purchase_price"], offer["renewal_price"]) == ("10.46", "10.46")
    assert shop.queries("/domain-search")[0]["extensions"] == ["com", "dev"]


async def test_availability_comes_in_the_order_asked_with_the_reason(shop: Connected) -> None:
    names: list[Json] = [TAKEN, "lighthouse.nosuch", "lighthouse.sh", PREMIUM, FREE]
    offers = await shop.rows("check_availability", domains=names)
    assert [offer["domain"] for offer in offers] == names
    assert [offer["purchasable"] for offer in offers] == [False, False, False, False, True]
    assert [offer["reason"] for offer in offers] == [
        "domain_unavailable",
        "extension_not_supported",
        "extension_not_supported_via_api",
        "domain_premium",
        None,
    ]
    assert [offer["premium"] for offer in offers] == [False, False, False, True, False]


async def test_prices_are_told_for_the_years_asked(shop: Connected) -> None:
    org = "lighthouse-keepers.org"
    assert await shop.run("get_pricing", domain=org, years=3) == {
        "premium": False,
        "purchase_price": "27.72",
        "renewal_price": "30.33",
        "transfer_price": None,
    }
    assert (await shop.row("get_pricing", domain=TAKEN))["purchase_price"] is None


def test_prices_in_another_currency_are_left_out() -> None:
    pricing: dict[str, Json] = {"currency": "EUR", "registration_cost": "9.00", "renewal_cost": "9.00"}
    offer = offer_of({"name": FREE, "registrable": True, "tier": "standard", "pricing": pricing})
    assert (offer.purchasable, offer.purchase_price) == (True, None)
    assert (
        offer_of({"name": FREE, "registrable": True, "pricing": {**pricing, "currency": "USD"}}).renewal_price == "9.00"
    )


@pytest.mark.parametrize("cost", ["free", "-1.00", "1e3", "", None, 1e400])
def test_what_is_no_amount_makes_the_answer_garbled_or_is_left_out(cost: Json) -> None:
    pricing: dict[str, Json] = {"currency": "USD", "registration_cost": cost, "renewal_cost": "9.00"}
    try:
        offer = offer_of({"name": FREE, "registrable": True, "pricing": pricing})
    except AnswerGarbled:
        return
    assert offer.purchase_price in (None, "1000.00")


# -------------------------------------------------------------------------------------------------- buying


async def test_a_purchase_goes_on_by_itself_and_is_followed_until_it_is_done(shop: Connected, clock: Clock) -> None:
    order = await shop.row("purchase_domain", domain=FREE, max_price=10.46)
    assert (order["state"], order["domain"], order["quoted_price"]) == ("pending", FREE, "10.46")
    assert (await shop.row("get_registration", domain=FREE))["state"] == "pending"
    assert FREE not in [each["domain"] for each in await shop.rows("list_domains")]

    clock.time += REGISTRY_SECONDS
    done = await shop.row("get_registration", domain=FREE)
    domain = await shop.row("get_domain", domain=FREE)
    assert (done["state"], done["failure"], done["needed_action"]) == ("registered", None, None)
    assert (domain["status"], domain["autorenew"], domain["privacy"], domain["locked"]) == ("active", False, True, True)
    assert FREE in [each["domain"] for each in await shop.rows("list_zones")]


async def test_the_answer_is_not_waited_for(shop: Connected) -> None:
    await shop.run("purchase_domain", domain=FREE, max_price=99, years=2)
    (request, answer) = next(pair for pair in shop.transport.heard if pair[0].url.endswith(ORDERS))
    assert (request.headers["prefer"], answer.status) == ("respond-async", 202)
    assert shop.bodies(ORDERS) == [{"domain_name": FREE, "years": 2}]


@pytest.mark.parametrize(
    ("beginning", "state", "action", "failure"),
    [
        (FAILING, "failed", None, "registry_rejected"),
        (ASKING, "action_required", "confirm_email", None),
        (BLOCKED, "blocked", None, None),
    ],
)
async def test_a_purchase_that_does_not_go_through_says_how_it_stands(
    shop: Connected, clock: Clock, beginning: str, state: str, action: str | None, failure: str | None
) -> None:
    name = f"{beginning}harbour-lights.com"
    await shop.run("purchase_domain", domain=name, max_price=99)
    clock.time += REGISTRY_SECONDS
    found = await shop.row("get_registration", domain=name)
    assert (found["state"], found["needed_action"]) == (state, action)
    assert (found["failure"] is None) == (failure is None)
    assert failure is None or failure in str(found["failure"])


async def test_nothing_is_bought_above_the_limit(shop: Connected) -> None:
    with pytest.raises(Rejected, match=r"costs 10\.46 US dollars") as caught:
        await shop.run("purchase_domain", domain=FREE, max_price=10.45)
    assert not caught.value.may_have_happened
    assert shop.asked(ORDERS) == []


async def test_the_limit_is_for_all_the_years(shop: Connected) -> None:
    with pytest.raises(Rejected, match=r"costs 31\.38"):
        await shop.run("purchase_domain", domain=FREE, years=3, max_price=31.37)
    assert (await shop.row("purchase_domain", domain=FREE, years=3, max_price=31.38))["quoted_price"] == "31.38"


@pytest.mark.parametrize(
    ("domain", "why"),
    [
        (TAKEN, "cannot be bought"),
        (PREMIUM, "premium"),
        ("lighthouse.sh", "dashboard"),
        ("lighthouse.nosuch", "does not sell"),
    ],
)
async def test_what_is_not_for_sale_is_not_ordered(shop: Connected, domain: str, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        await shop.run("purchase_domain", domain=domain, max_price=999)
    assert shop.asked(ORDERS) == []


async def test_a_term_that_is_not_sold_is_refused_by_cloudflare(shop: Connected) -> None:
    with pytest.raises(Rejected) as caught:
        await shop.run("purchase_domain", domain="lighthouse-keepers.ai", max_price=999)
    assert (caught.value.status, caught.value.may_have_happened) == (400, False)


async def test_a_domain_the_account_has_is_not_bought_again(shop: Connected) -> None:
    with pytest.raises(AlreadyThere, match="already"):
        await shop.run("purchase_domain", domain=OURS, max_price=99)
    assert shop.asked(ORDERS) == []


async def test_an_account_that_cannot_pay_buys_nothing(shop: Connected) -> None:
    shop.fields = {"token": OTHER_TOKEN, "account_id": OTHER_ACCOUNT_ID}
    await shop.identify()
    with pytest.raises(Rejected) as caught:
        await shop.run("purchase_domain", domain=FREE, max_price=99)
    assert (caught.value.status, caught.value.may_have_happened) == (402, False)


async def test_a_purchase_whose_answer_was_lost_is_open_and_its_registration_tells(shop: Connected) -> None:
    shop.misbehave("lost_answer", "POST *registrations")
    with pytest.raises(ProviderProblem) as lost:
        await shop.run("purchase_domain", domain=FREE, max_price=99)
    assert lost.value.may_have_happened
    assert (await shop.row("get_registration", domain=FREE))["state"] == "pending"
    with pytest.raises(AlreadyThere, match="get_registration"):
        await shop.run("purchase_domain", domain=FREE, max_price=99)
    assert shop.app.control.effects.total() == 1


async def test_a_question_whose_answer_was_lost_has_bought_nothing(shop: Connected) -> None:
    shop.misbehave("lost_answer", "POST *domain-check")
    with pytest.raises(ProviderProblem) as lost:
        await shop.run("purchase_domain", domain=FREE, max_price=99)
    assert not lost.value.may_have_happened


async def test_an_order_that_was_never_made_is_not_there(shop: Connected) -> None:
    with pytest.raises(NotThere):
        await shop.run("get_registration", domain=FREE)


def test_a_state_nobody_described_makes_the_answer_garbled() -> None:
    assert registration_of({"state": "in_progress"}, FREE).state == "pending"
    wrong: list[Json] = [{"state": "sunk"}, {"state": None}, {}, None, [], "sunk"]
    for answer in wrong:
        with pytest.raises(AnswerGarbled):
            registration_of(answer, FREE)


# --------------------------------------------------------------------------------------------------- lists


async def test_registrations_are_listed_by_cursor_and_zones_by_number(shop: Connected, clock: Clock) -> None:
    names = [f"lighthouse-keeper-{number:02}.{ending}" for number in range(40) for ending in ("dev", "app")]
    mine = {OURS, *filter(is_sold, names)}
    for name in mine - {OURS}:
        await shop.run("purchase_domain", domain=name, max_price=99)
    clock.time += REGISTRY_SECONDS
    assert len(mine) > 50  # what one page holds
    assert {each["domain"] for each in await shop.rows("list_domains", limit=1000)} == mine
    zones = {each["domain"] for each in await shop.rows("list_zones", limit=1000)}
    assert zones == mine | {"harbour-office.dev"}
    assert len(await shop.rows("list_domains", limit=7)) == 7
    assert len(await shop.rows("list_zones", limit=1)) == 1


def is_sold(name: str) -> bool:
    """As the sandbox decides."""
    return hashlib.sha256(name.encode()).digest()[0] % 4 != 0


async def test_zones_of_other_accounts_that_the_token_reaches_are_left_out(shop: Connected) -> None:
    zones = {each["domain"]: each["active"] for each in await shop.rows("list_zones")}
    assert zones == {OURS: True, "harbour-office.dev": False}
    with pytest.raises(NotThere):
        await shop.run("get_domain", domain="quayside-cafe.com")


# ------------------------------------------------------------------------------------------ the declarations


def test_what_spends_or_deletes_is_destructive_and_buying_is_never_repeated(shop: Connected) -> None:
    actions = {name.removeprefix("cloudflare."): each for name, each in shop.integration.actions.items()}
    assert {name for name, each in actions.items() if each.effect is Effect.DESTRUCTIVE} == {
        "purchase_domain",
        "delete_dns_record",
        "upsert_dns_record",
    }
    assert {name for name, each in actions.items() if not each.is_idempotent} == {
        "purchase_domain",
        "create_dns_record",
        "delete_dns_record",
    }


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"domain": "Example.com"}, "/domain"),
        ({"domain": "example.com?a=b"}, "/domain"),
        ({"domain": ["example.com"]}, "/domain"),
        ({"max_price": -1}, "/max_price"),
        ({"max_price": "99"}, "/max_price"),
        ({"years": 0}, "/years"),
        ({"years": 1.5}, "/years"),
        ({"contacts": {}}, "/contacts"),
    ],
)
def test_a_wrong_order_is_refused_before_a_call(shop: Connected, wrong: dict[str, Json], where: str) -> None:
    assert shop.mistakes("purchase_domain", domain=FREE, max_price=15.0) == []
    assert shop.mistakes("purchase_domain", **{"domain": FREE, "max_price": 15.0, **wrong}) == [where]


def test_all_that_is_missing_is_told_at_once(shop: Connected) -> None:
    assert shop.mistakes("purchase_domain") == ["/domain", "/max_price"]
    assert shop.mistakes("check_availability", domains=["a.com"] * 21) == ["/domains"]
    assert shop.mistakes("search_domains", keyword="", tlds=[".com"]) == ["/keyword", "/tlds/0"]


async def test_the_sandbox_remembers_after_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "cloudflare.json"
    async with open_shop(state) as shop:
        await shop.run("purchase_domain", domain=FREE, max_price=20)
    async with open_shop(state) as again:
        assert (await again.row("get_registration", domain=FREE))["state"] == "pending"
