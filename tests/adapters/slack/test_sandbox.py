"""The Slack sandbox over a real socket: consent, two tokens, rotation, refusals with 200, and what it keeps."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pydantic import JsonValue

from adapters._kit.catalogue import manifest_of
from adapters.slack.sandbox import sandbox
from adapters.slack.sandbox_state import (
    CLIENT_ID,
    CLIENT_SECRET,
    HALF_A_DAY_SECONDS,
    ROTATING_CLIENT_ID,
    TOKEN_BOT,
    TOKEN_USER,
)
from tests.support.serving import serving

RETURN_TO = "http://127.0.0.1:9/oauth/callback"


class Service:
    """A sandbox being served, and a client to call it with."""

    def __init__(self, base: str, client: httpx2.AsyncClient) -> None:
        self.base = base
        self.client = client

    async def call(self, method: str, token: str = TOKEN_BOT, **arguments: str) -> dict[str, JsonValue]:
        headers = {"Authorization": f"Bearer {token}"}
        answer = await self.client.post(f"{self.base}/api/{method}", data=arguments, headers=headers)
        assert answer.status_code == 200
        told: dict[str, JsonValue] = answer.json()
        return told

    async def error(self, method: str, token: str = TOKEN_BOT, **arguments: str) -> JsonValue:
        return (await self.call(method, token, **arguments)).get("error")

    async def consent(self, **fields: str | list[str]) -> dict[str, list[str]]:
        form = {"client_id": CLIENT_ID, "redirect_uri": RETURN_TO, "state": "s", "account": "U0LIN"}
        data = {**form, "scope": "chat:write,channels:read", "decision": "authorize", **fields}
        answer = await self.client.post(f"{self.base}/oauth/v2/authorize", data=data)
        assert answer.status_code == 302, answer.text
        return parse_qs(urlsplit(answer.headers["location"]).query)

    async def trade(self, client_id: str = CLIENT_ID, **fields: str) -> dict[str, JsonValue]:
        url = f"{self.base}/api/oauth.v2.access"
        answer = await self.client.post(url, data=fields, auth=(client_id, CLIENT_SECRET))
        assert answer.status_code == 200
        told: dict[str, JsonValue] = answer.json()
        return told


@asynccontextmanager
async def served(file: Path | None = None, now: Callable[[], float] | None = None) -> AsyncIterator[Service]:
    app = sandbox(file, now=now) if now else sandbox(file)
    async with serving(app) as base, httpx2.AsyncClient() as client:
        yield Service(base, client)


@pytest.fixture
async def slack() -> AsyncIterator[Service]:
    async with served() as service:
        yield service


async def test_the_consent_page_names_what_the_app_and_what_the_person_gives(slack: Service) -> None:
    asked = {"client_id": CLIENT_ID, "redirect_uri": RETURN_TO, "scope": "chat:write", "user_scope": "search:read"}
    page = await slack.client.get(f"{slack.base}/oauth/v2/authorize", params=asked)
    assert "SANDBOX" in page.text
    assert "Send messages as the app" in page.text
    assert "Search in all that you can see" in page.text
    assert "Ida Mole" not in page.text


async def test_an_app_cannot_be_given_what_only_a_person_can(slack: Service) -> None:
    assert (await slack.consent(scope="chat:write,search:read"))["error"] == ["invalid_scope"]


async def test_one_answer_holds_the_apps_token_and_the_persons(slack: Service) -> None:
    [code] = (await slack.consent(user_scope="search:read"))["code"]
    told = await slack.trade(code=code, redirect_uri=RETURN_TO)
    assert (told["ok"], told["token_type"], told["scope"]) == (True, "bot", "channels:read,chat:write")
    assert told["team"] == {"id": "T0HARBOUR", "name": "Harbour Works"}
    assert "expires_in" not in told
    person = told["authed_user"]
    assert isinstance(person, dict)
    assert (person["id"], person["scope"], person["token_type"]) == ("U0LIN", "search:read", "user")
    assert (await slack.call("auth.test", str(told["access_token"])))["user"] == "mandate"
    assert (await slack.call("auth.test", str(person["access_token"])))["user"] == "lin"
    assert (await slack.trade(code=code))["error"] == "invalid_code"


async def test_with_only_a_persons_scopes_there_is_no_token_of_the_app(slack: Service) -> None:
    [code] = (await slack.consent(scope="", user_scope="search:read"))["code"]
    told = await slack.trade(code=code)
    assert "access_token" not in told
    assert isinstance(told["authed_user"], dict)
    assert "access_token" in told["authed_user"]


@pytest.mark.parametrize(
    ("change", "error"),
    [({"code": "unknown"}, "invalid_code"), ({"redirect_uri": "http://127.0.0.1:9/other"}, "bad_redirect_uri")],
)
async def test_a_wrong_exchange_is_refused_with_200(slack: Service, change: dict[str, str], error: str) -> None:
    [code] = (await slack.consent())["code"]
    assert (await slack.trade(**{"code": code, **change}))["error"] == error


async def test_an_unknown_app_is_refused_with_200(slack: Service) -> None:
    assert (await slack.trade("nobody", code="x"))["error"] == "bad_client_secret"


async def test_with_rotation_tokens_expire_and_each_refresh_token_works_once() -> None:
    clock = [1_800_000_000.0]
    async with served(now=lambda: clock[0]) as slack:
        told = {"client_id": ROTATING_CLIENT_ID, "user_scope": "search:read"}
        [code] = (await slack.consent(**told))["code"]
        first = await slack.trade(ROTATING_CLIENT_ID, code=code)
        assert first["expires_in"] == HALF_A_DAY_SECONDS
        person = first["authed_user"]
        assert isinstance(person, dict)
        assert person["refresh_token"] != first["refresh_token"]
        clock[0] += HALF_A_DAY_SECONDS
        assert await slack.error("auth.test", str(first["access_token"])) == "token_expired"
        asked = {"grant_type": "refresh_token", "refresh_token": str(first["refresh_token"])}
        second = await slack.trade(ROTATING_CLIENT_ID, **asked)
        assert (await slack.call("auth.test", str(second["access_token"])))["ok"] is True
        assert (await slack.trade(ROTATING_CLIENT_ID, **asked))["error"] == "invalid_refresh_token"
        theirs = await slack.trade(
            ROTATING_CLIENT_ID, grant_type="refresh_token", refresh_token=str(person["refresh_token"])
        )
        assert theirs["token_type"] == "user"


@pytest.mark.parametrize(
    ("method", "token", "arguments", "error"),
    [
        ("auth.test", "", {}, "not_authed"),
        ("auth.test", "xoxb-unknown", {}, "invalid_auth"),
        ("no.suchMethod", TOKEN_BOT, {}, "unknown_method"),
        ("search.messages", TOKEN_BOT, {"query": "berth"}, "not_allowed_token_type"),
        ("users.list", TOKEN_USER, {}, "missing_scope"),
        ("chat.postMessage", TOKEN_BOT, {"channel": "C0HARBOUR"}, "no_text"),
        ("chat.postMessage", TOKEN_BOT, {"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ("conversations.list", TOKEN_BOT, {"cursor": "nonsense"}, "invalid_cursor"),
        ("conversations.list", TOKEN_BOT, {"limit": "none"}, "invalid_arguments"),
        ("conversations.history", TOKEN_BOT, {"channel": "C0PILOTS"}, "not_in_channel"),
        ("conversations.replies", TOKEN_BOT, {"channel": "C0HARBOUR", "ts": "1.2"}, "thread_not_found"),
        ("conversations.create", TOKEN_BOT, {"name": "Not Allowed"}, "invalid_name_specials"),
        ("conversations.open", TOKEN_BOT, {"users": "U0IDA"}, "user_disabled"),
        ("users.info", TOKEN_BOT, {"user": "U0NOBODY"}, "user_not_found"),
        ("files.completeUploadExternal", TOKEN_BOT, {"files": '[{"id": "F0NONE"}]'}, "file_not_found"),
    ],
)
async def test_a_no_is_a_200_with_a_word(
    slack: Service, method: str, token: str, arguments: dict[str, str], error: str
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = await slack.client.post(f"{slack.base}/api/{method}", data=arguments, headers=headers)
    assert (answer.status_code, answer.json()["ok"], answer.json()["error"]) == (200, False, error)
    effects = await slack.client.get(f"{slack.base}/_sandbox/effects")
    assert effects.json()["effects"] == {}


async def test_a_missing_scope_is_named_and_scopes_are_told_in_headers(slack: Service) -> None:
    headers = {"Authorization": f"Bearer {TOKEN_USER}"}
    answer = await slack.client.post(f"{slack.base}/api/users.list", headers=headers)
    assert answer.json()["needed"] == "users:read"
    assert answer.headers["x-oauth-scopes"] == "search:read"
    assert answer.headers["x-mandate-sandbox"] == "slack"


async def test_a_list_goes_on_by_cursors(slack: Service) -> None:
    first = await slack.call("users.list", limit="3")
    cursor = first["response_metadata"]
    assert isinstance(cursor, dict)
    assert isinstance(first["members"], list)
    second = await slack.call("users.list", limit="3", cursor=str(cursor["next_cursor"]))
    assert isinstance(second["members"], list)
    assert (len(first["members"]), len(second["members"])) == (3, 1)
    assert second["response_metadata"] == {"next_cursor": ""}


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("500", 500), ("503", 503), ("401", 200), ("404", 200)])
async def test_a_fault_answers_in_slacks_words(slack: Service, kind: str, status: int) -> None:
    asked = {"kind": kind, "match": "POST /api/chat.postMessage", "retry_after": 7}
    assert (await slack.client.post(f"{slack.base}/_sandbox/faults", json=asked)).status_code == 201
    headers = {"Authorization": f"Bearer {TOKEN_BOT}"}
    told = {"channel": "C0HARBOUR", "text": "Hello"}
    answer = await slack.client.post(f"{slack.base}/api/chat.postMessage", data=told, headers=headers)
    assert (answer.status_code, answer.json()["ok"]) == (status, False)
    assert (await slack.call("chat.postMessage", **told))["ok"] is True


async def test_arguments_may_come_as_json(slack: Service) -> None:
    headers = {"Authorization": f"Bearer {TOKEN_BOT}"}
    url = f"{slack.base}/api/chat.postMessage"
    answer = await slack.client.post(url, json={"channel": "C0HARBOUR", "text": "As JSON"}, headers=headers)
    assert answer.json()["message"]["text"] == "As JSON"


async def test_messages_and_tokens_outlive_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "slack.json"
    async with served(file) as slack:
        [code] = (await slack.consent())["code"]
        token = str((await slack.trade(code=code))["access_token"])
        await slack.call("chat.postMessage", token, channel="C0HARBOUR", text="Remember")
    async with served(file) as slack:
        assert (await slack.call("auth.test", token))["ok"] is True
        history = await slack.call("conversations.history", channel="C0HARBOUR", limit="1")
        assert isinstance(history["messages"], list)
        assert "Remember" in str(history["messages"][0])


def test_the_sandbox_comes_with_tokens_to_try() -> None:
    box = manifest_of("slack").sandbox
    assert box is not None
    assert box.try_fields == {"token": TOKEN_BOT, "user_token": TOKEN_USER}
