"""An integration put together: scopes, credentials, the connection test, revoking."""

import base64
import json
from typing import Any

import pytest

from adapters._kit import Call, Effect, action
from adapters._kit.action import ActionDefinition
from adapters._kit.integration import FolderIntegration, Override
from domain.catalogue import AuthScheme, CallSetting, Credential
from domain.errors import AnswerGarbled, Misconfigured, ReconnectNeeded, Violation
from domain.secrets import Secret
from tests.adapters.kit.sample import TOKEN, in_turn, integration, manifest, reply, setting, yes_to_all

SCOPES = {
    "boats": {"explanation": "Read and change boats.", "includes": ["boats:write"]},
    "boats:write": {"explanation": "Change boats.", "includes": ["boats:read"]},
    "boats:read": {"explanation": "See boats."},
    "berths": {"explanation": "See berths."},
    "profile": {"explanation": "See who you are."},
}
FLOW = {"authorize_url": "https://h/authorize", "token_url": "https://h/token", "always": ["profile"]}
OURS = Override(client_id="us", client_secret=Secret("our-secret"))


def needing(*scopes: str) -> ActionDefinition:
    async def look(call: Call) -> None:
        """Look."""

    look.__name__ = "look_" + "_".join(scopes).replace(":", "_")
    return action(effect=Effect.READ, scopes=scopes)(look)


def scoped(*definitions: ActionDefinition) -> FolderIntegration:
    return integration(yes_to_all(), definitions, scopes=SCOPES, oauth2=FLOW)


# ---------------------------------------------------------------------------------------------------- scopes


def test_the_least_scopes_are_asked_for_with_what_the_test_needs() -> None:
    service = scoped(needing("boats:read"), needing("berths"), needing())
    look = service.actions
    assert service.scopes_for([]) == ("profile",)
    assert service.scopes_for([look["harbour.look_berths"]]) == ("berths", "profile")


def test_a_narrower_scope_is_not_asked_for_beside_one_that_includes_it() -> None:
    service = scoped(needing("boats:read"), needing("boats"))
    assert service.scopes_for(list(service.actions.values())) == ("boats", "profile")


def test_a_wider_scope_includes_the_narrower_however_deep() -> None:
    service = scoped()
    assert service.is_usable_scope(["boats"], "boats:read")
    assert service.is_usable_scope(["boats:read"], "boats:read")
    assert not service.is_usable_scope(["boats:read"], "boats")
    assert not service.is_usable_scope([], "berths")
    assert not service.is_usable_scope(["unheard-of"], "berths")


def test_scopes_are_explained_in_plain_words_unknown_ones_by_name() -> None:
    told = scoped().explain(["berths", "unheard-of"])
    assert [each.explanation for each in told] == ["See berths.", "The permission `unheard-of`."]


# ----------------------------------------------------------------------------------------------- credentials


FORM: dict[str, Any] = {
    "sign": "basic",
    "fields": [
        {"name": "user", "title": "User", "description": "Yours.", "secret": False},
        {
            "name": "key",
            "title": "Key",
            "description": "Begins with k_.",
            "pattern": "k_[a-z]+",
            "largest": 20,
        },
    ],
}


def test_all_mistakes_in_a_credential_come_at_once_and_never_repeat_it() -> None:
    service = integration(yes_to_all(), api_key=FORM)
    mistakes = service.check_credentials({"user": "", "key": "S3CRET-VALUE", "kee": "x"})
    assert [each.pointer for each in mistakes] == ["/kee", "/user", "/key"]
    assert "S3CRET" not in repr(mistakes)


@pytest.mark.parametrize("key", ["k_" + "a" * 20, "k_a b", "k_a\n", "k_ä", "k_\x00", 7, None, ["k_a"]])
def test_a_credential_of_the_wrong_form_is_a_mistake(key: str | int | list[str] | None) -> None:
    service = integration(yes_to_all(), api_key=FORM)
    assert [each.pointer for each in service.check_credentials({"user": "me", "key": key})] == ["/key"]


def test_a_good_credential_passes_and_an_absent_one_does_not() -> None:
    service = integration(yes_to_all(), api_key=FORM)
    assert service.check_credentials({"user": "me", "key": "k_abc"}) == ()
    assert service.check_credentials(None) == (Violation("", "Give an object with the fields of `credentialSchema`."),)


def test_the_form_marks_secrets_as_write_only() -> None:
    schema = integration(yes_to_all(), api_key=FORM).credential_schema
    assert schema is not None
    properties: Any = schema["properties"]
    assert properties["key"]["writeOnly"] is True
    assert "writeOnly" not in properties["user"]
    assert properties["key"]["pattern"] == "^(?:k_[a-z]+)$"


async def test_a_credential_that_lacks_a_part_needs_a_person() -> None:
    with pytest.raises(ReconnectNeeded):
        await integration(yes_to_all(), api_key=FORM).identify(setting({"user": "me"}))


# -------------------------------------------------------------------------------------------- connection test


async def test_the_connection_test_names_the_account_and_what_was_granted() -> None:
    transport = in_turn(reply(200, {"id": 7, "name": "Lin"}, x_scopes="boats, berths"))
    identity = await integration(transport).identify(setting())
    assert (identity.account.id, identity.account.label) == ("7", "Lin")
    assert identity.scopes == ("boats", "berths")
    assert transport.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_no_scopes_told_is_not_the_same_as_no_scopes_granted() -> None:
    transport = in_turn(reply(200, {"id": "a"}), reply(200, {"id": "a"}, x_scopes=""))
    service = integration(transport)
    assert (await service.identify(setting())).scopes is None
    assert (await service.identify(setting())).scopes == ()


@pytest.mark.parametrize("account", [None, "", True, ["a"], {"id": 1}])
async def test_an_account_without_an_id_is_not_connected(account: Any) -> None:
    with pytest.raises(AnswerGarbled):
        await integration(in_turn(reply(200, {"id": account}))).identify(setting())


TWO_FIELDS = {
    "sign": "bearer",
    "fields": [
        {"name": "token", "title": "Token", "description": "Theirs."},
        {"name": "berth", "title": "Berth", "description": "Where.", "secret": False},
    ],
}
BERTHED = {"path": "berths/{berth}", "account": "id", "label": "name"}


@pytest.mark.parametrize(
    ("typed", "path"), [("b1", "berths/b1"), ("../x?y=#{token}", "berths/..%2Fx%3Fy%3D%23%7Btoken%7D")]
)
async def test_the_connection_test_goes_where_a_person_said(typed: str, path: str) -> None:
    transport = in_turn(reply(200, {"id": "b1", "name": "Berth one"}))
    service = integration(transport, api_key=TWO_FIELDS, check=BERTHED)
    identity = await service.identify(setting({"token": TOKEN, "berth": typed}))
    assert identity.account.label == "Berth one"
    assert [each.url for each in transport.requests] == [f"https://harbour.example/v1/{path}"]


async def test_a_credential_without_what_the_test_needs_asks_for_a_new_connection() -> None:
    with pytest.raises(ReconnectNeeded):
        await integration(yes_to_all(), api_key=TWO_FIELDS, check=BERTHED).identify(setting({"token": TOKEN}))


@pytest.mark.parametrize("path", ["berths/{token}", "berths/{boat}"])
def test_the_connection_test_names_no_secret_and_nothing_unknown(path: str) -> None:
    with pytest.raises(ValueError, match=r"check\.path names"):
        manifest(api_key=TWO_FIELDS, check={**BERTHED, "path": path})


# -------------------------------------------------------------------------------------------------- revoking


def oauth_setting() -> CallSetting:
    credential = Credential(AuthScheme.OAUTH2, {"access_token": Secret("their-token")}, {})
    plain = setting()
    return CallSetting(credential, None, is_sandbox=False, key=plain.key, deadline_at=plain.deadline_at)


REVOKE = {
    "method": "DELETE",
    "path": "apps/{client_id}",
    "as_client": True,
    "json": {"token": "{access_token}"},
}


async def test_a_token_is_revoked_in_the_name_of_our_application() -> None:
    transport = in_turn(reply(204))
    service = FolderIntegration(manifest(oauth2=FLOW, revoke=REVOKE, scopes=SCOPES), [], transport, OURS, None)
    assert await service.revoke(oauth_setting())
    (request,) = transport.requests
    assert (request.method, request.url) == ("DELETE", "https://harbour.example/v1/apps/us")
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"us:our-secret").decode()
    assert json.loads(request.body or b"") == {"token": "their-token"}


async def test_where_nothing_can_be_revoked_the_answer_is_no() -> None:
    assert not await integration(yes_to_all(), revoke=REVOKE, oauth2=FLOW, scopes=SCOPES).revoke(setting())
    assert not await integration(yes_to_all(), oauth2=FLOW, scopes=SCOPES).revoke(oauth_setting())


# --------------------------------------------------------------------------------------------------- sandbox


async def test_a_sandbox_account_never_reaches_the_real_service() -> None:
    plain = setting()
    practice = CallSetting(plain.credential, None, is_sandbox=True, key=plain.key, deadline_at=plain.deadline_at)
    transport = yes_to_all()
    with pytest.raises(Misconfigured, match="sandbox"):
        await integration(transport).identify(practice)
    assert transport.requests == []


def test_our_application_exists_where_the_operator_named_it() -> None:
    described = manifest(oauth2=FLOW, scopes=SCOPES)
    assert FolderIntegration(described, [], yes_to_all(), Override(), None).oauth is None
    ours = FolderIntegration(described, [], yes_to_all(), OURS, None).oauth
    assert ours is not None
    assert (ours.client_id, ours.token_url, ours.uses_pkce) == ("us", "https://h/token", True)
