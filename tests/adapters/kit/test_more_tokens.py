"""A second token of one connection, and files that go to an address the service has named."""

from typing import Any

import pytest

from adapters._kit import Call, Effect, action
from adapters._kit.http import CannedTransport, Incoming, Outgoing
from adapters._kit.integration import FolderIntegration, Override
from domain.catalogue import AuthScheme, CallSetting, Credential
from domain.errors import Rejected, ScopeMissing, Unavailable
from domain.secrets import Secret
from tests.adapters.kit.sample import BASE_URL, call, in_turn, manifest, reply, setting

TOKENS = {"keeper": {"secret": "keeper_token", "scopes": ["lamp:light"]}}
FIELDS = [
    {"name": "token", "title": "Token", "description": "Theirs."},
    {"name": "keeper_token", "title": "Keeper's token", "description": "The keeper's.", "required": False},
]
FLOW = {"authorize_url": "https://h/authorize", "token_url": "https://h/token"}


@action(effect=Effect.WRITE, look_for="whether the lamp is lit")
async def light(call: Call) -> None:
    """Light the lamp."""
    await call.get("lamp")
    await call.acting_as("keeper").post("lamp")
    await call.get("lamp")


def service(transport: CannedTransport, **changes: Any) -> FolderIntegration:
    described = manifest(**{"api_key": {"sign": "bearer", "fields": FIELDS}, "tokens": TOKENS, **changes})
    return FolderIntegration(described, [light], transport, Override(), None)


def signatures(transport: CannedTransport) -> list[str]:
    return [each.headers["authorization"].removeprefix("Bearer ") for each in transport.requests]


async def test_one_step_of_a_run_may_be_signed_with_another_token() -> None:
    transport = in_turn(reply(200, {}), reply(200, {}), reply(200, {}))
    there = service(transport)
    both = {"token": "first", "keeper_token": "second"}
    await there.run(there.actions["harbour.light"], {}, setting(both))
    assert signatures(transport) == ["first", "second", "first"]


async def test_a_connection_without_the_other_token_says_which_scopes_it_lacks() -> None:
    transport = in_turn(reply(200, {}))
    there = service(transport)
    with pytest.raises(ScopeMissing) as missing:
        await there.run(there.actions["harbour.light"], {}, setting({"token": "first"}))
    assert missing.value.missing == ("lamp:light",)
    assert not missing.value.may_have_happened


async def test_a_token_that_the_manifest_does_not_name_is_a_mistake_of_the_author() -> None:
    with pytest.raises(TypeError, match="names no token"):
        call(in_turn()).acting_as("nobody")


async def test_the_scopes_of_all_tokens_are_known() -> None:
    def answer(request: Outgoing) -> Incoming:
        scopes = "lamp:see" if request.headers["authorization"].endswith("first") else "lamp:light"
        return reply(200, {"id": 1, "name": "H"}, x_scopes=scopes)

    identity = await service(CannedTransport(answer)).identify(setting({"token": "first", "keeper_token": "second"}))
    assert identity.scopes == ("lamp:see", "lamp:light")


async def test_each_token_is_revoked() -> None:
    transport = in_turn(reply(204), reply(204))
    there = service(transport, oauth2=FLOW, revoke={"method": "POST", "path": "revoke"})
    there._override = Override(client_id="app", client_secret=Secret("s"))
    secrets = {"access_token": Secret("first"), "keeper_token": Secret("second")}
    plain = setting()
    connected = CallSetting(
        Credential(AuthScheme.OAUTH2, secrets, {}), None, is_sandbox=False, key=plain.key, deadline_at=plain.deadline_at
    )
    assert await there.revoke(connected)
    assert signatures(transport) == ["first", "second"]


async def test_a_file_goes_to_where_the_service_has_said_without_a_credential() -> None:
    described = manifest(http={"base_url": BASE_URL, "uploads": ["files.example"]})
    transport = in_turn(reply(200), reply(200), reply(200))
    for place in ("https://files.example/u/1?k=2", "https://eu.files.example/u", "https://harbour.example/u"):
        await call(transport, described).upload(place, content=b"chart", media_type="image/png")
    assert transport.requests[0].url == "https://files.example/u/1?k=2"
    assert [dict(each.headers) for each in transport.requests] == [{"content-type": "image/png"}] * 3
    assert {each.body for each in transport.requests} == {b"chart"}


@pytest.mark.parametrize(
    "place",
    [
        "http://files.example/u",
        "https://files.example.evil.example/u",
        "https://notfiles.example/u",
        "https://files.example:8443/u",
        "https://user@files.example/u",
        "https://[broken/u",
        "",
    ],
)
async def test_a_file_goes_nowhere_else(place: str) -> None:
    described = manifest(http={"base_url": BASE_URL, "uploads": ["files.example"]})
    transport = in_turn()
    with pytest.raises(Rejected, match="not known as its own"):
        await call(transport, described).upload(place, content=b"chart")
    assert transport.requests == []


async def test_a_file_that_was_not_taken_leaves_nothing_behind() -> None:
    with pytest.raises(Unavailable) as failed:
        await call(in_turn(reply(500))).upload(f"{BASE_URL}/u", content=b"chart")
    assert not failed.value.may_have_happened
