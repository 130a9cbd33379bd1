"""The Microsoft 365 sandbox over a real socket: it refuses where Microsoft refuses, and misbehaves when asked to."""

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from adapters._kit.sandbox import challenge_of
from adapters.microsoft365.sandbox import GRAPH, sandbox
from adapters.microsoft365.sandbox_odata import NotUnderstood, matches
from adapters.microsoft365.sandbox_seed import ADA, BEN, CLIENT_ID, CLIENT_SECRET
from adapters.microsoft365.sandbox_state import TOKEN_ADA
from tests.support.serving import serving

VERIFIER = "a-verifier-long-enough-to-be-one-0123456789-abcdef"
RETURN_TO = "http://127.0.0.1:9/oauth/callback"


class Service:
    """A sandbox being served, and a client to call it with."""

    def __init__(self, base: str, client: httpx2.AsyncClient) -> None:
        self.base = base
        self.client = client

    async def get(self, path: str, token: str = TOKEN_ADA, **query: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        asked = {f"${name}": value for name, value in query.items()}
        return await self.client.get(f"{self.base}/v1.0{path}", headers=headers, params=asked)

    async def control(self, what: str, **told: Any) -> httpx2.Response:
        return await self.client.post(f"{self.base}/_sandbox/{what}", json=told)

    async def consent(self, scope: str, **fields: str | list[str]) -> dict[str, list[str]]:
        """What the application is told after a person has decided."""
        form = {"client_id": CLIENT_ID, "redirect_uri": RETURN_TO, "state": "s 1&2", "account": ADA.id, "scope": scope}
        pkce = {"code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256"}
        data = {**form, **pkce, "response_type": "code", "decision": "authorize", **fields}
        answer = await self.client.post(f"{self.base}/common/oauth2/v2.0/authorize", data=data)
        assert answer.status_code == 302, answer.text
        return parse_qs(urlsplit(answer.headers["location"]).query)

    async def token(self, **fields: str) -> httpx2.Response:
        told = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **fields}
        return await self.client.post(f"{self.base}/common/oauth2/v2.0/token", data=told)

    async def connect(self, scope: str, **fields: str | list[str]) -> dict[str, Any]:
        """The whole flow."""
        [code] = (await self.consent(scope, **fields))["code"]
        exchanged = {"code": code, "grant_type": "authorization_code", "code_verifier": VERIFIER}
        answer: dict[str, Any] = (await self.token(**exchanged, redirect_uri=RETURN_TO)).json()
        return answer


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[Service]:
    async with serving(app) as base, httpx2.AsyncClient(trust_env=False) as client:
        yield Service(base, client)


@pytest.fixture
async def box() -> AsyncIterator[Service]:
    async with served(sandbox()) as service:
        yield service


# ----------------------------------------------------------------------------------------------------------- OAuth


async def test_a_consent_leads_to_tokens_that_act_as_the_person(box: Service) -> None:
    answer = await box.connect("offline_access User.Read Mail.Read", account=BEN.id)
    assert answer["scope"].split() == ["Mail.Read", "User.Read"]  # offline_access is never told
    assert (answer["token_type"], answer["expires_in"], answer["ext_expires_in"]) == ("Bearer", 3600, 3600)
    assert (await box.get("/me", answer["access_token"])).json()["mail"] == BEN.mail


async def test_long_scopes_come_back_long(box: Service) -> None:
    answer = await box.connect(f"{GRAPH}User.Read {GRAPH}Mail.Send")
    assert answer["scope"].split() == [f"{GRAPH}Mail.Send", f"{GRAPH}User.Read"]
    assert "refresh_token" not in answer


async def test_a_person_may_grant_less(box: Service) -> None:
    answer = await box.connect("User.Read Mail.Read", choosing="1", grant=["User.Read"])
    assert answer["scope"] == "User.Read"
    refused = await box.get("/me/messages", answer["access_token"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "ErrorAccessDenied")


async def test_a_person_may_say_no(box: Service) -> None:
    assert (await box.consent("User.Read", decision="deny"))["error"] == ["access_denied"]
    assert (await box.consent("Everything.Read"))["error"] == ["invalid_scope"]


async def test_a_code_needs_its_verifier_and_the_right_client(box: Service) -> None:
    for wrong, error in (
        ({"code_verifier": "another-verifier-that-is-long-enough-0123456789"}, "invalid_grant"),
        ({"client_secret": "wrong", "code_verifier": VERIFIER}, "invalid_client"),
    ):
        [code] = (await box.consent("User.Read"))["code"]
        refused = await box.token(code=code, grant_type="authorization_code", **wrong)
        assert refused.json()["error"] == error


async def test_a_refresh_gives_a_new_token_and_the_old_one_stays_good(box: Service) -> None:
    first = await box.connect("offline_access User.Read")
    second = (await box.token(grant_type="refresh_token", refresh_token=first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    again = await box.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert again.status_code == 200
    for each in (first, second):
        assert (await box.get("/me", each["access_token"])).status_code == 200


async def test_expired_and_revoked_tokens_open_nothing(box: Service) -> None:
    first, second = await box.connect("User.Read"), await box.connect("User.Read")
    await box.control("expire", token=first["access_token"])
    await box.control("revoke", token=second["access_token"])
    for token, words in ((first["access_token"], "expired"), (second["access_token"], "failure"), ("", "empty")):
        refused = await box.get("/me", token)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
        assert words in refused.json()["error"]["message"]


async def test_a_token_ends_after_an_hour() -> None:
    clock = [1_768_000_000.0]
    async with served(sandbox(now=lambda: clock[0])) as box:
        answer = await box.connect("User.Read")
        clock[0] += 3599
        assert (await box.get("/me", answer["access_token"])).status_code == 200
        clock[0] += 1
        assert (await box.get("/me", answer["access_token"])).status_code == 401


async def test_a_refresh_can_be_refused_on_request(box: Service) -> None:
    first = await box.connect("offline_access User.Read")
    await box.control("refuse_token", error="interaction_required")
    refused = await box.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert refused.json()["error"] == "interaction_required"


# ----------------------------------------------------------------------------------------------------------- Graph


async def test_every_answer_says_that_this_is_a_sandbox_and_names_the_request(box: Service) -> None:
    answer = await box.get("/me")
    assert answer.headers["x-mandate-sandbox"] == "microsoft365"
    assert answer.headers["request-id"]
    about = (await box.client.get(f"{box.base}/")).json()
    assert about["sandbox"] is True
    assert "not Microsoft 365" in about["message"]


async def test_errors_have_the_shape_of_graph(box: Service) -> None:
    refused = await box.get("/me/messages/none")
    error = refused.json()["error"]
    assert set(error) == {"code", "message", "innerError"}
    assert set(error["innerError"]) == {"date", "request-id", "client-request-id"}
    assert (await box.get("/nothing/here")).json()["error"]["code"] == "BadRequest"


async def test_lists_are_narrowed_as_odata_says_and_other_wishes_are_refused(box: Service) -> None:
    chosen = (await box.get("/me/messages", filter="contains(subject,'berth')", select="subject")).json()["value"]
    assert all(set(each) == {"id", "subject", "@odata.etag"} for each in chosen)
    assert len(chosen) == 2
    for query in (
        {"filter": "subject like 'x'"},
        {"search": "unquoted"},
        {"search": '"fog"', "filter": "isRead eq true"},
        {"top": "0"},
        {"skiptoken": "mine"},
    ):
        assert (await box.get("/me/messages", **query)).status_code == 400


async def test_next_links_lead_through_a_list(box: Service) -> None:
    first = (await box.get("/me/messages", top="3")).json()
    link = first["@odata.nextLink"]
    assert link.startswith(f"{box.base}/v1.0/me/messages?")
    second = (await box.client.get(link, headers={"Authorization": f"Bearer {TOKEN_ADA}"})).json()
    assert (len(first["value"]), len(second["value"])) == (3, 1)
    assert "@odata.nextLink" not in second


async def test_who_asks_too_often_has_to_wait() -> None:
    clock = [1_768_000_000.0]
    async with served(sandbox(rate_limit=1, now=lambda: clock[0])) as box:
        await box.get("/me")
        clock[0] += 590
        refused = await box.get("/me")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
        clock[0] += 10
        assert (await box.get("/me")).status_code == 200


@pytest.mark.parametrize(
    ("kind", "status"), [("429", 429), ("401", 401), ("404", 404), ("422", 400), ("500", 500), ("503", 503)]
)
async def test_faults_look_like_graph_s_own(box: Service, kind: str, status: int) -> None:
    await box.control("faults", kind=kind, match="GET /v1.0/me", retry_after=7)
    refused = await box.get("/me")
    assert refused.status_code == status
    assert refused.json()["error"]["code"]
    assert refused.headers.get("retry-after") == ("7" if status in (429, 503) else None)
    assert (await box.get("/me")).status_code == 200


async def test_state_outlives_a_restart_and_is_nobody_elses(tmp_path: Path) -> None:
    file = tmp_path / "world.json"
    async with served(sandbox(file)) as box:
        token = (await box.connect("User.Read Mail.Send"))["access_token"]
        message = {
            "subject": "Kept",
            "body": {"content": "x"},
            "toRecipients": [{"emailAddress": {"address": ADA.mail}}],
        }
        sent = await box.client.post(
            f"{box.base}/v1.0/me/sendMail", json={"message": message}, headers={"Authorization": f"Bearer {token}"}
        )
        assert sent.status_code == 202
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    async with served(sandbox(file)) as box:
        assert (await box.get("/me", token)).status_code == 200
        assert (await box.get("/me/mailFolders/inbox/messages")).json()["value"][0]["subject"] == "Kept"


async def test_it_works_below_a_prefix() -> None:
    async with served(Starlette(routes=[Mount("/sandbox/microsoft365", app=sandbox())])) as box:
        box.base += "/sandbox/microsoft365"
        answer = (await box.get("/me/messages", top="1")).json()
        assert answer["@odata.nextLink"].startswith(f"{box.base}/v1.0/me/messages?")
        handed_out = await box.get("/me/drive/items/item-tides/content")
        assert (await box.client.get(handed_out.headers["location"])).text == "High water at six.\n"


async def test_without_faults_there_are_no_controls() -> None:
    async with served(sandbox(faults=False)) as box:
        assert (await box.control("faults", kind="500")).status_code == 404
        assert (await box.control("expire", token="x")).status_code == 404


@pytest.mark.parametrize(
    ("condition", "is_kept"),
    [
        ("name eq 'O''Brien'", True),
        ("name eq 'o''brien' and age ge 40", True),
        ("name ne 'x' and (", None),
        ("tags/any(t:t/word eq 'a and b')", True),
        ("tags/any(t:t/word eq 'c')", False),
        ("startswith(name,'O')", True),
        ("name eq O'Brien", None),
    ],
)
def test_filters_are_read_whole(condition: str, is_kept: bool | None) -> None:
    shape: Any = {"name": "O'Brien", "age": 42, "tags": [{"word": "a and b"}]}
    if is_kept is None:
        with pytest.raises(NotUnderstood):
            matches(shape, condition)
    else:
        assert matches(shape, condition) is is_kept
