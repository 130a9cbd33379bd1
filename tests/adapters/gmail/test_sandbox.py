"""The Gmail sandbox over real sockets: consent, tokens, revocation, refusals as Google's, and what it keeps."""

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from adapters._kit.sandbox import challenge_of
from adapters._kit.sandbox_google import CLIENT_ID, CLIENT_SECRET, EMAIL, TOKEN_IDENTITY, TOKEN_MARA
from adapters.gmail.sandbox import sandbox
from adapters.gmail.scopes import READ, SEND
from domain.errors import ReconnectNeeded, ScopeMissing, SlowDown, Unavailable
from tests.adapters.gmail.conftest import practice
from tests.support.serving import serving
from tests.support.trials import Trial

MARA, JON = "108000000000000000001", "108000000000000000002"
RETURN_TO = "http://127.0.0.1:9/oauth/callback"
VERIFIER = "a-verifier-long-enough-to-be-one-0123456789-abcdef"


class Service:
    """A sandbox being served, and a client to call it with."""

    def __init__(self, base: str, client: httpx2.AsyncClient) -> None:
        self.base = base
        self.client = client

    async def consent(self, **fields: str) -> dict[str, list[str]]:
        """What the application is told after a person has decided."""
        form = {
            "client_id": CLIENT_ID,
            "redirect_uri": RETURN_TO,
            "response_type": "code",
            "state": "s 1&2",
            "scope": f"openid email {READ}",
            "access_type": "offline",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            "account": MARA,
            "decision": "authorize",
        }
        answer = await self.client.post(f"{self.base}/o/oauth2/v2/auth", data={**form, **fields})
        assert answer.status_code == 302
        place = urlsplit(answer.headers["location"])
        assert place.geturl().startswith(RETURN_TO)
        return parse_qs(place.query)

    async def token(self, **fields: str) -> httpx2.Response:
        told = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uri": RETURN_TO}
        return await self.client.post(f"{self.base}/oauth2/token", data={**told, **fields})

    async def connect(self, **fields: str) -> dict[str, Any]:
        """The token endpoint's answer to a fresh code."""
        code = (await self.consent(**fields))["code"][0]
        answer = await self.token(grant_type="authorization_code", code=code, code_verifier=VERIFIER)
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, path: str, token: str = TOKEN_MARA) -> httpx2.Response:
        return await self.client.get(self.base + path, headers={"Authorization": f"Bearer {token}"})

    async def control(self, name: str, **body: Any) -> httpx2.Response:
        return await self.client.post(f"{self.base}/_sandbox/{name}", json=body)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with serving(sandbox()) as base, httpx2.AsyncClient(trust_env=False) as client:
        yield Service(base, client)


# ------------------------------------------------------------------------------------------------------- consent


async def test_it_says_on_its_front_page_that_it_is_a_sandbox(service: Service) -> None:
    answer = await service.client.get(service.base + "/")
    assert answer.json()["sandbox"] is True
    assert answer.headers["x-mandate-sandbox"] == "gmail"


async def test_the_short_name_of_a_scope_is_answered_by_its_long_one(service: Service) -> None:
    given = await service.connect()
    assert set(given["scope"].split()) == {"openid", EMAIL, READ}
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 3599)
    assert (await service.get("/openidconnect/v1/userinfo", given["access_token"])).json() == {
        "sub": MARA,
        "email": "mara@harbour.example",
        "email_verified": True,
    }


async def test_a_person_may_leave_a_scope_out(service: Service) -> None:
    given = await service.connect(choosing="1", grant=READ)
    assert given["scope"] == READ
    answer = await service.get("/openidconnect/v1/userinfo", given["access_token"])
    assert answer.json() == {"sub": MARA}


async def test_a_refresh_token_comes_with_offline_access_only(service: Service) -> None:
    assert "refresh_token" in await service.connect()
    assert "refresh_token" not in await service.connect(access_type="online")


async def test_a_wrong_verifier_gets_nothing(service: Service) -> None:
    code = (await service.consent())["code"][0]
    answer = await service.token(grant_type="authorization_code", code=code, code_verifier="wrong")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_a_refused_consent_goes_back_as_such(service: Service) -> None:
    told = await service.consent(decision="deny")
    assert (told["error"], told["state"]) == (["access_denied"], ["s 1&2"])


async def test_a_refresh_token_serves_again_and_again(service: Service) -> None:
    given = await service.connect(account=JON)
    for _ in range(2):
        answer = await service.token(grant_type="refresh_token", refresh_token=given["refresh_token"])
        fresh = answer.json()
        assert "refresh_token" not in fresh
        assert set(fresh["scope"].split()) == set(given["scope"].split())
        profile = await service.get("/gmail/v1/users/me/profile", fresh["access_token"])
        assert profile.json()["emailAddress"] == "jon@harbour.example"


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_revoking_one_token_ends_the_whole_consent(service: Service, which: str) -> None:
    first, second = await service.connect(), await service.connect(scope=SEND)
    answer = await service.client.post(service.base + "/oauth2/revoke", data={"token": first[which]})
    assert (answer.status_code, answer.json()) == (200, {})
    assert (await service.get("/gmail/v1/users/me/profile", second["access_token"])).status_code == 401
    refused = await service.token(grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    again = await service.client.post(service.base + "/oauth2/revoke", data={"token": first[which]})
    assert (again.status_code, again.json()["error"]) == (400, "invalid_token")


async def test_an_access_token_that_ran_out_is_said_so(service: Service) -> None:
    given = await service.connect()
    assert (await service.control("expire", token=given["access_token"])).json() == {"expired": True}
    answer = await service.get("/gmail/v1/users/me/profile", given["access_token"])
    error = answer.json()["error"]
    assert (answer.status_code, error["status"], error["details"][0]["reason"]) == (
        401,
        "UNAUTHENTICATED",
        "ACCESS_TOKEN_EXPIRED",
    )


@pytest.mark.parametrize("path", ["/gmail/v1/users/me/labels", "/people/v1/people/me/connections"])
async def test_no_token_and_a_wrong_one_are_refused(service: Service, path: str) -> None:
    assert (await service.client.get(service.base + path)).status_code == 401
    assert (await service.get(path, "ya29.sandbox_wrong")).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/gmail/v1/users/jon@harbour.example/labels",
        "/gmail/v1/users/me/messages?maxResults=0",
        "/gmail/v1/users/me/messages?pageToken=x",
        "/gmail/v1/users/me/messages/19a0000000010001?format=odd",
        "/gmail/v1/users/me/messages/19a0000000010001/attachments/nonsense",
        "/people/v1/people/me/connections",
        "/people/v1/people/me/connections?personFields=names,shoeSize",
        "/people/v1/people/me/connections?personFields=names&sortOrder=ODD",
    ],
)
async def test_what_google_refuses_is_refused_in_google_s_shape(service: Service, path: str) -> None:
    answer = await service.get(path)
    assert answer.status_code in (400, 403)
    assert answer.json()["error"]["code"] == answer.status_code


async def test_an_unknown_route_is_not_found_in_google_s_shape(service: Service) -> None:
    assert (await service.get("/gmail/v1/users/me/settings")).json()["error"]["status"] == "NOT_FOUND"


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"not json", b'{"raw": "a"}', b'{"raw": ""}', b'{"raw": "aGk="}', b'{"raw": 7}']
)
async def test_a_message_that_cannot_be_sent_is_refused(service: Service, body: bytes) -> None:
    signed = {"Authorization": f"Bearer {TOKEN_MARA}"}
    answer = await service.client.post(service.base + "/gmail/v1/users/me/messages/send", content=body, headers=signed)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_mail_to_somebody_in_the_sandbox_arrives_there_without_its_hidden_copies(service: Service) -> None:
    async with practice() as gmail:
        await gmail.run(
            "send_email", to=["jon@harbour.example"], bcc=["mara@harbour.example"], subject="Rope", text="Bring some."
        )
        (own,) = (await gmail.run("search_emails", search="subject:rope in:inbox -label:invoices"))["emails"]
        assert own["label_ids"] == ["SENT", "UNREAD", "INBOX"]
    jon = (await service.connect(account=JON))["access_token"]
    assert (await service.get("/gmail/v1/users/me/messages", jon)).json() == {"resultSizeEstimate": 0}
    raw = "VG86IGpvbkBoYXJib3VyLmV4YW1wbGUKQmNjOiB4QHkuZXhhbXBsZQpTdWJqZWN0OiBSb3BlCgpCcmluZy4="
    signed = {"Authorization": f"Bearer {TOKEN_MARA}"}
    url = service.base + "/gmail/v1/users/me/messages/send"
    assert (await service.client.post(url, json={"raw": raw}, headers=signed)).status_code == 200
    (got,) = (await service.get("/gmail/v1/users/me/messages", jon)).json()["messages"]
    message = (await service.get(f"/gmail/v1/users/me/messages/{got['id']}", jon)).json()
    headers = {each["name"]: each["value"] for each in message["payload"]["headers"]}
    assert (headers["From"], "Bcc" in headers) == ("Mara Keel <mara@harbour.example>", False)


# ------------------------------------------------------------------------------------- through the integration


async def test_the_connection_test_names_the_account_by_what_never_changes(gmail: Trial) -> None:
    identity = await gmail.integration.identify(gmail.setting())
    assert (identity.account.id, identity.account.label) == (MARA, "mara@harbour.example")


async def test_a_token_without_the_scope_is_told_apart_from_one_without_the_right() -> None:
    async with practice(TOKEN_IDENTITY) as gmail:
        with pytest.raises(ScopeMissing):
            await gmail.run("read_inbox")
        with pytest.raises(ScopeMissing):
            await gmail.run("list_contacts")


async def test_a_revoked_token_needs_a_person(gmail: Trial) -> None:
    assert await gmail.integration.revoke(gmail.setting())
    with pytest.raises(ReconnectNeeded):
        await gmail.run("get_account")


async def test_too_many_calls_are_slowed_down_by_a_403() -> None:
    async with practice(rate_limit=1) as gmail:
        await gmail.run("get_account")
        with pytest.raises(SlowDown, match="userRateLimitExceeded"):
            await gmail.run("get_account")


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("429", SlowDown),
        ("403_secondary", SlowDown),
        ("503", Unavailable),
        ("500", Unavailable),
        ("401", ReconnectNeeded),
    ],
)
async def test_the_faults_that_can_be_asked_for_are_google_s(
    gmail: Trial, fault: str, problem: type[Exception]
) -> None:
    await gmail.misbehave(fault, "GET /gmail/*")
    with pytest.raises(problem):
        await gmail.run("get_account")
    assert (await gmail.run("get_account"))["messages"] == 4


async def test_what_was_done_survives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "state" / "gmail.json"
    async with serving(sandbox(file)) as base, httpx2.AsyncClient(trust_env=False) as client:
        first = await Service(base, client).connect()
        signed = {"Authorization": f"Bearer {TOKEN_MARA}"}
        await client.post(base + "/gmail/v1/users/me/labels", json={"name": "Kept"}, headers=signed)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "Kept" in json.dumps(json.loads(file.read_text()))
    async with serving(sandbox(file)) as base, httpx2.AsyncClient(trust_env=False) as client:
        again = Service(base, client)
        labels = (await again.get("/gmail/v1/users/me/labels", first["access_token"])).json()["labels"]
    assert "Kept" in [each["name"] for each in labels]


async def test_without_faults_there_are_no_control_routes() -> None:
    async with serving(sandbox(faults=False)) as base, httpx2.AsyncClient(trust_env=False) as client:
        assert (await Service(base, client).control("faults", kind="500")).status_code == 404
