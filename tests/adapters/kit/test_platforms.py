"""Services at which our application calls as itself, for an account that allowed it; and keys that tell a mode."""

from collections.abc import Mapping

import pytest

from adapters._kit.http import CannedTransport
from adapters._kit.integration import FolderIntegration, Override
from domain.catalogue import Account, AuthScheme, CallSetting, Credential
from domain.errors import Forbidden, Misconfigured, ReconnectNeeded
from domain.secrets import Secret
from tests.adapters.kit.sample import in_turn, integration, manifest, reply, setting

FLOW = {"authorize_url": "https://h/authorize", "token_url": "https://h/token", "account_header": "on-behalf-of"}
CHECK = {
    "path": "me",
    "account": "id",
    "label": "shop.name",
    "label_else": ["name", "mail"],
    "modes": {"sk_test_": "test", "sk_live_": "live"},
}
BOX = {"client_id": "box", "client_secret": "sk_test_box"}
REVOKE = {
    "method": "POST",
    "path": "deauthorize",
    "as_client": True,
    "form": {"application": "{client_id}", "account": "{account}", "plain": "text"},
}
LIVE = Account("b1:live", "Berth one (live mode)")
OURS = Override(client_id="us", client_secret=Secret("sk_live_ours"))


def service(transport: CannedTransport, override: Override = OURS, sandbox_url: str | None = None) -> FolderIntegration:
    described = manifest(oauth2=FLOW, check=CHECK, revoke=REVOKE, sandbox=BOX)
    return FolderIntegration(described, [], transport, override, sandbox_url)


def allowed(account: Account | None, *, is_sandbox: bool = False) -> CallSetting:
    plain = setting()
    token = {"access_token": Secret("sk_live_theirs")}
    credential = Credential(AuthScheme.OAUTH2, token, {})
    return CallSetting(credential, account, is_sandbox=is_sandbox, key=plain.key, deadline_at=plain.deadline_at)


def signed(transport: CannedTransport) -> list[tuple[str | None, str | None]]:
    return [(each.headers.get("authorization"), each.headers.get("on-behalf-of")) for each in transport.requests]


def me(**more: str) -> CannedTransport:
    return in_turn(reply(200, {"id": "b1", **more}))


async def test_the_token_signs_until_the_account_is_known_and_our_application_from_then_on() -> None:
    transport = in_turn(*[reply(200, {"id": "b1", "name": "Berth one"})] * 2)
    identity = await service(transport).identify(allowed(None))
    assert identity.account == LIVE
    assert (await service(transport).identify(allowed(identity.account))).account == LIVE
    assert signed(transport) == [("Bearer sk_live_theirs", None), ("Bearer sk_live_ours", "b1")]


async def test_a_simulated_account_is_signed_for_by_the_sandbox_s_application_alone() -> None:
    transport = me()
    practice = service(transport, sandbox_url="http://127.0.0.1:9")
    await practice.identify(allowed(Account("b1:test", "x"), is_sandbox=True))
    assert signed(transport) == [("Bearer sk_test_box", "b1")]
    assert transport.requests[0].url.startswith("http://127.0.0.1:9/")


async def test_a_real_one_never_is() -> None:
    transport = me()
    await service(transport, sandbox_url="http://127.0.0.1:9").identify(allowed(LIVE))
    assert signed(transport) == [("Bearer sk_live_ours", "b1")]
    with pytest.raises(Misconfigured, match="no OAuth application"):
        await service(me(), Override(), "http://127.0.0.1:9").identify(allowed(LIVE))


@pytest.mark.parametrize("account", [Account("b1:test", "x"), Account("b1", "x"), Account("b1:", "x")])
async def test_an_account_of_another_mode_is_not_reached(account: Account) -> None:
    transport = me()
    with pytest.raises(ReconnectNeeded, match="another mode"):
        await service(transport).identify(allowed(account))
    assert transport.requests == []


async def test_a_refused_key_of_ours_is_no_reason_for_a_person_to_reconnect() -> None:
    refused = reply(401, {})
    with pytest.raises(Forbidden, match="An operator") as caught:
        await service(in_turn(refused)).identify(allowed(LIVE))
    assert caught.value.status == 401
    with pytest.raises(ReconnectNeeded):  # the account's own token
        await service(in_turn(refused)).identify(allowed(None))


async def test_a_refused_account_is() -> None:
    described = manifest(oauth2=FLOW, check=CHECK, answers={"statuses": {"403": "reconnect_needed"}})
    with pytest.raises(ReconnectNeeded):
        await FolderIntegration(described, [], in_turn(reply(403, {})), OURS, None).identify(allowed(LIVE))


async def test_taking_it_back_is_signed_without_naming_the_account_in_a_header() -> None:
    transport = in_turn(reply(200, {}))
    assert await service(transport).revoke(allowed(LIVE))
    assert signed(transport) == [("Bearer sk_live_ours", None)]
    assert transport.requests[0].body == b"application=us&account=b1&plain=text"
    assert not await service(transport).revoke(allowed(None))  # nobody to name


@pytest.mark.parametrize(
    ("token", "answer", "account"),
    [
        ("sk_test_1", {"shop": {"name": "Shop"}, "name": "Name"}, Account("b1:test", "Shop (test mode)")),
        ("sk_live_1", {"shop": {"name": ""}, "name": None, "mail": "a@b"}, Account("b1:live", "a@b (live mode)")),
        ("sk_other", {"name": "Name"}, Account("b1", "Name")),
        ("sk_live_1", {}, Account("b1:live", "b1 (live mode)")),
    ],
)
async def test_a_key_tells_its_mode_and_the_label_is_found_where_it_is(
    token: str, answer: Mapping[str, str], account: Account
) -> None:
    transport = in_turn(reply(200, {"id": "b1", **answer}))
    found = await integration(transport, check=CHECK).identify(setting({"token": token}))
    assert found.account == account
