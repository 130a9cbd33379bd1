"""The practice Vercel by itself: installations, tokens, limits, and that it says what it is."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from adapters.vercel.sandbox import sandbox
from adapters.vercel.sandbox_state import (
    CLIENT_ID,
    CLIENT_SECRET,
    LIN,
    READING_TOKEN,
    SAM,
    TEAM,
    TOKEN,
)
from domain.catalogue import Account
from domain.errors import Forbidden, ReconnectNeeded
from tests.adapters.vercel.shop import Clock, Shop
from tests.support.serving import serving

BACK = "http://127.0.0.1:9/callback"
PAGE = "/integrations/mandate/new"


def as_(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def code(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    async with (
        serving(sandbox(rate_limit=20, now=clock)) as address,
        httpx2.AsyncClient(base_url=address, headers=as_(TOKEN), trust_env=False) as found,
    ):
        yield found


async def install(client: httpx2.AsyncClient, account: str, **form: str | list[str]) -> dict[str, list[str]]:
    """A person installs the integration; what came back in the address."""
    asked = {"redirect_uri": BACK, "state": "st-1", "account": account, "decision": "authorize", **form}
    answer = await client.post(PAGE, data=asked)
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.headers["location"]).query)


async def exchange(client: httpx2.AsyncClient, code: str, **changes: str) -> httpx2.Response:
    form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "code": code, "redirect_uri": BACK, **changes}
    return await client.post("/v2/oauth/access_token", data=form)


async def test_every_answer_says_that_it_is_a_sandbox(client: httpx2.AsyncClient) -> None:
    for path in ("/", "/v2/user", "/nothing-here", PAGE):
        assert (await client.get(path)).headers["x-mandate-sandbox"] == "vercel"
    assert "not Vercel" in (await client.get("/")).json()["message"]
    assert "SANDBOX" in (await client.get(PAGE, params={"redirect_uri": BACK})).text
    assert code(await client.get("/nothing-here")) == (404, "not_found")


@pytest.mark.parametrize(
    ("header", "flag"),
    [("", "missingToken"), ("Basic abc", "missingToken"), ("Bearer nobody-made-this", "invalidToken")],
)
async def test_a_token_that_opens_nothing_is_flagged(client: httpx2.AsyncClient, header: str, flag: str) -> None:
    answer = await client.get("/v2/user", headers={"authorization": header})
    assert code(answer) == (403, "forbidden")
    assert answer.json()["error"][flag] is True


async def test_limits_are_counted_told_and_kept(client: httpx2.AsyncClient, clock: Clock) -> None:
    first = await client.get("/v2/user")
    assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("20", "19")
    for _ in range(19):
        await client.get("/v2/user")
    refused = await client.get("/v2/user")
    assert code(refused) == (429, "rate_limited")
    assert refused.json()["error"]["limit"]["reset"] == int(refused.headers["x-ratelimit-reset"])
    assert (await client.get("/v2/user", headers=as_(READING_TOKEN))).status_code == 200
    clock.time += 60
    assert (await client.get("/v2/user")).status_code == 200


async def test_an_installation_on_a_team_brings_the_team_with_its_token(client: httpx2.AsyncClient) -> None:
    back = await install(client, TEAM)
    assert (back["state"], back["teamId"]) == (["st-1"], [TEAM])
    answer = (await exchange(client, back["code"][0])).json()
    assert (answer["team_id"], answer["user_id"], answer["token_type"]) == (TEAM, None, "Bearer")
    assert not {"scope", "refresh_token", "expires_in"} & set(answer)
    headers = as_(answer["access_token"])
    with_team = await client.get("/v10/projects", headers=headers, params={"teamId": TEAM})
    assert [each["name"] for each in with_team.json()["projects"]] == ["harbour-site"]
    for path in ("/v10/projects", "/v2/user"):
        assert code(await client.get(path, headers=headers)) == (403, "forbidden")


async def test_an_installation_on_an_account_needs_no_team(client: httpx2.AsyncClient) -> None:
    back = await install(client, LIN)
    assert "teamId" not in back
    answer = (await exchange(client, back["code"][0])).json()
    assert (answer["team_id"], answer["user_id"]) == (None, LIN)
    projects = await client.get("/v10/projects", headers=as_(answer["access_token"]))
    assert [each["name"] for each in projects.json()["projects"]] == ["lamp-notes"]


async def test_a_code_is_good_once_for_half_an_hour_and_for_its_own_integration(
    client: httpx2.AsyncClient, clock: Clock
) -> None:
    once = (await install(client, LIN))["code"][0]
    assert (await exchange(client, once, client_secret="wrong")).status_code == 401
    assert (await exchange(client, once)).status_code == 200
    assert (await exchange(client, once)).json()["error"] == "invalid_grant"
    late = (await install(client, LIN))["code"][0]
    clock.time += 1801
    assert (await exchange(client, late)).json()["error"] == "invalid_grant"


async def test_a_person_may_allow_less(client: httpx2.AsyncClient) -> None:
    back = await install(client, LIN, choosing="1", grant=["read:user", "read:project"])
    headers = as_((await exchange(client, back["code"][0])).json()["access_token"])
    assert (await client.get("/v10/projects", headers=headers)).status_code == 200
    assert code(await client.post("/v11/projects", headers=headers, json={"name": "pier"})) == (403, "forbidden")
    assert code(await client.get("/v6/deployments", headers=headers)) == (403, "forbidden")


async def test_somebody_else_s_things_are_not_there(client: httpx2.AsyncClient) -> None:
    assert code(await client.get("/v9/projects/tide-tables")) == (404, "not_found")
    assert code(await client.get("/v10/projects", params={"teamId": "team_Nobody"})) == (403, "forbidden")


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/v11/projects", b"{", (400, "invalid_json")),
        ("POST", "/v11/projects", b"[]", (400, "bad_request")),
        ("POST", "/v11/projects", b"{}", (400, "bad_request")),
        ("POST", "/v11/projects", b'{"name": "Upper"}', (400, "bad_request")),
        ("POST", "/v11/projects", b'{"name": 7}', (400, "bad_request")),
        ("PATCH", "/v9/projects/lamp-notes", b'{"nodeVersion": "4.x"}', (400, "bad_request")),
        ("POST", "/v2/files", b"abc", (400, "invalid_digest")),
        ("POST", "/v13/deployments", b'{"name": "a"}', (400, "missing_files")),
        ("POST", "/v13/deployments", b'{"name": "a", "project": "prj_nobody", "files": []}', (404, "not_found")),
        ("GET", "/v10/projects?limit=many", b"", (400, "bad_request")),
    ],
)
async def test_what_cannot_be_understood_is_refused_in_vercel_s_shape(
    client: httpx2.AsyncClient, method: str, path: str, body: bytes, expected: tuple[int, str]
) -> None:
    assert code(await client.request(method, path, content=body)) == expected


async def test_what_was_done_outlives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "vercel.json"
    async with serving(sandbox(file)) as address, httpx2.AsyncClient(base_url=address, headers=as_(TOKEN)) as client:
        assert (await client.post("/v11/projects", json={"name": "pier"})).status_code == 200
        token = (await exchange(client, (await install(client, SAM))["code"][0])).json()["access_token"]
    async with serving(sandbox(file)) as address, httpx2.AsyncClient(base_url=address, headers=as_(TOKEN)) as client:
        assert (await client.get("/v9/projects/pier")).status_code == 200
        assert (await client.get("/v2/user", headers=as_(token))).json()["user"]["username"] == "sam-quay"
    assert file.stat().st_mode & 0o777 == 0o600


# ---------------------------------------------------------------------- the integration with an OAuth token


async def installed(shop: Shop, account: str) -> tuple[str, dict[str, str]]:
    """A token of an installation, and the facts that Vercel tells beside it."""
    async with httpx2.AsyncClient(base_url=shop.front.transport.base_url, trust_env=False) as client:
        told = (await exchange(client, (await install(client, account))["code"][0])).json()
    facts = {name: told[name] for name in ("team_id", "installation_id") if told[name]}
    return told["access_token"], facts


async def test_an_installation_acts_for_its_team(shop: Shop) -> None:
    token, facts = await installed(shop, TEAM)
    setting, integration = shop.as_installed(token, facts), shop.front.integration
    identity = await integration.identify(setting)
    assert (identity.account.id, identity.account.label) == (TEAM, "Harbour Works")
    found = await integration.run(integration.actions["vercel.list_projects"], {}, setting)
    assert isinstance(found, list)
    assert [each["name"] for each in found if isinstance(each, dict)] == ["harbour-site"]


async def test_an_installation_acts_for_its_person(shop: Shop) -> None:
    token, facts = await installed(shop, LIN)
    identity = await shop.front.integration.identify(shop.as_installed(token, facts))
    assert (identity.account.id, identity.account.label) == (LIN, "lin-harbour")


@pytest.mark.parametrize("account", [TEAM, LIN])
async def test_disconnecting_ends_the_installation(shop: Shop, account: str) -> None:
    token, facts = await installed(shop, account)
    setting = shop.as_installed(token, facts)
    assert await shop.front.integration.revoke(setting) is True
    assert shop.front.asked(f"/v1/integrations/configuration/{facts['installation_id']}") == ["DELETE"]
    with pytest.raises(ReconnectNeeded):
        await shop.front.integration.identify(setting)


async def test_what_does_not_know_its_installation_cannot_end_it(shop: Shop) -> None:
    token, _ = await installed(shop, LIN)
    assert await shop.front.integration.revoke(shop.as_installed(token, {})) is False
    assert await shop.front.integration.revoke(shop.front.setting()) is False
    assert shop.front.asked() == []


async def test_a_token_that_ran_out_must_be_replaced(shop: Shop) -> None:
    token, facts = await installed(shop, LIN)
    base_url = shop.front.transport.base_url
    async with httpx2.AsyncClient(base_url=base_url, trust_env=False) as client:
        assert (await client.post("/_sandbox/expire", json={"token": token})).json() == {"expired": True}
    with pytest.raises(ReconnectNeeded):
        await shop.front.integration.identify(shop.as_installed(token, facts))


async def test_a_connection_that_lost_its_facts_knows_the_team_by_its_account(shop: Shop) -> None:
    token, _ = await installed(shop, TEAM)
    setting = replace(shop.as_installed(token, {}), account=Account(TEAM, "Harbour Works"))
    found = await shop.front.integration.run(shop.front.integration.actions["vercel.get_account"], {}, setting)
    assert isinstance(found, dict)
    assert (found["kind"], found["id"]) == ("team", TEAM)


async def test_a_team_s_token_without_its_team_is_forbidden(shop: Shop) -> None:
    token, _ = await installed(shop, TEAM)
    with pytest.raises(Forbidden):
        await shop.front.integration.identify(shop.as_installed(token, {}))
