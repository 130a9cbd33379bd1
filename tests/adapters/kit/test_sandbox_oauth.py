"""The OAuth half every sandbox shares, over a real socket, as an invented service mounts it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import SandboxApp, SandboxControl, challenge_of
from adapters._kit.sandbox_oauth import (
    Access,
    Issued,
    Lifetime,
    OAuthClient,
    OAuthFacts,
    OAuthServer,
    OAuthState,
    Shape,
    TokenKind,
    Wish,
    plain_answer,
)
from tests.support.serving import serving

VERIFIER = "a-verifier-long-enough-to-be-one-0123456789-abcdef"
RETURN_TO = "https://app.example/callback"
FACTS = OAuthFacts(
    service="Harbour",
    authorize="/oauth/authorize",
    token="/oauth/token",
    revoke="/oauth/revoke",
    scopes={"berths": "See berths", "berths.write": "Change berths", "tides": "See tides"},
    accounts=lambda: [("lin", "Lin Harbour"), ("sam", "Sam Quay")],
    contains={"berths.write": {"berths"}},
)
ROTATING = Lifetime(access_seconds=3600, refresh="rotating", refresh_seconds=86_400)


class Harbour:
    """The invented service, its clock, and a client."""

    def __init__(self, facts: OAuthFacts) -> None:
        self.clock = 1_800_000_000.0
        self.state = OAuthState(
            clients=[OAuthClient(client_id="app", client_secret="s3cret", name="App", redirect_uris=[RETURN_TO])]
        )
        self.saves = 0
        self.control = SandboxControl(
            "harbour", lambda _: Response(status_code=503), lambda: Response(status_code=404), lambda _: False
        )
        self.server = OAuthServer(
            facts, self.state, now=lambda: self.clock, effects=self.control.effects, save=self._save
        )
        routes = [*self.server.routes(faults=True), Route("/me", self._me)]
        self.app = SandboxApp(self.control, routes, faults=True)
        self.base = ""
        self.client = httpx2.AsyncClient()

    def _save(self) -> None:
        self.saves += 1

    async def _me(self, request: Request) -> Response:
        access = self.server.look(request.headers.get("authorization", "").removeprefix("Bearer "))
        if isinstance(access, Access):
            return JSONResponse({"account": access.account, "lacking": self.server.lacking(access, "berths", "tides")})
        return JSONResponse({"error": access}, status_code=401)

    async def me(self, token: str) -> JsonValue:
        answer = await self.client.get(f"{self.base}/me", headers={"Authorization": f"Bearer {token}"})
        told: JsonValue = answer.json()
        return told

    async def consent(self, **fields: str | list[str]) -> dict[str, list[str]]:
        form = {"client_id": "app", "redirect_uri": RETURN_TO, "state": "s", "account": "lin", "scope": "berths"}
        data = {**form, "decision": "authorize", **fields}
        answer = await self.client.post(f"{self.base}/oauth/authorize", data=data)
        assert answer.status_code == 302, answer.text
        return parse_qs(urlsplit(answer.headers["location"]).query)

    async def ask(self, **fields: str) -> httpx2.Response:
        signed = {"client_id": "app", "client_secret": "s3cret", **fields}
        return await self.client.post(f"{self.base}/oauth/token", data=signed)

    async def connect(self, **fields: str | list[str]) -> dict[str, str]:
        [code] = (await self.consent(**fields))["code"]
        told: dict[str, str] = (await self.ask(grant_type="authorization_code", code=code)).json()
        return told

    async def refresh(self, token: str) -> dict[str, str]:
        told: dict[str, str] = (await self.ask(grant_type="refresh_token", refresh_token=token)).json()
        return told

    async def control_of(self, name: str, **told: JsonValue) -> int:
        return (await self.client.post(f"{self.base}/_sandbox/{name}", json=told)).status_code


@pytest.fixture
def facts() -> OAuthFacts:
    return FACTS


@pytest.fixture
async def harbour(facts: OAuthFacts) -> AsyncIterator[Harbour]:
    made = Harbour(facts)
    async with serving(made.app) as base, made.client:
        made.base = base
        yield made


def _with(**changes: object) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("facts", [replace(FACTS, **changes)])  # type: ignore[arg-type]  # one place, seen


async def test_a_consent_becomes_a_token_that_carries_what_was_granted(harbour: Harbour) -> None:
    told = await harbour.connect(scope="berths.write tides", choosing="1", grant=["berths.write"])
    assert told["token_type"] == "Bearer"
    assert told["scope"] == "berths.write"
    assert "refresh_token" not in told
    assert "expires_in" not in told
    assert await harbour.me(told["access_token"]) == {"account": "lin", "lacking": ["tides"]}
    assert harbour.control.effects == {"POST /oauth/authorize": 1, "POST /oauth/token": 1}


async def test_a_request_with_an_unknown_scope_is_sent_back(harbour: Harbour) -> None:
    assert (await harbour.consent(scope="berths nonsense"))["error"] == ["invalid_scope"]
    assert (await harbour.consent(response_type="token"))["error"] == ["unsupported_response_type"]


async def test_an_address_below_the_registered_one_is_not_the_registered_one(harbour: Harbour) -> None:
    asked = {"client_id": "app", "redirect_uri": RETURN_TO + "/deeper"}
    assert (await harbour.client.get(f"{harbour.base}/oauth/authorize", params=asked)).status_code == 400


@_with(pkce="required")
async def test_where_pkce_is_required_nothing_goes_without(harbour: Harbour) -> None:
    assert (await harbour.consent())["error"] == ["invalid_request"]
    told = await harbour.consent(code_challenge=challenge_of(VERIFIER), code_challenge_method="S256")
    assert (await harbour.ask(code=told["code"][0])).json()["error"] == "invalid_grant"


@_with(pkce="off")
async def test_where_pkce_is_off_it_is_ignored(harbour: Harbour) -> None:
    assert "access_token" in await harbour.connect(code_challenge="whatever", code_challenge_method="plain")


@_with(client_auth=frozenset({"basic"}))
async def test_a_service_that_wants_basic_takes_nothing_else(harbour: Harbour) -> None:
    [code] = (await harbour.consent())["code"]
    refused = await harbour.ask(code=code)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    url = f"{harbour.base}/oauth/token"
    signed = await harbour.client.post(url, data={"code": code}, auth=("app", "s3cret"))
    assert signed.status_code == 200


@_with(client_auth=frozenset({"bearer", "basic", "post"}))
@pytest.mark.parametrize("way", ["bearer", "basic", "post"])
async def test_a_service_may_know_the_application_by_its_secret_alone(harbour: Harbour, way: str) -> None:
    [code] = (await harbour.consent())["code"]
    url, data = f"{harbour.base}/oauth/token", {"code": code}
    match way:
        case "bearer":
            answer = await harbour.client.post(url, data=data, headers={"Authorization": "Bearer s3cret"})
        case "basic":
            answer = await harbour.client.post(url, data=data, auth=("s3cret", ""))
        case _:
            answer = await harbour.client.post(url, data={**data, "client_secret": "s3cret"})
    assert answer.status_code == 200


@_with(lifetime=ROTATING)
async def test_a_used_refresh_token_ends_its_whole_family(harbour: Harbour) -> None:
    first = await harbour.connect()
    assert str(first["expires_in"]) == "3600"
    second = await harbour.refresh(first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert await harbour.me(first["access_token"]) == {"account": "lin", "lacking": ["tides"]}
    assert (await harbour.refresh(first["refresh_token"]))["error"] == "invalid_grant"
    assert (await harbour.refresh(second["refresh_token"]))["error"] == "invalid_grant"
    assert await harbour.me(second["access_token"]) == {"error": "revoked"}


@_with(lifetime=ROTATING.model_copy(update={"ends_old_access": True}))
async def test_a_refresh_may_end_the_access_token_before_it(harbour: Harbour) -> None:
    first = await harbour.connect()
    second = await harbour.refresh(first["refresh_token"])
    assert await harbour.me(first["access_token"]) == {"error": "revoked"}
    assert await harbour.me(second["access_token"]) == {"account": "lin", "lacking": ["tides"]}


@_with(lifetime=ROTATING)
async def test_tokens_run_out_when_their_time_has_come(harbour: Harbour) -> None:
    told = await harbour.connect()
    harbour.clock += 3600
    assert await harbour.me(told["access_token"]) == {"error": "expired"}
    harbour.clock += 86_400 - 3600
    assert (await harbour.refresh(told["refresh_token"]))["error"] == "invalid_grant"


@_with(lifetime=Lifetime(access_seconds=3600, refresh="reusable"), revoke_ends="authorization")
async def test_a_reusable_refresh_token_is_given_once_and_revoking_ends_everything(harbour: Harbour) -> None:
    told = await harbour.connect()
    again = [await harbour.refresh(told["refresh_token"]) for _ in range(2)]
    assert all("refresh_token" not in each for each in again)
    assert (await harbour.client.post(f"{harbour.base}/oauth/revoke?token={told['access_token']}")).status_code == 200
    assert await harbour.me(again[1]["access_token"]) == {"error": "revoked"}
    assert (await harbour.refresh(told["refresh_token"]))["error"] == "invalid_grant"


@_with(lifetime=Lifetime(access_seconds=3600, refresh="overlapping"))
async def test_an_overlapping_refresh_token_keeps_working_beside_the_new_one(harbour: Harbour) -> None:
    told = await harbour.connect()
    for _ in range(2):
        assert "refresh_token" in await harbour.refresh(told["refresh_token"])


@_with(lifetime=ROTATING, offers_refresh=lambda wish: wish.asked.get("access_type") == "offline")
async def test_a_refresh_token_may_have_to_be_asked_for(harbour: Harbour) -> None:
    assert "refresh_token" not in await harbour.connect()
    assert "refresh_token" in await harbour.connect(access_type="offline")


@_with(lifetime=ROTATING)
async def test_expiry_refusal_and_revocation_happen_on_request(harbour: Harbour) -> None:
    told = await harbour.connect()
    assert await harbour.control_of("expire", token=told["access_token"]) == 200
    assert await harbour.me(told["access_token"]) == {"error": "expired"}
    assert await harbour.control_of("refuse_token", error="temporarily_unavailable") == 201
    assert (await harbour.refresh(told["refresh_token"]))["error"] == "temporarily_unavailable"
    assert await harbour.control_of("faults", kind="503", match="POST /oauth/token") == 201
    assert (await harbour.ask(grant_type="refresh_token")).status_code == 503
    fresh = await harbour.refresh(told["refresh_token"])
    assert harbour.server.revoke(fresh["refresh_token"])
    assert await harbour.me(fresh["access_token"]) == {"error": "revoked"}


def _both(issued: Issued) -> Shape:
    tokens: Shape = {name: token.access_token for name, token in issued.tokens.items()}
    return {**plain_answer(issued), "team": {"id": "T1"}, **tokens}


def _home(wish: Wish, account: str) -> dict[str, str]:
    return {"team": f"{account}-{wish.asked['slug']}"}


@_with(
    kinds=(TokenKind("bot", "scope", "bot-"), TokenKind("person", "user_scope", "person-")),
    authorize="/apps/{slug}/new",
    read=lambda fields: {**fields, "client_id": fields.get("slug", "")},
    returns=_home,
    answer_token=_both,
)
async def test_one_answer_may_hold_two_tokens_and_more(harbour: Harbour) -> None:
    url = f"{harbour.base}/apps/app/new"
    asked = {"redirect_uri": RETURN_TO, "scope": "berths,tides", "user_scope": "tides"}
    page = await harbour.client.get(url, params=asked)
    assert 'value="user_scope=tides"' in page.text
    form = {
        **asked,
        "decision": "authorize",
        "account": "sam",
        "choosing": "1",
        "grant": ["berths", "user_scope=tides"],
    }
    back = parse_qs(urlsplit((await harbour.client.post(url, data=form)).headers["location"]).query)
    assert back["team"] == ["sam-app"]
    told = (await harbour.ask(code=back["code"][0])).json()
    assert told["team"] == {"id": "T1"}
    assert await harbour.me(told["bot"]) == {"account": "sam", "lacking": ["tides"]}
    assert await harbour.me(told["person"]) == {"account": "sam", "lacking": ["berths"]}


@_with(accounts=lambda: [("", "")])
async def test_a_service_without_accounts_asks_for_yes_or_no(harbour: Harbour) -> None:
    asked = {"client_id": "app", "redirect_uri": RETURN_TO, "scope": "berths"}
    page = await harbour.client.get(f"{harbour.base}/oauth/authorize", params=asked)
    assert "Continue as" not in page.text
    assert "access_token" in await harbour.connect(account="")
