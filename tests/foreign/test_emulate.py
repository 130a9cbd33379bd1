"""emulate does what our own tests take for granted, seen with a plain HTTP client and none of our code."""

import socket
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from tests.support.consent import ConsentRefused
from tests.support.emulate import FOREIGN, GITHUB, SLACK, Emulate, OAuthApp, consent

CALLBACK = "http://127.0.0.1:9/callback"


def authorize_url(address: str, app: OAuthApp, redirect_uri: str, scope: str) -> str:
    query = {"client_id": app.client_id, "redirect_uri": redirect_uri, "scope": scope, "state": "st-1"}
    return f"{address}?{urlencode(query)}"


def token_request(app: OAuthApp, location: str) -> dict[str, str]:
    """The form that trades the code in a redirect for a token."""
    answer = parse_qs(urlsplit(location).query)
    assert answer["state"] == ["st-1"]
    return {
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "code": answer["code"][0],
        "redirect_uri": CALLBACK,
    }


async def slack_token(emulate: Emulate, scope: str) -> str:
    emulate.allow_redirect(CALLBACK)
    page = authorize_url(f"{emulate.slack}/oauth/v2/authorize", SLACK, CALLBACK, scope)
    location = await consent(page, "ada")
    async with httpx2.AsyncClient() as client:
        answer = await client.post(f"{emulate.slack}/api/oauth.v2.access", data=token_request(SLACK, location))
    token: str = answer.json()["access_token"]
    return token


async def test_github_consent_leads_to_a_token_that_acts_as_the_person_who_consented(
    emulate: Emulate,
) -> None:
    emulate.allow_redirect(CALLBACK)
    location = await consent(
        authorize_url(f"{emulate.github}/login/oauth/authorize", GITHUB, CALLBACK, "repo read:user"), "bruno"
    )
    assert location.startswith(f"{CALLBACK}?")

    async with httpx2.AsyncClient(headers={"accept": "application/json"}) as client:
        address = f"{emulate.github}/login/oauth/access_token"
        token = (await client.post(address, data=token_request(GITHUB, location))).json()
        person = await client.get(
            f"{emulate.github}/user", headers={"authorization": f"Bearer {token['access_token']}"}
        )

    assert token["scope"] == "repo read:user"
    assert person.json()["login"] == "bruno"


async def test_github_has_the_seeded_files_and_branches(emulate: Emulate) -> None:
    repository = f"{emulate.github}/repos/octavia/lighthouse"
    async with httpx2.AsyncClient(headers={"authorization": "Bearer any"}) as client:
        branches = await client.get(f"{repository}/branches")
        lamp = await client.get(f"{repository}/contents/src/lamp.py", params={"ref": "draft"})

    assert {branch["name"] for branch in branches.json()} >= {"main", "draft"}
    assert lamp.json()["path"] == "src/lamp.py"


async def test_slack_consent_leads_to_a_token_that_lists_channels(emulate: Emulate) -> None:
    token = await slack_token(emulate, "channels:read")

    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}) as client:
        answer = (await client.post(f"{emulate.slack}/api/conversations.list")).json()

    assert answer["ok"] is True
    assert "harbour" in {channel["name"] for channel in answer["channels"]}


async def test_slack_refuses_a_call_outside_the_granted_scopes(emulate: Emulate) -> None:
    token = await slack_token(emulate, "channels:read")

    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}) as client:
        answer = (await client.post(f"{emulate.slack}/api/users.list")).json()

    assert (answer["ok"], answer["error"], answer["needed"]) == (False, "missing_scope", "users:read")


async def test_a_redirect_address_that_was_not_allowed_is_refused(emulate: Emulate) -> None:
    page = authorize_url(f"{emulate.github}/login/oauth/authorize", GITHUB, "http://127.0.0.1:10/other", "repo")
    with pytest.raises(ConsentRefused, match="status 400"):
        await consent(page, "bruno")


def test_the_services_listen_on_one_loopback_address_only(emulate: Emulate) -> None:
    for port in (urlsplit(emulate.github).port, urlsplit(emulate.slack).port):
        with pytest.raises((ConnectionError, TimeoutError)):
            socket.create_connection(("127.0.0.2", port or 0), timeout=2)


def test_the_lock_names_no_address() -> None:
    assert "://" not in (FOREIGN / "package-lock.json").read_text()
