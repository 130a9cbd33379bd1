"""Whose account it is, in which mode, and how a call is signed: by a key, or by our application for an account."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import httpx2
import pytest

from adapters._kit.answers import problem_of
from adapters._kit.catalogue import load, manifest_of
from adapters._kit.http import Incoming
from adapters._kit.integration import Override
from adapters.stripe.sandbox_state import (
    CLIENT_ID,
    EXPIRED_KEY,
    HARBOUR,
    KEY,
    LIVE_KEY,
    NAMELESS_KEY,
    PLATFORM_KEY,
    QUAY,
    QUAY_KEY,
    READING_KEY,
)
from domain.catalogue import Account, AuthScheme, CallSetting, Credential, Integration
from domain.errors import (
    AlreadyThere,
    Forbidden,
    Misconfigured,
    NotThere,
    ProviderProblem,
    ReconnectNeeded,
    Rejected,
    ScopeMissing,
    SlowDown,
    Unavailable,
)
from domain.json import Json
from domain.secrets import Secret
from tests.adapters.stripe.shop import Clock, open_shop
from tests.support.overheard import Connected

CALLBACK = "http://127.0.0.1:9/callback"


# -------------------------------------------------------------------------------------------------- by a key


@pytest.mark.parametrize(
    ("key", "account", "label"),
    [
        (KEY, f"{HARBOUR}:test", "Harbour Office (test mode)"),
        (LIVE_KEY, f"{HARBOUR}:live", "Harbour Office (live mode)"),
        (QUAY_KEY, f"{QUAY}:test", "Quayside Cafe (test mode)"),
    ],
)
async def test_a_key_names_its_account_and_mode(shop: Connected, key: str, account: str, label: str) -> None:
    shop.fields = {"key": key}
    identity = await shop.identify()
    assert (identity.account, identity.scopes) == (Account(account, label), None)
    assert (await shop.row("get_account"))["id"] == account.partition(":")[0]


async def test_the_account_is_told(shop: Connected) -> None:
    assert await shop.row("get_account") == {
        "id": HARBOUR,
        "name": "Harbour Office",
        "business_name": "Harbour Office",
        "email": "till@harbour.example",
        "country": "DE",
        "default_currency": "eur",
        "charges_enabled": True,
        "payouts_enabled": True,
    }


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("sk_test_nobody_made_this", ReconnectNeeded),
        (EXPIRED_KEY, ReconnectNeeded),
        (NAMELESS_KEY, ScopeMissing),
    ],
)
async def test_a_key_that_does_not_tell_connects_nothing(
    shop: Connected, key: str, problem: type[ProviderProblem]
) -> None:
    shop.fields = {"key": key}
    with pytest.raises(problem):
        await shop.identify()


@pytest.mark.parametrize(
    ("key", "is_right"),
    [
        ("rk_live_0123456789", True),
        ("sk_test_0123456789", True),
        ("sk_0123456789", True),
        ("pk_test_0123456789", False),
        ("rk_test_", False),
        ("whsec_0123456789", False),
        ("rk_test_0123 456789", False),
    ],
)
def test_what_is_no_secret_key_is_refused_before_a_call(shop: Connected, key: str, is_right: bool) -> None:
    assert (shop.integration.check_credentials({"key": key}) == ()) is is_right


async def test_a_key_that_may_only_read_asks_for_a_person(shop: Connected) -> None:
    shop.fields = {"key": READING_KEY}
    assert len(await shop.rows("list_products")) == 2
    with pytest.raises(ScopeMissing) as caught:
        await shop.run("create_customer", name="Ada")
    assert not caught.value.may_have_happened


async def test_a_key_that_was_taken_back_asks_for_a_new_one(shop: Connected) -> None:
    assert shop.app.control.revoke(KEY)
    with pytest.raises(ReconnectNeeded):
        await shop.run("get_balance")


async def test_every_request_pins_the_version_and_only_posts_carry_a_key(shop: Connected) -> None:
    made = await shop.row("create_customer", name="Ada")
    await shop.run("update_customer", customer=made["id"], name="Ada L.")
    await shop.run("delete_customer", customer=made["id"])
    await shop.run("list_customers")
    heard = [request for request, _ in shop.transport.heard]
    assert {each.headers["stripe-version"] for each in heard} == {"2026-10-28.endive"}
    assert [(each.method, "idempotency-key" in each.headers) for each in heard] == [
        ("POST", True),
        ("POST", True),
        ("DELETE", False),
        ("GET", False),
    ]
    assert all("stripe-account" not in each.headers for each in heard)


# ------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("status", "error", "problem"),
    [
        (400, {"type": "invalid_request_error", "code": "resource_missing", "param": "customer"}, NotThere),
        (404, {"type": "invalid_request_error", "code": "resource_missing"}, NotThere),
        (400, {"type": "invalid_request_error", "code": "charge_already_refunded"}, AlreadyThere),
        (400, {"type": "invalid_request_error", "code": "resource_already_exists"}, AlreadyThere),
        (400, {"type": "invalid_request_error", "code": "parameter_unknown"}, Rejected),
        (400, {"type": "idempotency_error"}, Rejected),
        (401, {"type": "invalid_request_error"}, ReconnectNeeded),
        (401, {"type": "invalid_request_error", "code": "api_key_expired"}, ReconnectNeeded),
        (402, {"type": "card_error", "code": "card_declined", "decline_code": "lost_card"}, Rejected),
        (403, {"type": "invalid_request_error"}, ScopeMissing),
        (403, {"type": "invalid_request_error", "code": "account_invalid"}, ReconnectNeeded),
        (403, {"type": "invalid_request_error", "code": "testmode_charges_only"}, Forbidden),
        (409, {"type": "idempotency_error", "code": "idempotency_key_in_use"}, Unavailable),
        (424, {"type": "api_error"}, Unavailable),
        (429, {"type": "invalid_request_error", "code": "rate_limit"}, SlowDown),
        (429, {"type": "invalid_request_error", "code": "lock_timeout"}, SlowDown),
        (500, {"type": "api_error"}, Unavailable),
        (400, {"type": "in (valid)", "code": "Your card 4242"}, Rejected),
        (400, {}, Rejected),
    ],
)
def test_a_refusal_becomes_one_of_our_words(
    status: int, error: dict[str, Json], problem: type[ProviderProblem]
) -> None:
    body = httpx2.Response(200, json={"error": {**error, "message": "No such customer: 'cus_secret'"}}).content
    found = problem_of(manifest_of("stripe"), Incoming(status, {}, body))
    assert type(found) is problem
    assert "cus_secret" not in found.message
    assert "4242" not in found.message


def test_a_declined_card_says_why_in_their_code() -> None:
    error = {"type": "card_error", "code": "card_declined", "decline_code": "lost_card", "message": "Their words."}
    body = httpx2.Response(402, json={"error": error}).content
    found = problem_of(manifest_of("stripe"), Incoming(402, {}, body))
    assert found is not None
    assert "(card_declined, card_error, lost_card)" in found.message


async def test_a_limit_reached_says_when_it_ends() -> None:
    async with open_shop(per_second=1) as shop:
        await shop.run("get_balance")
        with pytest.raises(SlowDown) as caught:
            await shop.run("get_balance")
    assert caught.value.retry_at is not None


# ------------------------------------------------------------------------------------------------ by Connect


@dataclass
class Platform(Connected):
    """As `Connected`, with an account that allowed our application."""

    credential: Credential = field(default_factory=lambda: Credential(AuthScheme.OAUTH2, {}, {}))

    def setting(self) -> CallSetting:
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        return CallSetting(self.credential, self.account, is_sandbox=True, key=uuid4(), deadline_at=deadline)


class _Hidden(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "input" and told.get("type") == "hidden":
            self.fields[str(told["name"])] = told.get("value") or ""


async def consented(integration: Integration, scope: str, account: str) -> dict[str, Json]:
    """What the token endpoint answers after a person consented on the page."""
    application = integration.oauth
    assert application is not None
    asked = {"response_type": "code", "client_id": application.client_id, "scope": scope, "state": "st-1"}
    address = f"{application.authorize_url}?{urlencode({**asked, 'redirect_uri': CALLBACK})}"
    async with httpx2.AsyncClient(trust_env=False) as browser:
        reader = _Hidden()
        reader.feed((await browser.get(address)).text)
        form = {**reader.fields, "account": account, "decision": "authorize", "grant": scope}
        back = await browser.post(address, data=form)
        query = parse_qs(urlsplit(back.headers["location"]).query)
        assert query["state"] == ["st-1"]
        secret = application.client_secret.reveal()
        code = {"grant_type": "authorization_code", "code": query["code"][0], "client_secret": secret}
        answer = await browser.post(application.token_url, data={**code, "client_id": application.client_id})
    told: dict[str, Json] = answer.json()
    return told


@pytest.fixture
async def platform(clock: Clock) -> AsyncIterator[Platform]:
    async with open_shop(now=clock) as shop:
        platform = Platform(shop.app, shop.integration, shop.transport, {})
        await connect(platform, "read_write")
        yield platform


async def connect(platform: Platform, scope: str) -> None:
    told = await consented(platform.integration, scope, QUAY)
    token = Secret(str(told["access_token"]))
    platform.credential = Credential(AuthScheme.OAUTH2, {"access_token": token}, {})
    platform.account = None
    await platform.identify()


def signatures(platform: Platform) -> list[tuple[str, str | None]]:
    heard = [request.headers for request, _ in platform.transport.heard]
    return [(each["authorization"], each.get("stripe-account")) for each in heard]


async def test_the_answer_names_the_account_and_what_was_granted(platform: Platform) -> None:
    told = await consented(platform.integration, "read_only", HARBOUR)
    assert (told["stripe_user_id"], told["scope"], told["livemode"]) == (HARBOUR, "read_only", False)


async def test_calls_are_signed_by_our_application_and_name_the_account(platform: Platform) -> None:
    assert platform.account == Account(f"{QUAY}:test", "Quayside Cafe (test mode)")
    assert [each["name"] for each in await platform.rows("list_products")] == ["Melon bun"]
    await platform.run("create_customer", name="Ada")
    await platform.identify()
    first, *rest = signatures(platform)
    token = platform.credential.secrets["access_token"].reveal()
    assert first == (f"Bearer {token}", None)  # the account is not known before
    assert set(rest) == {(f"Bearer {PLATFORM_KEY}", QUAY)}


async def test_nothing_is_asked_as_our_application_without_an_account(platform: Platform) -> None:
    platform.account = None
    await platform.run("list_products")
    assert all(account is not None or PLATFORM_KEY not in signed for signed, account in signatures(platform))


async def test_an_account_that_allowed_reading_is_not_changed(platform: Platform) -> None:
    await connect(platform, "read_only")
    assert len(await platform.rows("list_products")) == 1
    with pytest.raises(ScopeMissing):
        await platform.run("create_customer", name="Ada")


async def test_the_least_is_asked_for(platform: Platform) -> None:
    actions = platform.integration.actions
    assert platform.integration.scopes_for([actions["stripe.view_revenue"]]) == ("read_only",)
    both = [actions["stripe.view_revenue"], actions["stripe.create_refund"]]
    assert platform.integration.scopes_for(both) == ("read_write",)
    assert platform.integration.is_usable_scope(["read_write"], "read_only")
    application = platform.integration.oauth
    assert application is not None
    assert not application.uses_pkce


async def test_taking_the_connection_back_ends_it(platform: Platform) -> None:
    assert await platform.integration.revoke(platform.setting())
    with pytest.raises(ReconnectNeeded, match="account_invalid"):
        await platform.run("list_products")
    assert platform.app.control.effects["POST /connect/oauth/deauthorize"] == 1


async def test_an_application_in_another_mode_does_not_reach_the_account(platform: Platform) -> None:
    platform.account = Account(f"{QUAY}:live", "Quayside Cafe (live mode)")
    heard = len(platform.transport.heard)
    with pytest.raises(ReconnectNeeded, match="another mode"):
        await platform.run("list_products")
    assert len(platform.transport.heard) == heard


@pytest.mark.parametrize(
    ("override", "secret"),
    [(Override(), None), (Override(client_id="ca_1", client_secret=Secret("sk_live_ours")), "sk_live_ours")],
)
async def test_a_real_account_is_reached_with_the_operator_s_own_key_and_never_the_sandbox_s(
    platform: Platform, override: Override, secret: str | None
) -> None:
    # The sandbox is served, and this connection is not to it.
    served = urlsplit(platform.transport.base_url)
    described = f"http://{served.netloc}"
    real = load(platform.transport, {"stripe": override_to(override, described)}, {"stripe": described})
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    account = Account(f"{QUAY}:live", "Quayside Cafe (live mode)")
    setting = CallSetting(platform.credential, account, is_sandbox=False, key=uuid4(), deadline_at=deadline)
    integration = real.integrations["stripe"]
    action = integration.actions["stripe.get_balance"]
    with pytest.raises(Misconfigured if secret is None else Forbidden):
        await integration.run(action, {}, setting)
    sent = signatures(platform)[-1]
    assert (sent == (f"Bearer {secret}", QUAY)) is (secret is not None)


def override_to(override: Override, address: str) -> Override:
    return Override(client_id=override.client_id, client_secret=override.client_secret, base_url=address)


async def test_the_application_and_the_sandbox_agree(platform: Platform) -> None:
    box = manifest_of("stripe").sandbox
    assert box is not None
    assert (box.client_id, box.client_secret) == (CLIENT_ID, PLATFORM_KEY)
    fields: Mapping[str, str] = box.try_fields
    assert platform.integration.check_credentials(dict(fields)) == ()
