"""Connecting by a key: tested before it is stored, refused with the reason, and never seen again in any answer."""

import asyncio
from typing import Any

import pytest

from domain.json import Json
from tests.support.gateways import CONNECT, Client, RunningGateway, connected

GITHUB_KEY = "ghp_sandbox_lin_repo"
SAMS_KEY = "ghp_sandbox_sam_repo"
NAMECOM: Json = {"username": "sandbox-test", "token": "namecom-sandbox-token"}
EVERYTHING = """{
  connections { nodes {
    id status authScheme label isSandbox grantedScopes account { id label } health { lastError } integration { slug }
  } }
  auditEvents(first: 100) { nodes { type actor reason error status integration } }
}"""


@pytest.fixture
def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


async def _connect(owner: Client, integration: str, credentials: Json, **more: Json) -> Any:
    wish: Json = {"integration": integration, "credentials": credentials, **more}
    return (await owner.ask(CONNECT, {"input": wish}))["connect"]


async def test_github_is_connected_by_a_personal_access_token(owner: Client) -> None:
    made = await _connect(owner, "github", {"token": GITHUB_KEY})
    assert made["errors"] == []
    assert made["session"] is None
    assert (made["connection"]["status"], made["connection"]["account"]["label"]) == ("ACTIVE", "lin-harbour")
    assert made["connection"]["grantedScopes"] == ["repo"]
    done = await owner.execute("github.get_account", {})
    assert done["execution"]["result"]["login"] == "lin-harbour"


async def test_namecom_is_connected_by_name_and_key(owner: Client) -> None:
    made = await _connect(owner, "namecom", NAMECOM)
    assert made["errors"] == []
    assert (made["connection"]["status"], made["connection"]["account"]["label"]) == ("ACTIVE", "sandbox-test")


async def test_secrets_are_in_no_answer(owner: Client) -> None:
    wish: Json = {"input": {"integration": "namecom", "credentials": NAMECOM}}
    assert isinstance(wish, dict)
    made = await owner.post(CONNECT, wish)
    listed = await owner.post(EVERYTHING)
    for answer in (made, listed):
        assert "namecom-sandbox-token" not in answer.text


@pytest.mark.parametrize(
    ("integration", "credentials", "secret"),
    [
        ("github", {"token": "ghp_0123456789abcdef0123456789abcdef0123"}, "0123456789abcdef"),
        ("namecom", {"username": "sandbox-test", "token": "canary-wrong-key"}, "canary-wrong-key"),
        ("namecom", {"username": "nobody-known", "token": "namecom-sandbox-token"}, "namecom-sandbox-token"),
    ],
)
async def test_a_wrong_key_is_refused_and_not_stored(
    owner: Client, integration: str, credentials: Json, secret: str
) -> None:
    answer = await owner.post(CONNECT, {"input": {"integration": integration, "credentials": credentials}})
    made = answer.json()["data"]["connect"]
    assert made["connection"] is None
    [error] = made["errors"]
    assert (error["__typename"], error["code"]) == ("ProviderRefused", "PROVIDER_REFUSED")
    assert (error["providerCode"], error["providerStatus"]) == ("RECONNECT_REQUIRED", 401)
    assert error["path"] == ["input", "credentials"]
    assert secret not in answer.text
    assert (await owner.ask(EVERYTHING))["connections"]["nodes"] == []


async def test_all_mistakes_in_the_form_come_together(owner: Client) -> None:
    made = await _connect(owner, "namecom", {"username": "two words", "tokn": "canary-typo"})
    [error] = made["errors"]
    assert (error["__typename"], error["path"]) == ("InvalidParameters", ["input", "credentials"])
    assert {each["pointer"] for each in error["violations"]} == {"/username", "/token", "/tokn"}
    assert "canary" not in str(made)


@pytest.mark.parametrize(
    "credentials",
    [{}, [], "ghp_sandbox_lin_repo", 7, {"token": None}, {"token": 7}, {"token": ""}, {"token": "short"}],
)
async def test_credentials_of_another_shape_are_refused_without_being_repeated(
    owner: Client, credentials: Json
) -> None:
    made = await _connect(owner, "github", credentials)
    assert made["connection"] is None
    assert [error["code"] for error in made["errors"]] == ["INVALID_PARAMETERS"]
    assert "ghp_sandbox" not in str(made)


@pytest.mark.parametrize(
    "token",
    ["ghp_" + "x" * 5000, "ghp_ünïcödé0123456789", "ghp_a\r\nhost: evil 0123456789", "ghp_\u0000123456789012345"],
)
async def test_a_key_that_cannot_be_sent_is_refused(owner: Client, token: str) -> None:
    made = await _connect(owner, "github", {"token": token})
    assert [error["code"] for error in made["errors"]] == ["INVALID_PARAMETERS"]
    assert [each["pointer"] for each in made["errors"][0]["violations"]] == ["/token"]


async def test_a_key_is_asked_for_when_the_scheme_says_so(owner: Client) -> None:
    wish: Json = {"integration": "github", "authScheme": "API_KEY"}
    made = (await owner.ask(CONNECT, {"input": wish}))["connect"]
    assert [error["code"] for error in made["errors"]] == ["INVALID_PARAMETERS"]
    made = (await owner.ask(CONNECT, {"input": {"integration": "namecom"}}))["connect"]
    assert [error["code"] for error in made["errors"]] == ["INVALID_PARAMETERS"]


async def test_reconnecting_by_somebody_elses_key_is_refused_and_changes_nothing(owner: Client) -> None:
    first = await _connect(owner, "github", {"token": GITHUB_KEY})
    account = first["connection"]["id"]
    other = await _connect(owner, "github", {"token": SAMS_KEY}, connection=account)
    [error] = other["errors"]
    assert (error["code"], error["path"]) == ("CONFLICT", ["input", "connection"])
    assert "belongs to lin-harbour" in error["message"]
    done = await owner.execute("github.get_account", {})
    assert done["execution"]["result"]["login"] == "lin-harbour"


async def test_reconnecting_by_a_wrong_key_leaves_the_old_one_working(owner: Client) -> None:
    first = await _connect(owner, "github", {"token": GITHUB_KEY})
    wrong = await _connect(owner, "github", {"token": "ghp_0123456789abcdef0123"}, connection=first["connection"]["id"])
    assert wrong["errors"][0]["code"] == "PROVIDER_REFUSED"
    assert (await owner.execute("github.get_account", {}))["execution"]["status"] == "SUCCEEDED"


async def test_an_oauth_connection_may_be_renewed_by_a_key_of_the_same_account(owner: Client) -> None:
    account = await connected(owner)
    made = await _connect(owner, "github", {"token": GITHUB_KEY}, connection=account.id)
    assert made["errors"] == []
    assert made["connection"]["id"] == account.id


async def test_reconnecting_another_integrations_connection_looks_unknown(owner: Client) -> None:
    account = await connected(owner)
    made = await _connect(owner, "namecom", NAMECOM, connection=account.id)
    assert [(error["code"], error["path"]) for error in made["errors"]] == [("NOT_FOUND", ["input", "connection"])]


@pytest.mark.parametrize("fault", ["500", "reset", "garbage", "404", "429"])
async def test_a_service_in_trouble_stores_nothing(gateway: RunningGateway, owner: Client, fault: str) -> None:
    await gateway.misbehave(fault, "GET /user")
    made = await _connect(owner, "github", {"token": GITHUB_KEY})
    assert [error["code"] for error in made["errors"]] == ["PROVIDER_REFUSED"]
    assert (await owner.ask(EVERYTHING))["connections"]["nodes"] == []


async def test_the_same_account_connected_many_times_at_once_is_one_connection(owner: Client) -> None:
    made = await asyncio.gather(*(_connect(owner, "github", {"token": GITHUB_KEY}) for _ in range(8)))
    assert [each["errors"] for each in made] == [[]] * 8
    assert len({each["connection"]["id"] for each in made}) == 1
    assert (await owner.execute("github.get_account", {}))["execution"]["status"] == "SUCCEEDED"
