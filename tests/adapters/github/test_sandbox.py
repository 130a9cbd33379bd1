"""The GitHub sandbox over a real socket: it refuses where GitHub refuses, and misbehaves when asked to."""

import base64
import json
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import httpx2
import pytest
from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from adapters._kit.sandbox import challenge_of
from adapters.github.sandbox import sandbox
from adapters.github.sandbox_git import File, ObjectStore
from adapters.github.sandbox_state import (
    APP_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    TOKEN_EVERYTHING,
    TOKEN_READ_ONLY,
    TOKEN_REPO,
    TOKEN_SAM,
)
from tests.support.serving import serving

LIGHTHOUSE = "/repos/lin-harbour/lighthouse"
LEDGER = "/repos/lin-harbour/ledger"
VERIFIER = "a-verifier-long-enough-to-be-one-0123456789-abcdef"
RETURN_TO = "http://127.0.0.1:9/oauth/callback"


class Service:
    """A sandbox being served, and a client to call it with."""

    def __init__(self, base: str, client: httpx2.AsyncClient) -> None:
        self.base = base
        self.client = client

    async def call(
        self,
        method: str,
        path: str,
        body: JsonValue = None,
        token: str = TOKEN_REPO,
        headers: dict[str, str] | None = None,
    ) -> httpx2.Response:
        signed = {"Authorization": f"Bearer {token}", **(headers or {})}
        return await self.client.request(method, self.base + path, json=body, headers=signed)

    async def fault(self, kind: str, match: str, **more: JsonValue) -> None:
        told = {"kind": kind, "match": match, **more}
        answer = await self.client.post(f"{self.base}/_sandbox/faults", json=told)
        assert answer.status_code == 201

    async def effects(self) -> dict[str, int]:
        answer = await self.client.get(f"{self.base}/_sandbox/effects")
        effects: dict[str, int] = answer.json()["effects"]
        return effects

    async def consent(self, **fields: str | list[str]) -> dict[str, list[str]]:
        """What the application is told after a person has decided."""
        form = {"client_id": CLIENT_ID, "redirect_uri": RETURN_TO, "state": "s 1&2", "account": "lin-harbour"}
        data = {**form, "scope": "repo", "decision": "authorize", **fields}
        answer = await self.client.post(f"{self.base}/login/oauth/authorize", data=data)
        assert answer.status_code == 302
        place = urlsplit(answer.headers["location"])
        assert place.geturl().startswith(RETURN_TO)
        return parse_qs(place.query)

    async def exchange(self, accept: str = "application/json", **fields: str) -> httpx2.Response:
        told = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **fields}
        url = f"{self.base}/login/oauth/access_token"
        return await self.client.post(url, data=told, headers={"Accept": accept})

    async def connect(self, **fields: str | list[str]) -> str:
        """A fresh OAuth token."""
        [code] = (await self.consent(**fields))["code"]
        token: str = (await self.exchange(code=code)).json()["access_token"]
        return token


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient() as client:
        yield client


@pytest.fixture
async def github(client: httpx2.AsyncClient) -> AsyncIterator[Service]:
    async with serving(sandbox()) as base:
        yield Service(base, client)


async def test_the_account_is_told_with_scopes_and_limits(github: Service) -> None:
    answer = await github.call("GET", "/user")
    assert answer.json()["login"] == "lin-harbour"
    assert answer.headers["x-oauth-scopes"] == "repo"
    assert answer.headers["x-ratelimit-limit"] == "5000"
    assert answer.headers["x-ratelimit-remaining"] == "4999"
    assert answer.headers["x-github-request-id"]
    assert answer.headers["x-mandate-sandbox"] == "github"


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({}, 401, "Requires authentication"),
        ({"Authorization": "Bearer ghp_unknown"}, 401, "Bad credentials"),
        ({"Authorization": "Bearer gho_sandbox_e30.AAAA"}, 401, "Bad credentials"),
        ({"Authorization": f"Bearer {TOKEN_REPO}", "X-GitHub-Api-Version": "1999-01-01"}, 400, None),
    ],
)
async def test_a_call_that_is_not_in_order_is_refused(
    github: Service, headers: dict[str, str], status: int, message: str | None
) -> None:
    answer = await github.client.get(f"{github.base}/user", headers=headers)
    assert answer.status_code == status
    assert message is None or answer.json()["message"] == message
    assert "documentation_url" in answer.json()


async def test_a_call_without_user_agent_is_refused(github: Service) -> None:
    request = github.client.build_request("GET", f"{github.base}/user")
    request.headers["Authorization"] = f"Bearer {TOKEN_REPO}"
    del request.headers["User-Agent"]
    answer = await github.client.send(request)
    assert answer.status_code == 403
    assert "User-Agent" in answer.json()["message"]


async def test_an_unknown_route_answers_as_github_does(github: Service) -> None:
    answer = await github.call("GET", "/nothing/here")
    assert (answer.status_code, answer.json()["message"]) == (404, "Not Found")


async def test_an_exhausted_limit_refuses_and_a_new_window_allows(client: httpx2.AsyncClient) -> None:
    clock = [1_800_000_000.0]
    async with serving(sandbox(rate_limit=2, now=lambda: clock[0])) as base:
        service = Service(base, client)
        assert [(await service.call("GET", "/user")).status_code for _ in range(2)] == [200, 200]
        refused = await service.call("GET", "/user")
        assert (refused.status_code, refused.headers["x-ratelimit-remaining"]) == (403, "0")
        assert refused.headers["x-ratelimit-reset"] == "1800003600"
        assert (await service.call("GET", "/user", token=TOKEN_SAM)).status_code == 200
        clock[0] += 3600
        assert (await service.call("GET", "/user")).status_code == 200


@pytest.mark.parametrize("prefix", ["/sandbox/github", "/sandbox/github/api/v3"])
async def test_links_lead_back_to_where_it_is_mounted(client: httpx2.AsyncClient, prefix: str) -> None:
    app = Starlette(routes=[Mount("/sandbox/github", app=sandbox())])
    async with serving(app) as base:
        service = Service(base + prefix, client)
        url = (await service.call("GET", LIGHTHOUSE)).json()["url"]
        assert url == f"{base}{prefix}{LIGHTHOUSE}"
        page = await service.call("GET", f"{LIGHTHOUSE}/issues?state=all&per_page=1")
        following = page.links["next"]["url"].removeprefix(service.base)
        assert (await service.call("GET", following)).json()[0]["number"] == 2
        assert page.links["last"]["url"].endswith("page=3")


@pytest.mark.parametrize(
    ("token", "method", "path", "status"),
    [
        (TOKEN_READ_ONLY, "GET", LIGHTHOUSE, 200),
        (TOKEN_READ_ONLY, "GET", LEDGER, 404),
        (TOKEN_SAM, "GET", LEDGER, 404),
        (TOKEN_READ_ONLY, "POST", f"{LEDGER}/issues", 404),
        (TOKEN_READ_ONLY, "POST", f"{LIGHTHOUSE}/issues", 403),
        (TOKEN_READ_ONLY, "POST", "/user/repos", 403),
        (TOKEN_REPO, "DELETE", LIGHTHOUSE, 403),
        (TOKEN_SAM, "PATCH", LIGHTHOUSE, 403),
    ],
)
async def test_scopes_and_ownership_decide(github: Service, token: str, method: str, path: str, status: int) -> None:
    body: JsonValue = {"title": "x", "name": "x"} if method != "GET" else None
    answer = await github.call(method, path, body, token)
    assert answer.status_code == status
    assert await github.effects() == {}


async def test_workflow_files_need_their_own_scope(github: Service) -> None:
    path = f"{LIGHTHOUSE}/contents/.github/workflows/ci.yml"
    body: JsonValue = {"message": "CI", "content": base64.b64encode(b"on: push\n").decode()}
    assert (await github.call("PUT", path, body)).status_code == 404
    assert (await github.call("PUT", path, body, TOKEN_EVERYTHING)).status_code == 201


async def test_the_consent_page_says_what_it_is_and_runs_no_script(github: Service) -> None:
    asked = {
        "client_id": CLIENT_ID,
        "redirect_uri": RETURN_TO,
        "scope": "repo nonsense",
        "state": '"><script>',
    }
    page = await github.client.get(f"{github.base}/login/oauth/authorize", params=asked)
    assert page.status_code == 200
    assert "SANDBOX" in page.text
    assert "Read and write all of your repositories" in page.text
    assert 'value="nonsense"' not in page.text
    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"client_id": "unknown"}, 404),
        ({"redirect_uri": "https://elsewhere.example/callback"}, 400),
        ({"redirect_uri": "http://127.0.0.1.elsewhere.example/"}, 400),
        ({"redirect_uri": "http://127.0.0.1@elsewhere.example/"}, 400),
        ({"redirect_uri": "javascript:alert(1)"}, 400),
        ({"redirect_uri": "http://[broken/"}, 400),
        ({"code_challenge": "abc", "code_challenge_method": "plain"}, 400),
    ],
)
async def test_a_request_that_cannot_be_trusted_goes_nowhere(
    github: Service, change: dict[str, str], status: int
) -> None:
    asked = {"client_id": CLIENT_ID, "redirect_uri": RETURN_TO, **change}
    url = f"{github.base}/login/oauth/authorize"
    assert (await github.client.get(url, params=asked)).status_code == status
    posted = await github.client.post(url, data={**asked, "decision": "authorize", "account": "lin-harbour"})
    assert posted.status_code == status


async def test_a_code_becomes_a_token_once(github: Service) -> None:
    told = await github.consent(
        scope="user:email,repo public_repo",
        code_challenge=challenge_of(VERIFIER),
        code_challenge_method="S256",
    )
    assert told["state"] == ["s 1&2"]
    [code] = told["code"]
    answer = (await github.exchange(code=code, code_verifier=VERIFIER, redirect_uri=RETURN_TO)).json()
    assert answer["scope"] == "repo,user:email"
    assert answer["token_type"] == "bearer"
    profile = await github.call("GET", "/user", token=answer["access_token"])
    assert profile.json()["email"] == "lin@harbour.example"
    assert profile.headers["x-oauth-scopes"] == "repo, user:email"
    again = await github.exchange(code=code, code_verifier=VERIFIER)
    assert (again.status_code, again.json()["error"]) == (200, "bad_verification_code")


async def test_the_answer_is_form_encoded_unless_json_is_asked_for(github: Service) -> None:
    [code] = (await github.consent())["code"]
    answer = await github.exchange(accept="*/*", code=code)
    assert answer.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert parse_qs(answer.text)["token_type"] == ["bearer"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_secret": "wrong"}, "incorrect_client_credentials"),
        ({"redirect_uri": "http://127.0.0.1:9/other"}, "redirect_uri_mismatch"),
        ({"code_verifier": "wrong"}, "bad_verification_code"),
        ({"code": "unknown"}, "bad_verification_code"),
    ],
)
async def test_a_wrong_exchange_is_refused_with_200(github: Service, change: dict[str, str], error: str) -> None:
    told = await github.consent(code_challenge=challenge_of(VERIFIER), code_challenge_method="S256")
    answer = await github.exchange(**{"code": told["code"][0], "code_verifier": VERIFIER, **change})
    assert (answer.status_code, answer.json()["error"]) == (200, error)


async def test_a_code_lives_ten_minutes(client: httpx2.AsyncClient) -> None:
    clock = [1_800_000_000.0]
    async with serving(sandbox(now=lambda: clock[0])) as base:
        service = Service(base, client)
        [code] = (await service.consent())["code"]
        clock[0] += 600
        assert (await service.exchange(code=code)).json()["error"] == "bad_verification_code"


async def test_a_person_may_deny_or_grant_less(github: Service) -> None:
    denied = await github.consent(decision="deny")
    assert denied["error"] == ["access_denied"]
    assert denied["state"] == ["s 1&2"]
    token = await github.connect(scope="repo,user", choosing="1", grant=["user"])
    assert (await github.call("GET", "/user", token=token)).headers["x-oauth-scopes"] == "user"


async def test_a_github_apps_token_expires_and_rotates(client: httpx2.AsyncClient) -> None:
    clock = [1_800_000_000.0]
    async with serving(sandbox(now=lambda: clock[0])) as base:
        service, app = Service(base, client), {"client_id": APP_ID}
        [code] = (await service.consent(**app, scope=""))["code"]
        first = (await service.exchange(**app, code=code)).json()
        assert (first["scope"], first["expires_in"], first["refresh_token_expires_in"]) == ("", 28_800, 15_897_600)
        answer = await service.call("GET", "/user", token=first["access_token"])
        assert "x-oauth-scopes" not in answer.headers
        assert (await service.call("GET", LEDGER, token=first["access_token"])).status_code == 200
        clock[0] += 28_800
        assert (await service.call("GET", "/user", token=first["access_token"])).status_code == 401
        told = {**app, "grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        second = (await service.exchange(**told)).json()
        assert (await service.call("GET", "/user", token=second["access_token"])).status_code == 200
        again = await service.exchange(**told)
        assert (again.status_code, again.json()["error"]) == (200, "bad_refresh_token")


async def test_a_revoked_token_is_refused_and_its_sibling_is_not(github: Service) -> None:
    first, second = await github.connect(), await github.connect()
    url, auth = f"{github.base}/applications/{CLIENT_ID}/token", (CLIENT_ID, CLIENT_SECRET)
    checked = await github.client.post(url, json={"access_token": first}, auth=auth)
    assert checked.json()["scopes"] == ["repo"]
    gone = await github.client.request("DELETE", url, json={"access_token": first}, auth=auth)
    assert gone.status_code == 204
    assert (await github.call("GET", "/user", token=first)).status_code == 401
    assert (await github.call("GET", "/user", token=second)).status_code == 200
    assert (await github.client.post(url, json={"access_token": first}, auth=auth)).status_code == 404
    strangers = await github.client.post(url, json={"access_token": second}, auth=(CLIENT_ID, "wrong"))
    assert strangers.status_code == 401


async def test_revoking_the_grant_ends_all_its_tokens_but_not_a_new_consent(github: Service) -> None:
    first, second = await github.connect(), await github.connect()
    url, auth = f"{github.base}/applications/{CLIENT_ID}/grant", (CLIENT_ID, CLIENT_SECRET)
    await github.client.request("DELETE", url, json={"access_token": first}, auth=auth)
    statuses = [(await github.call("GET", "/user", token=token)).status_code for token in (first, second)]
    assert statuses == [401, 401]
    assert (await github.call("GET", "/user", token=await github.connect())).status_code == 200


async def test_a_token_can_be_revoked_by_the_control_route(github: Service) -> None:
    token = await github.connect()
    url = f"{github.base}/_sandbox/revoke"
    assert (await github.client.post(url, json={"token": token})).json() == {"revoked": True}
    assert (await github.call("GET", "/user", token=token)).status_code == 401
    assert (await github.client.post(url, json={"token": token})).json() == {"revoked": False}


async def test_git_objects_have_the_names_git_gives_them() -> None:
    store = ObjectStore()
    hello = store.add_blob(b"hello\n")
    assert hello == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert store.add_tree({}) == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    assert store.add_tree({"a.txt": File(sha=hello)}) == "2e81171448eb9f2ee3821e3d447aa6b2fe3ddba1"


async def test_a_repository_lives_and_dies(github: Service) -> None:
    made = await github.call("POST", "/user/repos", {"name": "pier", "private": True, "auto_init": True})
    assert (made.status_code, made.json()["visibility"]) == (201, "private")
    twice = await github.call("POST", "/user/repos", {"name": "Pier"})
    assert twice.status_code == 422
    assert twice.json()["errors"][0]["field"] == "name"
    names = [one["name"] for one in (await github.call("GET", "/user/repos")).json()]
    assert names == ["pier", "ledger", "lighthouse"]
    pier = "/repos/lin-harbour/pier"
    archived = await github.call("PATCH", pier, {"archived": True, "description": "Wood"})
    assert archived.json()["description"] == "Wood"
    assert (await github.call("POST", f"{pier}/issues", {"title": "x"})).status_code == 403
    assert (await github.call("DELETE", pier, token=TOKEN_EVERYTHING)).status_code == 204
    assert (await github.call("GET", pier)).status_code == 404


async def test_a_file_is_replaced_only_by_who_knows_its_sha(github: Service) -> None:
    path = f"{LIGHTHOUSE}/contents/docs/log.md"
    content = base64.b64encode("fog \N{FOGGY}".encode()).decode()
    made = await github.call("PUT", path, {"message": "Log", "content": content})
    assert made.status_code == 201
    sha = made.json()["content"]["sha"]
    body: dict[str, JsonValue] = {"message": "Log", "content": base64.b64encode(b"clear").decode()}
    assert (await github.call("PUT", path, body)).status_code == 422
    assert (await github.call("PUT", path, {**body, "sha": "0" * 40})).status_code == 409
    assert (await github.call("PUT", path, {**body, "sha": sha})).status_code == 200
    assert (await github.call("PUT", path, {**body, "content": "%%"})).status_code == 422
    read = (await github.call("GET", path)).json()
    assert base64.b64decode(read["content"]) == b"clear"
    gone = await github.call("DELETE", path, {"message": "Away", "sha": read["sha"]})
    assert gone.status_code == 200
    assert (await github.call("GET", path)).status_code == 404
    listing = (await github.call("GET", f"{LIGHTHOUSE}/contents/docs")).json()
    assert [entry["path"] for entry in listing] == ["docs/keeper.md"]


async def test_several_files_are_pushed_in_one_commit(github: Service) -> None:
    git = f"{LIGHTHOUSE}/git"
    head = (await github.call("GET", f"{git}/ref/heads/main")).json()["object"]["sha"]
    base = (await github.call("GET", f"{git}/commits/{head}")).json()["tree"]["sha"]
    blob = (await github.call("POST", f"{git}/blobs", {"content": "AAEC", "encoding": "base64"})).json()["sha"]
    entries: JsonValue = [
        {"path": "bin/lamp", "mode": "100755", "type": "blob", "sha": blob},
        {"path": "docs/new.md", "mode": "100644", "type": "blob", "content": "new\n"},
        {"path": "docs/keeper.md", "mode": "100644", "type": "blob", "sha": None},
    ]
    tree = (await github.call("POST", f"{git}/trees", {"base_tree": base, "tree": entries})).json()["sha"]
    told: dict[str, JsonValue] = {"message": "Push", "tree": tree, "parents": [head]}
    commit = (await github.call("POST", f"{git}/commits", told)).json()["sha"]
    moved = await github.call("PATCH", f"{git}/refs/heads/main", {"sha": commit})
    assert moved.json()["object"]["sha"] == commit
    listed = (await github.call("GET", f"{git}/trees/{tree}?recursive=1")).json()["tree"]
    assert [entry["path"] for entry in listed] == ["README.md", "bin/lamp", "docs/new.md", "src/lamp.py"]
    back = await github.call("PATCH", f"{git}/refs/heads/main", {"sha": head})
    assert (back.status_code, back.json()["message"]) == (422, "Update is not a fast forward")


async def test_branches_are_made_once_and_never_in_an_empty_repository(github: Service) -> None:
    head = (await github.call("GET", f"{LIGHTHOUSE}/git/ref/heads/main")).json()["object"]["sha"]
    body: JsonValue = {"ref": "refs/heads/dusk", "sha": head}
    statuses = [(await github.call("POST", f"{LIGHTHOUSE}/git/refs", body)).status_code for _ in range(2)]
    assert statuses == [201, 422]
    names = [branch["name"] for branch in (await github.call("GET", f"{LIGHTHOUSE}/branches")).json()]
    assert names == ["brighter-lamp", "dusk", "main"]
    await github.call("POST", "/user/repos", {"name": "void"})
    assert (await github.call("POST", "/repos/lin-harbour/void/git/refs", body)).status_code == 409


async def test_an_issue_is_opened_commented_and_closed(github: Service) -> None:
    made = await github.call("POST", f"{LIGHTHOUSE}/issues", {"title": "Fog horn", "labels": ["bug"]})
    assert (made.status_code, made.json()["number"]) == (201, 4)
    one = f"{LIGHTHOUSE}/issues/4"
    assert (await github.call("POST", f"{one}/comments", {"body": "Loud."}, TOKEN_SAM)).status_code == 201
    assert [said["body"] for said in (await github.call("GET", f"{one}/comments")).json()] == ["Loud."]
    closed = (await github.call("PATCH", one, {"state": "closed"})).json()
    assert (closed["state"], closed["state_reason"], closed["comments"]) == ("closed", "completed", 1)
    numbers = [issue["number"] for issue in (await github.call("GET", f"{LIGHTHOUSE}/issues")).json()]
    assert numbers == [2, 1]
    assert await github.effects() == {
        "POST /repos/{owner}/{repo}/issues": 1,
        "POST /repos/{owner}/{repo}/issues/{number}/comments": 1,
        "PATCH /repos/{owner}/{repo}/issues/{number}": 1,
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"title": " "}, 422),
        ({"title": 7}, 422),
        ({"title": "x", "labels": "bug"}, 422),
        ([1], 400),
    ],
)
async def test_a_wrong_issue_is_refused_in_githubs_shape(github: Service, body: JsonValue, status: int) -> None:
    answer = await github.call("POST", f"{LIGHTHOUSE}/issues", body)
    assert answer.status_code == status
    assert await github.effects() == {}


async def test_missing_titles_are_named_as_github_names_them(github: Service) -> None:
    answer = await github.call("POST", f"{LIGHTHOUSE}/issues", {})
    assert answer.json()["errors"] == [{"resource": "Issue", "field": "title", "code": "missing_field"}]


@pytest.mark.parametrize(
    ("query", "token", "numbers"),
    [
        ("repo:lin-harbour/lighthouse is:issue is:open", TOKEN_REPO, [2, 1]),
        ("repo:lin-harbour/lighthouse FOG", TOKEN_REPO, [1]),
        ('"close the books"', TOKEN_REPO, [1]),
        ('"close the books"', TOKEN_READ_ONLY, []),
        ("is:closed author:sam-quay", TOKEN_REPO, [3]),
        ("label:docs", TOKEN_SAM, [2]),
    ],
)
async def test_search_finds_what_the_token_may_see(github: Service, query: str, token: str, numbers: list[int]) -> None:
    request = httpx2.QueryParams({"q": query})
    found = (await github.call("GET", f"/search/issues?{request}", token=token)).json()
    assert [item["number"] for item in found["items"]] == numbers
    assert found["total_count"] == len(numbers)


async def test_a_pull_request_is_merged_once_and_only_at_the_known_head(github: Service) -> None:
    told: JsonValue = {"title": "Brighter", "head": "brighter-lamp", "base": "main"}
    made = await github.call("POST", f"{LIGHTHOUSE}/pulls", told)
    assert (made.status_code, made.json()["mergeable"], made.json()["changed_files"]) == (201, True, 1)
    assert (await github.call("POST", f"{LIGHTHOUSE}/pulls", told)).status_code == 422
    merge = f"{LIGHTHOUSE}/pulls/4/merge"
    assert (await github.call("PUT", merge, {"sha": "0" * 40})).status_code == 409
    done = await github.call("PUT", merge, {"sha": made.json()["head"]["sha"], "merge_method": "squash"})
    assert done.json()["merged"] is True
    assert (await github.call("PUT", merge)).status_code == 405
    lamp = (await github.call("GET", f"{LIGHTHOUSE}/contents/src/lamp.py")).json()
    assert b"bright" in base64.b64decode(lamp["content"])
    shown = (await github.call("GET", f"{LIGHTHOUSE}/pulls/4")).json()
    assert (shown["state"], shown["merged"]) == ("closed", True)


async def test_two_changes_to_one_file_cannot_be_merged(github: Service) -> None:
    path = f"{LIGHTHOUSE}/contents/src/lamp.py"
    sha = (await github.call("GET", path)).json()["sha"]
    body: JsonValue = {"message": "Dim", "content": base64.b64encode(b"dim\n").decode(), "sha": sha}
    await github.call("PUT", path, body)
    told: JsonValue = {"title": "Brighter", "head": "lin-harbour:brighter-lamp", "base": "main"}
    made = (await github.call("POST", f"{LIGHTHOUSE}/pulls", told)).json()
    assert made["mergeable"] is False
    assert (await github.call("PUT", f"{LIGHTHOUSE}/pulls/4/merge")).status_code == 405


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("429", 429),
        ("403_secondary", 403),
        ("500", 500),
        ("503", 503),
        ("401", 401),
        ("404", 404),
        ("422", 422),
    ],
)
async def test_a_fault_answers_in_place_of_the_service_and_only_once(github: Service, kind: str, status: int) -> None:
    await github.fault(kind, "POST /repos/*/issues", retry_after=7)
    assert (await github.call("GET", "/user")).status_code == 200
    answers = [await github.call("POST", f"{LIGHTHOUSE}/issues", {"title": "x"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [status, 201]
    waits = answers[0].headers.get("retry-after")
    assert waits == ("7" if kind in {"429", "403_secondary", "503"} else None)


def _mounted(app: ASGIApp) -> ASGIApp:
    return Starlette(routes=[Mount("/sandbox/github", app=app)])


def _bare(app: ASGIApp) -> ASGIApp:
    return app


@pytest.mark.parametrize(("wrap", "prefix"), [(_bare, ""), (_mounted, "/sandbox/github")])
@pytest.mark.parametrize(("kind", "effects"), [("lost_answer", 1), ("reset", 0)])
async def test_a_cut_connection_is_seen_by_real_clients(
    client: httpx2.AsyncClient, wrap: Callable[[ASGIApp], ASGIApp], prefix: str, kind: str, effects: int
) -> None:
    async with serving(wrap(sandbox())) as base, aiohttp.ClientSession() as session:
        service = Service(base + prefix, client)
        await service.fault(kind, "POST /repos/*/issues", times=2)
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            await service.call("POST", f"{LIGHTHOUSE}/issues", {"title": "Cut"})
        assert sum((await service.effects()).values()) == effects
        headers = {"Authorization": f"Bearer {TOKEN_REPO}"}
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await session.post(f"{service.base}{LIGHTHOUSE}/issues", json={"title": "Cut"}, headers=headers)
        assert (await service.call("GET", "/user")).status_code == 200


async def test_garbage_and_floods_arrive_as_asked(github: Service) -> None:
    await github.fault("garbage", "GET /user")
    garbage = await github.call("GET", "/user")
    assert garbage.headers["content-type"] == "application/json"
    with pytest.raises(json.JSONDecodeError):
        garbage.json()
    await github.fault("huge", "GET /user", megabytes=2)
    assert len((await github.call("GET", "/user")).content) > 2 * 1024 * 1024


async def test_a_slow_call_outlasts_a_short_deadline_but_happens(github: Service) -> None:
    await github.fault("slow", "POST /repos/*/issues", seconds=0.01)
    assert (await github.call("POST", f"{LIGHTHOUSE}/issues", {"title": "Late"})).status_code == 201
    await github.fault("slow", "GET /user", seconds=0.5)
    with pytest.raises(httpx2.ReadTimeout):
        await github.client.get(f"{github.base}/user", timeout=0.01)


async def test_control_routes_are_closed_to_pages_and_when_switched_off(
    github: Service, client: httpx2.AsyncClient
) -> None:
    told = b'{"kind": "500"}'
    plain = await client.post(f"{github.base}/_sandbox/faults", content=told, headers={"Content-Type": "text/plain"})
    assert plain.status_code == 422
    unknown = await client.post(f"{github.base}/_sandbox/faults", json={"kind": "earthquake"})
    assert unknown.status_code == 422
    async with serving(sandbox(faults=False)) as base:
        assert (await client.get(f"{base}/_sandbox/effects")).status_code == 404


async def test_tokens_and_data_outlive_a_restart(client: httpx2.AsyncClient, tmp_path: Path) -> None:
    file = tmp_path / "state" / "github.json"
    async with serving(sandbox(file)) as base:
        service = Service(base, client)
        token, other = await service.connect(), await service.connect()
        await service.call("POST", f"{LIGHTHOUSE}/issues", {"title": "Remember"}, token)
        await client.post(f"{base}/_sandbox/revoke", json={"token": other})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    async with serving(sandbox(file)) as base:
        service = Service(base, client)
        titles = [issue["title"] for issue in (await service.call("GET", f"{LIGHTHOUSE}/issues", token=token)).json()]
        assert titles[0] == "Remember"
        assert (await service.call("GET", "/user", token=other)).status_code == 401
        read = (await service.call("GET", f"{LIGHTHOUSE}/contents/README.md", token=token)).json()
        assert base64.b64decode(read["content"]).startswith(b"# Lighthouse")
    assert [path.name for path in file.parent.iterdir()] == ["github.json"]


async def test_a_state_file_that_makes_no_sense_is_set_aside(tmp_path: Path) -> None:
    file = tmp_path / "github.json"
    file.write_text("{")
    sandbox(file)
    assert (tmp_path / "github.json.unreadable").read_text() == "{"


async def test_a_token_of_one_sandbox_opens_no_other(github: Service, client: httpx2.AsyncClient) -> None:
    async with serving(sandbox()) as base:
        token = await Service(base, client).connect()
    assert (await github.call("GET", "/user", token=token)).status_code == 401
