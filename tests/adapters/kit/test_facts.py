"""Facts of a connection: what a person typed that is no secret, or OAuth told. They choose and fill what is asked."""

from dataclasses import replace
from typing import Any

import pytest

from adapters._kit.integration import FolderIntegration, Override
from adapters._kit.signing import facts_of
from domain.catalogue import AuthScheme, CallSetting, Credential
from domain.errors import Misconfigured, ReconnectNeeded, Rejected
from domain.secrets import Secret
from tests.adapters.kit.sample import TOKEN, call, in_turn, integration, manifest, reply, setting, urls, yes_to_all

FORM: dict[str, Any] = {
    "sign": "bearer",
    "fields": [
        {"name": "token", "title": "Token", "description": "Theirs."},
        {
            "name": "fleet",
            "title": "Fleet",
            "description": "Whose boats; your own when left out.",
            "secret": False,
            "required": False,
            "pattern": "[a-z/.]+",
        },
    ],
}
CHECK = {
    "path": "me",
    "account": "id",
    "label": "name",
    "given": {"fleet": {"path": "fleets/{fleet}", "account": "fleet.number", "label": "fleet.name"}},
}
FLOW = {"authorize_url": "https://h/authorize", "token_url": "https://h/token"}
OURS = Override(client_id="us", client_secret=Secret("our-secret"))


def by_oauth(**facts: str) -> CallSetting:
    one = setting()
    credential = Credential(AuthScheme.OAUTH2, {"access_token": Secret(TOKEN)}, facts)
    return CallSetting(credential, None, is_sandbox=False, key=one.key, deadline_at=one.deadline_at)


def test_a_field_may_be_left_out_when_it_is_not_required() -> None:
    service = integration(yes_to_all(), api_key=FORM)
    assert service.check_credentials({"token": "t"}) == ()
    assert service.check_credentials({"token": "t", "fleet": "red"}) == ()
    for fleet in ("", None, 7, "RED"):
        mistakes = service.check_credentials({"token": "t", "fleet": fleet})
        assert [each.pointer for each in mistakes] == ["/fleet"]
    assert service.credential_schema is not None
    assert service.credential_schema["required"] == ["token"]


def test_what_was_typed_openly_and_what_oauth_told_are_facts() -> None:
    described = manifest(api_key=FORM)
    typed = setting({"token": TOKEN, "fleet": "red"}).credential
    assert facts_of(described, typed) == {"fleet": "red"}
    assert facts_of(described, setting().credential) == {}
    assert facts_of(described, by_oauth(berth="7").credential) == {"berth": "7"}


async def test_a_connection_with_the_fact_is_asked_something_else() -> None:
    transport = in_turn(reply(200, {"id": 1, "name": "Ida"}), reply(200, {"fleet": {"number": 9, "name": "Red"}}))
    service = integration(transport, api_key=FORM, check=CHECK)
    own = await service.identify(setting())
    red = await service.identify(setting({"token": TOKEN, "fleet": "a/../b"}))
    assert [(each.account.id, each.account.label) for each in (own, red)] == [("1", "Ida"), ("9", "Red")]
    assert urls(transport) == ["/me", "/fleets/a%2F..%2Fb"]


def test_what_is_asked_instead_names_that_fact_only() -> None:
    wrong = {**CHECK, "given": {"fleet": {"path": "fleets/{token}", "account": "id", "label": "id"}}}
    with pytest.raises(ValueError, match=r"check\.given\.fleet\.path"):
        manifest(api_key=FORM, check=wrong)


async def test_a_credential_is_ended_by_what_is_known_of_it() -> None:
    transport = in_turn(reply(204), reply(204))
    revoke = {"method": "DELETE", "path": "apps/{client_id}/berths/{berth}", "query": {"of": "fleet"}}
    described = manifest(oauth2=FLOW, revoke=revoke)
    service = FolderIntegration(described, (), transport, OURS, None)
    assert await service.revoke(by_oauth()) is False
    assert transport.requests == []
    assert await service.revoke(by_oauth(berth="7/8")) is True
    assert await service.revoke(by_oauth(berth="7", fleet="red")) is True
    assert urls(transport) == ["/apps/us/berths/7%2F8", "/apps/us/berths/7?of=red"]


async def test_a_flag_in_a_refusal_goes_before_everything_else() -> None:
    answers = {"error": "error.code", "errors": {"no": "rejected"}, "flags": {"error.ended": "reconnect_needed"}}
    said = [{"error": {"code": "no", "ended": ended}} for ended in (True, False, "true")]
    transport = in_turn(*(reply(403, body) for body in said))
    way = call(transport, manifest(answers=answers))
    for problem in (ReconnectNeeded, Rejected, Rejected):
        with pytest.raises(problem, match=r"403 \(no\)"):
            await way.get("boats")


async def test_a_request_may_have_headers_of_its_own() -> None:
    transport = in_turn(reply(200, {}), reply(200, {}))
    way = call(transport)
    await way.send("POST", "boats", content=b"\x00", headers={"x-digest": "abc"})
    await way.get("boats")
    assert [each.headers.get("x-digest") for each in transport.requests] == ["abc", None]


async def test_a_list_may_go_on_by_another_parameter() -> None:
    pages = {"style": "cursor", "next": "next", "parameter": "until"}
    transport = in_turn(reply(200, {"boats": [{}], "next": 7}), reply(200, {"boats": [{}]}))
    way = call(transport, manifest(http={"base_url": "https://harbour.example/v1", "pages": pages}))
    assert len(await way.pages("boats", limit=5, items="boats", parameter="from")) == 2
    assert urls(transport)[1] == "/boats?per_page=5&from=7"


def test_the_time_that_is_left_is_never_negative() -> None:
    assert 0 < call(yes_to_all(), seconds=10).seconds_left <= 10
    assert call(yes_to_all(), seconds=-10).seconds_left == 0


def test_a_manifest_with_an_unknown_word_in_an_alternative_is_refused() -> None:
    with pytest.raises((Misconfigured, ValueError), match="colour"):
        manifest(check={**CHECK, "given": {"fleet": {"path": "x", "account": "id", "label": "id", "colour": "red"}}})


def test_an_address_that_is_each_operator_s_own_must_be_set_first() -> None:
    flow = {**FLOW, "authorize_url": "https://h/{application}/authorize"}
    described = manifest(oauth2=flow)
    assert FolderIntegration(described, (), yes_to_all(), OURS, None).oauth is None
    ours = replace(OURS, authorize_url="https://h/ours/authorize")
    application = FolderIntegration(described, (), yes_to_all(), ours, None).oauth
    assert application is not None
    assert application.authorize_url == "https://h/ours/authorize"
